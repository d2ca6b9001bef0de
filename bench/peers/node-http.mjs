// The bare server that a function URL is compared with: the same handler behind node:http, no platform in between.
import http from "node:http";
import { handler } from "../functions/hello/index.mjs";

const server = http.createServer(async (request, response) => {
  const body = Buffer.from(JSON.stringify(await handler({ rawPath: request.url })));
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
