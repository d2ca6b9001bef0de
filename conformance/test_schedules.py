"""EventBridge Scheduler as boto3, the AWS CLI, templates and Terraform see it: schedules fire, once each, also across kills."""

import datetime
import json
import os
import pathlib
import sys
import uuid

import pytest
from botocore.exceptions import ClientError
from support import ROLE, create, eventually

AWS = pathlib.Path(sys.executable).with_name("aws")
KILLS = int(os.environ.get("FREEHOLD_SCHEDULE_KILLS", 3))
OFF = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def scheduler(node):
    return node.client("scheduler")


@pytest.fixture
def queue(node):
    sqs = node.client("sqs")
    url = sqs.create_queue(QueueName=f"due-{uuid.uuid4()}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def unique():
    return f"s-{uuid.uuid4()}"


def arn(url):
    return f"arn:aws:sqs:us-east-1:000000000000:{url.rsplit('/', 1)[1]}"


def soon(seconds=1):
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return then.strftime("at(%Y-%m-%dT%H:%M:%S)")


def to_queue(url, text="{}", **more):
    return {"Arn": arn(url), "RoleArn": ROLE, "Input": text, **more}


def receive(node, url, count=1, deadline=120):
    sqs = node.client("sqs")
    found = []

    def enough():
        batch = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        ).get("Messages", [])
        for message in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found.extend(batch)
        return len(found) >= count

    eventually(enough, deadline, f"{count} messages")
    return found


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_schedule_from_create_to_delete(scheduler, queue):
    name = unique()
    made = scheduler.create_schedule(
        Name=name,
        ScheduleExpression="cron(0 3 ? * MON-FRI *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        Description="nightly",
        StartDate=datetime.datetime(2090, 1, 1, tzinfo=datetime.timezone.utc),
        Target=to_queue(queue, RetryPolicy={"MaximumRetryAttempts": 3}),
    )
    assert made["ScheduleArn"] == f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{name}"
    shown = scheduler.get_schedule(Name=name)
    assert shown["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 86400}
    assert (shown["GroupName"], shown["State"], shown["ActionAfterCompletion"]) == ("default", "ENABLED", "NONE")
    assert shown["StartDate"].year == 2090 and shown["ScheduleExpressionTimezone"] == "Europe/Berlin"
    scheduler.update_schedule(
        Name=name, ScheduleExpression="rate(1 days)", FlexibleTimeWindow=OFF, State="DISABLED", Target=to_queue(queue)
    )
    shown = scheduler.get_schedule(Name=name)
    assert (shown["ScheduleExpression"], shown["State"]) == ("rate(1 days)", "DISABLED") and "Description" not in shown
    pages = scheduler.get_paginator("list_schedules").paginate(NamePrefix=name, State="DISABLED")
    assert [schedule["Name"] for page in pages for schedule in page["Schedules"]] == [name]
    scheduler.delete_schedule(Name=name)
    assert refused(scheduler.get_schedule, Name=name) == ("ResourceNotFoundException", f"Schedule {name} does not exist.")


def test_what_is_wrong_is_refused(scheduler, queue):
    def create_schedule(expression="rate(1 hour)", **changed):
        target = {**to_queue(queue), **changed}
        return refused(
            scheduler.create_schedule, Name=unique(), ScheduleExpression=expression, FlexibleTimeWindow=OFF, Target=target
        )

    assert create_schedule("cron(0 3 * * *)") == ("ValidationException", "Invalid Schedule Expression cron(0 3 * * *).")
    universal = "arn:aws:scheduler:::aws-sdk:"
    for target, message in [
        (universal + "backup:startReportJob", "backup is not a supported service for a target."),
        (universal + "sqs:receiveMessage", "receiveMessage is not a supported API action for a target: it only reads."),
        ("arn:aws:ecs:us-east-1:000000000000:cluster/c", "ecs is not a supported service for a target."),
    ]:
        assert create_schedule(Arn=target) == ("ValidationException", message)
    assert create_schedule(RoleArn="nobody")[0] == "ValidationException"


def test_due_schedules_call_what_they_should(node, scheduler, queue):
    sqs, functions = node.client("sqs"), node.client("lambda")
    name = unique()
    group = unique()
    scheduler.create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "1"}])
    body = {"at": "<aws.scheduler.scheduled-time>", "try": "<aws.scheduler.attempt-number>"}
    once = soon(2)
    scheduler.create_schedule(
        Name=name,
        GroupName=group,
        ScheduleExpression=once,
        FlexibleTimeWindow=OFF,
        ActionAfterCompletion="DELETE",
        Target=to_queue(queue, json.dumps(body)),
    )
    universal = unique()
    scheduler.create_schedule(
        Name=universal,
        ScheduleExpression=once,
        FlexibleTimeWindow=OFF,
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "RoleArn": ROLE,
            "Input": json.dumps({"QueueUrl": queue, "MessageBody": "universal"}),
        },
    )
    create(functions, name)
    scheduler.create_schedule(
        Name=f"{name}-f",
        ScheduleExpression="rate(5 minutes)",
        FlexibleTimeWindow=OFF,
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke",
            "RoleArn": ROLE,
            "Input": json.dumps({"FunctionName": name, "Payload": {"from": "schedule"}}),
        },
    )
    bodies = sorted(message["Body"] for message in receive(node, queue, 2))
    assert bodies[0] == "universal" or bodies[1] == "universal"
    sent = json.loads(next(text for text in bodies if text != "universal"))
    assert sent == {"at": once[3:-1] + "Z", "try": "1"}

    def gone():
        try:
            scheduler.get_schedule(Name=name, GroupName=group)
        except scheduler.exceptions.ResourceNotFoundException:
            return True

    assert gone(), "a schedule that is to be deleted after its last time is gone with it"
    assert scheduler.get_schedule(Name=universal)["Name"] == universal

    # A rate begins at once; what the function logged tells that it ran.
    logs = node.client("logs")

    def ran():
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return False
        return [event for event in events if event["message"].startswith("REPORT")]

    eventually(ran, 60, "the function's report")
    node.freehold("fire", f"{name}-f")
    eventually(lambda: len(ran()) >= 2, 60, "the report of the schedule fired by hand")
    listed = json.loads(node.freehold("ls", "schedules", "--json").stdout)["schedules"]
    assert next(row for row in listed if row["name"] == f"{name}-f")["next"] is not None
    slip = node.freehold("fire", f"{name}-g", check=False)
    assert slip.returncode == 1 and "Did you mean" in slip.stderr
    scheduler.delete_schedule(Name=f"{name}-f")
    functions.delete_function(FunctionName=name)
    scheduler.delete_schedule_group(Name=group)
    sqs.purge_queue(QueueUrl=queue)


