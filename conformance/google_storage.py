"""A bucket of Google Cloud Storage, in memory, for want of Google's: its XML API as far as bytes are kept by it, after
https://cloud.google.com/storage/docs/xml-api. Who asks is not looked at."""

import hashlib
import json
import re
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit


class Bucket:
    """One bucket, listening at `endpoint` while it is open."""

    def __init__(self, name):
        self.name, self.objects, self.uploads, self.lock, self.generation = name, {}, {}, Lock(), 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"bucket": self}))
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def account(self):
        """What stands in for the key of a service account: who has it is believed without one."""
        nobody = {"client_email": "", "private_key": "", "private_key_id": ""}
        return json.dumps({**nobody, "gcs_base_url": self.endpoint, "disable_oauth": True})

    def put(self, key, content):
        self.generation += 1
        self.objects[key] = (content, str(self.generation), formatdate(usegmt=True))
        return tag(content), str(self.generation)


def tag(content):
    return f'"{hashlib.md5(content).hexdigest()}"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, *_):
        pass

    def asked(self):
        """The object's name (none for the bucket), what the query says, and what was sent."""
        url = urlsplit(self.path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if unquote(bucket) != self.bucket.name:
            self.answer(404)
            return None, None, None
        return unquote(key), query, content

    def answer(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def xml(self, name, text):
        self.answer(200, f'<?xml version="1.0" encoding="UTF-8"?><{name}>{text}</{name}>'.encode(), Content_Type="application/xml")

    def do_PUT(self):
        key, query, content = self.asked()
        if not key:
            return
        with self.bucket.lock:
            if "uploadId" in query:
                self.bucket.uploads[query["uploadId"]][int(query["partNumber"])] = content
                etag, generation = tag(content), "0"
            elif self.headers.get("x-goog-if-generation-match") == "0" and key in self.bucket.objects:
                return self.answer(412)
            else:
                etag, generation = self.bucket.put(key, content)
        self.answer(200, ETag=etag, x_goog_generation=generation)

    def do_POST(self):
        key, query, content = self.asked()
        if not key:
            return
        with self.bucket.lock:
            if "uploads" in query:
                upload = f"upload-{len(self.bucket.uploads)}"
                self.bucket.uploads[upload] = {}
                text = f"<Bucket>{self.bucket.name}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>"
                return self.xml("InitiateMultipartUploadResult", text)
            parts = self.bucket.uploads.pop(query["uploadId"])
            wanted = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", content)]
            etag, _ = self.bucket.put(key, b"".join(parts[number] for number in wanted))
        self.xml("CompleteMultipartUploadResult", f"<Bucket>{self.bucket.name}</Bucket><Key>{key}</Key><ETag>{etag}</ETag>")

    def do_DELETE(self):
        key, query, _ = self.asked()
        if not key:
            return
        with self.bucket.lock:
            held = self.bucket.uploads if "uploadId" in query else self.bucket.objects
            found = held.pop(query.get("uploadId", key), None)
        self.answer(404 if found is None else 204)

    def do_GET(self):
        key, query, _ = self.asked()
        if key is None:
            return
        if not key:
            return self.list(query)
        with self.bucket.lock:
            content, generation, modified = self.bucket.objects.get(key, (None, None, None))
        if content is None:
            return self.answer(404)
        about = {"ETag": tag(content), "x_goog_generation": generation, "Last_Modified": modified}
        range_ = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or "")
        if range_ is None:
            return self.answer(200, content, Content_Length=str(len(content)), **about)
        start, end = int(range_[1]), min(int(range_[2] or len(content)), len(content) - 1)
        self.answer(206, content[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(content)}", **about)

    do_HEAD = do_GET

    def list(self, query):
        with self.bucket.lock:
            found = sorted((key, *kept) for key, kept in self.bucket.objects.items() if key.startswith(query.get("prefix", "")))
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(content)}</Size><ETag>{tag(content)}</ETag>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, content, *_ in found
        )
        self.xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{entries}")
