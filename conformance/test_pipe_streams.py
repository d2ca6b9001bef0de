"""Pipes from tables' streams as boto3 sees them: changes come in order, what fails is tried again and given up, a restart loses none."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from support import ROLE, create, eventually, python_zip

# Tells a queue what came, and says that the changes which ask for it failed.
TARGET = """
import json
import os
import urllib.request


def handler(events, context):
    message = {"QueueUrl": os.environ["TOLD"], "MessageBody": json.dumps(events)}
    message.update(MessageGroupId="all", MessageDeduplicationId=os.urandom(8).hex())
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(message).encode(), headers)
    urllib.request.urlopen(request).read()
    failed = [event["eventID"] for event in events if event["dynamodb"]["NewImage"].get("do", {}).get("S") == "report"]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
"""


class Line:
    """A table with a stream, and a queue that is told what came out of its pipes."""

    def __init__(self, node):
        self.use(node)
        self.name = f"piped-{uuid.uuid4()}"
        made = self.tables.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn = made["TableDescription"]["LatestStreamArn"]
        self.tables.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})
        self.told_url, self.told_arn = self.queue("told.fifo", FifoQueue="true")

    def use(self, node):
        self.tables, self.functions, self.sqs, self.pipes = map(node.client, ["dynamodb", "lambda", "sqs", "pipes"])

    def queue(self, ending, **attributes):
        name = f"{self.name}-{ending}"
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def put(self, id, **values):
        item = {"id": {"S": id}, **{name: {"S": value} for name, value in values.items()}}
        self.tables.put_item(TableName=self.name, Item=item)

    def pipe(self, target, reading, **settings):
        source = {"DynamoDBStreamParameters": reading, **settings.pop("SourceParameters", {})}
        self.pipes.create_pipe(
            Name=self.name, Source=self.arn, Target=target, RoleArn=ROLE, SourceParameters=source, **settings
        )

    def to_queue(self, reading, **settings):
        words = {"MessageGroupId": "all", "MessageDeduplicationId": "$.event"}
        template = (
            '{"id": <$.dynamodb.Keys.id.S>, "what": <$.eventName>, "v": <$.dynamodb.NewImage.v.S>, "event": <$.eventID>}'
        )
        parameters = {"SqsQueueParameters": words, "InputTemplate": template}
        self.pipe(self.told_arn, reading, TargetParameters=parameters, **settings)

    def received(self, url):
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]

    def told(self, count, deadline=120):
        """So many messages, in the order in which they came; of events without the id that the queue knows them by."""
        found = []

        def enough():
            found.extend(self.received(self.told_url))
            return len(found) >= count

        eventually(enough, deadline, f"{count} messages")
        for one in found:
            if isinstance(one, dict):
                del one["event"]
        return found


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_changes_flow_in_order_and_only_those_that_are_wanted(node):
    line = Line(node)
    line.put("before", v="0")
    wanted = {"Filters": [{"Pattern": '{"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"v": {"S": [{"exists": true}]}}}}'}]}
    line.to_queue({"StartingPosition": "LATEST", "BatchSize": 3}, SourceParameters={"FilterCriteria": wanted})
    expected = []
    for number in range(8):
        line.put("a", v=str(number))
        line.put("ignored")
        expected.append({"id": "a", "what": "MODIFY" if number else "INSERT", "v": str(number)})
    assert line.told(8) == expected
    line.pipes.delete_pipe(Name=line.name)
    assert refused(line.pipes.describe_pipe, Name=line.name)[0] == "NotFoundException"

    # One that is made anew under the same name begins anew: with the oldest record.
    line.to_queue({"StartingPosition": "TRIM_HORIZON"}, SourceParameters={"FilterCriteria": wanted})
    # The queue knows the other changes by their ids: only the one from before the first pipe is new to it.
    assert line.told(1) == [{"id": "before", "what": "INSERT", "v": "0"}]
    line.put("b", v="9")
    assert line.told(1) == [{"id": "b", "what": "INSERT", "v": "9"}]


def test_what_a_function_reports_comes_again_and_is_given_up(node):
    line = Line(node)
    lost_url, lost_arn = line.queue("lost")
    code, told = python_zip(TARGET), {"Variables": {"TOLD": line.told_url}}
    function = create(line.functions, line.name, code=code, Environment=told)["FunctionArn"]
    for id, what in [("a", "fine"), ("b", "report"), ("c", "fine")]:
        line.put(id, do=what)
    line.pipe(
        function,
        {
            "StartingPosition": "TRIM_HORIZON",
            "MaximumRetryAttempts": 1,
            "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
            "DeadLetterConfig": {"Arn": lost_arn},
        },
        TargetParameters={"LambdaFunctionParameters": {"InvocationType": "REQUEST_RESPONSE"}},
    )
    batches = line.told(2)
    ids = [[event["dynamodb"]["Keys"]["id"]["S"] for event in batch] for batch in batches]
    assert ids == [["a", "b", "c"], ["b", "c"]]
    first = batches[1][0]
    assert (first["eventSource"], first["eventSourceARN"], first["eventName"]) == ("aws:dynamodb", line.arn, "INSERT")
    lost = []
    eventually(lambda: lost.extend(line.received(lost_url)) or lost, 60, "the word of what was given up")
    arn = line.pipes.describe_pipe(Name=line.name)["Arn"]
    assert lost[0]["context"] == {"partnerResourceArn": arn, "condition": "RetryAttemptsExhausted"}
    info = lost[0]["DDBStreamBatchInfo"]
    assert (info["streamArn"], info["startSequenceNumber"]) == (line.arn, first["dynamodb"]["SequenceNumber"])
    line.put("d", do="fine")
    batch = line.told(1)[0]
    assert [event["dynamodb"]["Keys"]["id"]["S"] for event in batch][-1] == "d", "the pipe goes on behind what was given up"


def test_a_pipe_is_changed_and_stopped_and_goes_on_where_it_was(own_node):
    node = own_node()
    node.start()
    line = Line(node)
    reading = {"StartingPosition": "LATEST", "BatchSize": 5, "ParallelizationFactor": 2}
    line.to_queue(reading)
    shown = line.pipes.describe_pipe(Name=line.name)
    assert shown["SourceParameters"] == {"DynamoDBStreamParameters": reading}
    line.put("a", v="1")
    assert [told["id"] for told in line.told(1)] == ["a"]
    changed = {"DynamoDBStreamParameters": {"BatchSize": 6, "MaximumRecordAgeInSeconds": -1}}
    line.pipes.update_pipe(Name=line.name, RoleArn=ROLE, SourceParameters=changed, DesiredState="STOPPED")
    eventually(lambda: line.pipes.describe_pipe(Name=line.name)["CurrentState"] == "STOPPED")
    changed["DynamoDBStreamParameters"]["StartingPosition"] = "LATEST"
    assert line.pipes.describe_pipe(Name=line.name)["SourceParameters"] == changed
    line.put("b", v="2")
    node.stop()
    node.start()
    line.use(node)
    line.pipes.start_pipe(Name=line.name)
    line.put("c", v="3")
    # The checkpoint may have been kept before it passed `a`; the queue leaves a second one out.
    assert [told["id"] for told in line.told(2)] == ["b", "c"]


def test_streams_that_cannot_flow_are_refused(node):
    line = Line(node)

    def ask(source=line.arn, **reading):
        given = {"Name": "never", "Source": source, "Target": line.told_arn, "RoleArn": ROLE}
        return refused(line.pipes.create_pipe, **given, SourceParameters={"DynamoDBStreamParameters": reading})

    assert ask()[0] == "ValidationException"
    assert ask(StartingPosition="AT_TIMESTAMP")[0] == "ValidationException"
    for name, value in [("BatchSize", 10_001), ("ParallelizationFactor", 11), ("MaximumRetryAttempts", -2)]:
        assert ask(StartingPosition="LATEST", **{name: value})[0] == "ValidationException", name
    dead = {"DeadLetterConfig": {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}}
    assert "a queue or a topic" in ask(StartingPosition="LATEST", **dead)[1]
    assert "cannot be read" in ask(f"{line.arn}9", StartingPosition="LATEST")[1]
    assert "cannot be read" in ask(f"{line.arn}9", StartingPosition="TRIM_HORIZON")[1]
    assert "is neither" in ask(line.arn.split("/stream/")[0], StartingPosition="LATEST")[1]
    assert [found for found in line.pipes.list_pipes()["Pipes"] if found["Name"] == "never"] == []
