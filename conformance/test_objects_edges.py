"""S3's edges, as its documentation and its answers have them: conditions of every operation that takes some, pages that are asked for
strangely, uploads, versions and locks that are not what is expected of them."""

import base64
import concurrent.futures
import datetime
import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20
DAY = datetime.timedelta(days=1)


@pytest.fixture
def locked(s3):
    name = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def ask(node):
    """Asks without any library between: status, headers in lower case, body."""

    def ask(path, method="GET", data=None, headers=None):
        request = urllib.request.Request(f"{node.endpoint}/{path}", data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    return ask


def outcome(call, **arguments):
    """Nothing where it is served, else the refusal's status and code."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def upload(s3, bucket, key, *parts, **arguments):
    """An upload with its parts, and what completes it."""
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, **arguments)
    there = dict(Bucket=bucket, Key=key, UploadId=begun["UploadId"])
    sums = {name: value for name, value in arguments.items() if name == "ChecksumAlgorithm"}
    listed = []
    for number, part in enumerate(parts, 1):
        put = s3.upload_part(PartNumber=number, Body=part, **there, **sums)
        listed.append({"PartNumber": number, "ETag": put["ETag"]})
    return dict(**there, MultipartUpload={"Parts": listed})


def together(act, each):
    """Several at a time, since each waits for the disk."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(act, each))


def test_conditions_of_heads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    for arguments, expected in [
        ({"IfMatch": etag}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": '"other"'}, (412, "412")),
        ({"IfNoneMatch": etag}, (304, "304")),
        ({"IfNoneMatch": '"other"'}, None),
        ({"IfModifiedSince": modified}, (304, "304")),
        ({"IfModifiedSince": modified - DAY}, None),
        ({"IfUnmodifiedSince": modified - DAY}, (412, "412")),
        ({"IfMatch": etag, "IfUnmodifiedSince": modified - DAY}, None),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": modified}, None),
    ]:
        assert outcome(s3.head_object, Bucket=bucket, Key="k", **arguments) == expected, arguments


def test_conditions_of_copies(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="from", Body=b"x")["ETag"]
    there = s3.put_object(Bucket=bucket, Key="there", Body=b"y")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="from")["LastModified"]
    failed = (412, "PreconditionFailed")
    for key, arguments, expected in [
        ("k", {"CopySourceIfMatch": etag}, None),
        ("k", {"CopySourceIfMatch": '"other"'}, failed),
        ("k", {"CopySourceIfNoneMatch": etag}, failed),
        ("k", {"CopySourceIfNoneMatch": '"other"'}, None),
        ("k", {"CopySourceIfModifiedSince": modified}, failed),
        ("k", {"CopySourceIfModifiedSince": modified - DAY}, None),
        ("k", {"CopySourceIfUnmodifiedSince": modified - DAY}, failed),
        ("k", {"CopySourceIfUnmodifiedSince": modified}, None),
        ("new", {"IfNoneMatch": "*"}, None),
        ("there", {"IfNoneMatch": "*"}, failed),
        ("there", {"IfMatch": '"other"'}, failed),
        ("absent", {"IfMatch": there}, (404, "NoSuchKey")),
        ("there", {"IfMatch": there}, None),
        ("k", {"MetadataDirective": "SWAP"}, (400, "InvalidArgument")),
        ("k", {"TaggingDirective": "SWAP"}, (400, "InvalidArgument")),
    ]:
        copied = outcome(s3.copy_object, Bucket=bucket, Key=key, CopySource=f"{bucket}/from", **arguments)
        assert copied == expected, arguments


def test_conditions_of_completed_uploads(s3, bucket):
    there = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    complete = upload(s3, bucket, "k", b"part")
    for arguments, expected in [
        ({"IfNoneMatch": "*"}, (412, "PreconditionFailed")),
        ({"IfMatch": '"other"'}, (412, "PreconditionFailed")),
        ({"MpuObjectSize": 5}, (400, "InvalidRequest")),
        # Whoever was refused may try again.
        ({"IfMatch": there}, None),
    ]:
        assert outcome(s3.complete_multipart_upload, **complete, **arguments) == expected, arguments
    absent = upload(s3, bucket, "absent", b"part")
    assert outcome(s3.complete_multipart_upload, IfMatch=there, **absent) == (404, "NoSuchKey")
    assert outcome(s3.complete_multipart_upload, IfNoneMatch="*", **absent) is None


def test_what_is_hidden_is_not_there_for_conditions(s3, versioned):
    etag = s3.put_object(Bucket=versioned, Key="k", Body=b"x")["ETag"]
    s3.delete_object(Bucket=versioned, Key="k")
    put = dict(Bucket=versioned, Key="k", Body=b"y")
    assert outcome(s3.put_object, IfMatch=etag, **put) == (404, "NoSuchKey")
    assert outcome(s3.put_object, IfNoneMatch='"x"', **put) == (501, "NotImplemented")
    assert outcome(s3.put_object, IfNoneMatch="*", **put) is None
    assert outcome(s3.put_object, IfNoneMatch="*", **put) == (412, "PreconditionFailed")


def test_conditions_of_deletions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    assert outcome(s3.delete_object, Bucket=bucket, Key="k", IfMatch='"other"') == (412, "PreconditionFailed")
    objects = [{"Key": "k", "ETag": '"other"'}]
    [error] = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Errors"]
    assert (error["Key"], error["Code"]) == ("k", "PreconditionFailed")
    [deleted] = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": etag}]})["Deleted"]
    assert deleted["Key"] == "k"
    assert outcome(s3.delete_object, Bucket=bucket, Key="k") is None


@pytest.mark.parametrize(
    "query, status",
    [
        ("list-type=2&encoding-type=x", 400),
        ("list-type=2&max-keys=abc", 400),
        ("list-type=2&max-keys=-1", 400),
        ("list-type=2&max-keys=", 400),
        ("list-type=2&continuation-token=", 400),
        ("list-type=2&continuation-token=nonsense", 400),
        ("versions&version-id-marker=x", 400),
        ("versions&max-keys=x", 400),
        ("uploads&max-uploads=x", 400),
        ("list-type=2&max-keys=0", 200),
        ("list-type=2", 200),
    ],
)
def test_pages_that_are_asked_for_wrongly(s3, bucket, ask, query, status):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    got, _, answer = ask(f"{bucket}?{query}")
    assert got == status, answer
    if status == 400:
        assert b"<Code>InvalidArgument</Code>" in answer


def test_logs_need_a_place(s3, bucket):
    def log(target):
        status = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "logs/"}}
        return outcome(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=status)

    assert log(f"b-{uuid.uuid4()}") == (400, "InvalidTargetBucketForLogging")
    assert log(bucket) is None
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]["TargetPrefix"] == "logs/"


