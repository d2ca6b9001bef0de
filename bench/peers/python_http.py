"""The bare server that a Python function's URL is compared with: the same handler behind Python's own HTTP server."""

import http.server
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "functions" / "hello-python"))

from app import handler  # noqa: E402


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head waits for the body, so that both go out in one packet.
    wbufsize = -1

    def do_GET(self):
        body = json.dumps(handler({"rawPath": self.path}, None)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the other side's log is not what is measured here."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Hello)
print("listening", server.server_address[1], flush=True)
server.serve_forever()
