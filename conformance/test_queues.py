"""SQS as boto3, the AWS CLI and query clients see it: every operation, its faults, and what a kill leaves behind."""

import collections
import hashlib
import json
import os
import pathlib
import random
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree as ElementTree

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from conftest import Node
from support import eventually

AWS = pathlib.Path(sys.executable).with_name("aws")
KILLS = int(os.environ.get("FREEHOLD_QUEUE_KILLS", 5))
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)


@pytest.fixture(scope="module")
def sqs(node):
    return node.client("sqs")


@pytest.fixture
def queue(sqs):
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4()}")["QueueUrl"]
    yield url
    try:
        sqs.delete_queue(QueueUrl=url)
    except sqs.exceptions.QueueDoesNotExist:
        pass


@pytest.fixture
def fifo(sqs):
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4()}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def attribute(sqs, url, name):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name]).get("Attributes", {}).get(name)


def arn(sqs, url):
    return attribute(sqs, url, "QueueArn")


def test_a_queue_from_create_to_delete(node, sqs):
    name = f"q-{uuid.uuid4()}"
    url = sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "0"}, tags={"a": "1"})["QueueUrl"]
    assert url == f"{node.endpoint}/000000000000/{name}"
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == url
    code, message = refused(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "7"})
    assert code == "QueueAlreadyExists" and message.endswith("a different value for attribute DelaySeconds")
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert url in sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1})
    assert url in [found for page in pages for found in page.get("QueueUrls", [])]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert shown["VisibilityTimeout"] == "7" and shown["QueueArn"].endswith(name)
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}
    sqs.delete_queue(QueueUrl=url)
    missing = ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    assert refused(sqs.get_queue_url, QueueName=name) == missing
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x") == missing
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.receive_message(QueueUrl=url)


def test_messages_with_attributes_and_their_sums(sqs, queue):
    # boto3 checks the MD5s by itself, and raises if one is wrong.
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="hellö",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "ä"},
            "number": {"DataType": "Number.int", "StringValue": "7"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5("hellö".encode()).hexdigest()
    [found] = sqs.receive_message(
        QueueUrl=queue, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )["Messages"]
    assert (found["Body"], found["MessageId"]) == ("hellö", sent["MessageId"])
    assert found["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert found["MessageAttributes"]["bytes"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    assert found["Attributes"]["AWSTraceHeader"] == "Root=1-2-3"
    assert found["Attributes"]["ApproximateReceiveCount"] == "1"
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"], VisibilityTimeout=0)
    [again] = sqs.receive_message(QueueUrl=queue, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"}
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_batches_and_partial_failure(sqs, queue):
    sent = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(9)] + [{"Id": "bad", "MessageBody": "\x00"}],
    )
    assert len(sent["Successful"]) == 9
    [failed] = sent["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "InvalidMessageContents", True)
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2)["Messages"]
    assert sorted(message["Body"] for message in found) == [f"m{n}" for n in range(9)]
    entries = [{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in found]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=queue, Entries=[{**entry, "VisibilityTimeout": 60} for entry in entries]
    )
    assert len(changed["Successful"]) == 9 and not changed.get("Failed")
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=entries + [{"Id": "x", "ReceiptHandle": "x"}])
    assert len(deleted["Successful"]) == 9
    assert [entry["Code"] for entry in deleted["Failed"]] == ["ReceiptHandleIsInvalid"]
    code, _ = refused(sqs.send_message_batch, QueueUrl=queue, Entries=[])
    assert code == "AWS.SimpleQueueService.EmptyBatchRequest"
    twice = [{"Id": "a", "MessageBody": "x"}] * 2
    assert refused(sqs.send_message_batch, QueueUrl=queue, Entries=twice) == (
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "Id a repeated.",
    )


def test_faults_in_awss_words(sqs, queue):
    for call, arguments, expected in [
        (sqs.send_message, {"MessageBody": ""}, ("MissingParameter", "The request must contain the parameter MessageBody.")),
        (sqs.send_message, {}, ("MissingParameter", "The request must contain the parameter MessageBody.")),
        (
            sqs.receive_message,
            {"MaxNumberOfMessages": 11},
            (
                "InvalidParameterValue",
                "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
            ),
        ),
        (
            sqs.delete_message,
            {"ReceiptHandle": "x"},
            ("ReceiptHandleIsInvalid", 'The input receipt handle "x" is not a valid receipt handle.'),
        ),
        (sqs.get_queue_attributes, {"AttributeNames": ["X"]}, ("InvalidAttributeName", "Unknown Attribute X.")),
        (
            sqs.set_queue_attributes,
            {"Attributes": {"DelaySeconds": "901"}},
            ("InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."),
        ),
    ]:
        assert refused(call, QueueUrl=queue, **arguments) == expected