def test_pages_of_thousands(s3, bucket):
    names = [f"{number:04}" for number in range(1_003)]
    together(lambda name: s3.put_object(Bucket=bucket, Key=name, Body=b""), names)
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2_000)
    assert (page["MaxKeys"], page["KeyCount"], page["IsTruncated"]) == (1_000, 1_000, True)
    # A token weighs more than where to start.
    rest = s3.list_objects_v2(Bucket=bucket, StartAfter="0001", ContinuationToken=page["NextContinuationToken"])
    assert [line["Key"] for line in page["Contents"] + rest["Contents"]] == names
    assert [line["Key"] for line in s3.list_objects(Bucket=bucket, Marker="1000")["Contents"]] == names[1_001:]


def test_versioned_buckets_are_emptied(s3, versioned):
    def fill(number):
        for _ in range(3):
            s3.put_object(Bucket=versioned, Key=f"{number:03}", Body=b"")
        if number % 7 == 0:
            s3.delete_object(Bucket=versioned, Key=f"{number:03}")

    together(fill, range(350))
    # Page by page, each gone before the next is asked for.
    gone = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=versioned):
        lines = page.get("Versions", []) + page.get("DeleteMarkers", [])
        objects = [{"Key": line["Key"], "VersionId": line["VersionId"]} for line in lines]
        answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
        assert "Errors" not in answer
        gone += len(answer["Deleted"])
    assert gone == 350 * 3 + 50
    s3.delete_bucket(Bucket=versioned)


def test_pages_of_parts(s3, bucket):
    complete = upload(s3, bucket, "k", *[b"x"] * 5)
    there = {name: complete[name] for name in ("Bucket", "Key", "UploadId")}
    page = s3.list_parts(MaxParts=2, **there)
    assert [part["PartNumber"] for part in page["Parts"]] == [1, 2]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 2, 2)
    page = s3.list_parts(PartNumberMarker=4, **there)
    assert ([part["PartNumber"] for part in page["Parts"]], page["IsTruncated"]) == ([5], False)
    assert "Parts" not in s3.list_parts(PartNumberMarker=5, **there)
    assert not s3.list_parts(MaxParts=0, **there)["IsTruncated"]


def test_pages_of_uploads(s3, bucket):
    begun = [(key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in "aabbc"]
    seen, marker = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **marker)
        seen += [(line["Key"], line["UploadId"]) for line in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        marker = dict(KeyMarker=page["NextKeyMarker"], UploadIdMarker=page["NextUploadIdMarker"])
    assert sorted(seen) == sorted(begun)


@pytest.mark.parametrize(
    "lengths, status, code",
    [
        ({"Content-Length": str((5 << 30) + 1)}, 400, "EntityTooLarge"),
        ({}, 411, "MissingContentLength"),
    ],
)
def test_bodies_are_refused_by_their_heads(node, bucket, lengths, status, code):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(node.endpoint).netloc, timeout=60)
    connection.putrequest("PUT", f"/{bucket}/k")
    headers = lengths or {"Transfer-Encoding": "chunked"}
    for name, value in {**headers, "Expect": "100-continue"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, f"<Code>{code}</Code>" in answer.read().decode()) == (status, True)


