"""Ordinary web servers as functions: requests, events, streams and WebSockets, over function URLs and the Lambda API."""

import base64
import http.client
import json
import os
import shutil
import socket
import urllib.request

import pytest
from conftest import ROOT
from support import create, eventually, zipped

NAMES = ["web-node", "web-python"]


@pytest.fixture
def web(own_node, tmp_path):
    shutil.copytree(ROOT / "examples" / "web", tmp_path / "web")
    node = own_node(tmp_path / "web")
    node.start()
    eventually(lambda: all(f"/{name}" in "".join(node.output) for name in NAMES))
    return node


def get(node, path):
    with urllib.request.urlopen(node.endpoint + path, timeout=60) as answer:
        return json.load(answer)


def connection(node):
    return http.client.HTTPConnection(node.endpoint.removeprefix("http://"), timeout=60)


def test_servers_answer_requests_and_events(web):
    for name, language in [("web-node", "Node.js"), ("web-python", "Python")]:
        assert get(web, f"/_fn/{name}/?name=Ada") == {"message": f"Hello Ada, from a web server in {language}"}
        request = urllib.request.Request(web.endpoint + f"/_fn/{name}/events", data=b'{"b": 2}')
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["event"] == {"b": 2}
        answer = web.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"a": [1]}))
        assert "FunctionError" not in answer
        assert json.load(answer["Payload"])["event"] == {"a": [1]}
        lines = eventually(lambda: [line for line in web.freehold("logs", name).stdout.splitlines() if "greeting Ada" in line])
        assert len(lines) == 1


def test_answers_stream(web):
    with urllib.request.urlopen(web.endpoint + "/_fn/web-node/ticks", timeout=60) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert "content-length" not in answer.headers
        assert answer.read().decode() == "".join(f"data: tick {count}\n\n" for count in range(1, 6))


def test_requests_and_answers_stream_at_once(web):
    talk = connection(web)
    talk.putrequest("POST", "/_fn/web-node/shout")
    talk.putheader("transfer-encoding", "chunked")
    talk.endheaders()
    talk.sock.settimeout(60)
    talk.send(b"3\r\none\r\n")
    answer = talk.getresponse()
    # The first piece is answered before the second is sent.
    assert answer.read(3) == b"ONE"
    talk.sock.sendall(b"3\r\ntwo\r\n0\r\n\r\n")
    assert answer.read() == b"TWO"


def test_websockets_pass_through(web):
    host, port = web.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as stream:
        key = base64.b64encode(os.urandom(16)).decode()
        stream.sendall(
            f"GET /_fn/web-node/socket HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        reader = stream.makefile("rb")
        assert reader.readline().startswith(b"HTTP/1.1 101 ")
        headers = {}
        while (line := reader.readline()) != b"\r\n":
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        assert headers["upgrade"] == "websocket" and "sec-websocket-accept" in headers
        for text in [b"hello", b"again"]:
            mask = os.urandom(4)
            stream.sendall(bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)))
            assert reader.read(2 + len(text)) == bytes([0x81, len(text)]) + text
    # The instance is free again when the connection is closed.
    assert get(web, "/_fn/web-node/?name=Bob")["message"].startswith("Hello Bob")


SERVER = (ROOT / "examples" / "web" / "web-python" / "server.py").read_text()


def test_what_was_packed_for_the_web_adapter_runs(own_node):
    """Zip packages as the Lambda Web Adapter's documents describe them, without its layer: it is built in."""
    node = own_node()
    node.start()
    client = node.client("lambda")
    run = "#!/bin/sh\nexec python3 server.py\n"
    wrapper = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "PORT": "8000"}}
    code = zipped({"run.sh*": run, "server.py": SERVER})
    create(client, "wrapped", handler="run.sh", code=code, Environment=wrapper, Timeout=30)
    adapted = {"Variables": {"AWS_LWA_PASS_THROUGH_PATH": "/mine"}}
    code = zipped({"bootstrap*": run, "server.py": SERVER})
    layer = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:25"
    create(client, "layered", runtime="provided.al2023", handler="any", code=code, Layers=[layer], Timeout=30)
    shown = client.get_function_configuration(FunctionName="layered")
    assert [layer["Arn"] for layer in shown["Layers"]] == [layer]
    create(client, "adapted", runtime="provided.al2023", handler="bootstrap", code=code, Environment=adapted, Timeout=30)
    for name, path in [("wrapped", "/events"), ("adapted", "/mine"), ("layered", "/events")]:
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        answer = client.invoke(FunctionName=name, Payload="[7]")
        assert "FunctionError" not in answer, answer["Payload"].read()
        assert json.load(answer["Payload"]) == {"path": path, "event": [7]}
