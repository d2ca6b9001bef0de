"""Event source mappings as boto3 and Terraform see them: queues' messages become invocations, and a kill loses none of them."""

import collections
import json
import os
import random
import threading
import time
import uuid

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from support import create, eventually, python_zip

KILLS = int(os.environ.get("FREEHOLD_MAPPING_KILLS", 3))
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)

# Tells a queue what came, and then does what the messages say.
HANDLER = """
import json
import os
import urllib.request


def tell(document, id):
    message = {"QueueUrl": os.environ["TOLD"], "MessageBody": json.dumps(document)}
    if message["QueueUrl"].endswith(".fifo"):
        message.update(MessageGroupId="all", MessageDeduplicationId=id)
    body = json.dumps(message).encode()
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)).read()


def handler(event, context):
    tell(event, context.aws_request_id)
    bodies = {record["messageId"]: record["body"] for record in event["Records"]}
    if "fail" in bodies.values():
        raise ValueError("told to fail")
    if "nonsense" in bodies.values():
        return {"batchItemFailures": [{"itemIdentifier": "nobody"}]}
    return {"batchItemFailures": [{"itemIdentifier": id} for id, body in bodies.items() if body == "report"]}
"""


@pytest.fixture(scope="module")
def sqs(node):
    return node.client("sqs")


@pytest.fixture(scope="module")
def functions(node):
    return node.client("lambda")


