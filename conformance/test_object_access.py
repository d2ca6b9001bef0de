"""Who may do what with buckets and objects where calls are authorised: policies, their conditions, public access blocks, lists."""

import datetime
import json
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from email.utils import formatdate

import boto3
import pytest
from botocore.auth import HmacV1Auth
from botocore.config import Config
from botocore.exceptions import ClientError

OPEN = dict(BlockPublicAcls=False, IgnorePublicAcls=False, BlockPublicPolicy=False, RestrictPublicBuckets=False)
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture(scope="module")
def owner(guarded):
    return guarded.root_client("s3", s3={"addressing_style": "path"})


@pytest.fixture
def shut(owner):
    """A bucket as it is made."""
    name = f"b-{uuid.uuid4()}"
    owner.create_bucket(Bucket=name)
    owner.put_object(Bucket=name, Key="open/k", Body=b"for all")
    return name


@pytest.fixture
def bucket(owner, shut):
    """One without a block."""
    block(owner, shut)
    return shut


@pytest.fixture
def stranger(guarded):
    """Asks without any signature: the status, and what was read."""

    def ask(path, method="GET", data=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{guarded.endpoint}/{path}", data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return ask


def block(owner, bucket, **blocked):
    owner.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**OPEN, **blocked})


def owned(owner, bucket, ownership):
    owner.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]}
    )


def statement(bucket, *actions, resource="/*", **more):
    resource = f"arn:aws:s3:::{bucket}{resource}"
    return {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resource, **more}


def policy(owner, bucket, *statements):
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_strangers_have_what_a_policy_gives(owner, shut, stranger):
    assert stranger(f"{shut}/open/k")[0] == 403
    # New buckets let nobody be everybody.
    with pytest.raises(ClientError) as caught:
        policy(owner, shut, statement(shut, "s3:GetObject"))
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    block(owner, shut)
    policy(owner, shut, statement(shut, "s3:GetObject", resource="/open/*"))
    assert stranger(f"{shut}/open/k") == (200, b"for all")
    # Nor may anybody without a name say what is made of it.
    status, answer = stranger(f"{shut}/open/k?response-content-type=text/html")
    assert status == 400 and b"<Code>InvalidRequest</Code>" in answer
    owner.put_object(Bucket=shut, Key="shut/k", Body=b"for few")
    for path, method in [("shut/k", "GET"), ("open/k", "PUT"), ("open/k", "DELETE"), ("?list-type=2", "GET")]:
        status, answer = stranger(f"{shut}/{path}", method, b"x" if method == "PUT" else None)
        assert status == 403 and b"<Code>AccessDenied</Code><Message>Access Denied</Message>" in answer, (path, method)
    # The block counts at once, and what was given is given again without it.
    block(owner, shut, RestrictPublicBuckets=True)
    assert stranger(f"{shut}/open/k")[0] == 403
    assert owner.get_object(Bucket=shut, Key="open/k")["Body"].read() == b"for all"
    owner.delete_public_access_block(Bucket=shut)
    assert stranger(f"{shut}/open/k")[0] == 200
    assert b"<Code>NoSuchBucket</Code>" in stranger(f"{shut}-not-there/k")[1]


def test_strangers_may_list_and_write_where_they_are_let(owner, bucket, stranger):
    policy(owner, bucket, statement(bucket, "s3:ListBucket", resource=""))
    status, listing = stranger(f"{bucket}?list-type=2")
    assert status == 200 and b"<Key>open/k</Key>" in listing
    policy(owner, bucket, statement(bucket, "s3:PutObject", resource="/in/*"))
    assert stranger(f"{bucket}/in/k", "PUT", b"sent")[0] == 200
    assert stranger(f"{bucket}/out/k", "PUT", b"sent")[0] == 403
    assert owner.get_object(Bucket=bucket, Key="in/k")["Body"].read() == b"sent"


def test_that_there_is_nothing_is_told_to_who_may_list(owner, bucket, stranger):
    read = statement(bucket, "s3:GetObject", "s3:GetObjectVersion")
    policy(owner, bucket, read)
    assert stranger(f"{bucket}/nothing")[0] == 403
    policy(owner, bucket, read, statement(bucket, "s3:ListBucket", resource=""))
    status, answer = stranger(f"{bucket}/nothing")
    assert status == 404 and b"<Code>NoSuchKey</Code>" in answer


def test_restriction_keeps_denials(owner, bucket):
    deny = statement(bucket, "s3:DeleteObject", Effect="Deny")
    policy(owner, bucket, statement(bucket, "s3:GetObject"), deny)
    block(owner, bucket, RestrictPublicBuckets=True)
    assert refusal(owner.delete_object, Bucket=bucket, Key="open/k") == "AccessDenied"


