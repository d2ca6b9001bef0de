"""A node that is killed again and again under puts, copies, uploads in parts, deletes and sweeps: every object that it acknowledged is there
byte for byte, and of what it did not answer all or nothing is there. Who listens to the bucket hears of each, and of nothing that never was.
What nobody refers to any more is swept; a full disk is said to be full, and what is deleted makes room."""

import hashlib
import http.client
import json
import os
import random
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from support import eventually

KILLS = int(os.environ.get("FREEHOLD_OBJECT_CRASH_KILLS", 4))
# Of a node whose large bytes lie in a bucket: all that is kept there is sent twice.
KILLS_AWAY = max(1, KILLS // 2)
WORKERS = 6
KEYS = 12
MIB = 1 << 20
# In the record, beside it, in a blob; two in most tries are short, so that there are many.
SIZES = [10, 2_000, 20_000, 200_000, 2_000_000]
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
BUCKET = "crash"
# What a key holds after what was refused.
UNCHANGED = object()


def sweep(node):
    """Removes what nothing refers to, whatever its age, and tells how many blobs are left."""
    body = json.dumps({"olderThanSeconds": 0}).encode()
    with urllib.request.urlopen(f"{node.endpoint}/_blobs/sweep", body, timeout=60) as answer:
        return json.load(answer)["kept"]


def blobs(node):
    """The blobs that lie on the disk."""
    return [path for path in (node.data / "blobs").rglob("*") if path.is_file() and path.name != "LOCK"]


class Away:
    """A bucket of another node, in which a node's large bytes lie."""

    def __init__(self, keeper, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        self.client = keeper.client("s3", s3={"addressing_style": "path"})
        self.client.create_bucket(Bucket="kept")
        self.url = f"s3://kept?endpoint={keeper.endpoint}&region=us-east-1"

    def blobs(self, _node):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="kept")
        return [found["Key"] for page in pages for found in page.get("Contents", []) if found["Key"] != "OWNER"]


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


class Common:
    """Keys that one puts and deletes, and sweeps behind, while others copy them: a copy is whole, or there was nothing to copy."""

    def __init__(self):
        self.chance = random.Random("common")
        # Of each key the digests of all that it ever held.
        self.contents = {f"common/{key}": set() for key in range(3)}
        self.digests = {}
        # Copies that were acknowledged, by key and tag.
        self.made = set()
        self.wrong = []

    def work(self, node, stop):
        client = node.client("s3", retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
        while not stop.is_set():
            for key, contents in self.contents.items():
                content = self.chance.randbytes(self.chance.choice([2_000, 200_000, 400_000]))
                # Before it is put: a copy may be told of before the put is.
                self.digests[hashlib.md5(content).hexdigest()] = digest(content)
                contents.add(digest(content))
                try:
                    client.put_object(Bucket=BUCKET, Key=key, Body=content)
                    client.delete_object(Bucket=BUCKET, Key=self.chance.choice(list(self.contents)))
                    sweep(node)
                except (*GONE, OSError, http.client.HTTPException):
                    return
                except ClientError as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                        self.wrong.append(f"{key}: {error}")

    def copy(self, client, where, source):
        try:
            answer = client.copy_object(**where, CopySource={"Bucket": BUCKET, "Key": source})
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return UNCHANGED
            raise
        tag = answer["CopyObjectResult"]["ETag"].strip('"')
        self.made.add((where["Key"], tag))
        return self.digests[tag]


class Worker:
    """Has keys of its own, and knows what each may hold: what was acknowledged, or what was asked since and not answered."""

    def __init__(self, number, common):
        self.chance = random.Random(number)
        self.common = common
        self.keys = [f"{number}/{key}" for key in range(KEYS)]
        self.may_hold = {key: {None} for key in self.keys}
        self.acknowledged = 0
        # Objects that were acknowledged, by key and tag; and the tags of all that were ever asked for.
        self.made = set()
        self.tags = set()
        self.wrong = []

    def work(self, node, stop):
        client = node.client("s3", retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
        while not stop.is_set():
            key = self.chance.choice(self.keys)
            act, possible = self.choose(client, key)
            try:
                held = act()
            except GONE:
                self.may_hold[key] |= possible
                return
            except ClientError as error:
                self.may_hold[key] |= possible
                # It says why it cannot while it stops; anything else is wrong.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                    self.wrong.append(f"{key}: {error}")
                continue
            if held is not UNCHANGED:
                self.may_hold[key] = {held}
            self.acknowledged += 1

    def choose(self, client, key):
        """Something to do to the key, which tells the digest of what it holds then; and what it may hold if that is not told."""
        where = {"Bucket": BUCKET, "Key": key}
        kind = self.chance.random()
        if kind < 0.15:
            return self.known(lambda: client.delete_object(**where), None)
        sources = [other for other in self.keys if other != key and None not in self.may_hold[other]]
        sources = [other for other in sources if len(self.may_hold[other]) == 1]
        if kind < 0.25 and sources:
            source = self.chance.choice(sources)
            (expected,) = self.may_hold[source]
            copy = dict(**where, CopySource={"Bucket": BUCKET, "Key": source})
            return self.known(lambda: self.note(key, client.copy_object(**copy)["CopyObjectResult"]), expected)
        if kind < 0.4:
            source = self.chance.choice(list(self.common.contents))
            return lambda: self.common.copy(client, where, source), self.common.contents[source]
        if kind < 0.5:
            parts = [self.chance.randbytes(5 * MIB), self.chance.randbytes(self.chance.choice(SIZES))]
            sums = b"".join(hashlib.md5(part).digest() for part in parts)
            # A copy of it is one piece.
            self.tags |= {f"{hashlib.md5(sums).hexdigest()}-{len(parts)}", hashlib.md5(b"".join(parts)).hexdigest()}
            return self.known(lambda: self.note(key, self.upload(client, where, parts)), digest(b"".join(parts)))
        content = self.chance.randbytes(self.chance.choice(SIZES))
        self.tags.add(hashlib.md5(content).hexdigest())
        return self.known(lambda: self.note(key, client.put_object(**where, Body=content)), digest(content))

    def note(self, key, answer):
        self.made.add((key, answer["ETag"].strip('"')))

    @staticmethod
    def known(act, expected):
        def told():
            act()
            return expected

        return told, {expected}

    @staticmethod
    def upload(client, where, parts):
        upload = client.create_multipart_upload(**where)["UploadId"]
        listed = []
        for number, part in reversed(list(enumerate(parts, 1))):
            tag = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)["ETag"]
            listed.insert(0, {"PartNumber": number, "ETag": tag})
        return client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": listed})

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


def listen(node):
    """A queue that hears of every object that comes into the bucket."""
    sqs, s3 = node.client("sqs"), node.client("s3")
    url = sqs.create_queue(QueueName="crash")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    entry = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [entry]}
    )
    return url


