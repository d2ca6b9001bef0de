"""Payloads that are longer than a message may be: AWS's extended client puts them into a bucket and sends where they are.

The client replaces the session of whoever imports it, so it runs in a process of its own.
"""

import os
import subprocess
import sys
import textwrap
import uuid

SCRIPT = textwrap.dedent(
    """
    import sys

    import boto3
    import sqs_extended_client
    from botocore.config import Config

    bucket, name, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket=bucket)
    sqs = boto3.client("sqs")
    sqs.s3_client, sqs.large_payload_support, sqs.delete_payload_from_s3 = s3, bucket, True
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    body = "\\u00e9" * (size // 2)
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    (stored,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert stored["Size"] == size, stored
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20, MessageAttributeNames=["All"])
    (message,) = received["Messages"]
    assert message["Body"] == body, len(message["Body"])
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0, "the payload goes with its message"
    counted = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert counted["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "0"}, counted
    print("received", len(message["Body"].encode()))
    """
)


def test_a_payload_longer_than_a_message_travels_by_way_of_a_bucket(node):
    size = 5 << 20
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": node.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    arguments = [f"b-{uuid.uuid4()}", f"q-{uuid.uuid4()}", str(size)]
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == f"received {size}\n", done.stderr
