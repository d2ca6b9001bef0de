"""Asynchronous invocation as SDKs see it: accepted, carried, tried again, and told to destinations; across kills of the node too."""

import json
import os
import random
import threading
import time

import botocore.exceptions
import pytest
from support import create, eventually, python_zip

KILLS = int(os.environ.get("FREEHOLD_ASYNC_KILLS", 3))
WORKERS = 4
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)

CODE = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    return {"got": event, "request": context.aws_request_id}
"""


@pytest.fixture
def sqs(node):
    return node.client("sqs")


@pytest.fixture
def function(lambda_client, request):
    name = "async-" + request.node.name.replace("_", "-")[:50]
    create(lambda_client, name, "python3.13", "app.handler", python_zip(CODE))
    yield name
    lambda_client.delete_function(FunctionName=name)


@pytest.fixture
def queue(sqs, request):
    url = sqs.create_queue(QueueName=("async-" + request.node.name)[:80].replace("[", "-").replace("]", ""))["QueueUrl"]
    yield url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.delete_queue(QueueUrl=url)


def receive(sqs, url):
    """One message, which must come."""
    for _ in range(3):
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"]).get("Messages", [])
        if messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
            return messages[0]
    raise AssertionError("no message came")


def send(client, name, payload, **more):
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(payload), **more)
    assert answer["StatusCode"] == 202 and answer["Payload"].read() == b""
    assert "FunctionError" not in answer
    return answer["ResponseMetadata"]["RequestId"]


def test_results_go_to_their_destination(lambda_client, sqs, function, queue):
    url, arn = queue
    made = lambda_client.put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    assert made["FunctionArn"].endswith(f":function:{function}:$LATEST")
    request = send(lambda_client, function, {"n": 1})
    record = json.loads(receive(sqs, url)["Body"])
    assert record["version"] == "1.0"
    assert record["requestContext"] == {
        "requestId": request,
        "functionArn": made["FunctionArn"],
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["requestPayload"] == {"n": 1}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    # The function saw the id that its caller was told.
    assert record["responsePayload"] == {"got": {"n": 1}, "request": request}
    assert list(record) == [
        "version", "timestamp", "requestContext", "requestPayload", "responseContext", "responsePayload",
    ]


def test_failures_go_to_their_destination_and_to_the_dead_letter_queue(lambda_client, sqs, function, queue):
    url, arn = queue
    lambda_client.update_function_configuration(FunctionName=function, DeadLetterConfig={"TargetArn": arn})
    assert lambda_client.get_function_configuration(FunctionName=function)["DeadLetterConfig"] == {"TargetArn": arn}
    lambda_client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    request = send(lambda_client, function, {"fail": True})
    letter = receive(sqs, url)
    assert json.loads(letter["Body"]) == {"fail": True}
    attributes = letter["MessageAttributes"]
    assert attributes["RequestID"]["StringValue"] == request
    assert attributes["ErrorCode"] == {"StringValue": "200", "DataType": "Number"}
    assert attributes["ErrorMessage"]["StringValue"] == "as asked"
    lambda_client.update_function_configuration(FunctionName=function, DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in lambda_client.get_function_configuration(FunctionName=function)
    lambda_client.update_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    send(lambda_client, function, {"fail": True})
    record = json.loads(receive(sqs, url)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "as asked"


def test_a_redrive_does_not_wait_for_the_next_try(node, lambda_client, sqs, function, queue):
    """The waits are a minute and two; `freehold deliveries redrive` ends them, and the same request id is kept."""
    url, arn = queue
    lambda_client.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    request = send(lambda_client, function, {"fail": True})

    def lane():
        lanes = json.loads(node.freehold("deliveries").stdout)["lanes"]
        return next((lane for lane in lanes if lane["lane"].endswith(":function:" + function)), None)

    eventually(lambda: (found := lane()) and "nextTryMs" in found)
    found = lane()
    assert found["waiting"] == 1 and found["lastError"] == {"code": "Unhandled", "message": "as asked"}
    node.freehold("deliveries", "redrive", found["lane"])
    record = json.loads(receive(sqs, url)["Body"])
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["requestId"] == request
    eventually(lambda: lane() is None)


def test_what_fails_without_a_destination_is_kept_and_goes_again(node, lambda_client, sqs, function, queue):
    url, arn = queue
    lambda_client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    send(lambda_client, function, {"fail": True})

    def failed():
        lanes = json.loads(node.freehold("deliveries").stdout)["lanes"]
        found = [lane for lane in lanes if lane["lane"].endswith(":function:" + function) and lane["failed"] == 1]
        return found[0]["lane"] if found else None

    name = eventually(failed)
    fixed = CODE.replace('raise ValueError("as asked")', "pass")
    lambda_client.update_function_code(FunctionName=function, ZipFile=python_zip(fixed))
    lambda_client.put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    assert "1 sent again" in node.freehold("deliveries", "redrive", name).stdout
    assert json.loads(receive(sqs, url)["Body"])["requestPayload"] == {"fail": True}
    refused = node.freehold("deliveries", "redrive", "function/none", check=False)
    assert refused.returncode == 1 and "No lane has the name" in refused.stderr


def test_a_function_as_destination(lambda_client, sqs, function, queue):
    url, arn = queue
    second = function[:50] + "-second"
    made = create(lambda_client, second, "python3.13", "app.handler", python_zip(CODE))
    try:
        lambda_client.put_function_event_invoke_config(
            FunctionName=second, DestinationConfig={"OnSuccess": {"Destination": arn}}
        )
        lambda_client.put_function_event_invoke_config(
            FunctionName=function, DestinationConfig={"OnSuccess": {"Destination": made["FunctionArn"]}}
        )
        send(lambda_client, function, {"n": 2})
        record = json.loads(receive(sqs, url)["Body"])
        assert record["requestPayload"]["requestPayload"] == {"n": 2}
    finally:
        lambda_client.delete_function(FunctionName=second)


def test_configurations(lambda_client, function):
    client = lambda_client
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName=function)
    made = client.put_function_event_invoke_config(FunctionName=function, MaximumEventAgeInSeconds=60)
    assert made["MaximumEventAgeInSeconds"] == 60 and "MaximumRetryAttempts" not in made
    assert made["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    updated = client.update_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=1)
    assert updated["MaximumEventAgeInSeconds"] == 60 and updated["MaximumRetryAttempts"] == 1
    assert updated["LastModified"] >= made["LastModified"]
    listed = client.list_function_event_invoke_configs(FunctionName=function)["FunctionEventInvokeConfigs"]
    assert [config["FunctionArn"] for config in listed] == [made["FunctionArn"]]
    own = made["FunctionArn"].removesuffix(":$LATEST")
    for destination, words in [
        (own, "You can't specify the function as a destination for itself."),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/t", "The provided destination config"),
        ("arn:aws:lambda:us-east-1:000000000000:function:nobody", "is invalid."),
    ]:
        with pytest.raises(client.exceptions.InvalidParameterValueException, match=words):
            client.put_function_event_invoke_config(
                FunctionName=function, DestinationConfig={"OnFailure": {"Destination": destination}}
            )
    client.delete_function_event_invoke_config(FunctionName=function)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.delete_function_event_invoke_config(FunctionName=function)


def test_what_is_refused_is_refused_at_once(lambda_client, function):
    client = lambda_client
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName=function, InvocationType="Event", Payload=b"{")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.invoke(FunctionName=function, InvocationType="Event", Payload=b'"' + b"x" * (1 << 20) + b'"')
    assert "1048576 bytes" in str(refused.value)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=function + "-not", InvocationType="Event", Payload=b"{}")
    assert client.invoke_async(FunctionName=function, InvokeArgs=b"{}")["Status"] == 202


LOOP = """
import json, os, urllib.error, urllib.request

