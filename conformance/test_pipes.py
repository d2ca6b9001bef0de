"""Pipes as boto3 and Terraform see them: from a queue through filter and enrichment to a target."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from support import ROLE, create, eventually, python_zip

ENRICH = """
import json


def handler(events, context):
    return [{"order": event["order"], "seen": True} for event in events if event["order"] != 13]
"""

# Tells a queue what came; says that the messages with the body "report" failed.
TARGET = """
import json
import os
import urllib.request


def handler(events, context):
    message = {"QueueUrl": os.environ["TOLD"], "MessageBody": json.dumps(events)}
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(message).encode(), headers)
    urllib.request.urlopen(request).read()
    return {"batchItemFailures": [{"itemIdentifier": event["messageId"]} for event in events if event["body"] == "report"]}
"""


@pytest.fixture(scope="module")
def pipes(node):
    return node.client("pipes")


@pytest.fixture(scope="module")
def sqs(node):
    return node.client("sqs")


@pytest.fixture(scope="module")
def functions(node):
    return node.client("lambda")


@pytest.fixture
def queue(sqs):
    def make(name="queue", **attributes):
        url = sqs.create_queue(QueueName=f"{name}-{uuid.uuid4()}", Attributes=attributes)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    return make


@pytest.fixture
def pipe(pipes):
    made = []

    def make(source, target, **settings):
        name = f"pipe-{uuid.uuid4()}"
        made.append(name)
        assert pipes.create_pipe(Name=name, Source=source, Target=target, RoleArn=ROLE, **settings)["CurrentState"] == "CREATING"
        assert pipes.describe_pipe(Name=name)["CurrentState"] in {"RUNNING", "STOPPED"}
        return name

    yield make
    for name in made:
        try:
            pipes.delete_pipe(Name=name)
        except pipes.exceptions.NotFoundException:
            pass


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def left(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(number) for number in found.values())


def taken(sqs, url, count):
    """So many bodies out of a queue."""
    found = []

    def enough():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(enough, what=f"{count} messages")
    return found


def test_a_pipe_filters_shapes_and_brings(pipes, sqs, queue, pipe):
    (from_url, source), (to_url, target) = queue(), queue()
    name = pipe(
        source,
        target,
        SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": '{"body":{"kind":["order"]}}'}]}},
        TargetParameters={
            "InputTemplate": '{"id": <$.body.id>, "said": "<$.body.kind> of <$.body.who>", "pipe": <aws.pipes.pipe-name>, '
            '"from": <aws.pipes.source-arn>, "tags": <$.body.tags>}'
        },
    )
    for body in [
        {"kind": "order", "id": 7, "who": 'Ada "A"', "tags": ["x", 1]},
        {"kind": "invoice", "id": 8},
    ]:
        sqs.send_message(QueueUrl=from_url, MessageBody=json.dumps(body))
    (body,) = taken(sqs, to_url, 1)
    assert json.loads(body) == {
        "id": 7,
        "said": 'order of Ada "A"',
        "pipe": name,
        "from": source,
        "tags": ["x", 1],
    }
    eventually(lambda: left(sqs, from_url) == 0)
    assert left(sqs, to_url) == 0


def test_an_enrichment_makes_new_events_and_leaves_some_out(pipes, sqs, functions, queue, pipe):
    (from_url, source), (to_url, target) = queue(), queue()
    function = create(functions, f"enrich-{uuid.uuid4()}", code=python_zip(ENRICH))["FunctionArn"]
    pipe(
        source,
        target,
        Enrichment=function,
        EnrichmentParameters={"InputTemplate": '{"order": <$.body.order>}'},
        TargetParameters={"InputTemplate": "order <$.order>: <$.seen>"},
    )
    for order in [12, 13, 14]:
        sqs.send_message(QueueUrl=from_url, MessageBody=json.dumps({"order": order}))
    assert sorted(taken(sqs, to_url, 2)) == ["order 12: true", "order 14: true"]
    eventually(lambda: left(sqs, from_url) == 0)
    assert left(sqs, to_url) == 0


def test_a_function_is_given_the_list_and_says_what_failed(pipes, sqs, functions, queue, pipe):
    (from_url, source), (told_url, _) = queue(VisibilityTimeout="2"), queue("told")
    function = create(
        functions, f"target-{uuid.uuid4()}", code=python_zip(TARGET), Environment={"Variables": {"TOLD": told_url}}
    )["FunctionArn"]
    pipe(source, function, TargetParameters={"LambdaFunctionParameters": {"InvocationType": "REQUEST_RESPONSE"}})
    sqs.send_message(QueueUrl=from_url, MessageBody="fine")
    sqs.send_message(QueueUrl=from_url, MessageBody="report")
    told = []

    def reported_twice():
        told.extend(event["body"] for body in taken(sqs, told_url, 1) for event in json.loads(body))
        return told.count("report") == 2

    eventually(reported_twice)
    assert told.count("fine") == 1
    assert left(sqs, from_url) == 1


def test_events_go_to_a_log_group_and_to_groups_of_a_queue(node, sqs, queue, pipe):
    logs = node.client("logs")
    group = f"/pipes/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=group)
    from_url, source = queue()
    pipe(source, f"arn:aws:logs:us-east-1:000000000000:log-group:{group}", TargetParameters={"InputTemplate": "<$.body>"})
    sqs.send_message(QueueUrl=from_url, MessageBody="a line")
    found = eventually(lambda: logs.filter_log_events(logGroupName=group)["events"])
    assert [event["message"] for event in found] == ["a line"]

    from_url, source = queue()
    name = f"ordered-{uuid.uuid4()}.fifo"
    to_url = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    parameters = {"MessageGroupId": "$.body.customer", "MessageDeduplicationId": "$.messageId"}
    pipe(source, f"arn:aws:sqs:us-east-1:000000000000:{name}", TargetParameters={"SqsQueueParameters": parameters})
    sqs.send_message(QueueUrl=from_url, MessageBody=json.dumps({"customer": "c7"}))
    message = eventually(
        lambda: sqs.receive_message(QueueUrl=to_url, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]).get("Messages")
    )[0]
    assert message["Attributes"]["MessageGroupId"] == "c7"


def test_a_pipe_from_create_to_delete(pipes, sqs, queue, pipe):
    (from_url, source), (to_url, target) = queue(), queue()
    name = pipe(
        source,
        target,
        Description="d",
        DesiredState="STOPPED",
        Tags={"a": "1"},
        SourceParameters={"SqsQueueParameters": {"BatchSize": 3}},
    )
    shown = pipes.describe_pipe(Name=name)
    assert (shown["CurrentState"], shown["DesiredState"], shown["Description"]) == ("STOPPED", "STOPPED", "d")
    assert shown["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 3}}
    assert (shown["Source"], shown["Target"], shown["RoleArn"]) == (source, target, ROLE)
    assert shown["Arn"] == f"arn:aws:pipes:us-east-1:000000000000:pipe/{name}"
    assert refused(pipes.create_pipe, Name=name, Source=source, Target=target, RoleArn=ROLE) == (
        "ConflictException",
        f"Pipe {name} already exists.",
    )
    listed = pipes.list_pipes(NamePrefix=name, CurrentState="STOPPED")["Pipes"]
    assert [found["Name"] for found in listed] == [name]
    assert pipes.list_pipes(NamePrefix=name, DesiredState="RUNNING")["Pipes"] == []
    pipes.tag_resource(resourceArn=shown["Arn"], tags={"b": "2"})
    pipes.untag_resource(resourceArn=shown["Arn"], tagKeys=["a"])
    assert pipes.list_tags_for_resource(resourceArn=shown["Arn"])["tags"] == {"b": "2"}

    sqs.send_message(QueueUrl=from_url, MessageBody="waits")
    assert pipes.start_pipe(Name=name)["CurrentState"] == "STARTING"
    assert json.loads(taken(sqs, to_url, 1)[0])["body"] == "waits"
    assert pipes.stop_pipe(Name=name)["CurrentState"] == "STOPPING"
    eventually(lambda: pipes.describe_pipe(Name=name)["CurrentState"] == "STOPPED")
    changed = {"RoleArn": ROLE, "Description": "e", "TargetParameters": {"InputTemplate": "<$.body>!"}}
    assert pipes.update_pipe(Name=name, **changed, DesiredState="RUNNING")["CurrentState"] == "UPDATING"
    sqs.send_message(QueueUrl=from_url, MessageBody="shaped")
    assert taken(sqs, to_url, 1) == ["shaped!"]
    assert pipes.describe_pipe(Name=name)["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 3}}
    assert pipes.delete_pipe(Name=name)["CurrentState"] == "DELETING"
    for call in [pipes.describe_pipe, pipes.delete_pipe, pipes.start_pipe]:
        assert refused(call, Name=name) == ("NotFoundException", f"Pipe {name} does not exist.")


def test_what_cannot_flow_is_refused(pipes, queue):
    _, source = queue()
    _, target = queue()

    def ask(**changed):
        given = {"Name": "never", "Source": source, "Target": target, "RoleArn": ROLE, **changed}
        return refused(pipes.create_pipe, **given)

    code, message = ask(Source="arn:aws:kinesis:us-east-1:000000000000:stream/s")
    assert code == "ValidationException" and "pipes from queues" in message
    assert "API destinations" in ask(Enrichment="arn:aws:events:us-east-1:000000000000:api-destination/a/b")[1]
    assert "cannot be a target" in ask(Target="arn:aws:ecs:us-east-1:000000000000:cluster/c")[1]
    assert "InputTemplate" in ask(TargetParameters={"InputTemplate": "<aws.pipes.nothing>"})[1]
    filters = {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}
    assert "Invalid filter pattern definition" in ask(SourceParameters=filters)[1]
    assert ask(Name="not a name")[0] == "ValidationException"
    assert [found for found in pipes.list_pipes()["Pipes"] if found["Name"] == "never"] == []


TEMPLATE = """
Resources:
  From: { Type: AWS::SQS::Queue }
  To: { Type: AWS::SQS::Queue, Properties: { QueueName: templated-to } }
  Flow:
    Type: AWS::Pipes::Pipe
    Properties:
      Name: templated
      RoleArn: arn:aws:iam::000000000000:role/any
      Source: !GetAtt From.Arn
      Target: !GetAtt To.Arn
      TargetParameters: { InputTemplate: "TEXT <$.body>" }
      Tags: { made: by-template }
