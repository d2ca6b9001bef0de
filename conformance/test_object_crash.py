"""A node that is killed again and again under puts, copies, uploads in parts and deletes: every object that it acknowledged is there
byte for byte, and of what it did not answer all or nothing is there. What nobody refers to any more is swept; a full disk is said to be
full, and what is deleted makes room."""

import hashlib
import json
import os
import random
import subprocess
import threading
import time
import urllib.request

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

KILLS = int(os.environ.get("FREEHOLD_OBJECT_CRASH_KILLS", 4))
WORKERS = 6
KEYS = 12
MIB = 1 << 20
# In the record, beside it, in a blob; two in most tries are short, so that there are many.
SIZES = [10, 2_000, 20_000, 200_000, 2_000_000]
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
BUCKET = "crash"


def sweep(node):
    """Removes what nothing refers to, whatever its age, and tells how many blobs are left."""
    body = json.dumps({"olderThanSeconds": 0}).encode()
    with urllib.request.urlopen(f"{node.endpoint}/_blobs/sweep", body, timeout=60) as answer:
        return json.load(answer)["kept"]


def blobs(node):
    """The blobs that lie on the disk."""
    return [path for path in (node.data / "blobs").rglob("*") if path.is_file() and path.name != "LOCK"]


def empty(client, bucket):
    """Deletes all that is in a bucket, and what was to be."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in page.get("Versions", []) + page.get("DeleteMarkers", []):
            client.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Worker:
    """Has keys of its own, and knows what each may hold: what was acknowledged, or what was asked since and not answered."""

    def __init__(self, number):
        self.chance = random.Random(number)
        self.keys = [f"{number}/{key}" for key in range(KEYS)]
        self.may_hold = {key: {None} for key in self.keys}
        self.acknowledged = 0
        self.wrong = []

    def work(self, node, stop):
        client = node.client("s3", retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
        while not stop.is_set():
            key = self.chance.choice(self.keys)
            act, expected = self.choose(client, key)
            self.may_hold[key].add(expected)
            try:
                act()
            except GONE:
                return
            except ClientError as error:
                # It says why it cannot while it stops; anything else is wrong.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                    self.wrong.append(f"{key}: {error}")
                continue
            self.may_hold[key] = {expected}
            self.acknowledged += 1

    def choose(self, client, key):
        """Something to do to the key, and the digest of what it holds then."""
        where = {"Bucket": BUCKET, "Key": key}
        kind = self.chance.random()
        if kind < 0.15:
            return lambda: client.delete_object(**where), None
        sources = [other for other in self.keys if other != key and None not in self.may_hold[other]]
        sources = [other for other in sources if len(self.may_hold[other]) == 1]
        if kind < 0.3 and sources:
            source = self.chance.choice(sources)
            (expected,) = self.may_hold[source]
            return lambda: client.copy_object(**where, CopySource={"Bucket": BUCKET, "Key": source}), expected
        if kind < 0.4:
            parts = [self.chance.randbytes(5 * MIB), self.chance.randbytes(self.chance.choice(SIZES))]
            return lambda: self.upload(client, where, parts), digest(b"".join(parts))
        content = self.chance.randbytes(self.chance.choice(SIZES))
        return lambda: client.put_object(**where, Body=content), digest(content)

    @staticmethod
    def upload(client, where, parts):
        upload = client.create_multipart_upload(**where)["UploadId"]
        listed = []
        for number, part in reversed(list(enumerate(parts, 1))):
            tag = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)["ETag"]
            listed.insert(0, {"PartNumber": number, "ETag": tag})
        client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": listed})

    def check(self, client, listed):
        """What is there now is what may be there; from here on it is what is."""
        for key in self.keys:
            try:
                found = digest(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            except ClientError as error:
                assert error.response["Error"]["Code"] == "NoSuchKey", f"{key}: {error}"
                found = None
            assert found in self.may_hold[key], f"{key} holds {found}, and not one of {self.may_hold[key]}"
            assert (key in listed) == (found is not None), f"{key} is listed wrongly"
            self.may_hold[key] = {found}


def test_what_was_acknowledged_is_there_byte_for_byte(own_node):
    node = own_node().start()
    node.client("s3").create_bucket(Bucket=BUCKET)
    workers = [Worker(number) for number in range(WORKERS)]
    chance = random.Random(1)
    for _ in range(KILLS):
        stop = threading.Event()
        before = sum(worker.acknowledged for worker in workers)
        threads = [threading.Thread(target=worker.work, args=(node, stop), daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        # Killed in the middle of things, whatever the machine's pace.
        enough, until = before + 20 + chance.randrange(20), time.monotonic() + 30
        while sum(worker.acknowledged for worker in workers) < enough and time.monotonic() < until:
            time.sleep(0.005)
        node.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert not any(worker.wrong for worker in workers), [worker.wrong for worker in workers]
        node.start()
        client = node.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = {found["Key"] for page in pages for found in page.get("Contents", [])}
        for worker in workers:
            worker.check(client, listed)
        # What was half-written is gone.
        assert not list((node.data / "blobs" / "tmp").iterdir())
    assert sum(worker.acknowledged for worker in workers) >= KILLS * 5
    # Of all that was begun and not ended nothing is left that nobody refers to, and nothing is gone that somebody does.
    assert sweep(node) == len(blobs(node)) > 0
    listed = {found["Key"] for page in pages for found in page.get("Contents", [])}
    for worker in workers:
        worker.check(client, listed)
    empty(client, BUCKET)
    assert sweep(node) == 0 and blobs(node) == []


@pytest.fixture
def small_disk(tmp_path):
    """Makes a folder a disk of its own, with so many mebibytes; for who may mount."""
    mounted = []

    def mount(folder, mebibytes):
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"this machine lets nobody here mount a small disk: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        # The node may still be ending.
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_said_to_be_full_and_what_is_deleted_makes_room(own_node, small_disk):
    node = own_node()
    small_disk(node.data, 320)
    node.start()
    client = node.client("s3", retries={"max_attempts": 0})
    client.create_bucket(Bucket=BUCKET)
    chance = random.Random(3)
    kept = {}

    def fill():
        for number in range(100):
            content = chance.randbytes(8 * MIB)
            client.put_object(Bucket=BUCKET, Key=f"{number}", Body=content)
            kept[f"{number}"] = digest(content)

    with pytest.raises(ClientError, match="the disk is full: .* make room") as caught:
        fill()
    assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    filled = len(kept)
    assert filled >= 4
    # What was acknowledged is there, also for a node that starts on a full disk.
    node.kill()
    node.start()
    for key, expected in kept.items():
        assert digest(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == expected
    assert len(client.list_objects_v2(Bucket=BUCKET)["Contents"]) == filled
    empty(client, BUCKET)
    assert sweep(node) == 0 and blobs(node) == [] and not list((node.data / "blobs" / "tmp").iterdir())
    kept.clear()
    with pytest.raises(ClientError, match="the disk is full"):
        fill()
    assert len(kept) >= filled - 1
