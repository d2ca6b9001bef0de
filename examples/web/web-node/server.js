// A web server with nothing but Node.js: pages, a stream of events, and a WebSocket that says back what it hears.
const { createServer } = require("node:http");
const { createHash } = require("node:crypto");

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/ticks") {
    // Each line reaches the client when it is written.
    response.writeHead(200, { "content-type": "text/event-stream" });
    let count = 0;
    const timer = setInterval(() => {
      response.write(`data: tick ${++count}\n\n`);
      if (count === 5) {
        clearInterval(timer);
        response.end();
      }
    }, 200);
    return;
  }
  if (url.pathname === "/shout") {
    // Both bodies stream: the answer begins before the request ends.
    response.writeHead(200, { "content-type": "text/plain" });
    request.setEncoding("utf8");
    request.on("data", (piece) => response.write(piece.toUpperCase()));
    request.on("end", () => response.end());
    return;
  }
  if (url.pathname === "/events" && request.method === "POST") {
    // What is no request (an `invoke`, a queue, a schedule) arrives here.
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => response.end(JSON.stringify({ event: JSON.parse(body) })));
    return;
  }
  console.log("greeting", url.searchParams.get("name") ?? "world");
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ message: `Hello ${url.searchParams.get("name") ?? "world"}, from a web server in Node.js` }));
});

// Small text messages only; a library does the rest.
server.on("upgrade", (request, socket) => {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on("data", (frame) => {
    const [first, length] = [frame[0], frame[1] & 127];
    if ((first & 15) === 8) return socket.end(frame);
    const mask = frame.subarray(2, 6);
    const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]));
    socket.write(Buffer.concat([Buffer.from([first, text.length]), text]));
  });
  socket.on("error", () => socket.destroy());
});

server.listen(process.env.PORT, () => console.log("listening on", process.env.PORT));