def test_what_cannot_be_delivered_goes_to_the_dead_letters(node, scheduler, queue):
    name = unique()
    target = {
        "Arn": "arn:aws:sqs:us-east-1:000000000000:nowhere",
        "RoleArn": ROLE,
        "Input": "lost",
        "DeadLetterConfig": {"Arn": arn(queue)},
    }
    scheduler.create_schedule(Name=name, ScheduleExpression=soon(), FlexibleTimeWindow=OFF, Target=target)
    [letter] = receive(node, queue)
    told = {name: attribute["StringValue"] for name, attribute in letter["MessageAttributes"].items()}
    assert letter["Body"] == "lost"
    assert told["SCHEDULE_ARN"].endswith(f"/default/{name}") and told["TARGET_ARN"].endswith(":nowhere")
    assert told["ERROR_CODE"] and told["RETRY_ATTEMPTS"] == "0" and told["IS_PAYLOAD_TRUNCATED"] == "false"


def test_groups_take_their_schedules_with_them(scheduler, queue):
    group = unique()
    made = scheduler.create_schedule_group(Name=group)["ScheduleGroupArn"]
    scheduler.tag_resource(ResourceArn=made, Tags=[{"Key": "k", "Value": "v"}])
    assert scheduler.list_tags_for_resource(ResourceArn=made)["Tags"] == [{"Key": "k", "Value": "v"}]
    scheduler.untag_resource(ResourceArn=made, TagKeys=["k"])
    assert scheduler.list_tags_for_resource(ResourceArn=made)["Tags"] == []
    for number in range(3):
        scheduler.create_schedule(
            Name=f"s{number}",
            GroupName=group,
            ScheduleExpression="rate(1 day)",
            StartDate=datetime.datetime(2090, 1, 1),
            FlexibleTimeWindow=OFF,
            Target=to_queue(queue),
        )
    assert len(scheduler.list_schedules(GroupName=group)["Schedules"]) == 3
    names = [found["Name"] for found in scheduler.list_schedule_groups()["ScheduleGroups"]]
    assert "default" in names and group in names
    scheduler.delete_schedule_group(Name=group)

    def gone():
        try:
            return scheduler.get_schedule_group(Name=group)["State"] != "DELETING"
        except scheduler.exceptions.ResourceNotFoundException:
            return True

    eventually(gone, 60, "the group's end")
    assert refused(scheduler.list_schedules, GroupName=group)[0] == "ResourceNotFoundException"


