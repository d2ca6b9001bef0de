"""A node whose large bytes lie in a bucket: in another node's, for want of a cloud's."""

import os
import uuid

import pytest

MIB = 1 << 20


@pytest.fixture
def bucket(node):
    """A bucket of the node that keeps the bytes."""
    name = f"b-{uuid.uuid4()}"
    node.client("s3", s3={"addressing_style": "path"}).create_bucket(Bucket=name)
    return name


def test_bytes_lie_in_the_bucket_and_come_back(node, own_node, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    away = f"s3://{bucket}/some/prefix?endpoint={node.endpoint}&region=us-east-1"
    user = own_node("--blobs", away).start()
    s3 = user.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="mine")
    large, small = os.urandom(20 * MIB + 7), os.urandom(700_000)
    s3.put_object(Bucket="mine", Key="large", Body=large)
    s3.put_object(Bucket="mine", Key="small", Body=small)

    keeper = node.client("s3", s3={"addressing_style": "path"})
    kept = {found["Key"]: found["Size"] for found in keeper.list_objects_v2(Bucket=bucket)["Contents"]}
    assert "some/prefix/OWNER" in kept
    blobs = sorted((size, key) for key, size in kept.items() if key.endswith(".1"))
    assert [size > len(content) for (size, _), content in zip(blobs, (small, large), strict=True)] == [True, True]
    # What is kept elsewhere is sealed: whoever has that bucket cannot read it.
    assert small[:64] not in keeper.get_object(Bucket=bucket, Key=blobs[0][1])["Body"].read()

    assert s3.get_object(Bucket="mine", Key="large")["Body"].read() == large
    part = s3.get_object(Bucket="mine", Key="large", Range="bytes=5000000-15000000")["Body"].read()
    assert part == large[5_000_000:15_000_001]
    assert s3.get_object(Bucket="mine", Key="small")["Body"].read() == small
