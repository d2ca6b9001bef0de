"""EventBridge as boto3, the AWS CLI, Terraform and CloudEvents clients see it."""

import http.server
import json
import pathlib
import sys
import threading
import urllib.error
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError
from support import eventually

AWS = pathlib.Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def events(node):
    return node.client("events")


@pytest.fixture(scope="module")
def sqs(node):
    return node.client("sqs")


@pytest.fixture
def queue(sqs):
    """A queue's URL and ARN."""
    url = sqs.create_queue(QueueName=f"e-{uuid.uuid4()}")["QueueUrl"]
    yield url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def source():
    return f"test.{uuid.uuid4().hex}"


@pytest.fixture
def rule(events, source):
    """A rule for the test's own source."""
    name = f"r-{uuid.uuid4().hex}"
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
    yield name
    remove(events, name)


def remove(events, name, bus="default"):
    targets = events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
    if targets:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name, EventBusName=bus)


def put(events, source, detail, **more):
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail), **more}
    answer = events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer
    return answer["Entries"][0]["EventId"]


def bodies(sqs, url, count):
    """So many messages' bodies, deleted."""
    found = []

    def all_there():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(all_there)
    assert len(found) == count, found
    return found


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_event_reaches_queues_as_they_asked(events, sqs, queue, rule, source):
    url, arn = queue
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"n": <n>, "rule": "<aws.events.rule-name>"}'}
    events.put_targets(
        Rule=rule,
        Targets=[
            {"Id": "whole", "Arn": arn},
            {"Id": "part", "Arn": arn, "InputPath": "$.detail"},
            {"Id": "made", "Arn": arn, "InputTransformer": transformer},
        ],
    )
    event_id = put(events, source, {"n": 7}, Resources=["a"])
    found = [json.loads(body) for body in bodies(sqs, url, 3)]
    assert {"n": 7} in found and {"n": 7, "rule": rule} in found
    whole = next(body for body in found if "version" in body)
    assert whole["id"] == event_id and whole["resources"] == ["a"] and whole["detail"] == {"n": 7}
    assert events.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == [rule]


def test_entries_fail_by_themselves(events, source):
    answer = events.put_events(
        Entries=[
            {"Source": source, "DetailType": "t", "Detail": "{}"},
            {"Source": source, "DetailType": "t", "Detail": "{"},
            {"DetailType": "t", "Detail": "{}"},
            {"Source": "aws.s3", "DetailType": "t", "Detail": "{}"},
        ]
    )
    assert answer["FailedEntryCount"] == 3
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, "MalformedDetail", "InvalidArgument", "NotAuthorizedForSourceException"]
    assert "EventId" in answer["Entries"][0]
    code, message = refused(events.put_events, Entries=[{"Source": "s", "DetailType": "t", "Detail": json.dumps("x" * (1 << 20))}])
    assert (code, message) == ("ValidationException", "Total size of the entries in the request is over the limit.")


def test_patterns_are_tested_and_refused(events):
    event = json.dumps({"id": "1", "source": "s", "detail": {"n": [1, 2]}})
    assert events.test_event_pattern(EventPattern='{"detail": {"n": [{"numeric": [">", 1]}]}}', Event=event)["Result"]
    assert not events.test_event_pattern(EventPattern='{"detail": {"n": [{"numeric": [">", 2]}]}}', Event=event)["Result"]
    code, message = refused(events.test_event_pattern, EventPattern='{"detail": {"n": [{"Prefix": "x"}]}}', Event=event)
    assert code == "InvalidEventPatternException"
    assert message.startswith("Event pattern is not valid. Reason: Unrecognized match type Prefix\n at [Source: (String)")
    code, message = refused(events.put_rule, Name="r")
    assert message == "Parameter(s) EventPattern or ScheduleExpression must be specified."


def test_a_bus_has_rules_permissions_and_tags(events, sqs, queue, source):
    url, arn = queue
    bus = f"bus-{uuid.uuid4().hex[:8]}"
    bus_arn = events.create_event_bus(Name=bus, Tags=[{"Key": "team", "Value": "shop"}])["EventBusArn"]
    assert refused(events.create_event_bus, Name=bus)[0] == "ResourceAlreadyExistsException"
    assert bus in [found["Name"] for found in events.list_event_buses(NamePrefix="bus-")["EventBuses"]]
    assert events.list_tags_for_resource(ResourceARN=bus_arn)["Tags"] == [{"Key": "team", "Value": "shop"}]
    events.put_permission(EventBusName=bus, Action="events:PutEvents", Principal="111122223333", StatementId="one")
    assert json.loads(events.describe_event_bus(Name=bus)["Policy"])["Statement"][0]["Sid"] == "one"
    events.remove_permission(EventBusName=bus, StatementId="one")
    assert "Policy" not in events.describe_event_bus(Name=bus)
    # From the default bus to this one, and from there to the queue.
    events.put_rule(Name="there", EventBusName=bus, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule="there", EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])
    events.put_rule(Name=f"on-{bus}", EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=f"on-{bus}", Targets=[{"Id": "b", "Arn": bus_arn}])
    put(events, source, {"n": 1})
    assert json.loads(bodies(sqs, url, 1)[0])["detail"] == {"n": 1}
    assert "still has rules" in refused(events.delete_event_bus, Name=bus)[1]
    remove(events, "there", bus)
    remove(events, f"on-{bus}")
    events.delete_event_bus(Name=bus)
    assert refused(events.describe_event_bus, Name=bus) == ("ResourceNotFoundException", f"Event bus {bus} does not exist.")


