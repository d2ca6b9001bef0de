"""WebAssembly as people make it: a command from C by clang and wasi-libc, a WASI-HTTP component from Python by componentize-py."""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import urllib.request

import pytest
from conftest import ROOT
from support import create, zipped

C = r"""
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char event[4096];
    size_t length = fread(event, 1, sizeof event, stdin);
    fprintf(stderr, "%zu bytes of event\n", length);
    printf("{\"event\": %.*s, \"function\": \"%s\"}", (int)length, event, getenv("AWS_LAMBDA_FUNCTION_NAME"));
    return 0;
}
"""

PYTHON = """
import json

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, OutgoingBody, OutgoingResponse, ResponseOutparam


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        content = request.consume()
        with content.stream() as stream:
            posted = stream.blocking_read(100)
        answer = {"path": request.path_with_query(), "posted": posted.decode(), "sum": sum(range(10))}
        response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as stream:
            stream.blocking_write_and_flush(json.dumps(answer).encode())
        OutgoingBody.finish(body, None)
"""


def run(*command, cwd):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)


def test_a_command_from_c(lambda_client, tmp_path):
    """What the compiler for WASI needs is three packages of Debian's: clang, wasi-libc, libclang-rt-dev-wasm32."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    (tmp_path / "main.c").write_text(C)
    done = run("clang", "--target=wasm32-wasi", "-O1", "-o", "main.wasm", "main.c", cwd=tmp_path)
    if done.returncode != 0 and ("wasi" in done.stderr or "wasm" in done.stderr or "stdio.h" in done.stderr):
        pytest.skip(f"clang has no library for WASI here: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
    create(lambda_client, "c-to-wasi", "provided.al2023", "main.wasm", zipped({"main.wasm": (tmp_path / "main.wasm").read_bytes()}))
    for number in range(2):
        answer = lambda_client.invoke(FunctionName="c-to-wasi", Payload=json.dumps({"number": number}))
        told = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer and told == {"event": {"number": number}, "function": "c-to-wasi"}, told
    lambda_client.delete_function(FunctionName="c-to-wasi")


def interfaces():
    """The folder in which the runtime that the node is built with says what WASI-HTTP is; None without cargo."""
    if shutil.which("cargo") is None:
        return None
    target = f"{platform.machine()}-unknown-linux-gnu"
    done = run("cargo", "metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", target, cwd=ROOT)
    found = [package for package in json.loads(done.stdout or '{"packages": []}')["packages"] if package["name"] == "wasmtime-wasi-http"]
    return pathlib.Path(found[0]["manifest_path"]).parent / "wit" if found else None


def test_a_component_from_python(node, tmp_path):
    """Where componentize-py is: continuous integration does not have it, for what it makes is the whole of CPython, and a debug build of
    the node needs minutes to compile that."""
    # Longer than that, and once: another try would find the function that the first one made.
    client = node.client("lambda", read_timeout=900, retries={"total_max_attempts": 1})
    beside = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    componentize, wit = shutil.which("componentize-py", path=beside), interfaces()
    if componentize is None or wit is None:
        pytest.skip("there is no componentize-py here, or no cargo to tell where WASI's interfaces lie")
    (tmp_path / "app.py").write_text(PYTHON)
    done = run(componentize, "-d", wit, "-w", "wasi:http/proxy", "componentize", "app", "-o", "app.wasm", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    code = zipped({"app.wasm": (tmp_path / "app.wasm").read_bytes()})
    name = "python-to-wasi"
    create(client, name, "provided.al2023", "app.wasm", code, MemorySize=512, Timeout=60)
    client.create_function_url_config(FunctionName=name, AuthType="NONE")
    for posted in ("one", "two"):
        request = urllib.request.Request(f"{node.endpoint}/_fn/{name}/a/b?c=d", data=posted.encode())
        with urllib.request.urlopen(request, timeout=90) as answer:
            assert answer.headers["content-type"] == "application/json"
            assert json.load(answer) == {"path": "/a/b?c=d", "posted": posted, "sum": 45}
    client.delete_function(FunctionName=name)