def test_owners_are_held_to_what_is_denied(owner, bucket):
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    policy(owner, bucket, statement(bucket, "s3:GetObject", Effect="Deny", Condition=plain))
    with pytest.raises(ClientError) as caught:
        owner.get_object(Bucket=bucket, Key="open/k")
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert error["Message"] == (
        "User: arn:aws:iam::000000000000:root is not authorized to perform: s3:GetObject on resource: "
        f'"arn:aws:s3:::{bucket}/open/k" with an explicit deny in a resource-based policy'
    )
    owner.delete_bucket_policy(Bucket=bucket)
    assert owner.get_object(Bucket=bucket, Key="open/k")["Body"].read() == b"for all"


def test_status_says_whether_a_policy_is_public(owner, bucket):
    def status(**more):
        policy(owner, bucket, statement(bucket, "s3:GetObject", **more))
        return owner.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]

    assert status() is True
    assert status(Condition={"Bool": {"aws:SecureTransport": "true"}}) is True
    assert status(Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}) is False
    assert status(Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}) is True
    assert status(Principal={"AWS": "arn:aws:iam::000000000000:root"}) is False


def test_conditions_on_what_is_listed(owner, bucket, stranger):
    prefix = {"StringLike": {"s3:prefix": ["open/*"]}, "NumericLessThanEquals": {"s3:max-keys": "10"}}
    policy(owner, bucket, statement(bucket, "s3:ListBucket", resource="", Condition=prefix))
    for query, status in [
        ("prefix=open/&max-keys=10", 200),
        ("prefix=open/&max-keys=11", 403),
        ("prefix=open/", 403),
        ("prefix=shut/&max-keys=10", 403),
        ("max-keys=10", 403),
    ]:
        assert stranger(f"{bucket}?list-type=2&{query}")[0] == status, query