def test_pages_are_cut(events):
    names = [f"page-{n:02}" for n in range(5)]
    for name in names:
        events.put_rule(Name=name, EventPattern='{"source": ["never"]}', State="DISABLED")
    found, token = [], None
    while True:
        page = events.list_rules(NamePrefix="page-", Limit=2, **({"NextToken": token} if token else {}))
        found += [rule["Name"] for rule in page["Rules"]]
        token = page.get("NextToken")
        if not token:
            break
    assert found == names
    for name in names:
        events.delete_rule(Name=name)


def test_what_a_target_refuses_goes_to_its_dead_letter_queue(events, sqs, queue, rule, source):
    url, arn = queue
    missing = "arn:aws:lambda:us-east-1:000000000000:function:is-not-there"
    events.put_targets(Rule=rule, Targets=[{"Id": "f", "Arn": missing, "DeadLetterConfig": {"Arn": arn}}])
    put(events, source, {"n": 1})
    found = []

    def there():
        found.extend(
            sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=2).get("Messages", [])
        )
        return found

    eventually(there)
    assert json.loads(found[0]["Body"])["detail"] == {"n": 1}
    attributes = {name: value["StringValue"] for name, value in found[0]["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == missing and attributes["RULE_ARN"].endswith(f"rule/{rule}")
    assert attributes["ERROR_CODE"] == "ResourceNotFoundException"


def test_archives_are_replayed(events, sqs, queue, rule, source):
    url, arn = queue
    bus_arn = events.describe_event_bus()["Arn"]
    name = f"a-{uuid.uuid4().hex[:8]}"
    archive = events.create_archive(ArchiveName=name, EventSourceArn=bus_arn, EventPattern=json.dumps({"source": [source]}))
    put(events, source, {"n": 1})
    assert events.describe_archive(ArchiveName=name)["EventCount"] == 1
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    events.start_replay(
        ReplayName=f"replay-{name}",
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=0,
        EventEndTime=4_000_000_000,
        Destination={"Arn": bus_arn},
    )
    body = json.loads(bodies(sqs, url, 1)[0])
    assert body["replay-name"] == f"replay-{name}" and body["detail"] == {"n": 1}
    eventually(lambda: events.describe_replay(ReplayName=f"replay-{name}")["State"] == "COMPLETED")
    events.delete_archive(ArchiveName=name)
    assert refused(events.describe_archive, ArchiveName=name)[0] == "ResourceNotFoundException"


class Heard(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_an_api_destination_is_asked(events, rule, source):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heard)
    server.heard = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = f"d-{uuid.uuid4().hex[:8]}"
    parameters = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "s3cret"}}
    connection = events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=parameters)["ConnectionArn"]
    assert "s3cret" not in str(events.describe_connection(Name=name))
    endpoint = f"http://127.0.0.1:{server.server_port}/hook"
    destination = events.create_api_destination(
        Name=name, ConnectionArn=connection, InvocationEndpoint=endpoint, HttpMethod="POST"
    )["ApiDestinationArn"]
    events.put_targets(Rule=rule, Targets=[{"Id": "d", "Arn": destination, "InputPath": "$.detail"}])
    put(events, source, {"n": 1})
    eventually(lambda: server.heard)
    path, headers, body = server.heard[0]
    assert (path, json.loads(body)) == ("/hook", {"n": 1}) and headers["x-key"] == "s3cret"
    server.shutdown()
    events.delete_api_destination(Name=name)
    events.delete_connection(Name=name)


