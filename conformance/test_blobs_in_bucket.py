"""A node whose large bytes lie in a bucket: in another node's, for want of a cloud's, and in one that speaks as Google's do. In one of
Azure's where `FREEHOLD_AZURITE` says where Microsoft's emulator of it is (npm's `azurite`: `node_modules/.bin/azurite-blob`)."""

import base64
import hashlib
import hmac
import os
import socket
import subprocess
import uuid
from datetime import datetime, timezone
from http.client import HTTPConnection

import google_storage
import pytest
from support import eventually

MIB = 1 << 20


@pytest.fixture
def bucket(node):
    """A bucket of the node that keeps the bytes."""
    name = f"b-{uuid.uuid4()}"
    node.client("s3", s3={"addressing_style": "path"}).create_bucket(Bucket=name)
    return name


def check_bytes_come_back(user):
    """What is put comes back from there, whole and in part, and after the node has started again. Gives back what lies there."""
    s3 = user.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="mine")
    large, small = os.urandom(20 * MIB + 7), os.urandom(700_000)
    s3.put_object(Bucket="mine", Key="large", Body=large)
    s3.put_object(Bucket="mine", Key="small", Body=small)
    for again in (False, True):
        if again:
            user.stop()
            s3 = user.start().client("s3", s3={"addressing_style": "path"})
        assert s3.get_object(Bucket="mine", Key="large")["Body"].read() == large
        part = s3.get_object(Bucket="mine", Key="large", Range="bytes=5000000-15000000")["Body"].read()
        assert part == large[5_000_000:15_000_001]
        assert s3.get_object(Bucket="mine", Key="small")["Body"].read() == small
    return large, small


def check_kept(kept, large, small):
    """Whose place it is stands there, and both blobs; they are sealed: whoever has that bucket cannot read them."""
    assert "some/prefix/OWNER" in kept
    blobs = sorted((content for name, content in kept.items() if name.endswith(".1")), key=len)
    assert [len(kept) > len(content) for kept, content in zip(blobs, (small, large), strict=True)] == [True, True]
    assert small[:64] not in blobs[0] and large[:64] not in blobs[1]


def test_bytes_lie_in_the_bucket_and_come_back(node, own_node, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    away = f"s3://{bucket}/some/prefix?endpoint={node.endpoint}&region=us-east-1"
    contents = check_bytes_come_back(own_node("--blobs", away).start())
    keeper = node.client("s3", s3={"addressing_style": "path"})
    keys = [found["Key"] for found in keeper.list_objects_v2(Bucket=bucket)["Contents"]]
    check_kept({key: keeper.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}, *contents)


def test_bytes_lie_in_a_bucket_that_speaks_as_googles_do(own_node, monkeypatch):
    with google_storage.Bucket("kept") as bucket:
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", bucket.account())
        contents = check_bytes_come_back(own_node("--blobs", "gs://kept/some/prefix").start())
        check_kept({key: content for key, (content, *_) in bucket.objects.items()}, *contents)
        assert not bucket.uploads, "no upload is left open"


def test_bytes_lie_in_a_container_of_azures(own_node, tmp_path, monkeypatch):
    program = os.environ.get("FREEHOLD_AZURITE")
    if not program:
        pytest.skip("FREEHOLD_AZURITE does not say where azurite-blob is")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    emulator = subprocess.Popen(
        [program, "--silent", "--disableTelemetry", "--blobPort", str(port), "--location", tmp_path], stdout=subprocess.DEVNULL
    )
    try:
        azure = Azure(port)
        eventually(lambda: azure.ask("PUT", "/kept", "restype=container")[0] == 201)
        monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
        monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", f"http://127.0.0.1:{port}")
        contents = check_bytes_come_back(own_node("--blobs", "az://kept/some/prefix").start())
        _, listing = azure.ask("GET", "/kept", "comp=list&restype=container")
        names = [piece.split("</Name>")[0] for piece in listing.decode().split("<Name>")[1:]]
        check_kept({name: azure.ask("GET", f"/kept/{name}")[1] for name in names}, *contents)
    finally:
        emulator.kill()
        emulator.wait()


class Azure:
    """Azure's blobs, by a key that everybody knows: the emulator's."""

    ACCOUNT = "devstoreaccount1"
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, query=""):
        """The status and the body that a request gets; 0 where nobody listens."""
        headers = {
            "x-ms-date": datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "x-ms-version": "2021-08-06",
        }
        resource = f"/{self.ACCOUNT}/{self.ACCOUNT}{path}" + "".join(f"\n{pair.replace('=', ':')}" for pair in query.split("&") if pair)
        signed = method + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in headers.items()) + resource
        mac = hmac.digest(base64.b64decode(self.KEY), signed.encode(), hashlib.sha256)
        headers |= {"authorization": f"SharedKey {self.ACCOUNT}:{base64.b64encode(mac).decode()}", "content-length": "0"}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/{self.ACCOUNT}{path}?{query}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except ConnectionRefusedError:
            return 0, b""
        finally:
            connection.close()