def test_the_command_line_makes_schedules(node, queue):
    def aws(*arguments):
        answer = node.run(AWS, "scheduler", *arguments, "--output", "json").stdout
        return json.loads(answer) if answer.strip() else None

    name = unique()
    target = json.dumps(to_queue(queue, "from the command line"))
    aws(
        *("create-schedule", "--name", name, "--schedule-expression", soon(), "--target", target),
        *("--flexible-time-window", json.dumps(OFF)),
    )
    assert aws("get-schedule", "--name", name)["Target"]["Input"] == "from the command line"
    assert [message["Body"] for message in receive(node, queue)] == ["from the command line"]
    aws("delete-schedule", "--name", name)
    assert name not in [found["Name"] for found in aws("list-schedules")["Schedules"]]


def test_each_time_fires_once_across_kills(own_node):
    node = own_node()
    node.start()
    sqs = node.client("sqs")
    url = sqs.create_queue(QueueName="due")["QueueUrl"]
    expected = []
    for kill in range(KILLS):
        scheduler = node.client("scheduler")
        for number in range(20):
            name = f"k{kill}-{number}"
            scheduler.create_schedule(
                Name=name, ScheduleExpression=soon(1 + number % 3), FlexibleTimeWindow=OFF, Target=to_queue(url, name)
            )
            expected.append(name)
        # Some are due while the node is down, some were just fired.
        node.kill()
        node.start()
    found = [message["Body"] for message in receive(node, node.client("sqs").get_queue_url(QueueName="due")["QueueUrl"], len(expected))]
    print(f"{KILLS} kills, {len(expected)} schedules, {len(found)} messages")
    assert set(found) == set(expected)
    assert len(node.client("scheduler").list_schedules()["Schedules"]) == len(expected)


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Group:
    Type: AWS::Scheduler::ScheduleGroup
    Properties:
      Tags: [{Key: made, Value: by a template}]
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: templated-due
  Once:
    Type: AWS::Scheduler::Schedule
    Properties:
      GroupName: !Ref Group
      ScheduleExpression: %(when)s
      FlexibleTimeWindow: {Mode: "OFF"}
      Target:
        Arn: !GetAtt Queue.Arn
        RoleArn: arn:aws:iam::000000000000:role/any
        Input: templated
Outputs:
  ScheduleArn:
    Value: !GetAtt Once.Arn
"""


def test_templates_make_schedules(node, tmp_path):
    (tmp_path / "template.yaml").write_text(TEMPLATE % {"when": soon(2)})
    node.freehold("deploy", str(tmp_path), "--name", "ticking")
    url = node.client("sqs").get_queue_url(QueueName="templated-due")["QueueUrl"]
    assert [message["Body"] for message in receive(node, url)] == ["templated"]
    node.freehold("rm", "ticking", "--yes")
    left = [found["Name"] for found in node.client("scheduler").list_schedules()["Schedules"]]
    assert not [name for name in left if name.startswith("ticking")]


CONFIGURATION = """
resource "aws_sqs_queue" "jobs" {
  name = "terraformed-due"
}

resource "aws_scheduler_schedule_group" "reports" {
  name = "terraformed"
  tags = { purpose = "conformance" }
}

resource "aws_scheduler_schedule" "nightly" {
  name                         = "terraformed-nightly"
  group_name                   = aws_scheduler_schedule_group.reports.name
  schedule_expression          = "%(expression)s"
  schedule_expression_timezone = "Europe/Berlin"
  start_date                   = "2090-01-01T00:00:00Z"
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 5
  }
  target {
    arn      = aws_sqs_queue.jobs.arn
    role_arn = "arn:aws:iam::000000000000:role/any"
    input    = jsonencode({ a = 1 })
    retry_policy {
      maximum_retry_attempts = 4
    }
    dead_letter_config {
      arn = aws_sqs_queue.jobs.arn
    }
  }
}

resource "aws_scheduler_schedule" "plain" {
  name                = "terraformed-plain"
  schedule_expression = "rate(1 hours)"
  state               = "DISABLED"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
    role_arn = "arn:aws:iam::000000000000:role/any"
    input    = jsonencode({ MessageBody = "hello", QueueUrl = aws_sqs_queue.jobs.url })
  }
}
"""


def test_terraform_makes_schedules(terraform, scheduler):
    for expression in ["cron(0 3 * * ? *)", "cron(0 4 * * ? *)"]:
        terraform.apply(CONFIGURATION % {"expression": expression})
        shown = scheduler.get_schedule(Name="terraformed-nightly", GroupName="terraformed")
        assert shown["ScheduleExpression"] == expression
    terraform.destroy()
    names = [found["Name"] for found in scheduler.list_schedules()["Schedules"]]
    assert not [name for name in names if name.startswith("terraformed")]
