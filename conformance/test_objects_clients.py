"""S3 as other clients than boto3 use it: AWS's command line, s3fs, smart_open, rclone where it is installed.

What one operation answers is held against boto3 in `test_objects.py`; here it is what tools make of many.
"""

import hashlib
import json
import os
import random
import shutil
import time
import urllib.request
import uuid

import pytest
import s3fs
import smart_open
from command_line import CommandLine

MIB = 1 << 20
# Enough for several parts; the real size is a gigabyte, which takes a minute of a small machine.
LARGE_MIB = int(os.environ.get("FREEHOLD_OBJECT_LARGE_MIB", 64))


@pytest.fixture(scope="module")
def aws(node):
    """Runs the command line: `aws("s3", "ls")` gives what it printed."""
    command_line = CommandLine(node)
    yield command_line
    command_line.close()


def keys(s3, bucket):
    return sorted(found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", []))


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder, contents):
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def seeded(path, mebibytes):
    """A file of random bytes that is never whole in memory, and its digest."""
    chance, digest = random.Random(mebibytes), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mebibytes):
            piece = chance.randbytes(MIB)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def digest_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_the_command_line_keeps_folders_alike(aws, s3, bucket, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    names = ["one.txt", "two words.html", "sub/three.bin", "sub/ümläut+plus&%41.txt", "empty"]
    write(there, {name: name.encode() * 100 for name in names[:-1]} | {"empty": b""})
    # A file that is younger than its object is sent again, and S3 tells of whole seconds only.
    for name in names:
        os.utime(there / name, (time.time() - 60,) * 2)
    aws("s3", "sync", there, f"s3://{bucket}/up")
    assert keys(s3, bucket) == sorted(f"up/{name}" for name in names)
    assert s3.head_object(Bucket=bucket, Key="up/two words.html")["ContentType"] == "text/html"
    aws("s3", "sync", f"s3://{bucket}/up", back)
    assert files(back) == files(there)
    # What is alike already is not sent again; what is gone is deleted where that is asked for, on either side.
    (there / "one.txt").unlink()
    (there / "sub/three.bin").write_bytes(b"changed")
    again = aws("s3", "sync", there, f"s3://{bucket}/up", "--delete").stdout
    assert (again.count("delete: "), again.count("upload: ")) == (1, 1), again
    (back / "of its own").write_bytes(b"not in the bucket")
    again = aws("s3", "sync", f"s3://{bucket}/up", back, "--delete").stdout
    assert (again.count("delete: "), again.count("download: ")) == (2, 1), again
    assert files(back) == files(there)


def test_the_command_line_copies_large_files_in_parts(aws, s3, bucket, tmp_path):
    digest = seeded(tmp_path / "large", LARGE_MIB)
    aws("s3", "cp", tmp_path / "large", f"s3://{bucket}/large", "--no-progress")
    head = s3.head_object(Bucket=bucket, Key="large")
    # It sends parts of 8 MiB.
    assert head["ContentLength"] == LARGE_MIB * MIB and head["ETag"].endswith(f'-{-(-LARGE_MIB // 8)}"')
    aws("s3", "cp", f"s3://{bucket}/large", tmp_path / "back", "--no-progress")
    assert digest_of(tmp_path / "back") == digest
    # Between buckets it copies part by part, without the bytes passing by.
    aws("s3", "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy", "--no-progress")
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == LARGE_MIB * MIB
    (tmp_path / "back").unlink()
    aws("s3", "cp", f"s3://{bucket}/copy", tmp_path / "back", "--no-progress")
    assert digest_of(tmp_path / "back") == digest
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_the_command_line_presigns(aws, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a file/ü.txt", Body=b"0123456789", ContentType="text/plain")
    url = aws("s3", "presign", f"s3://{bucket}/a file/ü.txt", "--expires-in", "600").stdout.strip()
    request = urllib.request.Request(url, headers={"Range": "bytes=5-8"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert (answer.status, answer.headers["Content-Type"], answer.read()) == (206, "text/plain", b"5678")


def test_the_command_line_moves_lists_and_removes(aws, s3, bucket, tmp_path):
    write(tmp_path, {f"in/{name}": name.encode() for name in ["a.txt", "b.txt", "c.log"]})
    aws("s3", "mv", tmp_path / "in", f"s3://{bucket}/in", "--recursive", "--exclude", "*.log")
    assert files(tmp_path / "in") == {"c.log": b"c.log"}
    aws("s3", "mv", f"s3://{bucket}/in/a.txt", f"s3://{bucket}/out/a.txt")
    assert keys(s3, bucket) == ["in/b.txt", "out/a.txt"]
    listed = aws("s3", "ls", f"s3://{bucket}").stdout
    assert [line.split() for line in listed.splitlines()] == [["PRE", "in/"], ["PRE", "out/"]]
    summed = aws("s3", "ls", f"s3://{bucket}", "--recursive", "--summarize").stdout
    assert "Total Objects: 2" in summed and "Total Size: 10" in summed
    aws("s3", "rm", f"s3://{bucket}/in", "--recursive")
    assert keys(s3, bucket) == ["out/a.txt"]
    # From one command to the next through pipes, of which nobody knows the length.
    aws("s3", "cp", "-", f"s3://{bucket}/streamed", stdin=tmp_path / "in/c.log")
    assert aws("s3", "cp", f"s3://{bucket}/streamed", "-").stdout == "c.log"
    refused = aws("s3", "rb", f"s3://{bucket}", check=False)
    assert refused.returncode == 1 and "BucketNotEmpty" in refused.stderr
    aws("s3", "rb", f"s3://{bucket}", "--force")
    assert aws("s3", "ls", f"s3://{bucket}", check=False).stderr.count("NoSuchBucket") == 1


def test_the_command_line_makes_buckets_and_websites(aws, s3):
    name = f"made-{uuid.uuid4()}"
    assert aws("s3", "mb", f"s3://{name}").stdout.strip() == f"make_bucket: {name}"
    assert name in aws("s3", "ls").stdout
    aws("s3", "website", f"s3://{name}", "--index-document", "index.html", "--error-document", "error.html")
    found = s3.get_bucket_website(Bucket=name)
    assert (found["IndexDocument"], found["ErrorDocument"]) == ({"Suffix": "index.html"}, {"Key": "error.html"})
    aws("s3", "rb", f"s3://{name}")
    assert name not in aws("s3", "ls").stdout


def test_lifecycles_say_how_small_is_too_small(s3, bucket):
    """Terraform waits until they do."""
    rule = {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}

    def told(**more):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}, **more)
        return s3.get_bucket_lifecycle_configuration(Bucket=bucket)["TransitionDefaultMinimumObjectSize"]

    assert told() == "all_storage_classes_128K"
    assert told(TransitionDefaultMinimumObjectSize="varies_by_storage_class") == "varies_by_storage_class"


def test_s3fs(node, bucket):
    remote = s3fs.S3FileSystem(key="test", secret="test", endpoint_url=node.endpoint, skip_instance_cache=True)
    with remote.open(f"{bucket}/folder/a.txt", "wb") as file:
        file.write(b"first line\nsecond line\n")
    remote.touch(f"{bucket}/folder/empty")
    data = random.Random(6).randbytes(11 * MIB)
    with remote.open(f"{bucket}/folder/large", "wb", block_size=5 * MIB) as file:
        file.write(data)
    listed = {path.rsplit("/", 1)[1]: remote.size(path) for path in remote.ls(f"{bucket}/folder", detail=False)}
    assert listed == {"a.txt": 23, "empty": 0, "large": 11 * MIB}
    with remote.open(f"{bucket}/folder/large", "rb") as file:
        file.seek(5 * MIB - 3)
        assert file.read(10) == data[5 * MIB - 3 : 5 * MIB + 7]
    assert remote.cat_ranges([f"{bucket}/folder/large"] * 2, [0, MIB], [3, MIB + 3]) == [data[:3], data[MIB : MIB + 3]]
    with remote.open(f"{bucket}/folder/a.txt", "a") as file:
        file.write("third line\n")
    with remote.open(f"{bucket}/folder/a.txt", "r") as file:
        assert file.readlines() == ["first line\n", "second line\n", "third line\n"]
    remote.mv(f"{bucket}/folder/a.txt", f"{bucket}/b.txt")
    assert remote.exists(f"{bucket}/b.txt") and not remote.exists(f"{bucket}/folder/a.txt")
    found = [path.removeprefix(f"{bucket}/") for path in sorted(remote.glob(f"{bucket}/**/*e*"))]
    assert found == ["folder", "folder/empty", "folder/large"]
    with pytest.raises(FileNotFoundError):
        remote.open(f"{bucket}/nothing", "rb")
    remote.rm(f"{bucket}/folder", recursive=True)
    remote.invalidate_cache()
    assert remote.ls(bucket, detail=False) == [f"{bucket}/b.txt"]


def test_smart_open(s3, bucket):
    how = {"transport_params": {"client": s3, "min_part_size": 5 * MIB}}
    lines = [f"line {number}\n" for number in range(1000)]
    with smart_open.open(f"s3://{bucket}/lines.txt.gz", "w", **how) as file:
        file.writelines(lines)
    with smart_open.open(f"s3://{bucket}/lines.txt.gz", **how) as file:
        assert list(file) == lines
    data = random.Random(7).randbytes(7 * MIB)
    with smart_open.open(f"s3://{bucket}/raw", "wb", **how) as file:
        file.write(data)
    with smart_open.open(f"s3://{bucket}/raw", "rb", **how) as file:
        assert file.seek(-5, 2) == len(data) - 5 and file.read() == data[-5:]
        assert file.seek(100) == 100 and file.read(3) == data[100:103]
    with smart_open.open(f"s3://{bucket}/nothing", "wb", **how) as file:
        pass
    assert s3.head_object(Bucket=bucket, Key="nothing")["ContentLength"] == 0
    # What is left in the middle is not there.
    with pytest.raises(RuntimeError), smart_open.open(f"s3://{bucket}/left", "wb", **how) as file:
        file.write(data)
        raise RuntimeError
    assert keys(s3, bucket) == ["lines.txt.gz", "nothing", "raw"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed")
def test_rclone(node, s3, bucket, tmp_path, monkeypatch):
    there, back = tmp_path / "there", tmp_path / "back"
    write(there, {"a": b"a" * 1000, "sub/b c.txt": b"b" * 2000, "empty": b""})
    large = seeded(there / "large", 12)
    # Buckets have no lists of grants any more; these words may still be said of objects and of buckets.
    lists = "acl=bucket-owner-full-control,bucket_acl=private"
    access = f"{lists},access_key_id=test,secret_access_key=test,region=us-east-1"
    remote = f":s3,provider=Other,force_path_style=true,{access},endpoint='{node.endpoint}':{bucket}"

    # This rclone does not start where somebody asks for certificates of their own.
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)

    def rclone(*arguments, **settings):
        common = ["--config", tmp_path / "rclone.conf", "--retries", "1", "--low-level-retries", "1"]
        parts = ["--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M"]
        return node.run("rclone", *arguments, *common, *parts, **settings)

    rclone("copy", there, remote)
    assert keys(s3, bucket) == ["a", "empty", "large", "sub/b c.txt"]
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    rclone("check", there, remote)
    rclone("check", there, remote, "--download")
    listed = json.loads(rclone("lsjson", remote, "--recursive", "--files-only", "--hash").stdout)
    sizes = {found["Path"]: found["Size"] for found in listed}
    assert sizes == {"a": 1000, "empty": 0, "large": 12 * MIB, "sub/b c.txt": 2000}
    [sum_of_a] = [found["Hashes"]["md5"] for found in listed if found["Path"] == "a"]
    assert sum_of_a == hashlib.md5(b"a" * 1000).hexdigest()
    # Times are kept beside the bytes, so nothing is sent twice.
    assert "There was nothing to transfer" in rclone("sync", there, remote, "-v").stderr
    (there / "a").unlink()
    (there / "sub/b c.txt").write_bytes(b"B" * 2000)
    rclone("sync", there, remote)
    assert keys(s3, bucket) == ["empty", "large", "sub/b c.txt"]
    rclone("sync", remote, back)
    assert files(back) == files(there) and digest_of(back / "large") == large
    rclone("moveto", f"{remote}/large", f"{remote}/moved/large")
    differing = rclone("check", there, remote, check=False)
    assert differing.returncode == 1 and "2 differences found" in differing.stderr
    rclone("purge", remote)
    assert bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]