def test_cloud_events_come_in(node, events, sqs, queue, rule, source):
    url, arn = queue
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])

    def send(body, **headers):
        request = urllib.request.Request(f"{node.endpoint}/_events/default", data=json.dumps(body).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    event = {"specversion": "1.0", "id": "1", "source": source, "type": "sold", "data": {"n": 1}}
    assert send(event, **{"content-type": "application/cloudevents+json"})["FailedEntryCount"] == 0
    batch = [event] * 11
    assert len(send(batch, **{"content-type": "application/cloudevents-batch+json"})["Entries"]) == 11
    attributes = {"ce-specversion": "1.0", "ce-id": "2", "ce-source": source, "ce-type": "sold"}
    send({"n": 1}, **{"content-type": "application/json", **attributes})
    found = [json.loads(body) for body in bodies(sqs, url, 13)]
    assert all((body["detail-type"], body["detail"]) == ("sold", {"n": 1}) for body in found)
    with pytest.raises(urllib.error.HTTPError) as caught:
        send({"specversion": "1.0"}, **{"content-type": "application/cloudevents+json"})
    assert caught.value.code == 400


def test_a_schedule_is_kept(events):
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    described = events.describe_rule(Name="hourly")
    assert described["ScheduleExpression"] == "rate(1 hour)" and described["State"] == "ENABLED"
    code, message = refused(events.put_rule, Name="r", ScheduleExpression="rate(1 hours)")
    assert (code, message) == ("ValidationException", "Parameter ScheduleExpression is not valid.")
    events.delete_rule(Name="hourly")


def test_the_aws_cli_drives_it(node):
    def aws(*arguments):
        run = node.run(AWS, "--endpoint-url", node.endpoint, "events", *arguments)
        return json.loads(run.stdout) if run.stdout.strip() else None

    aws("put-rule", "--name", "cli", "--event-pattern", '{"source": ["cli"]}')
    aws("put-targets", "--rule", "cli", "--targets", "Id=1,Arn=arn:aws:sqs:us-east-1:000000000000:cli")
    assert aws("list-targets-by-rule", "--rule", "cli")["Targets"][0]["Id"] == "1"
    assert aws("put-events", "--entries", '[{"Source": "other", "DetailType": "t", "Detail": "{}"}]')["FailedEntryCount"] == 0
    aws("remove-targets", "--rule", "cli", "--ids", "1")
    aws("delete-rule", "--name", "cli")


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Events::EventBus
    Properties: {Name: %(name)s}
  Seen:
    Type: AWS::SQS::Queue
  Sold:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Orders
      EventPattern: {source: [shop], detail: {total: [{numeric: [">", %(least)s]}]}}
      Targets:
        - {Id: seen, Arn: !GetAtt Seen.Arn, InputPath: $.detail}
  Kept:
    Type: AWS::Events::Archive
    Properties: {SourceArn: !GetAtt Orders.Arn, RetentionDays: 7}
"""


def test_a_template_makes_changes_and_removes_a_bus(node, events, sqs, tmp_path):
    name = f"orders-{uuid.uuid4().hex[:8]}"
    folder = tmp_path / name
    folder.mkdir()

    def deploy(least):
        (folder / "template.yaml").write_text(TEMPLATE % {"name": name, "least": least})
        node.freehold("deploy", folder)

    def publish(total):
        put(events, "shop", {"total": total}, EventBusName=name)

    deploy(100)
    url = sqs.list_queues(QueueNamePrefix=name)["QueueUrls"][0]
    publish(200)
    publish(50)
    assert [json.loads(body) for body in bodies(sqs, url, 1)] == [{"total": 200}]
    deploy(10)
    publish(50)
    assert [json.loads(body) for body in bodies(sqs, url, 1)] == [{"total": 50}]
    node.freehold("rm", "--yes", name)
    assert refused(events.describe_event_bus, Name=name)[0] == "ResourceNotFoundException"


TERRAFORM = """
resource "aws_cloudwatch_event_bus" "orders" {
  name = "terraformed"
  tags = { team = "shop" }
}

resource "aws_cloudwatch_event_rule" "sold" {
  name           = "terraformed-sold"
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  event_pattern  = jsonencode({ source = ["shop"], detail = { total = [{ numeric = [">", %(least)s] }] } })
  tags           = { team = "shop" }
}

resource "aws_cloudwatch_event_target" "queue" {
  rule           = aws_cloudwatch_event_rule.sold.name
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  arn            = "arn:aws:sqs:us-east-1:000000000000:terraformed"
  input_transformer {
    input_paths    = { total = "$.detail.total" }
    input_template = "{\\"total\\": <total>}"
  }
  retry_policy {
    maximum_event_age_in_seconds = 120
    maximum_retry_attempts       = 3
  }
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "terraformed-nightly"
  schedule_expression = "cron(0 3 * * ? *)"
}

resource "aws_cloudwatch_event_permission" "other" {
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  principal      = "111122223333"
  statement_id   = "other"
}

resource "aws_cloudwatch_event_archive" "kept" {
  name             = "terraformed"
  event_source_arn = aws_cloudwatch_event_bus.orders.arn
  retention_days   = 7
}

resource "aws_cloudwatch_event_connection" "basic" {
  name               = "terraformed"
  authorization_type = "BASIC"
  auth_parameters {
    basic {
      username = "me"
      password = "s3cret"
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "hook" {
  name                             = "terraformed"
  invocation_endpoint              = "https://example.com/hook"
  http_method                      = "POST"
  invocation_rate_limit_per_second = 20
  connection_arn                   = aws_cloudwatch_event_connection.basic.arn
}
"""


def test_terraform_applies_changes_and_plans_no_difference(terraform, events):
    for least in [100, 10]:
        terraform.apply(TERRAFORM % {"least": least})
    pattern = events.describe_rule(Name="terraformed-sold", EventBusName="terraformed")["EventPattern"]
    assert json.loads(pattern)["detail"]["total"] == [{"numeric": [">", 10]}]
    terraform.destroy()
    assert refused(events.describe_event_bus, Name="terraformed")[0] == "ResourceNotFoundException"
