// An ordinary web server in C#, of what comes with .NET alone: it listens on $PORT and knows nothing of Lambda. ASP.NET Core does it
// better.
//
// In words that both .NET's own compiler and Mono's understand.

using System;
using System.Net;
using System.Text;
using System.Threading.Tasks;

static class Server
{
    static void Main()
    {
        var listener = new HttpListener();
        listener.Prefixes.Add($"http://*:{Environment.GetEnvironmentVariable("PORT")}/");
        listener.Start();
        while (true)
        {
            var call = listener.GetContext();
            Task.Run(() => Answer(call));
        }
    }

    static void Answer(HttpListenerContext call)
    {
        var text = $"{{\"language\": \"C#\", \"path\": \"{call.Request.Url.AbsolutePath}\"}}";
        var body = Encoding.UTF8.GetBytes(text);
        call.Response.ContentType = "application/json";
        call.Response.Close(body, false);
    }
}