class Line:
    """A queue, a function that tells another queue what it is given, and what connects them."""

    def __init__(self, sqs, functions, fifo=False, queue=None, function=None, **mapping):
        self.sqs, self.functions = sqs, functions
        self.name = f"line-{uuid.uuid4()}"
        ending = ".fifo" if fifo else ""
        attributes = {"VisibilityTimeout": "2", **({"FifoQueue": "true"} if fifo else {}), **(queue or {})}
        self.url = sqs.create_queue(QueueName=self.name + ending, Attributes=attributes)["QueueUrl"]
        # Groups are handled one batch after the other, so what their batches tell stays in order too.
        order = {"FifoQueue": "true"} if fifo else {}
        self.told_url = sqs.create_queue(QueueName=f"{self.name}-told{ending}", Attributes=order)["QueueUrl"]
        self.arn = arn(sqs, self.url)
        settings = {"Timeout": 2, **(function or {})}
        environment = {"Variables": {"TOLD": self.told_url}}
        create(functions, self.name, code=python_zip(HANDLER), Environment=environment, **settings)
        self.id = functions.create_event_source_mapping(
            EventSourceArn=self.arn, FunctionName=self.name, **mapping
        )["UUID"]
        self.events = []

    def send(self, *bodies, **settings):
        return [self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **settings) for body in bodies]

    def listen(self, wait=1):
        """The events that came since, in order of their coming."""
        found = self.sqs.receive_message(QueueUrl=self.told_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        for message in found.get("Messages", []):
            self.events.append(json.loads(message["Body"]))
            self.sqs.delete_message(QueueUrl=self.told_url, ReceiptHandle=message["ReceiptHandle"])
        return self.events

    def told(self):
        """The bodies that were handed over, each time they were."""
        return [record["body"] for event in self.listen(0) for record in event["Records"]]

    def left(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in found.values())

    def shown(self):
        return self.functions.get_event_source_mapping(UUID=self.id)


@pytest.fixture
def line(sqs, functions):
    made = []

    def make(**settings):
        made.append(Line(sqs, functions, **settings))
        return made[-1]

    yield make
    for one in made:
        try:
            functions.delete_event_source_mapping(UUID=one.id)
        except functions.exceptions.ResourceNotFoundException:
            pass


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_message_becomes_the_record_that_functions_know(line):
    jobs = line()
    attributes = {
        "text": {"DataType": "String", "StringValue": "x"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    (sent,) = jobs.send("hello", MessageAttributes=attributes)
    event = eventually(jobs.listen)[0]
    assert list(event) == ["Records"]
    (record,) = event["Records"]
    assert record["messageId"] == sent["MessageId"]
    assert record["body"] == "hello" and record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["receiptHandle"]
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == ("aws:sqs", jobs.arn, "us-east-1")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    assert record["messageAttributes"] == {
        "text": {"stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "bytes": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    assert record["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    eventually(lambda: jobs.left() == 0)
    assert eventually(lambda: jobs.shown()["LastProcessingResult"] == "OK")


def test_a_mapping_from_create_to_delete(line, sqs, functions):
    jobs = line(BatchSize=5, Tags={"a": "1"})
    shown = jobs.shown()
    assert (shown["State"], shown["StateTransitionReason"]) == ("Enabled", "USER_INITIATED")
    assert (shown["BatchSize"], shown["MaximumBatchingWindowInSeconds"]) == (5, 0)
    assert shown["FunctionResponseTypes"] == []
    assert shown["EventSourceArn"] == jobs.arn
    assert shown["FunctionArn"].endswith(f":function:{jobs.name}")
    mapping_arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{jobs.id}"
    assert shown["EventSourceMappingArn"] == mapping_arn
    for selection in [{"EventSourceArn": jobs.arn}, {"FunctionName": jobs.name}]:
        listed = functions.list_event_source_mappings(**selection)["EventSourceMappings"]
        assert [mapping["UUID"] for mapping in listed] == [jobs.id]
    pages = functions.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 1})
    assert jobs.id in [mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]]

    assert functions.list_tags(Resource=mapping_arn)["Tags"] == {"a": "1"}
    functions.tag_resource(Resource=mapping_arn, Tags={"b": "2"})
    functions.untag_resource(Resource=mapping_arn, TagKeys=["a"])
    assert functions.list_tags(Resource=mapping_arn)["Tags"] == {"b": "2"}

    changed = functions.update_event_source_mapping(UUID=jobs.id, Enabled=False)
    assert changed["State"] == "Disabling"
    eventually(lambda: jobs.shown()["State"] == "Disabled")
    jobs.send("later")
    time.sleep(0.3)
    assert jobs.told() == []
    changed = functions.update_event_source_mapping(
        UUID=jobs.id,
        Enabled=True,
        BatchSize=7,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2},
        FilterCriteria={"Filters": [{"Pattern": '{"body":["later"]}'}]},
    )
    assert changed["State"] == "Enabling"
    eventually(lambda: jobs.told() == ["later"])
    shown = jobs.shown()
    assert (shown["State"], shown["BatchSize"]) == ("Enabled", 7)
    assert shown["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert shown["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert shown["FilterCriteria"] == {"Filters": [{"Pattern": '{"body":["later"]}'}]}
    without = {"ScalingConfig": {}, "FilterCriteria": {}, "FunctionResponseTypes": []}
    assert functions.update_event_source_mapping(UUID=jobs.id, **without)["State"] == "Updating"
    assert not {"ScalingConfig", "FilterCriteria"} & set(jobs.shown())

    assert functions.delete_event_source_mapping(UUID=jobs.id)["State"] == "Deleting"
    for call in [functions.get_event_source_mapping, functions.delete_event_source_mapping]:
        assert refused(call, UUID=jobs.id) == (
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
        )


def test_what_cannot_be_is_refused_in_aws_words(line, sqs, functions):
    jobs = line()
    ask = functions.create_event_source_mapping
    function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{jobs.name}"
    assert refused(ask, EventSourceArn=jobs.arn, FunctionName=jobs.name) == (
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {jobs.arn} ") and function (" {function_arn} ") already exists. Please '
        f"update or delete the existing mapping with UUID {jobs.id}",
    )
    missing = "arn:aws:sqs:us-east-1:000000000000:nowhere"
    code, message = refused(ask, EventSourceArn=missing, FunctionName=jobs.name)
    assert code == "InvalidParameterValueException"
    assert message.startswith(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The "
        "specified queue does not exist"
    )
    assert refused(ask, EventSourceArn=jobs.arn, FunctionName="nobody")[1] == "Function does not exist"
    functions.publish_version(FunctionName=jobs.name)
    other = {"EventSourceArn": jobs.arn, "FunctionName": f"{jobs.name}:1"}
    assert refused(ask, **other, BatchSize=11)[1] == (
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    )
    code, message = refused(ask, **other, BatchSize=10_001)
    assert code == "ValidationException" and "Member must have value less than or equal to 10000" in message
    filters = {"Filters": [{"Pattern": "{"}]}
    assert refused(ask, **other, FilterCriteria=filters)[1] == "Invalid filter pattern definition."
    assert "StartingPosition" in refused(ask, **other, StartingPosition="LATEST")[1]
    sqs.set_queue_attributes(QueueUrl=jobs.url, Attributes={"VisibilityTimeout": "1"})
    assert refused(ask, **other)[1] == "Queue visibility timeout: 1 seconds is less than Function timeout: 2 seconds"
    assert functions.list_event_source_mappings(FunctionName=f"{jobs.name}:1")["EventSourceMappings"] == []


def test_failures_come_again_and_go_to_the_dead_letters(line, sqs):
    dead_url = sqs.create_queue(QueueName=f"dead-{uuid.uuid4()}")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": arn(sqs, dead_url), "maxReceiveCount": 2})
    jobs = line(queue={"RedrivePolicy": redrive}, FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=1)
    # What is reported, what cannot be believed and what raises: all come a second time, and then no more.
    jobs.send("fine", "report", "nonsense", "fail")
    dead = []

    def all_dead():
        found = sqs.receive_message(QueueUrl=dead_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        dead.extend(message["Body"] for message in found.get("Messages", []))
        return len(dead) == 3

    eventually(all_dead, what="the dead letters")
    assert sorted(dead) == ["fail", "nonsense", "report"]
    eventually(lambda: jobs.left() == 0)
    assert collections.Counter(jobs.told()) == {"fine": 1, "report": 2, "nonsense": 2, "fail": 2}


def test_of_a_batch_only_what_failed_comes_again(line):
    jobs = line(FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=3, MaximumBatchingWindowInSeconds=1)
    jobs.send("a", "report", "b")
    eventually(lambda: jobs.told().count("report") == 2)
    assert (jobs.told().count("a"), jobs.told().count("b")) == (1, 1)
    assert jobs.shown()["LastProcessingResult"] == "OK"


def test_what_the_filter_does_not_want_is_deleted_unseen(line):
    criteria = {"Filters": [{"Pattern": '{"body":{"kind":["order"],"price":[{"numeric":[">",5]}]}}'}]}
    jobs = line(FilterCriteria=criteria)
    wanted = json.dumps({"kind": "order", "price": 7})
    jobs.send(json.dumps({"kind": "order", "price": 1}), json.dumps({"kind": "invoice"}), "order", wanted)
    eventually(lambda: jobs.told() == [wanted] and jobs.left() == 0)


def test_a_window_gathers(line):
    jobs = line(BatchSize=50, MaximumBatchingWindowInSeconds=2, queue={"VisibilityTimeout": "30"})
    for number in range(30):
        jobs.send(str(number))
    eventually(lambda: len(jobs.told()) == 30)
    assert len(jobs.events) <= 3, [len(event["Records"]) for event in jobs.events]


def test_groups_are_handled_in_order(line):
    jobs = line(fifo=True, queue={"ContentBasedDeduplication": "true"})
    for number in range(60):
        jobs.send(f"{number % 3}-{number:02}", MessageGroupId=str(number % 3))
    eventually(lambda: len(jobs.told()) == 60)
    for group in "012":
        bodies = [body for body in jobs.told() if body.startswith(group)]
        assert bodies == sorted(bodies)


def test_a_paused_function_finds_its_backlog_when_it_returns(line, functions):
    jobs = line(queue={"VisibilityTimeout": "30"})
    functions.put_function_concurrency(FunctionName=jobs.name, ReservedConcurrentExecutions=0)
    jobs.send(*[str(number) for number in range(20)])
    eventually(lambda: jobs.shown()["LastProcessingResult"].startswith("PROBLEM: "))
    assert jobs.told() == []
    functions.delete_function_concurrency(FunctionName=jobs.name)
    eventually(lambda: sorted(jobs.told(), key=int) == [str(number) for number in range(20)])


def test_what_is_gone_is_told_and_what_returns_is_polled(line, sqs, functions):
    jobs = line()
    functions.delete_function(FunctionName=jobs.name)
    jobs.send("after")
    eventually(lambda: "Function not found" in jobs.shown()["LastProcessingResult"])
    create(functions, jobs.name, code=python_zip(HANDLER), Environment={"Variables": {"TOLD": jobs.told_url}})
    eventually(lambda: "after" in jobs.told())
    sqs.delete_queue(QueueUrl=jobs.url)
    eventually(lambda: "QueueDoesNotExist" in jobs.shown()["LastProcessingResult"])
    assert jobs.shown()["State"] == "Enabled"


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs:
    Type: AWS::SQS::Queue
  Told:
    Type: AWS::SQS::Queue
    Properties: { QueueName: templated-told }
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: templated-worker
      CodeUri: ./worker
      Runtime: python3.13
      Handler: app.handler
      Environment: { Variables: { TOLD: !Ref Told } }
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: BATCH
            FunctionResponseTypes: [ReportBatchItemFailures]
"""


def test_a_template_connects_a_queue(node, sqs, functions, tmp_path):
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "app.py").write_text(HANDLER)
    for size in ["3", "4"]:
        (tmp_path / "template.yaml").write_text(TEMPLATE.replace("BATCH", size))
        node.freehold("deploy", tmp_path)
        listed = functions.list_event_source_mappings(FunctionName="templated-worker")["EventSourceMappings"]
        assert [(mapping["BatchSize"], mapping["State"]) for mapping in listed] == [(int(size), "Enabled")]
    (mapping,) = listed
    url = sqs.get_queue_url(QueueName=mapping["EventSourceArn"].rsplit(":")[-1])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    told = sqs.get_queue_url(QueueName="templated-told")["QueueUrl"]
    found = eventually(lambda: sqs.receive_message(QueueUrl=told, WaitTimeSeconds=1).get("Messages"))
    assert json.loads(found[0]["Body"])["Records"][0]["body"] == "hello"
    (tmp_path / "template.yaml").write_text(TEMPLATE.split("      Events:")[0].replace("BATCH", "1"))
    node.freehold("deploy", tmp_path)
    assert functions.list_event_source_mappings(FunctionName="templated-worker")["EventSourceMappings"] == []


CONFIGURATION = """
resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn                   = "%(queue)s"
  function_name                      = "%(function)s"
  batch_size                         = %(batch)d
  maximum_batching_window_in_seconds = 1
  function_response_types            = ["ReportBatchItemFailures"]
  filter_criteria {
    filter { pattern = jsonencode({ body = { kind = ["order"] } }) }
  }
  scaling_config { maximum_concurrency = 5 }
  tags = { purpose = "conformance" }
}
"""


def test_terraform_applies_and_plans_no_difference(terraform, line, functions):
    jobs = line()
    functions.delete_event_source_mapping(UUID=jobs.id)

    def listed():
        return functions.list_event_source_mappings(FunctionName=jobs.name)["EventSourceMappings"]

    for batch in [20, 30]:
        terraform.apply(CONFIGURATION % {"queue": jobs.arn, "function": jobs.name, "batch": batch})
        assert [mapping["BatchSize"] for mapping in listed()] == [batch]
    terraform.destroy()
    assert listed() == []


def test_kills_under_load_lose_nothing_and_keep_groups_in_order(own_node):
    seed = int(os.environ.get("FREEHOLD_SEED", time.time_ns() % 10**9))
    print(f"replay with FREEHOLD_SEED={seed}")
    chance = random.Random(seed)
    node = own_node().start()
    patient = {"retries": {"max_attempts": 0}, "connect_timeout": 5, "read_timeout": 30}
    sqs, functions = node.client("sqs", **patient), node.client("lambda", **patient)
    plain = Line(sqs, functions, function={"Timeout": 1})
    ordered = Line(sqs, functions, fifo=True, function={"Timeout": 1})
    accepted, lock = {plain: [], ordered: []}, threading.Lock()

    def load(worker, stop):
        number = 0
        while not stop.is_set():
            body = f"{worker}-{uuid.uuid4()}-{number:06}"
            number += 1
            try:
                plain.send(body)
                with lock:
                    accepted[plain].append(body)
                # Sent by one worker for each group, one after the other: the order of the answers is the queue's.
                ordered.send(body, MessageGroupId=str(worker), MessageDeduplicationId=body)
                with lock:
                    accepted[ordered].append(body)
            except GONE:
                return

    for _ in range(KILLS):
        stop = threading.Event()
        workers = [threading.Thread(target=load, args=(worker, stop), daemon=True) for worker in range(3)]
        for worker in workers:
            worker.start()
        time.sleep(chance.uniform(0.5, 1.5))
        node.kill()
        stop.set()
        for worker in workers:
            worker.join()
        node.start()
    for one in [plain, ordered]:
        eventually(lambda one=one: set(accepted[one]) <= set(one.told()), deadline=120)
    for worker in range(3):
        sent = [body for body in accepted[ordered] if body.startswith(f"{worker}-")]
        # Of what is handed over again after a kill, the first time counts.
        first = list(dict.fromkeys(body for body in ordered.told() if body in set(sent)))
        assert first == sent, f"group {worker} is out of order"
    plain_count, ordered_count = (len(accepted[one]) for one in [plain, ordered])
    print(f"{KILLS} kills: {plain_count} and {ordered_count} messages were acknowledged, all handled, groups in order")