def test_conditions_on_what_is_put(owner, bucket, stranger):
    sealed = {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    tagged = {"StringEquals": {"s3:RequestObjectTag/team": "a"}}
    policy(
        owner,
        bucket,
        statement(bucket, "s3:PutObject", resource="/sealed/*", Condition=sealed),
        statement(bucket, "s3:PutObject", "s3:PutObjectTagging", resource="/tagged/*", Condition=tagged),
        statement(bucket, "s3:PutObject", resource="/plain/*"),
    )
    for path, headers, status in [
        ("sealed/k", {"x_amz_server_side_encryption": "AES256"}, 200),
        ("sealed/k", {}, 403),
        ("tagged/k", {"x_amz_tagging": "team=a"}, 200),
        ("tagged/k", {"x_amz_tagging": "team=b"}, 403),
        ("plain/k", {}, 200),
        # To tag, or to say who else may, is a right of its own.
        ("plain/k", {"x_amz_tagging": "team=a"}, 403),
        ("plain/k", {"x_amz_acl": "bucket-owner-full-control"}, 403),
    ]:
        assert stranger(f"{bucket}/{path}", "PUT", b"x", **headers)[0] == status, (path, headers)


def test_conditions_on_tags_that_are_there(owner, bucket, stranger):
    free = {"StringEquals": {"s3:ExistingObjectTag/access": "free"}}
    policy(owner, bucket, statement(bucket, "s3:GetObject", Condition=free))
    assert stranger(f"{bucket}/open/k")[0] == 403
    owner.put_object_tagging(
        Bucket=bucket, Key="open/k", Tagging={"TagSet": [{"Key": "access", "Value": "free"}]}
    )
    assert stranger(f"{bucket}/open/k") == (200, b"for all")
    owner.delete_object_tagging(Bucket=bucket, Key="open/k")
    assert stranger(f"{bucket}/open/k")[0] == 403


def test_conditions_on_how_a_request_came(guarded, owner, bucket, stranger):
    def denied(**condition):
        denial = statement(bucket, "s3:GetObject", Condition=condition)
        policy(owner, bucket, statement(bucket, "s3:GetObject"), {**denial, "Effect": "Deny"})

    signer = guarded.root_client("s3", signature_version="s3v4", s3={"addressing_style": "path"})
    link = signer.generate_presigned_url("get_object", Params=dict(Bucket=bucket, Key="open/k"))
    link = link.removeprefix(f"{guarded.endpoint}/")
    header = dict(Bucket=bucket, Key="open/k")

    denied(StringEquals={"s3:authType": "REST-QUERY-STRING"})
    assert stranger(link)[0] == 403
    assert owner.get_object(**header)["Body"].read() == b"for all"
    denied(StringEquals={"s3:authType": "REST-HEADER"})
    assert stranger(link)[0] == 200
    assert refusal(owner.get_object, **header) == "AccessDenied"

    # Negative ages there are none: a link is as old as its signature, and headers have no age.
    denied(NumericGreaterThanEquals={"s3:signatureAge": "0"})
    assert stranger(link)[0] == 403
    assert owner.get_object(**header)["Body"].read() == b"for all"
    denied(NumericGreaterThan={"s3:signatureAge": "86400000"})
    assert stranger(link)[0] == 200

    denied(StringNotLike={"aws:Referer": "https://mine.example/*"})
    assert stranger(f"{bucket}/open/k")[0] == 403
    assert stranger(f"{bucket}/open/k", Referer="https://other.example/")[0] == 403
    assert stranger(f"{bucket}/open/k", Referer="https://mine.example/page")[0] == 200


# Without a word about it, boto3 signs links and forms the old way in the first region.
@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_links_are_good_for_what_was_signed(guarded, owner, shut, stranger, version, style):
    signer = guarded.root_client("s3", signature_version=version, s3={"addressing_style": style})
    port = guarded.endpoint.rpartition(":")[2]
    at = "s3.localhost" if style == "virtual" else "localhost"
    signer = boto3.client(
        "s3", endpoint_url=f"http://{at}:{port}", region_name="us-east-1", **guarded.root_keys(), config=signer.meta.config
    )

    def ask(link, method="GET", data=None, **headers):
        url = urllib.parse.urlsplit(link)
        host = {"Host": url.netloc}
        return stranger(url._replace(scheme="", netloc="").geturl().lstrip("/"), method, data, **host, **headers)

    def link(operation, expires=600, **arguments):
        return signer.generate_presigned_url(operation, Params=dict(Bucket=shut, **arguments), ExpiresIn=expires)

    good = link("get_object", Key="open/k", ResponseContentType="text/plain")
    assert ask(good) == (200, b"for all")
    assert ask(link("put_object", Key="a b+c", ContentType="text/x"), "PUT", b"put", Content_Type="text/x")[0] == 200
    assert ask(link("get_object", Key="a b+c")) == (200, b"put")
    assert b"<KeyCount>1</KeyCount>" in ask(link("list_objects_v2", Prefix="a"))[1]

    told = dict(Metadata={"a": "b c"}, ACL="bucket-owner-full-control")
    said = link("put_object", Key="said", ContentType="text/x", **told)
    # Of a link that is signed in the newer way these are headers that must be sent, unless the client hides them in it.
    sent = {} if version == "s3" else {"x_amz_meta_a": "b c", "x_amz_acl": "bucket-owner-full-control"}
    assert ask(said, "PUT", b"x", Content_Type="text/x", **sent)[0] == 200
    assert owner.head_object(Bucket=shut, Key="said")["Metadata"] == {"a": "b c"}

    def code(answer):
        status, body = answer
        assert status == 403
        return re.search("<Code>(.*)</Code>", body.decode()).group(1)

    assert code(ask(good.replace("text%2Fplain", "text%2Fhtml"))) == "SignatureDoesNotMatch"
    assert code(ask(good.replace("open/k", "a%20b%2Bc"))) == "SignatureDoesNotMatch"
    assert code(ask(good, "DELETE")) == "SignatureDoesNotMatch"
    assert code(ask(good, x_amz_meta_a="1")) in ("SignatureDoesNotMatch", "AccessDenied")
    assert code(ask(good + "&acl")) == "SignatureDoesNotMatch"
    if version == "s3":
        # What was signed as a header and what stands in the link is signed alike: a copy stays one, whatever is sent with it.
        copy = link("copy_object", Key="copied", CopySource=f"{shut}/open/k", ContentType="text/x")
        status, answer = ask(copy, "PUT", b"other", Content_Type="text/x")
        assert status == 200 and b"<CopyObjectResult" in answer, answer
        assert owner.get_object(Bucket=shut, Key="copied")["Body"].read() == b"for all"
        assert code(ask(link("get_object", expires=-10, Key="open/k"))) == "AccessDenied"
    unknown = good.replace(guarded.root_keys()["aws_access_key_id"], "AKIAIOSFODNN7EXAMPLE")
    assert code(ask(unknown)) == "InvalidAccessKeyId"
    # Words that the old way does not sign would let whoever has the link do something else with it.
    assert code(ask(link("put_object", Key="a b+c") + "&retention", "PUT", b"")) in ("SignatureDoesNotMatch", "AccessDenied")


# What knows no other signs its headers the old way; boto3 does if it is told to.
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_headers_of_the_old_way_are_good_for_what_was_signed(guarded, owner, shut, stranger, style, monkeypatch):
    port = guarded.endpoint.rpartition(":")[2]
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve(
        "127.0.0.1" if str(host).endswith("localhost") else host, *rest, **more))
    at = "s3.localhost" if style == "virtual" else "localhost"

    def client(**keys):
        config = Config(signature_version="s3", s3={"addressing_style": style}, retries={"max_attempts": 0})
        return boto3.client("s3", endpoint_url=f"http://{at}:{port}", region_name="us-east-1",
                            **{**guarded.root_keys(), **keys}, config=config)

    old, here = client(), dict(Bucket=shut)
    old.put_object(**here, Key="a b+c/é", Body=b"put", ContentType="text/x", Metadata={"a": "b  c"})
    got = old.get_object(**here, Key="a b+c/é", ResponseContentLanguage="de", Range="bytes=1-")
    assert (got["Body"].read(), got["Metadata"], got["ContentLanguage"]) == (b"ut", {"a": "b  c"}, "de")
    assert [found["Key"] for found in old.list_objects_v2(**here, Prefix="a b", MaxKeys=5)["Contents"]] == ["a b+c/é"]
    assert shut in [found["Name"] for found in old.list_buckets()["Buckets"]]
    upload = dict(**here, Key="parts", UploadId=old.create_multipart_upload(**here, Key="parts")["UploadId"])
    part = {"PartNumber": 1, "ETag": old.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]}
    old.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    old.copy_object(**here, Key="copy", CopySource={"Bucket": shut, "Key": "parts"})
    old.put_object_tagging(**here, Key="copy", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert owner.get_object(**here, Key="copy")["Body"].read() == b"part"
    old.delete_objects(**here, Delete={"Objects": [{"Key": key} for key in ("copy", "parts", "a b+c/é")]})
    assert refusal(owner.head_object, **here, Key="copy") == "404"

    assert refusal(client(aws_secret_access_key="other").get_object, **here, Key="open/k") == "SignatureDoesNotMatch"
    assert refusal(client(aws_access_key_id="AKIAIOSFODNN7EXAMPLE").get_object, **here, Key="open/k") == "InvalidAccessKeyId"
    # Words that the old way does not sign would let whoever stands between do something else.
    assert refusal(old.get_object_legal_hold, **here, Key="open/k") == "AccessDenied"
    # Policies know it by its name.
    denial = {**statement(shut, "s3:GetObject", Condition={"StringEquals": {"s3:signatureversion": "AWS"}}), "Effect": "Deny"}
    policy(owner, shut, denial)
    assert refusal(old.get_object, **here, Key="open/k") == "AccessDenied"
    assert owner.get_object(**here, Key="open/k")["Body"].read() == b"for all"
    owner.delete_bucket_policy(**here)

    monkeypatch.setattr(HmacV1Auth, "_get_date", lambda self: formatdate(time.time() - 16 * 60, usegmt=True))
    assert refusal(old.get_object, **here, Key="open/k") == "RequestTimeTooSkewed"
    for header, expected in [("AWS nobody", 400), ("AWS nobody:nothing", 403)]:
        assert stranger(f"{shut}/open/k", Authorization=header)[0] == expected


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_forms_are_good_for_what_was_signed(guarded, owner, shut, version):
    signer = guarded.root_client("s3", signature_version=version, s3={"addressing_style": "path"})
    form = signer.generate_presigned_post(shut, "posted", Fields={"success_action_status": "201"},
                                          Conditions=[{"success_action_status": "201"}])

    def post(fields):
        body, boundary = b"", "boundary"
        for name, value in [*fields.items(), ("file", "posted")]:
            body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        body += f"--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(form["url"], data=body, headers=headers), timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    assert post(form["fields"]) == 201
    assert owner.get_object(Bucket=shut, Key="posted")["Body"].read() == b"posted"
    signature = "signature" if version == "s3" else "x-amz-signature"
    assert post({**form["fields"], signature: "A" * len(form["fields"][signature])}) == 403


def test_versions_are_a_right_of_their_own(owner, bucket, stranger):
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = owner.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    second = owner.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    policy(owner, bucket, statement(bucket, "s3:GetObject"))
    assert [stranger(f"{bucket}/k")[0], stranger(f"{bucket}/k?versionId={first}")[0]] == [200, 403]
    one = {"StringEquals": {"s3:VersionId": first}}
    policy(owner, bucket, statement(bucket, "s3:GetObjectVersion", Condition=one))
    assert stranger(f"{bucket}/k?versionId={first}") == (200, b"first")
    assert [stranger(f"{bucket}/k")[0], stranger(f"{bucket}/k?versionId={second}")[0]] == [403, 403]


def test_conditions_on_locks(owner):
    bucket = f"b-{uuid.uuid4()}"
    owner.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    long = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
    policy(owner, bucket, statement(bucket, "s3:PutObjectRetention", Effect="Deny", Condition=long))
    owner.put_object(Bucket=bucket, Key="k", Body=b"x")
    now = datetime.datetime.now(datetime.timezone.utc)

    def retain(days):
        until = now + datetime.timedelta(days=days)
        owner.put_object_retention(
            Bucket=bucket, Key="k", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until}
        )

    retain(9)
    with pytest.raises(ClientError) as caught:
        retain(12)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_lists_open_objects_unless_they_are_ignored(owner, bucket, stranger):
    owned(owner, bucket, "BucketOwnerPreferred")
    owner.put_object(Bucket=bucket, Key="listed", Body=b"public", ACL="public-read")
    assert stranger(f"{bucket}/listed") == (200, b"public")
    assert stranger(f"{bucket}/open/k")[0] == 403 and stranger(f"{bucket}?list-type=2")[0] == 403
    owner.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert stranger(f"{bucket}?list-type=2")[0] == 200
    assert stranger(f"{bucket}/new", "PUT", b"sent")[0] == 200
    # What strangers put is the owner's.
    assert owner.get_object(Bucket=bucket, Key="new")["Body"].read() == b"sent"
    assert stranger(f"{bucket}/new")[0] == 403
    block(owner, bucket, IgnorePublicAcls=True)
    assert [stranger(path)[0] for path in (f"{bucket}/listed", f"{bucket}?list-type=2")] == [403, 403]
    block(owner, bucket)
    # A bucket whose list gives somebody something cannot stop to count it.
    arguments = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    code = refusal(owner.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=arguments)
    assert code == "InvalidBucketAclWithObjectOwnership"
    owner.put_bucket_acl(Bucket=bucket, ACL="private")
    # Where the owner owns everything, lists say nothing.
    owned(owner, bucket, "BucketOwnerEnforced")
    assert stranger(f"{bucket}/listed")[0] == 403
    assert len(owner.get_object_acl(Bucket=bucket, Key="listed")["Grants"]) == 1


