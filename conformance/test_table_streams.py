"""Event source mappings of tables' streams as boto3 sees them: changes become invocations, in order, and a restart loses none."""

import json
import re
import uuid

import pytest
from botocore.exceptions import ClientError
from support import create, eventually, python_zip

# Tells a queue what came, and then does what the items say.
HANDLER = """
import json
import os
import urllib.request


def tell(document):
    message = {"QueueUrl": os.environ["TOLD"], "MessageBody": json.dumps(document)}
    message.update(MessageGroupId="all", MessageDeduplicationId=os.urandom(8).hex())
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    body = json.dumps(message).encode()
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)).read()


def handler(event, context):
    tell(event)
    failed = []
    for record in event["Records"]:
        what = record["dynamodb"].get("NewImage", {}).get("do", {}).get("S")
        if what == "fail":
            raise ValueError("told to fail")
        if what == "report":
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    seen = event.get("state", {}).get("seen", 0) + len(event["Records"])
    return {"batchItemFailures": failed, "state": {"seen": seen}}
"""


class Line:
    """A table, a function that tells a queue what it is given, and what connects them."""

    def __init__(self, node, **mapping):
        self.node = node
        self.tables, self.functions, self.sqs = (node.client(name) for name in ["dynamodb", "lambda", "sqs"])
        self.name = f"line-{uuid.uuid4()}"
        made = self.tables.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn = made["TableDescription"]["LatestStreamArn"]
        self.tables.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})
        self.told_url = self.queue("told.fifo", {"FifoQueue": "true"})
        create(self.functions, self.name, code=python_zip(HANDLER), Environment={"Variables": {"TOLD": self.told_url}})
        self.events = []
        self.id = None
        if mapping:
            self.connect(**mapping)

    def queue(self, ending, attributes=None):
        return self.sqs.create_queue(QueueName=f"{self.name}-{ending}", Attributes=attributes or {})["QueueUrl"]

    def connect(self, **mapping):
        made = self.functions.create_event_source_mapping(EventSourceArn=self.arn, FunctionName=self.name, **mapping)
        self.id = made["UUID"]
        return made

    def put(self, id, **values):
        item = {"id": {"S": id}, **{name: {"S": value} for name, value in values.items()}}
        self.tables.put_item(TableName=self.name, Item=item)

    def told(self):
        """The ids of the records that were handed over, batch by batch, each time they were."""
        found = self.sqs.receive_message(QueueUrl=self.told_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            self.events.append(json.loads(message["Body"]))
            self.sqs.delete_message(QueueUrl=self.told_url, ReceiptHandle=message["ReceiptHandle"])
        return [[record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]] for event in self.events]

    def flat(self):
        return [id for batch in self.told() for id in batch]


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_changes_become_the_records_that_functions_know(node):
    line = Line(node)
    line.put("before")
    made = line.connect(StartingPosition="LATEST")
    assert (made["State"], made["StartingPosition"], made["BatchSize"]) == ("Creating", "LATEST", 100)
    line.put("a", v="1")
    line.put("a", v="2")
    line.tables.delete_item(TableName=line.name, Key={"id": {"S": "a"}})
    eventually(lambda: len(line.flat()) == 3)
    records = [record for event in line.events for record in event["Records"]]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    record = records[1]
    assert (record["eventVersion"], record["eventSource"], record["awsRegion"], record["eventSourceARN"]) == (
        "1.1",
        "aws:dynamodb",
        "us-east-1",
        line.arn,
    )
    assert len(record["eventID"]) == 32
    told = record["dynamodb"]
    assert told["Keys"] == {"id": {"S": "a"}}
    assert told["OldImage"] == {"id": {"S": "a"}, "v": {"S": "1"}}
    assert told["NewImage"] == {"id": {"S": "a"}, "v": {"S": "2"}}
    assert told["StreamViewType"] == "NEW_AND_OLD_IMAGES" and told["SizeBytes"] > 0
    assert isinstance(told["ApproximateCreationDateTime"], int)
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(numbers)
    eventually(lambda: line.functions.get_event_source_mapping(UUID=line.id)["LastProcessingResult"] == "OK")


def test_a_mapping_shows_its_settings_and_refuses_in_aws_words(node):
    line = Line(node, StartingPosition="TRIM_HORIZON")
    shown = line.functions.get_event_source_mapping(UUID=line.id)
    expected = {
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "BisectBatchOnFunctionError": False,
        "TumblingWindowInSeconds": 0,
        "DestinationConfig": {"OnFailure": {}},
        "EventSourceArn": line.arn,
    }
    assert {name: shown.get(name) for name in expected} == expected
    changes = {"MaximumRetryAttempts": 2, "ParallelizationFactor": 3, "BatchSize": 7, "BisectBatchOnFunctionError": True}
    line.functions.update_event_source_mapping(UUID=line.id, **changes)
    shown = line.functions.get_event_source_mapping(UUID=line.id)
    assert {name: shown[name] for name in changes} == changes

    ask = line.functions.create_event_source_mapping
    function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{line.name}"
    source = {"EventSourceArn": line.arn, "FunctionName": line.name}
    assert refused(ask, **source, StartingPosition="LATEST") == (
        "ResourceConflictException",
        f'The event source arn (" {line.arn} ") and function (" {function_arn} ") provided mapping already exists. Please '
        f"update or delete the existing mapping with UUID {line.id}",
    )
    assert refused(ask, **source)[1] == (
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."
    )
    assert refused(ask, **source, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1) == (
        "InvalidParameterValueException",
        f"Unsupported starting position for arn type: {line.arn}",
    )
    missing = f"{line.arn}9"
    assert refused(ask, **{**source, "EventSourceArn": missing}, StartingPosition="LATEST") == (
        "InvalidParameterValueException",
        f"Stream not found: {missing}",
    )
    assert "ScalingConfig" in refused(ask, **source, StartingPosition="LATEST", ScalingConfig={"MaximumConcurrency": 2})[1]
    line.functions.delete_event_source_mapping(UUID=line.id)
    assert line.functions.list_event_source_mappings(EventSourceArn=line.arn)["EventSourceMappings"] == []