"""


def test_a_template_makes_a_pipe(node, pipes, sqs, tmp_path):
    folder = tmp_path / "piped"
    folder.mkdir()
    for text in ["first", "second"]:
        (folder / "template.yaml").write_text(TEMPLATE.replace("TEXT", text))
        node.freehold("deploy", folder)
        shown = pipes.describe_pipe(Name="templated")
        assert shown["TargetParameters"] == {"InputTemplate": f"{text} <$.body>"}
    assert shown["Tags"] == {"made": "by-template"}
    url = sqs.get_queue_url(QueueName=shown["Source"].rsplit(":")[-1])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert taken(sqs, sqs.get_queue_url(QueueName="templated-to")["QueueUrl"], 1) == ["second hello"]
    node.freehold("rm", "--yes", folder.name)
    assert refused(pipes.describe_pipe, Name="templated")[0] == "NotFoundException"


CONFIGURATION = """
resource "aws_pipes_pipe" "flow" {
  name        = "terraformed-pipe"
  description = "%(description)s"
  role_arn    = "arn:aws:iam::000000000000:role/any"
  source      = "%(source)s"
  target      = "%(target)s"
  source_parameters {
    filter_criteria {
      filter { pattern = jsonencode({ body = { kind = ["order"] } }) }
    }
    sqs_queue_parameters {
      batch_size                         = 5
      maximum_batching_window_in_seconds = 1
    }
  }
  target_parameters {
    input_template = "<$.body.kind>"
  }
  tags = { purpose = "conformance" }
}
"""


def test_terraform_applies_and_plans_no_difference(terraform, pipes, queue):
    _, source = queue()
    _, target = queue()

    for description in ["first", "second"]:
        terraform.apply(CONFIGURATION % {"source": source, "target": target, "description": description})
        assert pipes.describe_pipe(Name="terraformed-pipe")["Description"] == description
    terraform.destroy()
    assert refused(pipes.describe_pipe, Name="terraformed-pipe")[0] == "NotFoundException"