def test_grants_by_header_and_by_document(owner, bucket, stranger):
    owned(owner, bucket, "ObjectWriter")
    owner.put_object(Bucket=bucket, Key="k", Body=b"x", GrantRead=f'uri="{ALL_USERS}"')
    assert stranger(f"{bucket}/k")[0] == 200 and stranger(f"{bucket}/k?acl")[0] == 403
    acl = owner.get_object_acl(Bucket=bucket, Key="k")
    grantee = {"Type": "Group", "URI": ALL_USERS}
    document = {"Owner": acl["Owner"], "Grants": [{"Grantee": grantee, "Permission": "READ_ACP"}]}
    owner.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=document)
    assert stranger(f"{bucket}/k")[0] == 403 and stranger(f"{bucket}/k?acl")[0] == 200
    both = dict(ACL="private", GrantRead=f'uri="{ALL_USERS}"')
    assert refusal(owner.put_object, Bucket=bucket, Key="k", **both) == "InvalidRequest"
    assert refusal(owner.put_object, Bucket=bucket, Key="k", GrantRead="id=nobody") == "InvalidArgument"


def test_public_lists_are_blocked(owner, shut, bucket):
    block(owner, bucket, BlockPublicAcls=True)
    owned(owner, bucket, "ObjectWriter")
    public = [dict(ACL="public-read"), dict(ACL="authenticated-read"), dict(GrantRead=f'uri="{ALL_USERS}"')]
    for said in public:
        assert refusal(owner.put_object, Bucket=bucket, Key="k", **said) == "AccessDenied"
        assert refusal(owner.put_bucket_acl, Bucket=bucket, **said) == "AccessDenied"
        assert refusal(owner.put_object_acl, Bucket=bucket, Key="open/k", **said) == "AccessDenied"
        assert refusal(owner.create_multipart_upload, Bucket=bucket, Key="k", **said) == "AccessDenied"
    owner.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    name = f"b-{uuid.uuid4()}"
    made = dict(Bucket=name, ObjectOwnership="ObjectWriter", ACL="public-read")
    assert refusal(owner.create_bucket, **made) == "AccessDenied"
    owned(owner, bucket, "BucketOwnerEnforced")
    assert refusal(owner.put_object, Bucket=bucket, Key="k", ACL="public-read") == "AccessControlListNotSupported"
