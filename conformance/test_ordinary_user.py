"""A node that an ordinary user starts: functions of all kinds run in walls, and what only root could give is named."""

import json
import os
import shutil
import subprocess
import tempfile
import uuid

import pytest
from conftest import BINARY, Node
from support import create, lacks, zipped

NOBODY = 65534

SCRIPT = "import os\ndef handler(event, context):\n    return {'user': os.getuid(), 'event': event}\n"
MODULE = "exports.handler = async (event) => ({ user: process.getuid(), event })"
BOOTSTRAP = """#!/usr/bin/python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    event = json.loads(answer.read())
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    said = json.dumps({"user": os.getuid(), "event": event})
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", said)
    api.getresponse().read()
"""
SERVER = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = json.dumps({"user": os.getuid(), "event": event}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
PROWLER = """
import os, signal
def attempt(what):
    try:
        return str(what())
    except Exception as error:
        return type(error).__name__
def handler(event, context):
    return {
        "data": attempt(lambda: os.listdir(event["data"])),
        "shadow": attempt(lambda: open("/etc/shadow").read()),
        "code": attempt(lambda: open("/var/task/new", "w")),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
        "signal": attempt(lambda: os.kill(event["pid"], 0)),
        "capabilities": next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")),
    }
"""


class Ordinary(Node):
    """One that the user nobody runs."""

    user = NOBODY

    def run(self, *command, **settings):
        return super().run(*command, **{**self.identity(), **settings})

    def freehold(self, *arguments, **settings):
        return self.run(self.binary, *arguments, **settings)


@pytest.fixture(scope="module")
def place():
    """A folder of that user, with a program that it may execute."""
    if os.geteuid() != 0:
        pytest.skip("these tests run as an ordinary user already")
    folder = tempfile.mkdtemp(prefix="freehold-ordinary-", dir="/var/tmp")
    os.chown(folder, NOBODY, NOBODY)
    os.chmod(folder, 0o755)
    # Others may not pass through root's own folders.
    Ordinary.binary = shutil.copy(BINARY, os.path.join(folder, "freehold"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ordinary(place):
    node = Ordinary(os.path.join(place, "data")).start()
    doctor = json.loads(node.freehold("doctor", "--json", check=False, environment={"HOME": place}).stdout)
    node.checks = {check["subject"]: check for check in doctor["checks"]}
    if node.checks["namespaces"]["verdict"] != "good":
        node.stop()
        lacks(f"users have no namespaces here: {node.checks['namespaces']}")
    yield node
    node.stop()


@pytest.fixture
def client(ordinary):
    return ordinary.client("lambda")


@pytest.mark.parametrize(
    ("runtime", "handler", "files"),
    [
        ("python3.13", "app.handler", {"app.py": SCRIPT}),
        ("nodejs22.x", "index.handler", {"index.js": MODULE}),
        ("provided.al2023", "bootstrap", {"bootstrap*": BOOTSTRAP}),
        ("http", "server.py", {"server.py": SERVER}),
    ],
)
def test_functions_of_all_kinds_answer(client, runtime, handler, files):
    if runtime.startswith("nodejs") and shutil.which("node") is None:
        lacks("there is no Node.js here")
    name = f"f-{uuid.uuid4().hex[:12]}"
    create(client, name, runtime=runtime, handler=handler, code=zipped(files))
    for number in range(3):
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"number": number}))
        told = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer and told["event"] == {"number": number}, told
        assert told["user"] not in (0, None), "not root, even to itself"
    client.delete_function(FunctionName=name)


def test_a_function_finds_nothing_of_its_node(ordinary, client):
    name = f"f-{uuid.uuid4().hex[:12]}"
    create(client, name, code=zipped({"app.py": PROWLER}))
    event = {"data": str(ordinary.data), "pid": ordinary.process.pid}
    told = json.loads(client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())
    client.delete_function(FunctionName=name)
    assert told["data"] == "FileNotFoundError" and told["signal"] == "ProcessLookupError", told
    assert told["shadow"] in ("FileNotFoundError", "PermissionError") and told["code"] == "OSError", told
    assert told["processes"] <= 2 and int(told["capabilities"], 16) == 0, told


def test_what_only_root_could_give_is_named(ordinary):
    checks = ordinary.checks
    assert checks["namespaces"]["verdict"] == checks["system call filter"]["verdict"] == "good", checks
    own = checks["own user id"]
    assert own["verdict"] == "poor" and "only a node that runs as root" in own["found"], own


def test_whoever_requires_all_of_it_is_told_what_lacks(place, ordinary):
    lacking = [
        name
        for name, check in ordinary.checks.items()
        if check["verdict"] != "good" and "--sandbox required would refuse" in (check["remedy"] or "")
    ]
    if not lacking:
        pytest.skip("this machine gives an ordinary user all that is required")
    done = subprocess.run(
        [Ordinary.binary, "up", "--listen", "127.0.0.1:0", "--memory", "--sandbox", "required"],
        env={**os.environ, "HOME": place, "NO_COLOR": "1"},
        text=True,
        capture_output=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        **ordinary.identity(),
    )
    assert done.returncode == 1, done
    assert any(name in done.stderr for name in lacking), (lacking, done.stderr)
