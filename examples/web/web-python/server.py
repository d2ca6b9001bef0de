"""A web server with nothing but Python's standard library."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = parse_qs(urlsplit(self.path).query).get("name", ["world"])[0]
        print("greeting", name)
        self.answer({"message": f"Hello {name}, from a web server in Python"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        # What is no request (an `invoke`, a queue, a schedule) is posted to /events.
        self.answer({"path": self.path, "event": json.loads(body or b"null")})

    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass  # The platform tells of each request.


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
