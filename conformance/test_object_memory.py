"""Bodies of any length pass through a node in bounded memory: whatever is put, in one piece or in parts, and got again, some mebibytes of
it are held at a time. `FREEHOLD_OBJECT_MEMORY_MIB` makes the bodies longer, up to the 10 GB that were tried by hand."""

import concurrent.futures
import hashlib
import http.client
import os
import pathlib
import random
import shutil

import pytest

MIB = 1 << 20
BODY_MIB = int(os.environ.get("FREEHOLD_OBJECT_MEMORY_MIB", 192))
# What a stream may take while it lasts.
GROWTH_MIB = 64
PART_MIB = 64
BUCKET = "memory"
PIECE = random.Random(1).randbytes(MIB)


@pytest.fixture
def node(own_node):
    """A node of its own, of whose bodies nothing is left."""
    if not pathlib.Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell of its processes' memory")
    node = own_node().start()
    yield node
    node.kill()
    shutil.rmtree(node.data)


def memory(node, name):
    """What the system says of the node's memory, in mebibytes."""
    for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {name}")


class Peak:
    """How much the node's memory grows while something goes on."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        self.before = memory(self.node, "VmRSS")
        # The highest so far is forgotten.
        pathlib.Path(f"/proc/{self.node.process.pid}/clear_refs").write_text("5")
        return self

    def __exit__(self, *_raised):
        self.growth = memory(self.node, "VmHWM") - self.before


def pieces(mebibytes, digest=None):
    """A body that is never whole anywhere: its pieces differ by their first bytes."""
    for number in range(mebibytes):
        piece = number.to_bytes(8, "big") + PIECE[8:]
        if digest is not None:
            digest.update(piece)
        yield piece


def ask(node, method, path, body=None, mebibytes=0):
    connection = http.client.HTTPConnection(node.endpoint.removeprefix("http://"), timeout=600)
    headers = {"Content-Length": str(mebibytes * MIB)} if body is not None else {}
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return answer


def digest_of(answer):
    digest = hashlib.sha256()
    while piece := answer.read(MIB):
        digest.update(piece)
    return digest.hexdigest()


def test_bodies_stream_in_bounded_memory(node):
    client = node.client("s3")
    client.create_bucket(Bucket=BUCKET)
    # What a node takes once: threads, buffers, the engine's own.
    ask(node, "PUT", f"/{BUCKET}/first", pieces(PART_MIB), PART_MIB).read()
    digest_of(ask(node, "GET", f"/{BUCKET}/first"))

    # In one piece there may be five gibibytes.
    whole, whole_mib = hashlib.sha256(), min(BODY_MIB, 5 << 10)
    with Peak(node) as put:
        ask(node, "PUT", f"/{BUCKET}/whole", pieces(whole_mib, whole), whole_mib).read()
    with Peak(node) as got:
        assert digest_of(ask(node, "GET", f"/{BUCKET}/whole")) == whole.hexdigest()

    parts = hashlib.sha256()
    where = {"Bucket": BUCKET, "Key": "parts"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    listed = []
    with Peak(node) as uploaded:
        for number in range(1, BODY_MIB // PART_MIB + 1):
            path = f"/{BUCKET}/parts?partNumber={number}&uploadId={upload}"
            tag = ask(node, "PUT", path, pieces(PART_MIB, parts), PART_MIB).headers["ETag"]
            listed.append({"PartNumber": number, "ETag": tag})
        client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": listed})
    with Peak(node) as joined:
        assert digest_of(ask(node, "GET", f"/{BUCKET}/parts")) == parts.hexdigest()

    # Of parts one piece is made, which reads and writes all of it.
    with Peak(node) as copied:
        if BODY_MIB <= 5 << 10:
            client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/parts")

    growth = {
        "put": put.growth,
        "got": got.growth,
        "uploaded": uploaded.growth,
        "joined": joined.growth,
        "copied": copied.growth,
    }
    print(growth)
    assert max(growth.values()) < GROWTH_MIB, growth


def test_who_does_not_read_holds_nothing_up_and_fills_no_memory(node):
    client = node.client("s3")
    client.create_bucket(Bucket=BUCKET)
    ask(node, "PUT", f"/{BUCKET}/whole", pieces(PART_MIB), PART_MIB).read()
    digest_of(ask(node, "GET", f"/{BUCKET}/whole"))
    with Peak(node) as slow:
        # Sixteen who ask for a gibibyte together and read its first bytes.
        answers = [ask(node, "GET", f"/{BUCKET}/whole") for _ in range(16)]
        for answer in answers:
            assert len(answer.read(8)) == 8
        assert client.get_object(Bucket=BUCKET, Key="whole", Range="bytes=0-7")["Body"].read() == bytes(8)
        for answer in answers:
            answer.close()
    assert slow.growth < 4 * GROWTH_MIB, slow.growth


def test_several_who_write_take_no_more_than_each_of_them_may(node):
    writers = 4
    client = node.client("s3")
    client.create_bucket(Bucket=BUCKET)
    ask(node, "PUT", f"/{BUCKET}/first", pieces(PART_MIB), PART_MIB).read()
    with Peak(node) as together, concurrent.futures.ThreadPoolExecutor(writers) as pool:
        put = lambda number: ask(node, "PUT", f"/{BUCKET}/{number}", pieces(PART_MIB), PART_MIB).read()
        list(pool.map(put, range(writers)))
    assert together.growth < writers * GROWTH_MIB, together.growth