def test_a_waiting_receiver_is_woken_at_once(sqs, queue):
    took = []

    def wait():
        started = time.monotonic()
        assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
        took.append(time.monotonic() - started)

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    waiter.join(15)
    assert took and took[0] < 15


def test_order_duplicates_and_groups(sqs, fifo):
    for number in range(3):
        for group in ("a", "b"):
            sqs.send_message(
                QueueUrl=fifo, MessageBody=f"{group}{number}", MessageGroupId=group, MessageDeduplicationId=f"{group}{number}"
            )
    first = sqs.send_message(QueueUrl=fifo, MessageBody="again", MessageGroupId="a", MessageDeduplicationId="a0")
    assert first["SequenceNumber"]
    seen = collections.defaultdict(list)
    while messages := sqs.receive_message(QueueUrl=fifo, MessageSystemAttributeNames=["All"]).get("Messages"):
        for message in messages:
            seen[message["Attributes"]["MessageGroupId"]].append(message["Body"])
            sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    assert seen == {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}


def test_dead_letters_there_and_back(sqs, queue):
    name = f"q-{uuid.uuid4()}"
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, queue), "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    [dead] = sqs.receive_message(
        QueueUrl=queue, WaitTimeSeconds=5, VisibilityTimeout=0, MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert dead["Body"] == "poison" and dead["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, url)
    assert sqs.list_dead_letter_source_queues(QueueUrl=queue)["queueUrls"] == [url]
    handle = sqs.start_message_move_task(SourceArn=arn(sqs, queue))["TaskHandle"]
    assert handle
    assert eventually(lambda: attribute(sqs, url, "ApproximateNumberOfMessages") == "1")
    assert eventually(
        lambda: sqs.list_message_move_tasks(SourceArn=arn(sqs, queue))["Results"][0]["Status"] == "COMPLETED"
    )
    assert refused(sqs.cancel_message_move_task, TaskHandle=handle) == (
        "ResourceNotFoundException",
        "Task does not exist.",
    )
    sqs.delete_queue(QueueUrl=url)


def test_permissions_and_purge(sqs, queue):
    sqs.add_permission(QueueUrl=queue, Label="l", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
    policy = json.loads(attribute(sqs, queue, "Policy"))
    assert policy["Statement"][0]["Sid"] == "l"
    sqs.remove_permission(QueueUrl=queue, Label="l")
    assert attribute(sqs, queue, "Policy") is None
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.purge_queue(QueueUrl=queue)
    assert attribute(sqs, queue, "ApproximateNumberOfMessages") == "0"
    code, _ = refused(sqs.purge_queue, QueueUrl=queue)
    assert code == "AWS.SimpleQueueService.PurgeQueueInProgress"


def test_a_mebibyte_travels(sqs, queue):
    body = "x" * (1 << 20)
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    [found] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"]
    assert found["Body"] == body


def query(url, **form):
    data = urllib.parse.urlencode({"Version": "2012-11-05", **form}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    root = ElementTree.fromstring(text)
    assert root.tag.startswith("{http://queue.amazonaws.com/doc/2012-11-05/}")
    for element in root.iter():
        element.tag = element.tag.partition("}")[2]
    return root


def test_the_query_protocol_at_the_queues_own_address(node):
    name = f"q-{uuid.uuid4()}"
    made = query(
        node.endpoint, Action="CreateQueue", QueueName=name, **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"}
    )
    url = made.findtext("CreateQueueResult/QueueUrl")
    assert url.endswith(f"/000000000000/{name}")
    sent = query(
        url,
        Action="SendMessage",
        MessageBody="a & b",
        **{
            "MessageAttribute.1.Name": "colour",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "red",
        },
    )
    assert sent.findtext("SendMessageResult/MD5OfMessageBody") == hashlib.md5(b"a & b").hexdigest()
    found = query(
        url, Action="ReceiveMessage", **{"AttributeName.1": "All", "MessageAttributeName.1": "All", "WaitTimeSeconds": 2}
    ).find("ReceiveMessageResult/Message")
    assert found.findtext("Body") == "a & b"
    assert {a.findtext("Name"): a.findtext("Value") for a in found.findall("Attribute")}["ApproximateReceiveCount"] == "1"
    assert found.findtext("MessageAttribute/Value/StringValue") == "red"
    batch = query(
        url,
        Action="SendMessageBatch",
        **{
            "SendMessageBatchRequestEntry.1.Id": "one",
            "SendMessageBatchRequestEntry.1.MessageBody": "1",
            "SendMessageBatchRequestEntry.2.Id": "two",
            "SendMessageBatchRequestEntry.2.MessageBody": "2",
        },
    )
    ids = [entry.findtext("Id") for entry in batch.findall("SendMessageBatchResult/SendMessageBatchResultEntry")]
    assert ids == ["one", "two"]
    attributes = query(url, Action="GetQueueAttributes", **{"AttributeName.1": "QueueArn"})
    assert attributes.findtext("GetQueueAttributesResult/Attribute/Value").endswith(name)
    query(url, Action="DeleteMessage", ReceiptHandle=found.findtext("ReceiptHandle"))
    query(url, Action="TagQueue", **{"Tag.1.Key": "k", "Tag.1.Value": "v"})
    assert query(url, Action="ListQueueTags").findtext("ListQueueTagsResult/Tag/Value") == "v"
    query(url, Action="DeleteQueue")
    missing = query(url, Action="SendMessage", MessageBody="x")
    assert missing.findtext("Error/Code") == "AWS.SimpleQueueService.NonExistentQueue"


def test_the_aws_cli(node):
    def aws(*arguments):
        # For SQS in us-east-1 version 1 of the command line overlooks AWS_ENDPOINT_URL.
        done = node.run(AWS, "--endpoint-url", node.endpoint, "sqs", *arguments)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    url = aws("create-queue", "--queue-name", f"q-{uuid.uuid4()}")["QueueUrl"]
    aws("send-message", "--queue-url", url, "--message-body", "hello")
    [found] = aws("receive-message", "--queue-url", url, "--wait-time-seconds", "2")["Messages"]
    assert found["Body"] == "hello"
    aws("delete-message", "--queue-url", url, "--receipt-handle", found["ReceiptHandle"])
    shown = aws("get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]
    assert shown["ApproximateNumberOfMessages"] == "0" and shown["ApproximateNumberOfMessagesNotVisible"] == "0"
    aws("delete-queue", "--queue-url", url)


TEMPLATE = """
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: %(timeout)s
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
      Tags: [{Key: team, Value: shop}]
  Ordered: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true, ContentBasedDeduplication: true}}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Jobs]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sqs:SendMessage", Resource: !GetAtt Jobs.Arn}
"""


def test_a_template_makes_changes_and_removes_queues(node, sqs, tmp_path):
    folder = tmp_path / f"queues-{uuid.uuid4().hex[:8]}"
    folder.mkdir()

    def deploy(timeout):
        (folder / "template.yaml").write_text(TEMPLATE % {"timeout": timeout})
        node.freehold("deploy", folder)

    deploy(7)
    urls = {url.rsplit("/", 1)[1].split("-")[2]: url for url in sqs.list_queues(QueueNamePrefix=folder.name)["QueueUrls"]}
    assert urls.keys() == {"Dead", "Jobs", "Ordered"} and urls["Ordered"].endswith(".fifo")
    shown = sqs.get_queue_attributes(QueueUrl=urls["Jobs"], AttributeNames=["All"])["Attributes"]
    assert shown["VisibilityTimeout"] == "7" and "events.amazonaws.com" in shown["Policy"]
    assert json.loads(shown["RedrivePolicy"])["deadLetterTargetArn"] == arn(sqs, urls["Dead"])
    assert sqs.list_queue_tags(QueueUrl=urls["Jobs"])["Tags"]["team"] == "shop"
    sqs.send_message(QueueUrl=urls["Jobs"], MessageBody="kept")
    deploy(8)
    assert attribute(sqs, urls["Jobs"], "VisibilityTimeout") == "8"
    assert attribute(sqs, urls["Jobs"], "ApproximateNumberOfMessages") == "1"
    node.freehold("rm", "--yes", folder.name)
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=folder.name)


TERRAFORM = """
resource "aws_sqs_queue" "jobs" {
  name                       = "terraformed"
  visibility_timeout_seconds = 7
  redrive_allow_policy       = jsonencode({ redrivePermission = "denyAll" })
  tags                       = { team = "shop" }
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sqs:SendMessage", Resource = "*" }]
  })
}

resource "aws_sqs_queue" "ordered" {
  name                        = "terraformed.fifo"
  fifo_queue                  = true
  content_based_deduplication = true
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
}
"""


def test_terraform_applies_and_plans_no_difference(terraform, sqs):
    # The provider looks again and again for half a minute whether attributes stay as they are, and longer whether a queue stays away.
    terraform.apply(TERRAFORM)
    url = sqs.get_queue_url(QueueName="terraformed")["QueueUrl"]
    assert attribute(sqs, url, "VisibilityTimeout") == "7"
    terraform.destroy()
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="terraformed")


class Ledger:
    """What was acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = set()
        self.asked = set()
        self.deleted = set()
        self.received = collections.Counter()
        self.wrong = []
        self.last = collections.defaultdict(int)


def send_all(client, url, group, ledger, stop, number):
    while not stop.is_set():
        number += 1
        body = f"{group}:{number}"
        more = {"MessageGroupId": group, "MessageDeduplicationId": body} if url.endswith(".fifo") else {}
        with ledger.lock:
            ledger.asked.add(body)
        while True:
            try:
                client.send_message(QueueUrl=url, MessageBody=body, **more)
                break
            except (*GONE, ClientError):
                # With order the same message is sent again, as deduplication allows, so that none is left out.
                if stop.is_set() or not more:
                    return number
        with ledger.lock:
            ledger.sent.add(body)
    return number


def receive_all(client, url, ledger, stop):
    while not stop.is_set():
        try:
            found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            note(ledger, url, [message["Body"] for message in found])
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                with ledger.lock:
                    ledger.deleted.add(message["Body"])
        except GONE:
            return
        except ClientError:
            # Too late: the message is somebody else's by now.
            continue


def note(ledger, url, bodies):
    with ledger.lock:
        for body in bodies:
            group, number = body.split(":")
            ledger.received[body] += 1
            if body in ledger.deleted:
                ledger.wrong.append(f"{body} came back after it was deleted")
            if url.endswith(".fifo"):
                if int(number) > ledger.last[group] + 1:
                    ledger.wrong.append(f"{body} came after {ledger.last[group]}")
                ledger.last[group] = max(ledger.last[group], int(number))


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path, suffix):
    node = Node(tmp_path / "data").start()
    chance = random.Random(7)
    ledger = Ledger()
    attributes = {"VisibilityTimeout": "5", **({"FifoQueue": "true"} if suffix else {})}
    url = None
    numbers = collections.defaultdict(int)
    for _ in range(KILLS):
        client = node.client("sqs", retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30, max_pool_connections=20)
        url = client.create_queue(QueueName=f"crash{suffix}", Attributes=attributes)["QueueUrl"]
        stop = threading.Event()

        def send(group):
            numbers[group] = send_all(client, url, group, ledger, stop, numbers[group])

        senders = [threading.Thread(target=send, args=(f"g{n}",), daemon=True) for n in range(4)]
        receivers = [threading.Thread(target=receive_all, args=(client, url, ledger, stop), daemon=True) for _ in range(1 if suffix else 3)]
        for thread in senders + receivers:
            thread.start()
        time.sleep(chance.uniform(0.5, 1.5))
        node.kill()
        stop.set()
        for thread in senders + receivers:
            thread.join()
        if suffix:
            # The last message of each group may or may not be there; it is not sent again, so the next may follow either.
            for group in numbers:
                if f"{group}:{numbers[group]}" not in ledger.sent:
                    numbers[group] -= 1
        node.start()
    client = node.client("sqs")
    stop = threading.Event()
    collector = threading.Thread(target=receive_all, args=(client, url, ledger, stop), daemon=True)
    collector.start()

    def missing():
        return len(ledger.sent - ledger.received.keys())

    # Many kills leave much to collect: as long as some of it comes, nothing is stuck.
    while left := missing():
        assert eventually(lambda: missing() < left), f"{left} are stuck"
    stop.set()
    collector.join()
    node.stop()
    again = sum(count - 1 for count in ledger.received.values())
    print(f"{KILLS} kills: {len(ledger.sent)} acknowledged, {len(ledger.deleted)} deleted, {again} delivered again")
    assert not ledger.wrong
    assert ledger.received.keys() <= ledger.asked
    assert ledger.sent <= ledger.received.keys()
