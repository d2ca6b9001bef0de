"""What a bucket tells: functions, queues, topics and the event bus hear of changes of objects, in AWS's words."""

import json
import urllib.parse
import uuid

import pytest
from botocore.exceptions import ClientError
from support import create, eventually, python_zip

# Writes what it hears into the bucket's other half, so that what it does can be seen, and does not tell itself.
ECHO = """
import json, os, urllib.parse, urllib.request
def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        url = os.environ["AWS_ENDPOINT_URL"] + "/" + bucket + "/out/" + urllib.parse.quote(key)
        request = urllib.request.Request(url, data=json.dumps(record).encode(), method="PUT")
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request).read()
"""


@pytest.fixture(scope="module")
def sqs(node):
    return node.client("sqs")


@pytest.fixture
def queue(sqs):
    return new_queue(sqs)


def new_queue(sqs):
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def to_queue(arn, *events, **rules):
    entry = {"QueueArn": arn, "Events": list(events)}
    if rules:
        found = [{"Name": name, "Value": value} for name, value in rules.items()]
        entry["Filter"] = {"Key": {"FilterRules": found}}
    return entry


def notify(s3, bucket, **configuration):
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def take(sqs, url, count):
    """So many messages, as documents."""
    found = []

    def receive():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(receive, what=f"{count} messages")
    return found


def test_queues_hear_of_every_change(s3, sqs, bucket, queue):
    url, arn = queue
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    notify(s3, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*")])
    (test,) = take(sqs, url, 1)
    assert (test["Service"], test["Event"], test["Bucket"]) == ("Amazon S3", "s3:TestEvent", bucket)

    key = "in/my file+ü.txt"
    put = s3.put_object(Bucket=bucket, Key=key, Body=b"12345")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    marker = s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=key, VersionId=put["VersionId"])

    records = {message["Records"][0]["eventName"]: message["Records"][0] for message in take(sqs, url, 6)}
    assert set(records) == {
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectTagging:Put",
        "ObjectRemoved:DeleteMarkerCreated",
        "ObjectRemoved:Delete",
    }
    record = records["ObjectCreated:Put"]
    assert (record["eventVersion"], record["eventSource"], record["awsRegion"]) == ("2.1", "aws:s3", "us-east-1")
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    told = record["s3"]["object"]
    assert (told["key"], urllib.parse.unquote_plus(told["key"])) == ("in/my+file%2B%C3%BC.txt", key)
    assert (told["size"], told["eTag"], told["versionId"]) == (5, put["ETag"].strip('"'), put["VersionId"])
    assert records["ObjectRemoved:DeleteMarkerCreated"]["s3"]["object"]["versionId"] == marker["VersionId"]
    assert "size" not in records["ObjectRemoved:Delete"]["s3"]["object"]
    # Later changes of the same key are greater.
    order = ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"]
    sequencers = [records[name]["s3"]["object"]["sequencer"] for name in order]
    assert sequencers == sorted(sequencers)