def test_parts_that_are_not_what_was_put(node, s3, bucket):
    small = upload(s3, bucket, "small", b"x" * (5 * MIB - 1), b"x")
    assert outcome(s3.complete_multipart_upload, **small) == (400, "EntityTooSmall")
    wrong = upload(s3, bucket, "wrong", b"x", ChecksumAlgorithm="SHA256")
    [part] = wrong["MultipartUpload"]["Parts"]
    part["ChecksumSHA256"] = "A" * 43 + "="
    assert outcome(s3.complete_multipart_upload, **wrong) == (400, "InvalidPart")
    # A sum of the parts' sums is completed with each of them, and made of parts that say theirs.
    del part["ChecksumSHA256"]
    with pytest.raises(ClientError, match="was created using a sha256 checksum. .* It was missing for part 1 in the request"):
        s3.complete_multipart_upload(**wrong)
    with pytest.raises(ClientError, match="expected checksum Type: sha256, actual checksum Type: crc32"):
        s3.upload_part(Bucket=bucket, Key="wrong", UploadId=wrong["UploadId"], PartNumber=2, Body=b"x", ChecksumAlgorithm="CRC32")
    silent = node.client("s3", s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
    with pytest.raises(ClientError, match="expected checksum Type: sha256, actual checksum Type: null"):
        silent.upload_part(Bucket=bucket, Key="wrong", UploadId=wrong["UploadId"], PartNumber=2, Body=b"x")
    create = dict(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC64NVME", ChecksumType="COMPOSITE")
    assert outcome(s3.create_multipart_upload, **create) == (400, "InvalidRequest")
    create.update(ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT")
    assert outcome(s3.create_multipart_upload, **create) == (400, "InvalidRequest")


def test_versions_that_are_gone_or_markers(s3, versioned):
    put = s3.put_object(Bucket=versioned, Key="k", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    hidden, named = dict(Bucket=versioned, Key="k"), dict(Bucket=versioned, Key="k", VersionId=marker)
    with pytest.raises(ClientError) as caught:
        s3.get_object(**named)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["allow"], headers["x-amz-version-id"]) == ("true", "DELETE", marker)
    for call, arguments, expected in [
        (s3.get_object, hidden, (404, "NoSuchKey")),
        (s3.head_object, hidden, (404, "404")),
        (s3.get_object, named, (405, "MethodNotAllowed")),
        (s3.head_object, named, (405, "405")),
        (s3.get_object_tagging, named, (405, "MethodNotAllowed")),
        (s3.put_object_tagging, {**named, "Tagging": {"TagSet": []}}, (405, "MethodNotAllowed")),
        (s3.get_object_acl, named, (405, "MethodNotAllowed")),
        (s3.get_object_attributes, {**named, "ObjectAttributes": ["ETag"]}, (405, "MethodNotAllowed")),
        (s3.copy_object, {**hidden, "CopySource": f"{versioned}/k"}, (404, "NoSuchKey")),
        (s3.copy_object, {**hidden, "CopySource": f"{versioned}/k?versionId={marker}"}, (400, "InvalidRequest")),
        (s3.get_object, {**hidden, "VersionId": "nonsense"}, (400, "InvalidArgument")),
    ]:
        assert outcome(call, **arguments) == expected, (call.__name__, arguments)
    objects = [{"Key": "k", "VersionId": marker}, {"Key": "new"}]
    gone, made = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})["Deleted"]
    assert (gone["VersionId"], gone["DeleteMarker"], gone["DeleteMarkerVersionId"]) == (marker, True, marker)
    assert made["DeleteMarker"] and "VersionId" not in made
    assert s3.head_object(**hidden)["VersionId"] == put
    # One that is gone already is gone.
    answer = s3.delete_object(**named)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["VersionId"]) == (204, marker)