def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL"] + "/2015-03-31/functions/" + context.function_name + "/invocations"
    headers = {"X-Amz-Invocation-Type": "Event", "X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]}
    request = urllib.request.Request(url, json.dumps({"n": event["n"] + 1}).encode(), headers, method="POST")
    try:
        return {"status": urllib.request.urlopen(request).status}
    except urllib.error.HTTPError as fault:
        return {"refused": fault.headers["x-amzn-ErrorType"] or fault.read().decode(), "n": event["n"]}
"""


def test_a_function_that_invokes_itself_is_stopped(lambda_client, sqs, queue):
    """As SDKs do inside functions, it hands its trace on, which says how deep it is."""
    url, arn = queue
    create(lambda_client, "async-loop", "python3.13", "app.handler", python_zip(LOOP), Timeout=30)
    try:
        lambda_client.put_function_event_invoke_config(
            FunctionName="async-loop", DestinationConfig={"OnSuccess": {"Destination": arn}}
        )
        send(lambda_client, "async-loop", {"n": 1})
        answers = []
        while not any("refused" in answer for answer in answers):
            assert len(answers) < 40, answers
            answers.append(json.loads(receive(sqs, url)["Body"])["responsePayload"])
        stopped = next(answer for answer in answers if "refused" in answer)
        assert "RecursiveInvocationException" in stopped["refused"] and stopped["n"] <= 17, stopped
    finally:
        lambda_client.delete_function(FunctionName="async-loop")


def load(node, stop, accepted, seed):
    client = node.client("lambda", retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
    number = 0
    while not stop.is_set():
        number += 1
        mark = f"{seed}-{number}"
        try:
            client.invoke(FunctionName="crash", InvocationType="Event", Payload=json.dumps({"mark": mark}))
            accepted.add(mark)
        except GONE:
            return


def test_every_accepted_event_runs_across_kills(own_node):
    seed = int(os.environ.get("FREEHOLD_SEED", time.time_ns() % 10**9))
    print(f"replay with FREEHOLD_SEED={seed}")
    chance = random.Random(seed)
    node = own_node().start()
    client = node.client("lambda")
    url = node.client("sqs").create_queue(QueueName="ran")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:ran"
    create(client, "crash", "python3.13", "app.handler", python_zip(CODE))
    client.put_function_event_invoke_config(FunctionName="crash", DestinationConfig={"OnSuccess": {"Destination": arn}})
    accepted = set()
    for kill in range(KILLS):
        stop = threading.Event()
        marks = [set() for _ in range(WORKERS)]
        workers = [
            threading.Thread(target=load, args=(node, stop, marks[worker], f"{kill}-{worker}"), daemon=True)
            for worker in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        # The moment of the kill is what the test varies; it is no wait for a state.
        time.sleep(chance.uniform(0.2, 1.5))
        node.kill()
        stop.set()
        for worker in workers:
            worker.join()
        accepted.update(*marks)
        node.start()
    sqs = node.client("sqs")
    ran, records = set(), 0
    until = time.monotonic() + 120
    while not accepted <= ran:
        assert time.monotonic() < until, f"{len(accepted - ran)} of {len(accepted)} accepted events never ran"
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
        for message in messages:
            records += 1
            ran.add(json.loads(message["Body"])["requestPayload"]["mark"])
        if messages:
            sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)],
            )
    eventually(lambda: not json.loads(node.freehold("deliveries").stdout)["lanes"])
    print(f"{len(accepted)} accepted events, {KILLS} kills: all ran, {records - len(ran)} more than once")
    assert accepted and node.stop() == 0
