"""WebAssembly through boto3: made, invoked, called by its URL, changed and refused."""

import json
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError
from support import create, eventually, zipped


def number(value):
    """A number as WebAssembly writes signed ones."""
    parts = []
    while True:
        part, value = value & 0x7F, value >> 7
        if (value == 0 and not part & 0x40) or (value == -1 and part & 0x40):
            return bytes(parts + [part])
        parts.append(part | 0x80)


def listed(*items):
    return bytes([len(items)]) + b"".join(items)


def text(words):
    return listed(*(bytes([byte]) for byte in words.encode()))


def section(kind, *items):
    content = listed(*items)
    assert len(content) < 128 * 128
    size = bytes([len(content)]) if len(content) < 128 else bytes([len(content) & 0x7F | 0x80, len(content) >> 7])
    return bytes([kind]) + size + content


def command(status=0):
    """A WASI command that prints what it reads, and exits with `status`."""
    const = lambda value: b"\x41" + number(value)
    store, load, drop = b"\x36\x02\x00", b"\x28\x02\x00", b"\x1a"
    call = lambda function, *arguments: b"".join(map(const, arguments)) + bytes([0x10, function])
    code = (
        const(0) + const(16) + store
        + const(4) + const(65000) + store
        + call(0, 0, 0, 1, 8) + drop
        + const(4) + const(8) + load + store
        + call(1, 2 if status else 1, 0, 1, 8) + drop
        + call(2, status)
        + b"\x0b"
    )
    body = b"\x00" + code
    imported = lambda name, kind: text("wasi_snapshot_preview1") + text(name) + bytes([0, kind])
    return (
        b"\0asm\x01\0\0\0"
        + section(1, b"\x60\x04\x7f\x7f\x7f\x7f\x01\x7f", b"\x60\x00\x00", b"\x60\x01\x7f\x00")
        + section(2, imported("fd_read", 0), imported("fd_write", 0), imported("proc_exit", 2))
        + section(3, b"\x01")
        + section(5, b"\x00\x01")
        + section(7, text("memory") + b"\x02\x00", text("_start") + b"\x00\x03")
        + section(10, bytes([len(body)]) + body)
    )


@pytest.fixture
def name(lambda_client):
    name = f"w-{uuid.uuid4().hex[:12]}"
    yield name
    try:
        lambda_client.delete_function(FunctionName=name)
    except lambda_client.exceptions.ResourceNotFoundException:
        pass


def made(client, name, binary, **settings):
    code = zipped({"echo.wasm": binary})
    return create(client, name, runtime="provided.al2023", handler="echo.wasm", code=code, **settings)


def test_a_command_reads_its_event_and_its_output_is_the_result(lambda_client, name):
    made(lambda_client, name, command())
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps({"hello": "world"}), LogType="Tail")
    assert json.loads(answer["Payload"].read()) == {"hello": "world"}
    assert "FunctionError" not in answer and answer["StatusCode"] == 200


def test_a_function_url_leads_to_it(node, lambda_client, name):
    made(lambda_client, name, command())
    url = lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    host = url.removeprefix("http://").rstrip("/")
    request = urllib.request.Request(node.endpoint + "/some/path?a=b", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.loads(answer.read())
    assert (event["rawPath"], event["rawQueryString"], event["version"]) == ("/some/path", "a=b", "2.0")


def test_an_exit_status_is_an_error_with_the_last_words(lambda_client, logs_client, name):
    made(lambda_client, name, command(status=7))
    answer = lambda_client.invoke(FunctionName=name, Payload='"last words"')
    document = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert document["errorType"] == "Runtime.ExitError"
    assert document["errorMessage"].endswith('Error: Runtime exited with error: exit status 7: "last words"')

    def lines():
        try:
            events = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs_client.exceptions.ResourceNotFoundException:
            return None
        messages = [event["message"] for event in events]
        return messages if any(message.startswith("REPORT") for message in messages) else None

    log = "".join(eventually(lines, what="the log"))
    for part in ["START RequestId: ", '"last words"', "END RequestId: ", "Error Type: Runtime.ExitError"]:
        assert part in log


def test_what_cannot_run_is_refused(lambda_client, name):
    with pytest.raises(ClientError) as error:
        made(lambda_client, name, b"words")
    found = error.value.response["Error"]
    assert found["Code"] == "InvalidParameterValueException"
    assert found["Message"].startswith("echo.wasm cannot be run: this is not a WebAssembly binary")


def test_code_is_changed_by_update(lambda_client, name):
    made(lambda_client, name, command(status=7))
    lambda_client.update_function_code(FunctionName=name, ZipFile=zipped({"echo.wasm": command()}))
    answer = lambda_client.invoke(FunctionName=name, Payload="[1]")
    assert json.loads(answer["Payload"].read()) == [1]
