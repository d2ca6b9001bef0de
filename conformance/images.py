"""Container images made here: one static program, put into layouts, saved archives and a registry, without any builder."""

import functools
import gzip
import hashlib
import http.server
import io
import json
import pathlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
import threading

from conftest import ROOT
from support import lacks

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SOURCE = ROOT / "crates" / "compute" / "tests" / "functions" / "guest.c"


@functools.cache
def program():
    """The program that the images run, linked statically."""
    if shutil.which("cc") is None:
        lacks("no C compiler to make a program for images with")
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "guest"
        done = subprocess.run(["cc", "-static", "-O1", "-D_GNU_SOURCE", "-o", made, SOURCE], capture_output=True, text=True)
        if done.returncode != 0:
            lacks(f"the C compiler does not link statically: {done.stderr[:200]}")
        return made.read_bytes()


def layer(files):
    """A layer's archive of `files`: name → bytes. A name ending in `*` is executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("*"))
            entry.size = len(content)
            entry.mode = 0o755 if name.endswith("*") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Image:
    """An image of some files over the program."""

    def __init__(self, config, **files):
        plain = [layer({"app/guest*": program()}), layer({name.replace("__", "/"): text.encode() for name, text in files.items()})]
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        self.config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in plain]},
            }
        ).encode()
        self.plain = plain
        self.layers = [gzip.compress(one, mtime=0) for one in plain]
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor("application/vnd.oci.image.config.v1+json", self.config),
                "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", one) for one in self.layers],
            }
        ).encode()

    @property
    def digest(self):
        return digest(self.manifest)

    @property
    def blobs(self):
        return {digest(one): one for one in [self.config, self.manifest, *self.layers]}

    def layout(self, folder):
        """Puts it into an OCI image layout."""
        blobs = pathlib.Path(folder) / "blobs" / "sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        for name, content in self.blobs.items():
            (blobs / name.removeprefix("sha256:")).write_bytes(content)
        index = {"schemaVersion": 2, "manifests": [descriptor(MANIFEST, self.manifest)]}
        (pathlib.Path(folder) / "index.json").write_text(json.dumps(index))
        (pathlib.Path(folder) / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        return f"file:{folder}"

    def saved(self, path, name):
        """Writes what `docker save` would."""
        config = digest(self.config).removeprefix("sha256:") + ".json"
        names = [f"{number}/layer.tar" for number in range(len(self.plain))]
        files = {config: self.config, **dict(zip(names, self.plain))}
        files["manifest.json"] = json.dumps([{"Config": config, "RepoTags": [name], "Layers": names}]).encode()
        pathlib.Path(path).write_bytes(layer(files))
        return f"file:{path}"


def descriptor(kind, content):
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


class Registry:
    """A registry of images in memory, on this machine's loopback."""

    def __init__(self):
        self.blobs, self.tags = {}, {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.answer(self, body=True)

            def do_HEAD(self):
                registry.answer(self, body=False)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def push(self, image, tag):
        self.blobs.update(image.blobs)
        self.tags[tag] = image.digest
        return f"{self.name}/app:{tag}"

    def answer(self, request, body):
        name = request.path.rsplit("/", 1)[-1]
        content = self.blobs.get(self.tags.get(name, name))
        status, kind = (200, MANIFEST) if "/manifests/" in request.path else (200, "application/octet-stream")
        if request.path == "/v2/":
            content, kind = b"{}", "application/json"
        if content is None:
            status, kind, content = 404, "application/json", b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
        request.send_response(status)
        request.send_header("content-type", kind)
        request.send_header("content-length", str(len(content)))
        request.send_header("docker-content-digest", digest(content))
        request.end_headers()
        if body:
            request.wfile.write(content)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
