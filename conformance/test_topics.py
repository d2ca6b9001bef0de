"""SNS as boto3 and the AWS CLI see it: every operation, what queues, functions, addresses and people get, and its faults."""

import base64
import contextlib
import http.server
import json
import pathlib
import socketserver
import subprocess
import sys
import threading
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError
from support import create, eventually, python_zip

AWS = pathlib.Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def sns(node):
    return node.client("sns")


@pytest.fixture(scope="module")
def sqs(node):
    return node.client("sqs")


@pytest.fixture
def topic(sns):
    arn = sns.create_topic(Name=f"t-{uuid.uuid4()}")["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


@pytest.fixture
def make_queue(sqs):
    """Makes queues: their addresses and ARNs. Ends them."""
    made = []

    def make(suffix="", **attributes):
        url = sqs.create_queue(QueueName=f"q-{uuid.uuid4()}{suffix}", Attributes=attributes)["QueueUrl"]
        made.append(url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def receive(sqs, url, count=1):
    """So many messages, in the order in which they came; each is deleted."""
    found = []

    def more():
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
        return len(found) >= count

    eventually(more, what=f"{count} messages")
    assert len(found) == count
    return found


@contextlib.contextmanager
def listening(status=200):
    """An address that remembers what it was sent."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            requests.append((self.headers, body.decode()))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", requests
    finally:
        server.shutdown()
        server.server_close()


def verify(message, folder):
    """Checks a signature as subscribers do: by the certificate, with openssl."""
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    (folder / "text").write_text(signed)
    (folder / "signature").write_bytes(base64.b64decode(message["Signature"]))
    with urllib.request.urlopen(message["SigningCertURL"], timeout=60) as answer:
        (folder / "certificate.pem").write_bytes(answer.read())

    def openssl(*arguments):
        return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    subject = openssl("x509", "-in", "certificate.pem", "-noout", "-subject", "-checkend", "86400")
    assert "sns.amazonaws.com" in subject
    openssl("verify", "-CAfile", "certificate.pem", "certificate.pem")
    (folder / "key.pem").write_text(openssl("x509", "-in", "certificate.pem", "-noout", "-pubkey"))
    digest = {"1": "-sha1", "2": "-sha256"}[message["SignatureVersion"]]
    assert "Verified OK" in openssl("dgst", digest, "-verify", "key.pem", "-signature", "signature", "text")


def test_a_topic_from_create_to_delete(sns):
    name = f"t-{uuid.uuid4()}"
    arn = sns.create_topic(Name=name, Attributes={"DisplayName": "News"}, Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:000000000000:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    assert refused(sns.create_topic, Name=name, Attributes={"DisplayName": "x"}) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    )
    listed = [found["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for found in page["Topics"]]
    assert arn in listed
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Olds")
    shown = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert (shown["DisplayName"], shown["Owner"], shown["SubscriptionsConfirmed"]) == ("Olds", "000000000000", "0")
    assert json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    sns.add_permission(TopicArn=arn, Label="mine", AWSAccountId=["111111111111"], ActionName=["Publish"])
    assert "mine" in sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    sns.remove_permission(TopicArn=arn, Label="mine")
    assert "mine" not in sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    policy = json.dumps({"Name": "p", "Version": "2021-06-01", "Statement": []})
    sns.put_data_protection_policy(ResourceArn=arn, DataProtectionPolicy=policy)
    assert sns.get_data_protection_policy(ResourceArn=arn)["DataProtectionPolicy"] == policy
    sns.delete_topic(TopicArn=arn)
    assert refused(sns.get_topic_attributes, TopicArn=arn) == ("NotFound", "Topic does not exist")
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=arn, Message="x")


def test_functions_get_records(node, sns, sqs, topic, lambda_client, logs_client):
    name = f"f-{uuid.uuid4()}"
    code = "import json\ndef handler(event, context):\n    print('GOT ' + json.dumps(event))\n"
    arn = create(lambda_client, name, code=python_zip(code))["FunctionArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="hi", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})

    def printed():
        try:
            events = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs_client.exceptions.ResourceNotFoundException:
            return None
        lines = [event["message"] for event in events if event["message"].startswith("GOT ")]
        return json.loads(lines[0].removeprefix("GOT ")) if lines else None

    [record] = eventually(printed, what="the function's line")["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == subscription
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("hi", None)
    assert record["Sns"]["MessageAttributes"] == {"a": {"Type": "String", "Value": "b"}}
    lambda_client.delete_function(FunctionName=name)


@pytest.mark.parametrize("version", ["1", "2"])
def test_queues_get_signed_envelopes(sns, sqs, topic, make_queue, tmp_path, version):
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
    url, arn = make_queue()
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    published = sns.publish(
        TopicArn=topic,
        Subject="Hello",
        Message='hi "there" ü',
        MessageAttributes={
            "colour": {"DataType": "String", "StringValue": "red"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    [found] = receive(sqs, url)
    envelope = json.loads(found["Body"])
    assert list(envelope) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert (envelope["Type"], envelope["MessageId"]) == ("Notification", published["MessageId"])
    assert (envelope["Subject"], envelope["Message"]) == ("Hello", 'hi "there" ü')
    assert envelope["MessageAttributes"]["bytes"] == {"Type": "Binary", "Value": base64.b64encode(b"\x00\xff").decode()}
    assert envelope["SignatureVersion"] == version
    verify(envelope, tmp_path)
    with urllib.request.urlopen(envelope["UnsubscribeURL"], timeout=60) as answer:
        assert b"UnsubscribeResponse" in answer.read()
    assert refused(sns.get_subscription_attributes, SubscriptionArn=subscription)[0] == "NotFound"


def test_messages_go_as_they_are_where_that_is_wanted(sns, sqs, topic, make_queue):
    url, arn = make_queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(
        TopicArn=topic,
        Message="plain",
        MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "7"},
            "list": {"DataType": "String.Array", "StringValue": '["a"]'},
        },
    )
    sns.publish(TopicArn=topic, Message=json.dumps({"default": "all", "sqs": "queues"}), MessageStructure="json")
    bodies = {message["Body"]: message for message in receive(sqs, url, 2)}
    assert bodies.keys() == {"plain", "queues"}
    assert bodies["plain"]["MessageAttributes"]["n"] == {"DataType": "Number", "StringValue": "7"}
    assert bodies["plain"]["MessageAttributes"]["list"]["DataType"] == "String.Array"


def test_filters_on_attributes_and_on_bodies(sns, sqs, topic, make_queue):
    url, arn = make_queue()
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps({"price": [{"numeric": [">", 10]}], "kind": [{"anything-but": ["toy"]}]}),
        },
    )["SubscriptionArn"]

    def publish(message, **attributes):
        kinds = {str: "String", int: "Number"}
        given = {
            name: {"DataType": kinds[type(value)], "StringValue": str(value)} for name, value in attributes.items()
        }
        sns.publish(TopicArn=topic, Message=message, MessageAttributes=given)

    publish("no attributes")
    publish("cheap", price=10, kind="book")
    publish("toy", price=11, kind="toy")
    publish("wanted", price=11, kind="book")
    assert [message["Body"] for message in receive(sqs, url)] == ["wanted"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicyScope", AttributeValue="MessageBody"
    )
    sns.set_subscription_attributes(
        SubscriptionArn=subscription,
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"shop": {"city": [{"prefix": "Bo"}]}, "ip": [{"cidr": "10.0.0.0/8"}]}),
    )
    publish("no JSON")
    publish(json.dumps({"shop": {"city": "Ulm"}, "ip": "10.1.1.1"}))
    wanted = json.dumps({"shop": {"city": "Bonn"}, "ip": "10.1.1.1"})
    publish(wanted)
    assert [message["Body"] for message in receive(sqs, url)] == [wanted]
    shown = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert shown["FilterPolicyScope"] == "MessageBody"
    assert refused(
        sns.set_subscription_attributes,
        SubscriptionArn=subscription,
        AttributeName="FilterPolicy",
        AttributeValue='{"a": [{"wild": 1}]}',
    ) == ("InvalidParameter", "Invalid parameter: FilterPolicy: Unrecognized match type wild")


def test_order_goes_through_to_queues(sns, sqs, make_queue):
    name = f"t-{uuid.uuid4()}.fifo"
    topic = sns.create_topic(Name=name, Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
    url, arn = make_queue(".fifo", FifoQueue="true")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    places = []
    for number in range(20):
        published = sns.publish(TopicArn=topic, Message=str(number), MessageGroupId=f"g{number % 2}")
        places.append(int(published["SequenceNumber"]))
    assert places == sorted(set(places))
    again = sns.publish(TopicArn=topic, Message="7", MessageGroupId="g1")
    assert int(again["SequenceNumber"]) == places[7]
    found = receive(sqs, url, 20)
    for group in ["g0", "g1"]:
        bodies = [int(m["Body"]) for m in found if m["Attributes"]["MessageGroupId"] == group]
        assert bodies == list(range(int(group[1]), 20, 2))
    batch = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": str(n), "Message": f"batch {n}", "MessageGroupId": "b", "MessageDeduplicationId": f"b{n}"}
            for n in range(3)
        ],
    )
    assert [entry["Id"] for entry in batch["Successful"]] == ["0", "1", "2"] and not batch.get("Failed")
    assert [m["Body"] for m in receive(sqs, url, 3)] == ["batch 0", "batch 1", "batch 2"]
    assert refused(sns.publish, TopicArn=topic, Message="x") == (
        "InvalidParameter",
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
    )
    sns.delete_topic(TopicArn=topic)


def test_addresses_confirm_and_check_signatures(sns, topic, tmp_path):
    with listening() as (address, requests):
        answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
        assert answer["SubscriptionArn"] == "pending confirmation"
        [(headers, body)] = eventually(lambda: requests[:], what="the confirmation")
        asked = json.loads(body)
        assert asked["Type"] == headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
        assert headers["Content-Type"] == "text/plain; charset=UTF-8"
        verify(asked, tmp_path)
        [pending] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert pending["SubscriptionArn"] == "PendingConfirmation"
        with urllib.request.urlopen(asked["SubscribeURL"], timeout=60) as confirmed:
            assert b"<SubscriptionArn>arn:aws:sns:" in confirmed.read()
        [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        arn = listed["SubscriptionArn"]
        assert arn.startswith(topic) and listed["Endpoint"] == address
        sns.publish(TopicArn=topic, Message="hello", Subject="S")
        eventually(lambda: len(requests) == 2, what="the message")
        headers, body = requests[1]
        message = json.loads(body)
        assert headers["x-amz-sns-message-type"] == message["Type"] == "Notification"
        assert headers["x-amz-sns-subscription-arn"] == arn
        assert headers["User-Agent"] == "Amazon Simple Notification Service Agent"
        verify(message, tmp_path)
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
        sns.set_subscription_attributes(
            SubscriptionArn=arn,
            AttributeName="DeliveryPolicy",
            AttributeValue=json.dumps({"requestPolicy": {"headerContentType": "application/json"}}),
        )
        sns.publish(TopicArn=topic, Message='{"a": 1}')
        eventually(lambda: len(requests) == 3, what="the message as it is")
        headers, body = requests[2]
        assert (body, headers["x-amz-sns-rawdelivery"], headers["Content-Type"]) == ('{"a": 1}', "true", "application/json")
        sns.unsubscribe(SubscriptionArn=arn)
        eventually(lambda: len(requests) == 4, what="the end")
        ended = json.loads(requests[3][1])
        assert ended["Type"] == "UnsubscribeConfirmation"
        verify(ended, tmp_path)
        assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_what_cannot_be_delivered_goes_to_the_dead_letters(sns, sqs, topic, make_queue):
    url, arn = make_queue()
    with listening(status=404) as (address, requests):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
        [(_, body)] = eventually(lambda: requests[:], what="the confirmation")
        confirmed = sns.confirm_subscription(TopicArn=topic, Token=json.loads(body)["Token"])["SubscriptionArn"]
        sns.set_subscription_attributes(
            SubscriptionArn=confirmed,
            AttributeName="RedrivePolicy",
            AttributeValue=json.dumps({"deadLetterTargetArn": arn}),
        )
        published = sns.publish(TopicArn=topic, Message="lost")
        [dead] = receive(sqs, url)
        assert json.loads(dead["Body"])["Message"] == "lost"
        attributes = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
        assert attributes["RequestID"] == published["MessageId"] and "404" in attributes["ErrorCode"] + attributes["ErrorMessage"]


def outbox(node, to):
    with urllib.request.urlopen(f"{node.endpoint}/_outbox", timeout=60) as answer:
        return [letter for letter in json.load(answer)["letters"] if letter["to"] == to]


def test_people_find_letters_in_the_outbox(node, sns, topic):
    to = f"{uuid.uuid4()}@example.com"
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=to)
    [asked] = outbox(node, to)
    link = next(line for line in asked["body"].splitlines() if line.startswith("http"))
    urllib.request.urlopen(link, timeout=60).close()
    sns.publish(TopicArn=topic, Message="Dear all", Subject="News")
    letter = outbox(node, to)[0]
    assert (letter["protocol"], letter["subject"], letter["topicArn"]) == ("email", "News", topic)
    assert letter["body"].startswith("Dear all\n")
    phone = f"+49{uuid.uuid4().int % 10**10:010}"
    sns.publish(PhoneNumber=phone, Message="short")
    assert [letter["body"] for letter in outbox(node, phone)] == ["short"]
    sns.set_sms_attributes(attributes={"DefaultSMSType": "Transactional"})
    assert sns.get_sms_attributes()["attributes"]["DefaultSMSType"] == "Transactional"
    assert sns.check_if_phone_number_is_opted_out(phoneNumber=phone)["isOptedOut"] is False
    sns.opt_in_phone_number(phoneNumber=phone)
    assert sns.list_phone_numbers_opted_out()["phoneNumbers"] == []
    assert sns.list_origination_numbers()["PhoneNumbers"] == []
    assert sns.get_sms_sandbox_account_status()["IsInSandbox"] is False
    sns.create_sms_sandbox_phone_number(PhoneNumber=phone)
    code = "".join(filter(str.isdigit, outbox(node, phone)[0]["body"]))
    sns.verify_sms_sandbox_phone_number(PhoneNumber=phone, OneTimePassword=code)
    assert {"PhoneNumber": phone, "Status": "Verified"} in sns.list_sms_sandbox_phone_numbers()["PhoneNumbers"]
    sns.delete_sms_sandbox_phone_number(PhoneNumber=phone)


def test_devices_get_pushes(node, sns, topic):
    with listening() as (address, requests):
        name = f"app-{uuid.uuid4()}"
        app = sns.create_platform_application(
            Name=name, Platform="GCM", Attributes={"PlatformCredential": "secret", "DeliveryUrl": address}
        )["PlatformApplicationArn"]
        assert app == f"arn:aws:sns:us-east-1:000000000000:app/GCM/{name}"
        endpoint = sns.create_platform_endpoint(PlatformApplicationArn=app, Token="device")["EndpointArn"]
        sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=endpoint)
        message = json.dumps({"default": "all", "GCM": json.dumps({"notification": {"title": "x"}})})
        sns.publish(TopicArn=topic, Message=message, MessageStructure="json")
        [(_, body)] = eventually(lambda: requests[:], what="the push")
        push = json.loads(body)
        assert (push["Token"], push["EndpointArn"], push["TopicArn"]) == ("device", endpoint, topic)
        assert json.loads(push["Message"]) == {"notification": {"title": "x"}}
        sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "false", "CustomUserData": "u"})
        with pytest.raises(sns.exceptions.EndpointDisabledException):
            sns.publish(TargetArn=endpoint, Message="x")
        assert sns.get_endpoint_attributes(EndpointArn=endpoint)["Attributes"]["CustomUserData"] == "u"
        [listed] = sns.list_endpoints_by_platform_application(PlatformApplicationArn=app)["Endpoints"]
        assert listed["Attributes"]["Enabled"] == "false"
        sns.set_platform_application_attributes(PlatformApplicationArn=app, Attributes={"Enabled": "false"})
        shown = sns.get_platform_application_attributes(PlatformApplicationArn=app)["Attributes"]
        assert shown["Enabled"] == "false" and "PlatformCredential" not in shown
        apps = [found["PlatformApplicationArn"] for found in sns.list_platform_applications()["PlatformApplications"]]
        assert app in apps
        sns.delete_endpoint(EndpointArn=endpoint)
        sns.delete_platform_application(PlatformApplicationArn=app)


def test_faults_in_awss_words(sns, topic):
    invalid = "Invalid parameter: "
    for call, arguments, expected in [
        (sns.publish, {"Message": "x"}, invalid + "TopicArn or TargetArn Reason: no value for required parameter"),
        (sns.publish, {"TopicArn": topic, "Message": ""}, invalid + "Empty message"),
        (sns.publish, {"TopicArn": topic, "Message": "x" * (256 * 1024 + 1)}, invalid + "Message too long"),
        (sns.publish, {"TopicArn": topic, "Message": "x", "Subject": "a\nb"}, invalid + "Subject"),
        (
            sns.publish,
            {"TopicArn": topic, "Message": "{}", "MessageStructure": "json"},
            invalid + "Message Structure - No default entry in JSON message body",
        ),
        (sns.create_topic, {"Name": "a b"}, invalid + "Topic Name"),
        (
            sns.subscribe,
            {"TopicArn": topic, "Protocol": "pigeon", "Endpoint": "x"},
            invalid + "Amazon SNS does not support this protocol string: pigeon",
        ),
        (
            sns.get_topic_attributes,
            {"TopicArn": "x"},
            invalid + "TopicArn Reason: An ARN must have at least 6 elements, not 1",
        ),
    ]:
        assert refused(call, **arguments) == ("InvalidParameter", expected)
    entries = [{"Id": "a", "Message": "x"}] * 2
    assert refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries) == (
        "BatchEntryIdsNotDistinct",
        "Two or more batch entries in the request have the same Id.",
    )


def test_the_aws_cli(node, sqs, make_queue):
    def aws(*arguments):
        done = node.run(AWS, *arguments)
        return json.loads(done.stdout) if done.stdout.strip() else None

    topic = aws("sns", "create-topic", "--name", f"cli-{uuid.uuid4()}")["TopicArn"]
    url, arn = make_queue()
    aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn)
    [listed] = aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]
    assert listed["Endpoint"] == arn
    aws("sns", "publish", "--topic-arn", topic, "--message", "by hand")
    assert json.loads(receive(sqs, url)[0]["Body"])["Message"] == "by hand"
    aws("sns", "unsubscribe", "--subscription-arn", listed["SubscriptionArn"])
    aws("sns", "delete-topic", "--topic-arn", topic)


def test_a_kill_loses_no_publication(own_node):
    node = own_node().start()
    sns, sqs = node.client("sns"), node.client("sqs")
    topic = sns.create_topic(Name="news")["TopicArn"]
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:q"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sent = set()
    for round in range(3):
        for number in range(20):
            sns.publish(TopicArn=topic, Message=f"{round}-{number}")
            sent.add(f"{round}-{number}")
        node.kill()
        node.start()
    found = set()

    def more():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        found.update(message["Body"] for message in answer.get("Messages", []))
        return found >= sent

    eventually(more, what="every message that was acknowledged")
    assert found == sent


TEMPLATE = """
Resources:
  Jobs:
    Type: AWS::SQS::Queue
  News:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: %(name)s
      Tags: [{Key: team, Value: shop}]
      Subscription:
        - {Protocol: email, Endpoint: %(mail)s}
  Listening:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref News
      Protocol: sqs
      Endpoint: !GetAtt Jobs.Arn
      RawMessageDelivery: true
      FilterPolicy: {kind: [%(kind)s]}
  Rules:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref News]
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - {Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: sns:Publish, Resource: '*'}
"""


def test_a_template_makes_changes_and_removes_topics(node, sns, tmp_path):
    folder = tmp_path / f"topics-{uuid.uuid4().hex[:8]}"
    folder.mkdir()

    def deploy(**values):
        (folder / "template.yaml").write_text(TEMPLATE % values)
        node.freehold("deploy", folder)

    def topics():
        pages = sns.get_paginator("list_topics").paginate()
        return [topic["TopicArn"] for page in pages for topic in page["Topics"] if folder.name in topic["TopicArn"]]

    deploy(name="News", mail="a@example.com", kind="a")
    [topic] = topics()
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["DisplayName"], shown["SubscriptionsPending"]) == ("News", "1") and "s3.amazonaws.com" in shown["Policy"]
    deploy(name="Olds", mail="b@example.com", kind="b")
    assert topics() == [topic]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "Olds"
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    [arn] = [one["SubscriptionArn"] for one in listed if one["Protocol"] == "sqs"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == {"kind": ["b"]} and attributes["RawMessageDelivery"] == "true"
    assert "b@example.com" in [one["Endpoint"] for one in listed]
    node.freehold("rm", "--yes", folder.name)
    assert topics() == []


TERRAFORM = """
resource "aws_sns_topic" "news" {
  name              = "terraformed"
  display_name      = "%(name)s"
  signature_version = 2
  tags              = { team = "shop" }
}

resource "aws_sns_topic" "ordered" {
  name                        = "terraformed.fifo"
  fifo_topic                  = true
  content_based_deduplication = true
}

resource "aws_sns_topic_subscription" "jobs" {
  topic_arn            = aws_sns_topic.news.arn
  protocol             = "sqs"
  endpoint             = "arn:aws:sqs:us-east-1:000000000000:jobs"
  raw_message_delivery = true
  filter_policy        = jsonencode({ kind = ["%(name)s"] })
}

resource "aws_sns_topic_policy" "news" {
  arn = aws_sns_topic.news.arn
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sns:Publish", Resource = aws_sns_topic.news.arn }]
  })
}
"""


def test_terraform_applies_and_plans_no_difference(terraform, sns):
    for name in ["a", "b"]:
        terraform.apply(TERRAFORM % {"name": name})
    topic = "arn:aws:sns:us-east-1:000000000000:terraformed"
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["DisplayName"], shown["SubscriptionsConfirmed"]) == ("b", "1")
    terraform.destroy()
    assert refused(sns.get_topic_attributes, TopicArn=topic)[0] == "NotFound"


@contextlib.contextmanager
def mail_server():
    """A server that takes mail, and remembers it: as much SMTP as that needs."""
    letters = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line.split(b" ")[0].strip().upper()
                if word in (b"EHLO", b"HELO"):
                    self.wfile.write(b"250-here\r\n250 8BITMIME\r\n")
                elif word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    letters.append(b"".join(lines).decode())
                    self.wfile.write(b"250 taken\r\n")
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 good\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"smtp://127.0.0.1:{server.server_address[1]}?from=news@example.com", letters
    finally:
        server.shutdown()
        server.server_close()


def test_mail_is_sent_where_there_is_a_server(own_node):
    with mail_server() as (url, letters):
        node = own_node("--smtp", url).start()
        sns = node.client("sns")
        topic = sns.create_topic(Name="news")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="reader@example.com")
        asked = eventually(lambda: letters[:], what="the question")[0]
        assert "To: <reader@example.com>" in asked and "From: <news@example.com>" in asked
        [letter] = outbox(node, "reader@example.com")
        link = next(line for line in letter["body"].splitlines() if line.startswith("http"))
        urllib.request.urlopen(link, timeout=60).close()
        sns.publish(TopicArn=topic, Subject="Grüße", Message="Dear all")
        eventually(lambda: len(letters) == 2, what="the letter")
        assert "Subject: =?utf-8?B?" in letters[1]
        assert base64.b64encode(b"Dear all\n").decode() in letters[1]
