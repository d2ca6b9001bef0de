"""S3 as boto3 sees it: what AWS documents of buckets, objects, listings, uploads in parts, versions, checksums, conditions."""

import base64
import concurrent.futures
import datetime
import email.utils
import hashlib
import io
import random
import urllib.error
import urllib.request
import uuid
import zlib

import pytest
from awscrt import checksums
from botocore.exceptions import ClientError

MIB = 1 << 20


def refused(call, **arguments):
    """Status and code of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def body(s3, bucket, key, **arguments):
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def test_buckets(s3, bucket):
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    listed = s3.list_buckets(Prefix=bucket)["Buckets"]
    assert [found["Name"] for found in listed] == [bucket]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    # Its owner gets it again.
    s3.create_bucket(Bucket=bucket)
    other = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert s3.get_bucket_location(Bucket=other)["LocationConstraint"] == "eu-central-1"
    again = dict(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert refused(s3.create_bucket, **again) == (409, "BucketAlreadyOwnedByYou")
    s3.put_object(Bucket=other, Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket=other) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=other, Key="k")
    s3.delete_bucket(Bucket=other)
    assert refused(s3.delete_bucket, Bucket=other) == (404, "NoSuchBucket")
    assert refused(s3.head_bucket, Bucket=other) == (404, "404")
    assert refused(s3.put_object, Bucket=other, Key="k") == (404, "NoSuchBucket")
    for name in ["UPPER", "ab", "a..b", "192.168.1.1", "xn--x", "-abc"]:
        assert refused(s3.create_bucket, Bucket=name) == (400, "InvalidBucketName"), name


def test_pages_of_buckets(s3):
    mark = f"p-{uuid.uuid4()}"
    names = [f"{mark}-{number}" for number in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix=mark, PaginationConfig={"PageSize": 2})
    pages = [[found["Name"] for found in page["Buckets"]] for page in pages]
    assert sum(pages, []) == names and len(pages) == 3


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 32768, 32769, 300_000, 3 * MIB + 1])
def test_what_is_put_is_got(s3, bucket, size):
    data = random.Random(size).randbytes(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, ContentType="image/png", Metadata={"one": "1"})
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    assert got["ContentLength"] == size and got["ContentType"] == "image/png" and got["Metadata"] == {"one": "1"}
    assert got["ETag"] == put["ETag"] and got["AcceptRanges"] == "bytes"
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"]) == (size, put["ETag"])
    if size:
        middle = size // 2
        part = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={middle}-")
        assert part["Body"].read() == data[middle:]
        assert part["ContentRange"] == f"bytes {middle}-{size - 1}/{size}"
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert body(s3, bucket, "k", Range="bytes=-1") == data[-1:]
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={size}-") == (416, "InvalidRange")
    s3.delete_object(Bucket=bucket, Key="k")
    assert refused(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")
    assert refused(s3.head_object, Bucket=bucket, Key="k") == (404, "404")


@pytest.mark.parametrize("key", ["a b+c", "ü/ñ", "x//y/", "/lead", "..", "a/../b", "%41", "q?x=1&y", "#", "é" * 512, "~!*'()"])
def test_keys_are_anything(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert body(s3, bucket, key) == key.encode()
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [found["Key"] for found in s3.list_objects(Bucket=bucket)["Contents"]] == [key]


def test_keys_are_utf8(node, s3, bucket):
    for key in ("%FF", "a%C3"):
        request = urllib.request.Request(f"{node.endpoint}/{bucket}/{key}", data=b"x", method="PUT")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert caught.value.code == 400 and b"<Code>InvalidURI</Code>" in caught.value.read()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_limits_of_what_is_said(s3, bucket):
    assert refused(s3.put_object, Bucket=bucket, Key="x" * 1025) == (400, "KeyTooLongError")
    big = {"m": "x" * 2048}
    assert refused(s3.put_object, Bucket=bucket, Key="k", Metadata=big) == (400, "MetadataTooLarge")
    assert refused(s3.put_object, Bucket=bucket, Key="k", StorageClass="CELLAR") == (400, "InvalidStorageClass")
    s3.put_object(Bucket=bucket, Key="k", StorageClass="STANDARD_IA", CacheControl="no-store", ContentLanguage="de")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["StorageClass"], head["CacheControl"], head["ContentLanguage"]) == ("STANDARD_IA", "no-store", "de")
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/x", ResponseCacheControl="max-age=1")
    assert (got["ContentType"], got["CacheControl"]) == ("text/x", "max-age=1")


def test_conditions_of_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    day = datetime.timedelta(days=1)
    for arguments, expected in [
        ({"IfMatch": etag}, None),
        ({"IfMatch": '"other"'}, (412, "PreconditionFailed")),
        ({"IfNoneMatch": etag}, (304, "304")),
        ({"IfNoneMatch": '"other"'}, None),
        ({"IfModifiedSince": modified}, (304, "304")),
        ({"IfModifiedSince": modified - day}, None),
        ({"IfUnmodifiedSince": modified - day}, (412, "PreconditionFailed")),
        ({"IfMatch": etag, "IfUnmodifiedSince": modified - day}, None),
    ]:
        if expected:
            assert refused(s3.get_object, Bucket=bucket, Key="k", **arguments) == expected, arguments
        else:
            assert body(s3, bucket, "k", **arguments) == b"x"


@pytest.mark.parametrize("header", ["If-Modified-Since", "If-Unmodified-Since"])
def test_conditions_that_are_no_dates_are_none(node, s3, bucket, header):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    request = urllib.request.Request(f"{node.endpoint}/{bucket}/k", headers={header: "the day before yesterday"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert (answer.status, answer.read()) == (200, b"x")
    copy = {"x-amz-copy-source": f"/{bucket}/k", f"x-amz-copy-source-{header.lower()}": "never"}
    request = urllib.request.Request(f"{node.endpoint}/{bucket}/copy", method="PUT", headers=copy)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("expires", ["Thu, 01 Dec 2044 16:00:00 GMT", "0", "-1", "never"])
def test_expires_is_given_back_as_it_was_said(node, s3, bucket, expires):
    request = urllib.request.Request(f"{node.endpoint}/{bucket}/k", data=b"x", method="PUT", headers={"Expires": expires})
    urllib.request.urlopen(request, timeout=60).close()
    with urllib.request.urlopen(f"{node.endpoint}/{bucket}/k", timeout=60) as answer:
        assert answer.headers["Expires"] == expires
    assert s3.head_object(Bucket=bucket, Key="k")["ExpiresString"] == expires


def test_whose_a_bucket_is_said_to_be(s3, bucket):
    ours, other = "000000000000", "123456789012"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=ours)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner=other) == (403, "AccessDenied")
    assert refused(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner=other) == (403, "AccessDenied")
    copy = dict(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    assert refused(s3.copy_object, ExpectedSourceBucketOwner=other, **copy) == (403, "AccessDenied")
    s3.copy_object(ExpectedSourceBucketOwner=ours, **copy)
    assert body(s3, bucket, "k", ExpectedBucketOwner=ours) == b"x"


def test_conditions_of_writes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    etag2 = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"3", IfMatch=etag) == (412, "PreconditionFailed")
    assert refused(s3.put_object, Bucket=bucket, Key="gone", Body=b"3", IfMatch=etag) == (404, "NoSuchKey")
    assert refused(s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag) == (412, "PreconditionFailed")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag2)

    # Of many who want a name, one gets it.
    def claim(number):
        try:
            s3.put_object(Bucket=bucket, Key="lock", Body=str(number), IfNoneMatch="*")
            return True
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict")
            return False

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(24))) == 1


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [11, 100_000])
def test_checksums(s3, bucket, algorithm, size):
    data = b"x" * size
    put = s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    name = f"Checksum{algorithm}"
    assert put[name] == got[name] and got["ChecksumType"] == "FULL_OBJECT"
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]


def test_wrong_checksums_are_refused(s3, bucket):
    right = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumCRC32=right)
    for arguments, code in [
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumCRC32": "nonsense"}, "InvalidRequest"),
        ({"ContentMD5": base64.b64encode(b"0" * 16).decode()}, "BadDigest"),
        ({"ContentMD5": "short"}, "InvalidDigest"),
    ]:
        assert refused(s3.put_object, Bucket=bucket, Key="bad", Body=b"hello", **arguments) == (400, code), arguments
    assert refused(s3.head_object, Bucket=bucket, Key="bad") == (404, "404")


def test_listings_fold_and_page(s3, bucket):
    keys = ["a", "b/1", "b/2", "b/c/3", "d", "e/1", "é", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key)
    for call, next_name, marker in [
        ("list_objects_v2", "NextContinuationToken", "ContinuationToken"),
        ("list_objects", "NextMarker", "Marker"),
    ]:
        for prefix, delimiter, expected in [
            ("", "", keys),
            ("", "/", ["a", "b/", "d", "e/", "z", "é"]),
            ("b/", "/", ["b/1", "b/2", "b/c/"]),
            ("b", "/", ["b/"]),
            ("b/", "", ["b/1", "b/2", "b/c/3"]),
            ("x", "/", []),
            ("", "1", ["a", "b/1", "b/2", "b/c/3", "d", "e/1", "z", "é"]),
        ]:
            for size in (1, 2, 3, 1000):
                found, more = [], {}
                while True:
                    arguments = dict(Bucket=bucket, Prefix=prefix, Delimiter=delimiter, MaxKeys=size, **more)
                    page = getattr(s3, call)(**arguments)
                    lines = [line["Key"] for line in page.get("Contents", [])]
                    lines += [line["Prefix"] for line in page.get("CommonPrefixes", [])]
                    assert len(lines) <= size and page.get("KeyCount", len(lines)) == len(lines)
                    found += sorted(lines)
                    if not page["IsTruncated"]:
                        break
                    more = {marker: page.get(next_name) or lines[-1]}
                assert found == sorted(expected), (call, prefix, delimiter, size)
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="b/2", Delimiter="/")
    assert [found["Key"] for found in after["Contents"]] == ["d", "z", "é"]
    assert [found["Prefix"] for found in after["CommonPrefixes"]] == ["b/", "e/"]
    assert refused(s3.list_objects_v2, Bucket=bucket, ContinuationToken="?") == (400, "InvalidArgument")
    assert refused(s3.list_objects_v2, Bucket=bucket, MaxKeys=-1) == (400, "InvalidArgument")
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert "Owner" in s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]


def test_many_are_deleted_at_once(s3, bucket):
    keys = [f"k{number}" for number in range(30)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    asked = [{"Key": key} for key in [*keys[:20], "never"]]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked})
    assert [line["Key"] for line in done["Deleted"]] == [line["Key"] for line in asked]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys[20:]], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": []}) == (400, "MalformedXML")
    many = [{"Key": str(number)} for number in range(1001)]
    assert refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": many}) == (400, "MalformedXML")


def test_deletions_say_a_checksum(node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    md5 = base64.b64encode(hashlib.md5(document).digest()).decode()
    for headers, expected in [({}, 400), ({"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400), ({"Content-MD5": md5}, 200)]:
        headers = {"Content-Type": "application/xml", **headers}
        request = urllib.request.Request(f"{node.endpoint}/{bucket}?delete", data=document, method="POST", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        assert status == expected
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_copies_keep_the_kind_of_checksum(s3, bucket):
    create = dict(Bucket=bucket, Key="parts", ChecksumAlgorithm="SHA256")
    arguments = dict(Bucket=bucket, Key="parts", UploadId=s3.create_multipart_upload(**create)["UploadId"])
    part = s3.upload_part(PartNumber=1, Body=b"hello", ChecksumAlgorithm="SHA256", **arguments)
    listed = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
    s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **arguments)
    copy = dict(Bucket=bucket, Key="copy", CopySource=f"{bucket}/parts")
    result = s3.copy_object(**copy)["CopyObjectResult"]
    sha256 = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    assert (result["ChecksumSHA256"], result["ChecksumType"]) == (sha256, "FULL_OBJECT")
    assert refused(s3.copy_object, ChecksumAlgorithm="CRC7", **copy) == (400, "InvalidRequest")


def test_keys_of_clients_are_changed(s3, bucket):
    old, new = ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": letter * 32} for letter in "ab")
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **old)
    source = {f"CopySource{name}": value for name, value in old.items()}
    s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", **source, **new)
    assert body(s3, bucket, "k", **new) == b"secret"
    assert refused(s3.get_object, Bucket=bucket, Key="k", **old)[0] == 403
    # What an object is like is told to whom its content is told.
    asked = dict(Bucket=bucket, Key="k", ObjectAttributes=["ETag"])
    assert refused(s3.get_object_attributes, **asked)[0] == 400
    # Of this operation boto3 does not encode the key itself.
    key = (b"b" * 32, hashlib.md5(b"b" * 32).digest())
    key, md5 = (base64.b64encode(each).decode() for each in key)
    encoded = dict(SSECustomerAlgorithm="AES256", SSECustomerKey=key, SSECustomerKeyMD5=md5)
    assert "ETag" in s3.get_object_attributes(**asked, **encoded)


def test_copies(s3, bucket):
    data = random.Random(1).randbytes(100_000)
    s3.put_object(Bucket=bucket, Key="from", Body=data, ContentType="image/png", Metadata={"a": "1"}, Tagging="t=1")
    copied = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    s3.delete_object(Bucket=bucket, Key="from")
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == data and got["ContentType"] == "image/png" and got["Metadata"] == {"a": "1"}
    assert got["TagCount"] == 1
    source = f"{bucket}/to"
    s3.copy_object(Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    assert refused(s3.copy_object, Bucket=bucket, Key="to", CopySource=source) == (400, "InvalidRequest")
    assert refused(s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/gone") == (404, "NoSuchKey")
    failing = dict(Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"other"')
    assert refused(s3.copy_object, **failing) == (412, "PreconditionFailed")


def test_versions(s3, versioned):
    one = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    two = s3.put_object(Bucket=versioned, Key="k", Body=b"2")["VersionId"]
    assert body(s3, versioned, "k") == b"2" and body(s3, versioned, "k", VersionId=one) == b"1"
    hidden = s3.delete_object(Bucket=versioned, Key="k")
    assert hidden["DeleteMarker"] is True
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=versioned, Key="k")
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    marker = hidden["VersionId"]
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId=marker) == (405, "MethodNotAllowed")
    listed = s3.list_object_versions(Bucket=versioned)
    assert [(line["VersionId"], line["IsLatest"]) for line in listed["Versions"]] == [(two, False), (one, False)]
    assert [(line["VersionId"], line["IsLatest"]) for line in listed["DeleteMarkers"]] == [(marker, True)]
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    # Without the marker the key is back.
    gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert gone["DeleteMarker"] is True and gone["VersionId"] == marker
    assert body(s3, versioned, "k") == b"2"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=two)
    assert body(s3, versioned, "k") == b"1"
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId=two) == (404, "NoSuchVersion")
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId="nonsense") == (400, "InvalidArgument")
    copied = s3.copy_object(Bucket=versioned, Key="k", CopySource=f"{versioned}/k?versionId={one}", MetadataDirective="REPLACE")
    assert copied["CopySourceVersionId"] == one and copied["VersionId"] != one


def test_versions_without_an_id(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = s3.put_object(Bucket=bucket, Key="k", Body=b"named")["VersionId"]
    assert body(s3, bucket, "k", VersionId="null") == b"old"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"] == "null"
    listed = [line["VersionId"] for line in s3.list_object_versions(Bucket=bucket)["Versions"]]
    assert listed == ["null", named] and body(s3, bucket, "k", VersionId="null") == b"new"
    assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [line["VersionId"] for line in listed["Versions"]] == [named]
    assert [line["VersionId"] for line in listed["DeleteMarkers"]] == ["null"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert body(s3, bucket, "k") == b"named"


def test_pages_of_versions(s3, versioned):
    expected = []
    for key in ["a", "b/1", "b/2", "c"]:
        ids = [s3.put_object(Bucket=versioned, Key=key, Body=str(n))["VersionId"] for n in range(3)]
        if key == "c":
            ids.append(s3.delete_object(Bucket=versioned, Key=key)["VersionId"])
        expected += [(key, version) for version in reversed(ids)]
    for size in (1, 2, 5, 1000):
        found = []
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
        for page in pages:
            lines = page.get("Versions", []) + page.get("DeleteMarkers", [])
            found += [(line["Key"], line["VersionId"]) for line in lines]
        assert sorted(found) == sorted(expected) and len(found) == len(set(found)), size
    folded = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [line["Prefix"] for line in folded["CommonPrefixes"]] == ["b/"]
    assert len(folded["Versions"]) == 6


def test_uploads_in_parts(s3, bucket):
    parts = [random.Random(n).randbytes(5 * MIB + n) for n in range(2)] + [b"the end"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="text/x", Metadata={"m": "1"})["UploadId"]
    arguments = dict(Bucket=bucket, Key="k", UploadId=upload)
    numbers = [2, 7, 9]
    tags = {}
    for number, part in reversed(list(zip(numbers, parts))):
        tags[number] = s3.upload_part(PartNumber=number, Body=part, **arguments)["ETag"]
    s3.upload_part(PartNumber=8, Body=b"never listed", **arguments)
    listed = s3.list_parts(**arguments)
    assert [part["PartNumber"] for part in listed["Parts"]] == [2, 7, 8, 9]
    page = s3.list_parts(MaxParts=2, **arguments)
    assert page["IsTruncated"] and page["NextPartNumberMarker"] == 7
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["k"]
    done = s3.complete_multipart_upload(
        MultipartUpload={"Parts": [{"PartNumber": number, "ETag": tags[number]} for number in numbers]}, **arguments
    )
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert done["ETag"] == f'"{digest}-3"'
    whole = b"".join(parts)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == whole and got["ContentType"] == "text/x" and got["Metadata"] == {"m": "1"}
    edge = len(parts[0])
    assert body(s3, bucket, "k", Range=f"bytes={edge - 3}-{edge + 3}") == whole[edge - 3 : edge + 4]
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert second["Body"].read() == parts[1] and second["PartsCount"] == 3
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=4) == (416, "InvalidPartNumber")
    assert refused(s3.list_parts, **arguments) == (404, "NoSuchUpload")
    # Who missed the answer asks again.
    again = {"Parts": [{"PartNumber": number, "ETag": tags[number]} for number in numbers]}
    repeated = s3.complete_multipart_upload(MultipartUpload=again, **arguments)
    assert (repeated["ETag"], repeated["Key"]) == (done["ETag"], "k")
    again["Parts"].pop()
    assert refused(s3.complete_multipart_upload, MultipartUpload=again, **arguments) == (404, "NoSuchUpload")
    assert refused(s3.abort_multipart_upload, **arguments) == (404, "NoSuchUpload")
    assert body(s3, bucket, "k") == whole
    # A copy is one piece.
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")["CopyObjectResult"]["ETag"]
    assert copied == f'"{hashlib.md5(whole).hexdigest()}"' and body(s3, bucket, "copy") == whole


def test_uploads_that_are_refused(s3, bucket):
    arguments = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])
    tags = [s3.upload_part(PartNumber=number, Body=b"small", **arguments)["ETag"] for number in (1, 2)]

    def complete(*parts):
        listed = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        return refused(s3.complete_multipart_upload, MultipartUpload={"Parts": listed}, **arguments)

    assert complete((1, tags[0]), (2, tags[1])) == (400, "EntityTooSmall")
    assert complete((2, tags[1]), (1, tags[0])) == (400, "InvalidPartOrder")
    assert complete((1, tags[0]), (3, tags[1])) == (400, "InvalidPart")
    assert complete((1, '"0"')) == (400, "InvalidPart")
    assert complete() == (400, "MalformedXML")
    for number in (0, 10_001):
        assert refused(s3.upload_part, PartNumber=number, Body=b"", **arguments) == (400, "InvalidArgument")
    s3.abort_multipart_upload(**arguments)
    assert refused(s3.abort_multipart_upload, **arguments) == (404, "NoSuchUpload")
    assert refused(s3.upload_part, PartNumber=1, Body=b"", **arguments) == (404, "NoSuchUpload")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_pages_of_uploads_pass_what_is_folded(s3, bucket):
    for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    found = []
    for page in pages:
        found += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        found += [one["Key"] for one in page.get("Uploads", [])]
    assert found == ["a/", "b", "c/", "d"]


def test_uploads_outlive_a_refusal_to_delete_their_bucket(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])
    assert refused(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    tag = s3.upload_part(PartNumber=1, Body=b"goes on", **upload)["ETag"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}, **upload)
    assert body(s3, bucket, "k") == b"goes on"


@pytest.mark.parametrize(
    "trailer, expected",
    [("x-amz-checksum-crc32:NhCmhg==", 200), ("x-amz-checksum-crc32:AAAAAA==", 400), (None, 400)],
)
def test_trailers_that_are_announced_are_checked(node, bucket, trailer, expected):
    sent = b"5\r\nhello\r\n0\r\n" + (f"{trailer}\r\n".encode() if trailer else b"") + b"\r\n"
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    request = urllib.request.Request(f"{node.endpoint}/{bucket}/k", data=sent, method="PUT", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    assert status == expected


def test_parts_are_copied(s3, bucket):
    data = random.Random(5).randbytes(6 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=data)
    arguments = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])
    source = f"{bucket}/from"
    ranged = dict(CopySource=source, CopySourceRange=f"bytes=0-{5 * MIB - 1}")
    tags = [
        s3.upload_part_copy(PartNumber=1, **ranged, **arguments)["CopyPartResult"]["ETag"],
        s3.upload_part_copy(PartNumber=2, CopySource=source, **arguments)["CopyPartResult"]["ETag"],
    ]
    beyond = dict(CopySource=source, CopySourceRange=f"bytes=0-{6 * MIB}")
    assert refused(s3.upload_part_copy, PartNumber=3, **beyond, **arguments) == (400, "InvalidArgument")
    listed = [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(tags)]
    s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **arguments)
    assert body(s3, bucket, "k") == data[: 5 * MIB] + data


def test_parts_are_copied_whole(s3, bucket):
    data = random.Random(6).randbytes(5 * MIB)
    begin = lambda key: dict(Bucket=bucket, Key=key, UploadId=s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
    arguments = begin("from")
    put = [s3.upload_part(PartNumber=n, Body=piece, **arguments)["ETag"] for n, piece in enumerate([data, b"end"], 1)]
    listed = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(put, 1)]
    first = s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **arguments)
    arguments = begin("k")
    copied = []
    for number, stretch in enumerate([f"0-{5 * MIB - 1}", f"{5 * MIB}-{5 * MIB + 2}"], 1):
        source = dict(CopySource=f"{bucket}/from", CopySourceRange=f"bytes={stretch}")
        copied.append(s3.upload_part_copy(PartNumber=number, **source, **arguments)["CopyPartResult"]["ETag"])
    assert copied == put
    s3.delete_object(Bucket=bucket, Key="from")
    second = s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **arguments)
    sums = [{name: value for name, value in made.items() if name in ("ETag", "ChecksumCRC32")} for made in (first, second)]
    assert sums[0] == sums[1]
    assert body(s3, bucket, "k") == data + b"end"


# Sums of the whole that can be made of the parts': how, and of how many bytes.
SUMS = {"CRC32": (zlib.crc32, 4), "CRC32C": (checksums.crc32c, 4), "CRC64NVME": (checksums.crc64nvme, 8)}


@pytest.mark.parametrize(
    "algorithm, kind",
    [*((name, "FULL_OBJECT") for name in SUMS), *((name, "COMPOSITE") for name in ("CRC32", "CRC32C", "SHA1", "SHA256"))],
)
def test_checksums_of_uploads(s3, bucket, algorithm, kind):
    parts = [b"a" * (5 * MIB), b"b"]
    created = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (created["ChecksumAlgorithm"], created["ChecksumType"]) == (algorithm, kind)
    arguments = dict(Bucket=bucket, Key="k", UploadId=created["UploadId"])
    name = f"Checksum{algorithm}"
    listed = []
    for number, part in enumerate(parts, 1):
        done = s3.upload_part(PartNumber=number, Body=part, ChecksumAlgorithm=algorithm, **arguments)
        listed.append({"PartNumber": number, "ETag": done["ETag"], name: done[name]})
    done = s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **arguments)
    assert done["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        make, length = SUMS[algorithm]
        assert base64.b64decode(done[name]) == make(b"".join(parts)).to_bytes(length, "big")
    else:
        assert done[name].endswith("-2")
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[name] == done[name]


def test_presigned_urls(node, s3, bucket):
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b/c"}, ExpiresIn=60)
    request = urllib.request.Request(url, data=b"presigned", method="PUT")
    assert urllib.request.urlopen(request, timeout=30).status == 200
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/c"}, ExpiresIn=60)
    assert urllib.request.urlopen(url, timeout=30).read() == b"presigned"
    # By its path, without any signature, in open mode.
    with urllib.request.urlopen(f"{node.endpoint}/{bucket}/a%20b/c", timeout=30) as answer:
        assert answer.read() == b"presigned"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{node.endpoint}/{bucket}/gone", timeout=30)
    answer = caught.value.read().decode()
    assert caught.value.code == 404
    for word in ["<Code>NoSuchKey</Code>", "<Key>gone</Key>", "<RequestId>", "<HostId>"]:
        assert word in answer, answer


def test_buckets_in_hosts(node, s3, bucket):
    port = node.endpoint.rsplit(":", 1)[1]
    s3.put_object(Bucket=bucket, Key="k/1", Body=b"by host")
    request = urllib.request.Request(f"{node.endpoint}/k/1", headers={"Host": f"{bucket}.s3.localhost:{port}"})
    assert urllib.request.urlopen(request, timeout=30).read() == b"by host"


def test_streams_through_the_transfer_manager(s3, bucket):
    data = random.Random(9).randbytes(9 * MIB)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big")
    into = io.BytesIO()
    s3.download_fileobj(bucket, "big", into)
    assert into.getvalue() == data


def test_tags(s3, versioned):
    one = s3.put_object(Bucket=versioned, Key="k", Body=b"", Tagging="a=1&b=x+y")["VersionId"]
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
    s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=one, Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    tagged = s3.get_object_tagging(Bucket=versioned, Key="k")
    assert tagged["TagSet"] == [{"Key": "c", "Value": "3"}] and tagged["VersionId"] == one
    s3.delete_object_tagging(Bucket=versioned, Key="k")
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []
    many = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(11)]}
    assert refused(s3.put_object_tagging, Bucket=versioned, Key="k", Tagging=many) == (400, "BadRequest")
    twice = {"TagSet": [{"Key": "a", "Value": ""}] * 2}
    assert refused(s3.put_object_tagging, Bucket=versioned, Key="k", Tagging=twice) == (400, "InvalidTag")
    assert refused(s3.get_object_tagging, Bucket=versioned, Key="gone") == (404, "NoSuchKey")


CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"], "ExposeHeaders": ["etag"]}]}
LIFECYCLE = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]}
WEBSITE = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}


@pytest.mark.parametrize(
    "name, argument, document, missing",
    [
        ("cors", "CORSConfiguration", CORS, "NoSuchCORSConfiguration"),
        ("lifecycle_configuration", "LifecycleConfiguration", LIFECYCLE, "NoSuchLifecycleConfiguration"),
        ("website", "WebsiteConfiguration", WEBSITE, "NoSuchWebsiteConfiguration"),
        ("tagging", "Tagging", {"TagSet": [{"Key": "a", "Value": "1"}]}, "NoSuchTagSet"),
        ("logging", "BucketLoggingStatus", {}, None),
        ("notification_configuration", "NotificationConfiguration", {"EventBridgeConfiguration": {}}, None),
        ("request_payment", "RequestPaymentConfiguration", {"Payer": "Requester"}, None),
        ("accelerate_configuration", "AccelerateConfiguration", {"Status": "Enabled"}, None),
    ],
)
def test_documents(s3, bucket, name, argument, document, missing):
    get, put = getattr(s3, f"get_bucket_{name}"), getattr(s3, f"put_bucket_{name}")
    delete = getattr(s3, "delete_bucket_" + name.removesuffix("_configuration"), None)
    if missing:
        assert refused(get, Bucket=bucket) == (404, missing)
    put(Bucket=bucket, **{argument: document})
    shown = get(Bucket=bucket)
    assert {key: shown[key] for key in document} == document
    if missing:
        delete(Bucket=bucket)
        assert refused(get, Bucket=bucket) == (404, missing)
    assert refused(get, Bucket=f"gone-{uuid.uuid4()}") == (404, "NoSuchBucket")


def test_documents_with_ids(s3, bucket):
    for number in range(3):
        configuration = {"Id": f"m{number}", "Filter": {"Prefix": f"{number}/"}}
        s3.put_bucket_metrics_configuration(Bucket=bucket, Id=f"m{number}", MetricsConfiguration=configuration)
    listed = s3.list_bucket_metrics_configurations(Bucket=bucket)["MetricsConfigurationList"]
    assert [line["Id"] for line in listed] == ["m0", "m1", "m2"]
    s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="m1")
    assert refused(s3.get_bucket_metrics_configuration, Bucket=bucket, Id="m1") == (404, "NoSuchConfiguration")
    assert s3.get_bucket_metrics_configuration(Bucket=bucket, Id="m2")["MetricsConfiguration"]["Filter"] == {"Prefix": "2/"}


def test_documents_that_are_refused(s3, bucket):
    wrong = {"CORSRules": [{"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}]}
    assert refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration=wrong) == (400, "InvalidRequest")
    rules = {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}}]}
    call = dict(Bucket=bucket, LifecycleConfiguration=rules)
    assert refused(s3.put_bucket_lifecycle_configuration, **call) == (400, "InvalidRequest")
    assert refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "On"}) == (400, "MalformedXML")
    replication = {"Role": "arn:aws:iam::0:role/r", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::x"}}]}
    call = dict(Bucket=bucket, ReplicationConfiguration=replication)
    assert refused(s3.put_bucket_replication, **call) == (501, "NotImplemented")


def test_what_new_buckets_have(s3, bucket):
    controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True} and len(block) == 4
    sealing = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert [rule["ApplyServerSideEncryptionByDefault"] for rule in sealing] == [{"SSEAlgorithm": "AES256"}]
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", ACL="public-read") == (400, "AccessControlListNotSupported")
    s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_object(Bucket=bucket, Key="k", ACL="public-read")
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 2


def test_policies(s3, bucket):
    assert refused(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
        f'"Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}
    other = policy.replace(bucket, "other-bucket")
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=other) == (400, "MalformedPolicy")
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy="{}") == (400, "MalformedPolicy")
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


def test_locks(s3):
    bucket = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    now = datetime.datetime.now(datetime.timezone.utc)
    later, much_later = now + datetime.timedelta(days=1), now + datetime.timedelta(days=2)
    governed = dict(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later)
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"", **governed)["VersionId"]
    one = dict(Bucket=bucket, Key="k", VersionId=version)
    assert s3.head_object(**one)["ObjectLockMode"] == "GOVERNANCE"
    assert refused(s3.delete_object, **one) == (403, "AccessDenied")
    # A marker hides what is locked.
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    longer = {"Mode": "GOVERNANCE", "RetainUntilDate": much_later}
    s3.put_object_retention(**one, Retention=longer)
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": later}
    assert refused(s3.put_object_retention, **one, Retention=shorter) == (403, "AccessDenied")
    s3.put_object_retention(**one, Retention=shorter, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(**one, LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(**one)["LegalHold"] == {"Status": "ON"}
    assert refused(s3.delete_object, **one, BypassGovernanceRetention=True) == (403, "AccessDenied")
    s3.put_object_legal_hold(**one, LegalHold={"Status": "OFF"})
    s3.delete_object(**one, BypassGovernanceRetention=True)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == rule
    kept = s3.put_object(Bucket=bucket, Key="c", Body=b"")["VersionId"]
    assert s3.get_object_retention(Bucket=bucket, Key="c")["Retention"]["Mode"] == "COMPLIANCE"
    doomed = dict(Bucket=bucket, Key="c", VersionId=kept, BypassGovernanceRetention=True)
    assert refused(s3.delete_object, **doomed) == (403, "AccessDenied")
    suspended = {"Status": "Suspended"}
    assert refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspended) == (409, "InvalidBucketState")


def test_locks_need_a_bucket_for_them(s3, bucket):
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    call = dict(Bucket=bucket, Key="k", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later)
    assert refused(s3.put_object, **call) == (400, "InvalidRequest")
    assert refused(s3.get_object_lock_configuration, Bucket=bucket) == (404, "ObjectLockConfigurationNotFoundError")


def test_answers_say_when_an_object_goes(s3, bucket):
    expires = {"ID": "soon", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
    aborts = {"ID": "left", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [expires, aborts]})
    midnight = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = [midnight + datetime.timedelta(days=days) for days in (4, 5)]
    told = [f'expiry-date="{email.utils.format_datetime(at, usegmt=True)}", rule-id="soon"' for at in ends]
    assert s3.put_object(Bucket=bucket, Key="tmp/k", Body=b"x")["Expiration"] in told
    assert s3.head_object(Bucket=bucket, Key="tmp/k")["Expiration"] in told
    assert s3.get_object(Bucket=bucket, Key="tmp/k")["Expiration"] in told
    assert s3.copy_object(Bucket=bucket, Key="tmp/copy", CopySource=f"{bucket}/tmp/k")["Expiration"] in told
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    created = s3.create_multipart_upload(Bucket=bucket, Key="tmp/parts")
    assert created["AbortRuleId"] == "left"
    assert created["AbortDate"] in [midnight + datetime.timedelta(days=days) for days in (3, 4)]
    arguments = dict(Bucket=bucket, Key="tmp/parts", UploadId=created["UploadId"])
    part = s3.upload_part(PartNumber=1, Body=b"x", **arguments)
    assert s3.list_parts(**arguments)["AbortRuleId"] == "left"
    listed = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert s3.complete_multipart_upload(MultipartUpload=listed, **arguments)["Expiration"] in told


def test_archives_are_restored_when_they_are_asked_for(s3, bucket):
    s3.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER")
    s3.put_object(Bucket=bucket, Key="warm", Body=b"x")
    assert "Restore" not in s3.head_object(Bucket=bucket, Key="cold")
    days = {"Days": 2, "GlacierJobParameters": {"Tier": "Bulk"}}
    answer = s3.restore_object(Bucket=bucket, Key="cold", RestoreRequest=days)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    # One that lasts still only lasts longer.
    answer = s3.restore_object(Bucket=bucket, Key="cold", RestoreRequest=days)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    restored = s3.head_object(Bucket=bucket, Key="cold")["Restore"]
    midnight = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    possible = [midnight + datetime.timedelta(days=days) for days in (2, 3)]
    told = [f'ongoing-request="false", expiry-date="{email.utils.format_datetime(at, usegmt=True)}"' for at in possible]
    assert restored in told
    assert body(s3, bucket, "cold") == b"x"
    for listing, lines in [(s3.list_objects, "Contents"), (s3.list_objects_v2, "Contents"), (s3.list_object_versions, "Versions")]:
        cold, warm = listing(Bucket=bucket, OptionalObjectAttributes=["RestoreStatus"])[lines]
        assert cold["RestoreStatus"]["IsRestoreInProgress"] is False
        assert cold["RestoreStatus"]["RestoreExpiryDate"] in possible
        assert "RestoreStatus" not in warm
        assert all("RestoreStatus" not in line for line in listing(Bucket=bucket)[lines])
        unknown = dict(Bucket=bucket, OptionalObjectAttributes=["Colour"])
        assert refused(listing, **unknown) == (400, "InvalidArgument")
    refusals = [
        ("warm", days, (403, "InvalidObjectState")),
        ("gone", days, (404, "NoSuchKey")),
        ("cold", {"Days": 0}, (400, "InvalidArgument")),
        ("cold", {}, (400, "MalformedXML")),
    ]
    for key, asked, expected in refusals:
        assert refused(s3.restore_object, Bucket=bucket, Key=key, RestoreRequest=asked) == expected, key
    # What is put anew was not restored.
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/cold", StorageClass="GLACIER")
    assert "Restore" not in s3.head_object(Bucket=bucket, Key="copy")


def test_attributes(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    shown = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    )
    assert (shown["ETag"], shown["ObjectSize"]) == (put["ETag"].strip('"'), 5)
    assert shown["StorageClass"] == "STANDARD" and shown["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]
    call = dict(Bucket=bucket, Key="k", ObjectAttributes=["Colour"])
    assert refused(s3.get_object_attributes, **call) == (400, "InvalidArgument")


@pytest.mark.parametrize("size", [0, 100, 20_000, 200_000, 3 * MIB])
def test_keys_of_clients(s3, bucket, size):
    data = random.Random(size).randbytes(size)
    key, other = b"k" * 32, b"o" * 32
    ours = dict(SSECustomerAlgorithm="AES256", SSECustomerKey=key)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, **ours)
    assert put["SSECustomerAlgorithm"] == "AES256"
    assert body(s3, bucket, "k", **ours) == data
    if size:
        assert body(s3, bucket, "k", Range=f"bytes={size // 3}-{size // 2}", **ours) == data[size // 3 : size // 2 + 1]
    assert refused(s3.get_object, Bucket=bucket, Key="k") == (400, "InvalidRequest")
    wrong = dict(SSECustomerAlgorithm="AES256", SSECustomerKey=other)
    assert refused(s3.get_object, Bucket=bucket, Key="k", **wrong) == (403, "AccessDenied")
    source = dict(CopySourceSSECustomerAlgorithm="AES256", CopySourceSSECustomerKey=key)
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=f"{bucket}/k", **source)
    got = s3.get_object(Bucket=bucket, Key="plain")
    assert got["Body"].read() == data and got["ServerSideEncryption"] == "AES256"
    assert refused(s3.get_object, Bucket=bucket, Key="plain", **ours) == (400, "InvalidRequest")


def test_parts_are_sealed_with_the_key_of_their_upload(s3, bucket):
    ours = dict(SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    parts = [b"a" * (5 * MIB + 1), b"b" * 70_000]
    arguments = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k", **ours)["UploadId"])
    assert refused(s3.upload_part, PartNumber=1, Body=b"", **arguments) == (400, "InvalidRequest")
    tags = [s3.upload_part(PartNumber=n, Body=part, **arguments, **ours)["ETag"] for n, part in enumerate(parts, 1)]
    listed = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **arguments)
    assert body(s3, bucket, "k", **ours) == b"".join(parts)
    assert body(s3, bucket, "k", Range="bytes=5242870-5242890", **ours) == b"".join(parts)[5242870:5242891]
    assert refused(s3.get_object, Bucket=bucket, Key="k") == (400, "InvalidRequest")


def test_keys_of_the_node(node, s3, bucket):
    words = b"nobody may read this in the folder " * 10
    for key, size in [("short", 1), ("middling", 40), ("long", 4000)]:
        s3.put_object(Bucket=bucket, Key=key, Body=words * size)
        assert s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "AES256"
    s3.put_object(Bucket=bucket, Key="kms", Body=words, ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/mine")
    got = s3.get_object(Bucket=bucket, Key="kms")
    assert (got["ServerSideEncryption"], got["SSEKMSKeyId"]) == ("aws:kms", "alias/mine") and got["Body"].read() == words
    call = dict(Bucket=bucket, Key="k", ServerSideEncryption="rot13")
    assert refused(s3.put_object, **call) == (400, "InvalidArgument")
    for path in node.data.rglob("*"):
        if path.is_file():
            assert words[:35] not in path.read_bytes(), path


def test_pages_of_other_origins(node, s3, bucket):
    rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://a.example"], "AllowedHeaders": ["x-amz-*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{**rule, "MaxAgeSeconds": 60, "ExposeHeaders": ["etag"]}]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"shared")
    url = f"{node.endpoint}/{bucket}/k"

    def ask(method, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=30)
        except urllib.error.HTTPError as error:
            return error

    asked = dict(Access_Control_Request_Method="PUT", Access_Control_Request_Headers="x-amz-meta-a")
    answer = ask("OPTIONS", Origin="https://a.example", **asked)
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "https://a.example"
    assert answer.headers["access-control-max-age"] == "60"
    assert answer.headers["access-control-allow-headers"] == "x-amz-meta-a"
    assert ask("OPTIONS", Origin="https://evil.example", **asked).status == 403
    answer = ask("GET", Origin="https://a.example")
    assert answer.read() == b"shared" and answer.headers["access-control-expose-headers"] == "etag"
    assert ask("GET", Origin="https://evil.example").status == 403
