"""The main job, as a person does it: an example is up, answers, logs, is edited, survives a restart."""

import base64
import json
import shutil
import urllib.error
import urllib.request

import pytest
from conftest import BINARY, ROOT
from support import eventually

NAMES = ["hello-bootstrap", "hello-node", "hello-python"]


def call(node, path, data=None, **headers):
    request = urllib.request.Request(node.endpoint + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def hello(own_node, tmp_path):
    shutil.copytree(ROOT / "examples" / "hello", tmp_path / "hello")
    return own_node(tmp_path / "hello"), tmp_path / "hello"


def test_up_tells_what_is_reachable_and_it_is(hello):
    node, _ = hello
    node.start()
    shown = eventually(lambda: "".join(node.output) if all(f"/{name}" in "".join(node.output) for name in NAMES) else None)
    assert "curl " in shown and "AWS_ENDPOINT_URL=" in shown
    for name in NAMES:
        assert call(node, f"/_fn/{name}/?name=Ada")["message"].startswith("Hello")
    assert call(node, "/_fn/hello-node/?name=Ada%20L")["message"].startswith("Hello Ada L, from Node.js v")
    urls = node.client("lambda").list_function_url_configs(FunctionName="hello-node")["FunctionUrlConfigs"]
    assert len(urls) == 1 and urls[0]["AuthType"] == "NONE"
    # The address with a host of its own works too, wherever *.localhost leads.
    host = urls[0]["FunctionUrl"].removeprefix("http://").rstrip("/")
    assert call(node, "/?name=Bob", Host=host)["message"].startswith("Hello Bob")


def test_logs_follow(hello):
    node, _ = hello
    node.start()
    call(node, "/_fn/hello-node/?name=Grace")
    lines = eventually(lambda: [line for line in node.freehold("logs", "hello-node").stdout.splitlines() if "Grace" in line])
    assert len(lines) == 1 and "greeting Grace" in lines[0]
    text = node.freehold("logs", "hello-node").stdout
    assert "START RequestId: " in text and "END RequestId: " in text and "REPORT RequestId: " in text


def test_saving_a_file_redeploys(hello):
    node, folder = hello
    node.start()
    assert call(node, "/_fn/hello-node/")["message"].startswith("Hello world")
    source = folder / "hello-node" / "index.mjs"
    source.write_text(source.read_text().replace("Hello ${name}", "Goodbye ${name}"))
    eventually(lambda: call(node, "/_fn/hello-node/")["message"].startswith("Goodbye world"), what="the edited function")
    # A syntax error is told, and does not take the node down.
    source.write_text("export const handler = (;\n")
    eventually(lambda: is_failing(node), what="the broken function's error")
    source.write_text("export const handler = async () => ({ message: 'mended' });\n")
    eventually(lambda: call_or_none(node) == {"message": "mended"}, what="the mended function")


def call_or_none(node):
    try:
        return call(node, "/_fn/hello-node/")
    except urllib.error.HTTPError:
        return None


def is_failing(node):
    answer = node.client("lambda").invoke(FunctionName="hello-node", LogType="Tail")
    if "FunctionError" not in answer:
        return False
    error = json.load(answer["Payload"])
    assert error["errorType"] == "Runtime.UserCodeSyntaxError", error
    assert "SyntaxError" in error["errorMessage"]
    return True


def test_everything_is_still_there_after_a_restart(hello):
    node, _ = hello
    node.start()
    before = {name: call(node, f"/_fn/{name}/") for name in NAMES}
    assert node.stop() == 0
    node.arguments = ()
    node.start()
    assert {name: call(node, f"/_fn/{name}/") for name in NAMES} == before
    listed = json.loads(node.freehold("ls", "--json").stdout)
    assert sorted(function["name"] for function in listed["functions"]) == NAMES


def test_memory_keeps_nothing_and_reset_empties(own_node, tmp_path):
    node = own_node("--memory", ROOT / "examples" / "hello" / "hello-node", "--no-watch").start()
    client = node.client("lambda")
    assert [function["FunctionName"] for function in client.list_functions()["Functions"]] == ["hello-node"]
    request = urllib.request.Request(node.endpoint + "/_reset", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    assert client.list_functions()["Functions"] == []
    assert not list(node.data.glob("*")) if node.data.exists() else True


def test_a_second_node_on_the_same_data_is_refused(own_node):
    node = own_node().start()
    second = node.run(BINARY, "up", "--listen", "127.0.0.1:0", "--data", node.data, check=False)
    assert second.returncode != 0
    assert "another" in second.stderr and str(node.data) in second.stderr


def test_a_taken_port_is_told(node, tmp_path):
    port = node.endpoint.rsplit(":", 1)[1]
    second = node.run(BINARY, "up", "--listen", f"127.0.0.1:{port}", "--data", tmp_path / "data", check=False)
    assert second.returncode != 0
    assert port in second.stderr and "--listen" in second.stderr


def test_invoke_with_a_log(hello):
    node, _ = hello
    node.start()
    done = node.freehold("invoke", "hello-python", '{"name":"Ada"}', "--log")
    assert json.loads(done.stdout)["message"].startswith("Hello Ada, from Python")
    assert "greeting Ada" in done.stderr
    unknown = node.freehold("invoke", "hello-pyton", "{}", check=False)
    assert unknown.returncode == 1 and "hello-python" in unknown.stderr
    bad = node.freehold("invoke", "hello-python", "{", check=False)
    assert bad.returncode != 0 and "JSON" in bad.stderr
    tail = node.client("lambda").invoke(FunctionName="hello-node", LogType="Tail", Payload=b'{"name":"Tail"}')
    assert "greeting Tail" in base64.b64decode(tail["LogResult"]).decode()
