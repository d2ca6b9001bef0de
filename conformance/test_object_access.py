"""Who may do what with buckets and objects where calls are authorised: policies, their conditions, public access blocks, lists."""

import datetime
import json
import urllib.error
import urllib.request
import uuid

import pytest
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
