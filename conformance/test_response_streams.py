"""`InvokeWithResponseStream` through boto3: results that come while they are made, results that come as one, errors at the end."""

import base64
import http.client
import json
import urllib.error
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError
from support import create, node_zip, python_zip

# Goes on once there is a function of that name with a URL.
AWAIT = """
const opened = async (gate) => {
  const url = `${process.env.AWS_ENDPOINT_URL}/_fn/${gate}/`;
  while (!(await fetch(url)).ok) await new Promise((tick) => setTimeout(tick, 20));
};
"""
STREAMING = AWAIT + """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  console.log('streaming');
  stream.write('one ');
  if (event.gate) await opened(event.gate);
  if (event.fail) throw new TypeError('no more');
  stream.write(Buffer.from([0, 255]));
  stream.write({ three: 3 });
  stream.end();
});
"""
BUFFERED = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("not today")
    print("whole")
    return {"got": event}
"""


@pytest.fixture
def name(lambda_client):
    name = f"stream-{uuid.uuid4().hex[:12]}"
    yield name
    lambda_client.delete_function(FunctionName=name)


class Gate:
    """A function that others wait for."""

    def __init__(self, client, name):
        self.client, self.name, self.is_open = client, f"{name}-gate", False

    def open(self):
        create(self.client, self.name)
        self.is_open = True
        self.client.create_function_url_config(FunctionName=self.name, AuthType="NONE")


@pytest.fixture
def gate(lambda_client, name):
    gate = Gate(lambda_client, name)
    yield gate
    if gate.is_open:
        lambda_client.delete_function(FunctionName=gate.name)


def stream(client, name, event, **settings):
    return client.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **settings)


def read(answer):
    """The pieces, and what was said at the end."""
    events = list(answer["EventStream"])
    assert all(set(event) == {"PayloadChunk"} for event in events[:-1]) and set(events[-1]) == {"InvokeComplete"}
    return [event["PayloadChunk"]["Payload"] for event in events[:-1]], events[-1]["InvokeComplete"]


def test_a_streaming_function_streams(lambda_client, name, gate):
    create(lambda_client, name, "nodejs22.x", "index.handler", node_zip(STREAMING), Timeout=60)
    answer = stream(lambda_client, name, {}, LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    pieces, end = read(answer)
    assert b"".join(pieces) == b'one \x00\xff{"three":3}'
    assert "ErrorCode" not in end and "streaming" in base64.b64decode(end["LogResult"]).decode()

    # A piece is there before the function goes on.
    events = iter(stream(lambda_client, name, {"gate": gate.name})["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"one "}}
    gate.open()
    rest = list(events)
    assert rest[0] == {"PayloadChunk": {"Payload": b"\x00\xff"}} and rest[-1] == {"InvokeComplete": {}}

    pieces, end = read(stream(lambda_client, name, {"fail": True}))
    assert pieces == [b"one "] and end["ErrorCode"] == "TypeError"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "no more"

    # Invoked as others, it answers as others.
    assert lambda_client.invoke(FunctionName=name, Payload="{}")["Payload"].read() == b'one \x00\xff{"three":3}'


def test_a_result_that_is_made_as_a_whole_is_one_piece(lambda_client, name):
    create(lambda_client, name, code=python_zip(BUFFERED))
    lambda_client.publish_version(FunctionName=name)
    answer = stream(lambda_client, name, {"a": 1}, Qualifier="1", LogType="Tail")
    assert answer["ExecutedVersion"] == "1"
    pieces, end = read(answer)
    assert [json.loads(piece) for piece in pieces] == [{"got": {"a": 1}}]
    assert set(end) == {"LogResult"} and "whole" in base64.b64decode(end["LogResult"]).decode()
    pieces, end = read(stream(lambda_client, name, {"fail": True}))
    assert pieces == [] and end["ErrorCode"] == "ValueError"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "not today"


def test_what_cannot_begin_is_a_fault(lambda_client, name):
    create(lambda_client, name)
    assert stream(lambda_client, name, {}, InvocationType="DryRun")["StatusCode"] == 204
    for arguments, code in [
        ({"FunctionName": "nobody"}, "ResourceNotFoundException"),
        ({"FunctionName": name, "Qualifier": "7"}, "ResourceNotFoundException"),
        ({"FunctionName": name, "Payload": "{"}, "InvalidRequestContentException"),
    ]:
        with pytest.raises(ClientError) as error:
            lambda_client.invoke_with_response_stream(**arguments)
        assert error.value.response["Error"]["Code"] == code
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as error:
        stream(lambda_client, name, {})
    assert error.value.response["Error"]["Code"] == "TooManyRequestsException"


ANSWERING = AWAIT + r"""
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath === '/bare') return stream.end('as it is');
  if (event.rawPath === '/early') throw new Error('no');
  stream = awslambda.HttpResponseStream.from(stream, {
    statusCode: 202,
    headers: { 'content-type': 'text/event-stream', 'x-own': '1' },
    cookies: ['a=b'],
  });
  stream.write(`data: ${event.rawPath}\n\n`);
  if (event.rawPath === '/wait') await opened(event.queryStringParameters.gate);
  if (event.rawPath === '/late') throw new Error('too late');
  stream.end('data: end\n\n');
});
"""


def test_a_url_streams_where_it_says_so(node, lambda_client, name, gate):
    create(lambda_client, name, "nodejs22.x", "index.handler", node_zip(ANSWERING), Timeout=60)
    lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM")

    def get(path):
        return urllib.request.urlopen(f"{node.endpoint}/_fn/{name}{path}", timeout=60)

    with get("/words") as answer:
        assert (answer.status, answer.headers["content-type"], answer.headers["x-own"]) == (202, "text/event-stream", "1")
        assert answer.headers["set-cookie"] == "a=b"
        assert answer.read() == b"data: /words\n\ndata: end\n\n"
    with get("/bare") as answer:
        assert (answer.status, answer.headers["content-type"], answer.read()) == (200, "application/octet-stream", b"as it is")
    # What was said is there before the function goes on.
    with get(f"/wait?gate={gate.name}") as answer:
        assert answer.readline() == b"data: /wait\n"
        gate.open()
        assert answer.read() == b"\ndata: end\n\n"
    # An answer that breaks off is seen to, in its middle or before the client saw any of it.
    with pytest.raises(http.client.HTTPException), get("/late") as answer:
        answer.read()
    with pytest.raises(urllib.error.HTTPError) as error:
        get("/early")
    assert error.value.code == 502
    lambda_client.update_function_code(FunctionName=name, ZipFile=node_zip("exports.handler = async () => ({ statusCode: 203, body: 'whole' });"))
    with get("/") as answer:
        assert (answer.status, answer.read()) == (203, b"whole")