def test_locks_hold(s3, locked):
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    later, latest = now + DAY, now + 2 * DAY
    there = dict(Bucket=locked, Key="k")
    version = s3.put_object(Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later, **there)["VersionId"]

    def retain(mode, until, **more):
        retention = {"Mode": mode, "RetainUntilDate": until}
        return outcome(s3.put_object_retention, Retention=retention, **there, **more)

    denied, bypass = (403, "AccessDenied"), dict(BypassGovernanceRetention=True)
    assert retain("GOVERNANCE", now) == (400, "InvalidArgument")
    assert retain("FOREVER", latest) in [(400, "InvalidArgument"), (400, "MalformedXML")]
    assert retain("GOVERNANCE", latest) is None
    assert retain("GOVERNANCE", later) == denied
    # Nobody makes a version undeletable for good without the right to.
    assert retain("COMPLIANCE", latest) == denied
    assert outcome(s3.delete_object, VersionId=version, **there) == denied
    objects = {"Objects": [{"Key": "k", "VersionId": version}]}
    [error] = s3.delete_objects(Bucket=locked, Delete=objects)["Errors"]
    assert (error["Key"], error["VersionId"], error["Code"]) == ("k", version, "AccessDenied")
    assert retain("COMPLIANCE", later, **bypass) is None
    assert retain("COMPLIANCE", now + DAY / 2, **bypass) == denied
    assert retain("GOVERNANCE", latest, **bypass) == denied
    assert outcome(s3.delete_object, VersionId=version, **there, **bypass) == denied
    assert retain("COMPLIANCE", latest) is None


def test_what_locks_must_say(node, s3, locked):
    later = datetime.datetime.now(datetime.UTC) + DAY
    wrong = (400, "InvalidArgument")
    for arguments, expected in [
        ({"ObjectLockMode": "GOVERNANCE"}, wrong),
        ({"ObjectLockRetainUntilDate": later}, wrong),
        ({"ObjectLockMode": "FOREVER", "ObjectLockRetainUntilDate": later}, wrong),
        ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later - 2 * DAY}, wrong),
        ({"ObjectLockLegalHoldStatus": "PERHAPS"}, wrong),
    ]:
        assert outcome(s3.put_object, Bucket=locked, Key="k", Body=b"x", **arguments) == expected, arguments
    # What cannot be taken back must not come damaged unnoticed.
    silent = node.client("s3", s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
    lock, there = dict(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later), dict(Bucket=locked, Key="k", Body=b"x")
    md5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    for more, expected in [(lock, (400, "InvalidRequest")), ({"ObjectLockLegalHoldStatus": "OFF"}, (400, "InvalidRequest")),
                           ({}, None), ({**lock, "ContentMD5": md5}, None)]:
        assert outcome(silent.put_object, **there, **more) == expected, more

    def default(**retention):
        rule = {"DefaultRetention": retention}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        return outcome(s3.put_object_lock_configuration, Bucket=locked, ObjectLockConfiguration=configuration)

    assert default(Mode="GOVERNANCE", Days=1, Years=1) == (400, "MalformedXML")
    assert default(Mode="GOVERNANCE") == (400, "MalformedXML")
    assert default(Days=1) == (400, "MalformedXML")
    assert default(Mode="GOVERNANCE", Days=0)[0] == 400
    assert default(Mode="GOVERNANCE", Days=36_501)[0] == 400
    assert default(Mode="GOVERNANCE", Years=1) is None
    # All ways in which an object comes get it.
    s3.put_object(Bucket=locked, Key="put", Body=b"x")
    s3.copy_object(Bucket=locked, Key="copied", CopySource=f"{locked}/put")
    s3.complete_multipart_upload(**upload(s3, locked, "parts", b"x"))
    for key in ("put", "copied", "parts"):
        until = s3.get_object_retention(Bucket=locked, Key=key)["Retention"]["RetainUntilDate"]
        assert datetime.timedelta(days=364) < until - datetime.datetime.now(datetime.UTC) < datetime.timedelta(days=366), key


@pytest.mark.parametrize(
    "path, method, status, code",
    [
        ("k?torrent", "GET", 501, "NotImplemented"),
        ("k?select&select-type=2", "POST", 501, "NotImplemented"),
        ("k?renameObject", "PUT", 501, "NotImplemented"),
        ("k", "PATCH", 405, "MethodNotAllowed"),
    ],
)
def test_what_is_not_served_says_so(s3, bucket, ask, path, method, status, code):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    sent = {"data": b"", "headers": {"Content-Type": "application/xml"}} if method != "GET" else {}
    got, _, answer = ask(f"{bucket}/{path}", method, **sent)
    assert (got, f"<Code>{code}</Code>" in answer.decode()) == (status, True), answer


@pytest.mark.parametrize("word", ["cors", "lifecycle", "tagging", "website", "encryption", "versioning", "acl", "delete"])
def test_documents_that_are_none(bucket, ask, word):
    document = b"<Open"
    md5 = base64.b64encode(hashlib.md5(document).digest()).decode()
    headers = {"Content-MD5": md5, "Content-Type": "application/xml"}
    got, _, answer = ask(f"{bucket}?{word}", "POST" if word == "delete" else "PUT", document, headers)
    assert (got, b"<Code>MalformedXML</Code>" in answer) == (400, True), answer