def test_queues_hear_of_what_is_said_of_an_object(s3, sqs, bucket, queue):
    url, arn = queue
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    notify(s3, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectRestore:*")])
    assert take(sqs, url, 1)[0]["Event"] == "s3:TestEvent"
    there = dict(Bucket=bucket, Key="k")
    for call, arguments, told in [
        (s3.put_object_tagging, {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}, {"ObjectTagging:Put": "2.3"}),
        (s3.delete_object_tagging, {}, {"ObjectTagging:Delete": "2.3"}),
        (s3.put_object_acl, {"ACL": "private"}, {"ObjectAcl:Put": "2.3"}),
        (s3.restore_object, {"RestoreRequest": {"Days": 1}}, {"ObjectRestore:Post": "2.1", "ObjectRestore:Completed": "2.1"}),
    ]:
        call(**there, **arguments)
        records = [message["Records"][0] for message in take(sqs, url, len(told))]
        assert {record["eventName"]: record["eventVersion"] for record in records} == told
        for record in records:
            assert (record["s3"]["object"]["key"], record["awsRegion"]) == ("k", "us-east-1")
            if record["eventName"] == "ObjectRestore:Completed":
                restored = record["glacierEventData"]["restoreEventData"]
                assert restored["lifecycleRestoreStorageClass"] == "GLACIER"


def test_filters_choose_who_is_told(s3, sqs, bucket, queue):
    url, arn = queue
    other_url, other_arn = new_queue(sqs)
    notify(
        s3,
        bucket,
        QueueConfigurations=[
            to_queue(arn, "s3:ObjectCreated:Put", prefix="in/", suffix=".jpg"),
            to_queue(other_arn, "s3:ObjectCreated:Put", prefix="in/", suffix=".png"),
        ],
    )
    take(sqs, url, 1)
    take(sqs, other_url, 1)
    for key in ["in/a.txt", "out/a.jpg", "in/a.jpg", "in/a.png"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [message["Records"][0]["s3"]["object"]["key"] for message in take(sqs, url, 1)] == ["in/a.jpg"]
    assert [message["Records"][0]["s3"]["object"]["key"] for message in take(sqs, other_url, 1)] == ["in/a.png"]


def test_a_function_hears_and_writes_back(s3, lambda_client, bucket):
    name = f"f-{uuid.uuid4()}"
    create(lambda_client, name, code=python_zip(ECHO), Timeout=30)
    arn = lambda_client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    entry = {
        "Id": "mine",
        "LambdaFunctionArn": arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
    }
    notify(s3, bucket, LambdaFunctionConfigurations=[entry])
    s3.put_object(Bucket=bucket, Key="in/a b", Body=b"abc")

    def written():
        try:
            return json.loads(s3.get_object(Bucket=bucket, Key="out/in/a b")["Body"].read())
        except ClientError:
            return None

    eventually(written, what="what the function writes")
    record = written()
    assert (record["s3"]["configurationId"], record["s3"]["object"]["size"]) == ("mine", 3)


def test_topics_and_the_bus_hear_too(node, s3, sqs, bucket, queue):
    url, arn = queue
    sns, events = node.client("sns"), node.client("events")
    topic = sns.create_topic(Name=f"t-{uuid.uuid4()}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    bus_url, bus_arn = new_queue(sqs)
    rule = f"r-{uuid.uuid4()}"
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": bus_arn}])
    topics = [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]
    notify(s3, bucket, TopicConfigurations=topics, EventBridgeConfiguration={})
    (test,) = take(sqs, url, 1)
    assert (test["Subject"], json.loads(test["Message"])["Event"]) == ("Amazon S3 Notification", "s3:TestEvent")

    s3.put_object(Bucket=bucket, Key="a b", Body=b"abc")
    (published,) = take(sqs, url, 1)
    assert json.loads(published["Message"])["Records"][0]["s3"]["object"]["key"] == "a+b"
    s3.delete_object(Bucket=bucket, Key="a b")
    on_bus = {message["detail-type"]: message for message in take(sqs, bus_url, 2)}
    created = on_bus["Object Created"]
    assert (created["source"], created["resources"]) == ("aws.s3", [f"arn:aws:s3:::{bucket}"])
    assert (created["detail"]["object"]["key"], created["detail"]["reason"]) == ("a b", "PutObject")
    assert on_bus["Object Deleted"]["detail"]["deletion-type"] == "Permanently Deleted"
    events.remove_targets(Rule=rule, Ids=["q"])
    events.delete_rule(Name=rule)


def test_configurations_are_kept_and_checked(s3, sqs, bucket, queue):
    _, arn = queue
    answer = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert set(answer) == {"ResponseMetadata"}
    notify(s3, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*", prefix="a")])
    (kept,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert (kept["QueueArn"], kept["Events"], bool(kept["Id"])) == (arn, ["s3:ObjectCreated:*"], True)

    missing = arn + "-missing"
    overlap = [to_queue(arn, "s3:ObjectCreated:*", suffix="g"), to_queue(arn, "s3:ObjectCreated:Put", suffix="jpg")]
    for entries, message in [
        ([to_queue(missing, "s3:ObjectCreated:*")], "Unable to validate the following destination configurations"),
        (overlap, "Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."),
        ([to_queue("arn:aws:sqs:us-east-1", "s3:ObjectCreated:*")], "The ARN is not well formed"),
        ([to_queue(arn, "s3:ObjectEaten:*")], "The event is not supported for notifications"),
    ]:
        with pytest.raises(ClientError) as caught:
            notify(s3, bucket, QueueConfigurations=entries)
        error = caught.value.response["Error"]
        assert error["Code"] == "InvalidArgument" and message in error["Message"], error
    with pytest.raises(ClientError) as caught:
        notify(s3, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*"), to_queue(arn, "s3:ObjectEaten:*")])
    error = caught.value.response["Error"]
    assert (error["ArgumentName"], error["ArgumentValue"]) == ("Event", "s3:ObjectEaten:*")
    with pytest.raises(ClientError) as caught:
        notify(s3, bucket, QueueConfigurations=[to_queue(arn)])
    assert caught.value.response["Error"]["Code"] == "MalformedXML"
    # What was refused changed nothing, and what asks nothing is asked nothing.
    assert len(s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]) == 1
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [to_queue(missing, "s3:ObjectCreated:*")]},
        SkipDestinationValidation=True,
    )
    notify(s3, bucket)
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