def test_what_was_reported_comes_again_and_is_given_up_in_the_end(node):
    line = Line(node)
    lost_url = line.queue("lost")
    lost_arn = f"arn:aws:sqs:us-east-1:000000000000:{line.name}-lost"
    for id, what in [("a", "fine"), ("b", "report"), ("c", "fine")]:
        line.put(id, do=what)
    line.connect(
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": lost_arn}},
    )
    eventually(lambda: len(line.told()) >= 2)
    assert line.told()[:2] == [["a", "b", "c"], ["b", "c"]]
    lost = []

    def is_told():
        found = line.sqs.receive_message(QueueUrl=lost_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        lost.extend(json.loads(message["Body"]) for message in found.get("Messages", []))
        return lost

    eventually(is_told, what="the word of what was given up")
    assert lost[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"
    info = lost[0]["DDBStreamBatchInfo"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in line.events[1]["Records"]]
    assert (info["startSequenceNumber"], info["streamArn"]) == (numbers[0], line.arn)
    line.put("d", do="fine")
    eventually(lambda: line.flat()[-1] == "d", what="the record after what was given up")


def test_a_bucket_gets_the_records_that_are_given_up(node):
    line = Line(node)
    s3 = node.client("s3", s3={"addressing_style": "path"})
    bucket = line.name
    s3.create_bucket(Bucket=bucket)
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    made = line.connect(StartingPosition="LATEST", MaximumRetryAttempts=0, DestinationConfig=destination)
    assert made["DestinationConfig"] == destination
    line.put("a", do="fail")
    found = eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), what="the object")
    key = found[0]["Key"]
    lost = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    event = eventually(lambda: line.told() and line.events[0])
    assert json.loads(lost["payload"]) == event
    assert (lost["requestContext"]["condition"], lost["DDBStreamBatchInfo"]["batchSize"]) == ("RetryAttemptsExhausted", 1)
    shard = lost["DDBStreamBatchInfo"]["shardId"]
    assert re.fullmatch(
        rf"aws/lambda/{line.id}/{shard}/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}", key
    )


def test_only_what_the_filter_wants_comes(node):
    pattern = json.dumps({"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["order"]}}}})
    line = Line(node, StartingPosition="LATEST", FilterCriteria={"Filters": [{"Pattern": pattern}]})
    line.put("a", kind="invoice")
    line.put("b", kind="order")
    line.put("b", kind="order", again="yes")
    line.put("c", kind="order")
    eventually(lambda: line.flat() == ["b", "c"])


def test_a_window_carries_its_state(node):
    line = Line(node, StartingPosition="LATEST", BatchSize=1, TumblingWindowInSeconds=2)
    for id in "abc":
        line.put(id)
    eventually(lambda: line.told() and line.events[-1]["isFinalInvokeForWindow"])
    first, last = line.events[0], line.events[-1]
    assert first["state"] == {} and first["eventSourceARN"] == line.arn and first["shardId"].startswith("shardId-")
    assert set(first["window"]) == {"start", "end"}
    assert last["Records"] == [] and last["state"]["seen"] >= 1


def test_what_was_changed_before_its_table_was_deleted_is_handed_over(node):
    line = Line(node, StartingPosition="TRIM_HORIZON", Enabled=False)
    line.put("a")
    line.put("b")
    line.tables.delete_table(TableName=line.name)
    streams = node.client("dynamodbstreams")
    assert streams.describe_stream(StreamArn=line.arn)["StreamDescription"]["StreamStatus"] == "DISABLED"
    line.functions.update_event_source_mapping(UUID=line.id, Enabled=True)
    eventually(lambda: line.flat() == ["a", "b"])


def test_a_restart_goes_on_where_it_was(own_node):
    node = own_node()
    node.start()
    line = Line(node, StartingPosition="LATEST")
    line.put("a")
    eventually(lambda: line.flat() == ["a"])
    shown = lambda: line.functions.get_event_source_mapping(UUID=line.id)  # noqa: E731
    eventually(lambda: shown()["LastProcessingResult"] == "OK")
    line.functions.update_event_source_mapping(UUID=line.id, Enabled=False)
    eventually(lambda: shown()["State"] == "Disabled")
    line.put("b")
    node.stop()
    node.start()
    line.functions, line.tables, line.sqs = (node.client(name) for name in ["lambda", "dynamodb", "sqs"])
    line.functions.update_event_source_mapping(UUID=line.id, Enabled=True)
    line.put("c")
    eventually(lambda: len(line.flat()) >= 3)
    assert line.flat() == ["a", "b", "c"]
