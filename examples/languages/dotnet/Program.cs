// A function in C# with nothing but what comes with .NET: it asks for events and answers them, over the Lambda Runtime API.
// AWS's own client (Amazon.Lambda.RuntimeSupport) does the same and calls a handler.
//
// In words that both .NET's own compiler and Mono's understand.

using System;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

static class Program
{
    static void Main() => Serve().GetAwaiter().GetResult();

    static async Task Serve()
    {
        var api = $"http://{Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API")}/2018-06-01/runtime/invocation/";
        using (var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan })
        {
            while (true)
            {
                var next = await client.GetAsync(api + "next");
                var read = await next.Content.ReadAsStringAsync();
                var id = next.Headers.GetValues("Lambda-Runtime-Aws-Request-Id").First();
                Console.WriteLine($"an event of {read.Length} characters");
                var answer = $"{{\"language\": \".NET {Environment.Version.Major}\", \"event\": {read}}}";
                var body = new StringContent(answer, Encoding.UTF8, "application/json");
                await client.PostAsync(api + $"{id}/response", body);
            }
        }
    }
}