def heard(node, url, enough):
    """What the queue has heard of, by key and tag, once that is enough."""
    sqs, found = node.client("sqs"), set()

    def receive():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            for record in json.loads(message["Body"]).get("Records", []):
                told = record["s3"]["object"]
                found.add((urllib.parse.unquote_plus(told["key"]), told["eTag"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return not messages and enough <= found

    eventually(receive, deadline=120, what="all that was acknowledged is heard of")
    return found


@pytest.mark.parametrize("kills, in_bucket", [(KILLS, False), (KILLS_AWAY, True)], ids=["on-disk", "in-a-bucket"])
def test_what_was_acknowledged_is_there_byte_for_byte(own_node, monkeypatch, kills, in_bucket):
    away = Away(own_node().start(), monkeypatch) if in_bucket else None
    lie = away.blobs if away else blobs
    node = own_node(*(["--blobs", away.url] if away else [])).start()
    node.client("s3").create_bucket(Bucket=BUCKET)
    url = listen(node)
    common = Common()
    workers = [Worker(number, common) for number in range(WORKERS)]
    chance = random.Random(1)
    for _ in range(kills):
        stop = threading.Event()
        before = sum(worker.acknowledged for worker in workers)
        busy = [*workers, common]
        threads = [threading.Thread(target=each.work, args=(node, stop), daemon=True) for each in busy]
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
        assert not any(each.wrong for each in busy), [each.wrong for each in busy]
        node.start()
        client = node.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = {found["Key"] for page in pages for found in page.get("Contents", [])}
        for worker in workers:
            worker.check(client, listed)
        # What was half-written is gone.
        assert not list((node.data / ("blobs-spool" if away else "blobs") / "tmp").iterdir())
    assert sum(worker.acknowledged for worker in workers) >= kills * 5
    # Of all that was begun and not ended nothing is left that nobody refers to, and nothing is gone that somebody does.
    assert sweep(node) == len(lie(node)) > 0
    listed = {found["Key"] for page in pages for found in page.get("Contents", [])}
    for worker in workers:
        worker.check(client, listed)
    # Of objects that nobody acknowledged it may be heard too, and of none that nobody asked for.
    told = heard(node, url, common.made.union(*(worker.made for worker in workers)))
    tags = set(common.digests).union(*(worker.tags for worker in workers))
    assert {tag for _, tag in told} <= tags
    empty(client, BUCKET)
    assert sweep(node) == 0 and lie(node) == []


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
