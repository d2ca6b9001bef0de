"""Objects from pages: forms with a policy that was signed, as boto3 makes them, and what is wrong with others."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree as ET

import pytest
from support import eventually

OPEN = dict(BlockPublicAcls=False, IgnorePublicAcls=False, BlockPublicPolicy=False, RestrictPublicBuckets=False)


@pytest.fixture(scope="module")
def s3(guarded):
    return guarded.root_client("s3", signature_version="s3v4", s3={"addressing_style": "path"})


@pytest.fixture
def bucket(s3):
    name = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


class Still(urllib.request.HTTPRedirectHandler):
    """Stays where it is."""

    def redirect_request(self, *_):
        return None


def post(url, fields, body=b"a file", name="a.txt", **more):
    """What a browser sends: status, headers, body."""
    boundary = uuid.uuid4().hex
    parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in fields.items()]
    if body is not None:
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'
        parts.append(head.encode() + body)
    text = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    text += b"--" + boundary.encode() + b"--\r\n"
    request = urllib.request.Request(
        url, data=text, headers={"Content-Type": f"multipart/form-data; boundary={boundary}", **more}
    )
    try:
        with urllib.request.build_opener(Still).open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def fault(answer):
    status, _, body = answer
    tree = ET.fromstring(body)
    return status, tree.findtext("Code"), tree.findtext("Message")


def test_a_form_as_boto3_makes_it(s3, bucket):
    form = s3.generate_presigned_post(bucket, "in/${filename}")
    status, headers, body = post(form["url"], form["fields"], name="C:\\home\\b.txt")
    assert (status, body) == (204, b"")
    assert headers["Location"].endswith(f"{bucket}/in/b.txt")
    found = s3.get_object(Bucket=bucket, Key="in/b.txt")
    assert (found["Body"].read(), found["ETag"]) == (b"a file", headers["ETag"])


def test_fields_say_what_the_object_is(s3, bucket):
    said = {
        "Content-Type": "image/png",
        "Cache-Control": "no-store",
        "x-amz-meta-of": "us",
        "x-amz-server-side-encryption": "AES256",
        "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>",
    }
    conditions = [
        ["starts-with", "$Content-Type", "image/"],
        ["eq", "$Cache-Control", "no-store"],
        {"x-amz-meta-of": "us"},
        {"x-amz-server-side-encryption": "AES256"},
        ["starts-with", "$tagging", ""],
        ["content-length-range", 1, 100],
    ]
    form = s3.generate_presigned_post(bucket, "k", Fields=said, Conditions=conditions)
    assert post(form["url"], {**form["fields"], "x-ignore-this": "x"})[0] == 204
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["CacheControl"], head["Metadata"]) == ("image/png", "no-store", {"of": "us"})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b c"}]


def test_what_comes_back(s3, bucket):
    def sent(**fields):
        form = s3.generate_presigned_post(
            bucket, "a b/k", Fields=fields, Conditions=[{key: value} for key, value in fields.items()]
        )
        return post(form["url"], form["fields"])

    status, headers, body = sent(success_action_status="201")
    tree = ET.fromstring(body)
    told = [tree.findtext(name) for name in ("Bucket", "Key", "ETag", "Location")]
    assert (status, told) == (201, [bucket, "a b/k", headers["ETag"], headers["Location"]])
    assert told[3].endswith(f"/{bucket}/a%20b/k")
    assert sent(success_action_status="200")[::2] == (200, b"")
    assert sent(success_action_status="404")[0] == 204
    status, headers, _ = sent(success_action_redirect="http://example.com/done?x=1")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["Location"]).query)
    assert status == 303 and headers["Location"].startswith("http://example.com/done?x=1&bucket=")
    assert (query["bucket"], query["key"], query["etag"]) == ([bucket], ["a b/k"], [headers["ETag"]])


def test_large_files_stream(s3, bucket):
    # Longer than what is held in one piece, and with what looks like a boundary's beginning.
    body = b"\r\n--" * (1 << 20)
    form = s3.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", len(body), len(body)]])
    assert post(form["url"], form["fields"], body)[0] == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({"key": "out/k"}, 'Policy Condition failed: ["starts-with", "$key", "in/"]'),
        ({"acl": "public-read"}, "Extra input fields: acl"),
    ],
)
def test_policies_hold(s3, bucket, changed, expected):
    form = s3.generate_presigned_post(bucket, "in/${filename}")
    answer = post(form["url"], {**form["fields"], **changed})
    assert fault(answer) == (403, "AccessDenied", f"Invalid according to Policy: {expected}")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("lengths, code", [([7, 9], "EntityTooSmall"), ([0, 5], "EntityTooLarge")])
def test_files_are_as_long_as_they_may_be(s3, bucket, lengths, code):
    form = s3.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", *lengths]])
    assert fault(post(form["url"], form["fields"]))[:2] == (400, code)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_who_sends_it(guarded, s3, bucket):
    form = s3.generate_presigned_post(bucket, "k")
    fields = form["fields"]
    spoiled = {**fields, "x-amz-signature": "0" * 64}
    assert fault(post(form["url"], spoiled))[:2] == (403, "SignatureDoesNotMatch")
    stranger = {**fields, "x-amz-credential": fields["x-amz-credential"].replace("AK", "XX", 1)}
    assert fault(post(form["url"], stranger))[1] in ("InvalidAccessKeyId", "SignatureDoesNotMatch")
    unsigned = {key: value for key, value in fields.items() if key != "x-amz-signature"}
    status, code, message = fault(post(form["url"], unsigned))
    assert (status, code) == (400, "InvalidArgument") and "X-Amz-Signature" in message
    late = s3.generate_presigned_post(bucket, "k", ExpiresIn=-60)
    expected = (403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    assert fault(post(late["url"], late["fields"])) == expected
    # Without a policy it is anybody's, and the bucket's policy decides.
    assert fault(post(f"{guarded.endpoint}/{bucket}", {"key": "in/k"}))[:2] == (403, "AccessDenied")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN)
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/in/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    assert post(f"{guarded.endpoint}/{bucket}", {"key": "in/k"})[0] == 204
    assert post(f"{guarded.endpoint}/{bucket}", {"key": "out/k"})[0] == 403


def test_what_is_no_form(guarded, s3, bucket):
    url = f"{guarded.endpoint}/{bucket}"
    for fields, body, expected in [
        ({"key": "k"}, None, (400, "InvalidArgument", "POST requires exactly one file upload per request.")),
        ({"key": "k", "x": "y" * (21 << 10)}, b"", (400, "MaxPostPreDataLengthExceeded", None)),
        ({"acl": "private"}, b"", (400, "InvalidArgument", None)),
    ]:
        status, code, message = fault(post(url, fields, body))
        assert (status, code) == expected[:2] and message == (expected[2] or message)
    request = urllib.request.Request(url, data=b"x", headers={"Content-Type": "text/plain"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 412 and b"<Code>PreconditionFailed</Code>" in caught.value.read()
    form = s3.generate_presigned_post(bucket, "k")
    nonsense = {**form["fields"], "policy": base64.b64encode(b"nonsense").decode()}
    # What nobody signed is not looked into.
    assert fault(post(form["url"], nonsense))[:2] == (403, "SignatureDoesNotMatch")


def test_open_nodes_take_any_signature_and_hold_policies(node):
    s3 = node.client("s3", s3={"addressing_style": "path"})
    bucket = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=bucket)
    form = s3.generate_presigned_post(bucket, "in/${filename}", Conditions=[["content-length-range", 0, 10]])
    signed_by_anybody = {key: "any" if "signature" in key else value for key, value in form["fields"].items()}
    assert post(form["url"], signed_by_anybody)[0] == 204
    assert s3.get_object(Bucket=bucket, Key="in/a.txt")["Body"].read() == b"a file"
    assert fault(post(form["url"], form["fields"], b"x" * 11))[1] == "EntityTooLarge"
    assert fault(post(form["url"], {**form["fields"], "key": "k"}))[1] == "AccessDenied"
    nonsense = {**form["fields"], "policy": base64.b64encode(b"nonsense").decode()}
    assert fault(post(form["url"], nonsense)) == (400, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON.")


def test_pages_of_other_origins_need_the_buckets_rules_on_open_nodes(node):
    s3 = node.client("s3", s3={"addressing_style": "path"})
    bucket, page = f"b-{uuid.uuid4()}", "https://example.com"
    s3.create_bucket(Bucket=bucket)
    form = s3.generate_presigned_post(bucket, "k")
    assert post(form["url"], form["fields"], Origin=page)[0] == 403
    rule = {"AllowedMethods": ["POST"], "AllowedOrigins": [page]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    status, headers, _ = post(form["url"], form["fields"], Origin=page)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, page)


def test_forms_are_told_as_posts(node):
    s3, sqs = node.client("s3", s3={"addressing_style": "path"}), node.client("sqs")
    bucket = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=bucket)
    queue = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    heard = {"QueueArn": arn, "Events": ["s3:ObjectCreated:Post"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [heard]}
    )
    form = s3.generate_presigned_post(bucket, "k")
    assert post(form["url"], form["fields"])[0] == 204

    def record():
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for one in json.loads(message["Body"]).get("Records", []):
                return one["eventName"], one["s3"]["object"]["key"]

    assert eventually(record, what="the record") == ("ObjectCreated:Post", "k")
