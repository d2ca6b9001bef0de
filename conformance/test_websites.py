"""Buckets as websites: pages by host name, indexes, error documents, redirections, and S3's own pages for what goes wrong."""

import http.client
import json
import urllib.parse
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import Node

OPEN = dict(BlockPublicAcls=False, IgnorePublicAcls=False, BlockPublicPolicy=False, RestrictPublicBuckets=False)
PAGES = {
    "index.html": ("<h1>home</h1>", "text/html"),
    "docs/index.html": ("<h1>docs</h1>", "text/html"),
    "style.css": ("h1 {}", "text/css"),
    "error.html": ("<h1>lost</h1>", "text/html"),
}


def site(s3, **configuration):
    name = f"site-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    for key, (text, kind) in PAGES.items():
        s3.put_object(Bucket=name, Key=key, Body=text.encode(), ContentType=kind)
    configuration = configuration or {
        "IndexDocument": {"Suffix": "index.html"},
        "ErrorDocument": {"Key": "error.html"},
    }
    s3.put_bucket_website(Bucket=name, WebsiteConfiguration=configuration)
    return name


def visit(endpoint, host, path="/", method="GET", **headers):
    """What a browser gets that knows the site by that name: status, headers, body."""
    address = urllib.parse.urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    try:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers={"Host": f"{host}:{address.port}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_pages_indexes_and_folders(node, s3):
    bucket = site(s3)
    for base in ("s3-website.localhost", "s3-website-us-east-1.localhost", "s3-website.eu-central-1.amazonaws.com"):
        status, headers, body = visit(node.endpoint, f"{bucket}.{base}")
        assert (status, body, headers["Content-Type"]) == (200, b"<h1>home</h1>", "text/html")
    host = f"{bucket}.s3-website.localhost"
    assert visit(node.endpoint, host, "/style.css")[1]["Content-Type"] == "text/css"
    assert visit(node.endpoint, host, "/docs/?q=1")[2] == b"<h1>docs</h1>"
    status, headers, body = visit(node.endpoint, host, "/docs")
    assert (status, headers["Location"], body) == (302, "/docs/", b"")
    status, headers, body = visit(node.endpoint, host, method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len("<h1>home</h1>")), b"")
    etag = visit(node.endpoint, host)[1]["ETag"]
    assert visit(node.endpoint, host, If_None_Match=etag)[0] == 304
    status, headers, body = visit(node.endpoint, host, Range="bytes=4-7")
    assert (status, body) == (206, b"home")
    # Operations are not to be had by a site's name.
    assert visit(node.endpoint, host, "/?list-type=2")[2] == b"<h1>home</h1>"
    # A page elsewhere may lead here.
    assert visit(node.endpoint, host, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", User_Agent="Mozilla")[0] == 200


def test_what_is_not_there(node, s3):
    bucket = site(s3)
    host = f"{bucket}.s3-website.localhost"
    status, headers, body = visit(node.endpoint, host, "/nothing")
    assert (status, body) == (404, b"<h1>lost</h1>")
    assert (headers["x-amz-error-code"], headers["x-amz-error-detail-Key"]) == ("NoSuchKey", "nothing")
    s3.delete_object(Bucket=bucket, Key="error.html")
    status, headers, body = visit(node.endpoint, host, "/%3Cb%3E")
    page = body.decode()
    assert status == 404 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<title>404 Not Found</title>" in page and "<li>Key: &lt;b&gt;</li>" in page
    assert "Retrieve a Custom Error Document" in page and "<li>Key: error.html</li>" in page
    status, headers, body = visit(node.endpoint, host, method="POST")
    assert status == 405 and b"<li>Code: MethodNotAllowed</li>" in body
    assert b"<li>Code: NoSuchBucket</li>" in visit(node.endpoint, "no-such-site.s3-website.localhost")[2]
    s3.delete_bucket_website(Bucket=bucket)
    status, _, body = visit(node.endpoint, host)
    assert status == 404 and b"<li>Code: NoSuchWebsiteConfiguration</li>" in body


def test_redirections(node, s3):
    elsewhere = site(s3, RedirectAllRequestsTo={"HostName": "example.com", "Protocol": "https"})
    status, headers, _ = visit(node.endpoint, f"{elsewhere}.s3-website.localhost", "/a/b?q=1")
    assert (status, headers["Location"]) == (301, "https://example.com/a/b?q=1")
    rules = [
        {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/"}},
        {
            "Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "app/"},
            "Redirect": {"ReplaceKeyWith": "index.html", "HttpRedirectCode": "302", "HostName": "app.example.com"},
        },
    ]
    bucket = site(s3, IndexDocument={"Suffix": "index.html"}, RoutingRules=rules)
    host = f"{bucket}.s3-website.localhost"
    port = urllib.parse.urlsplit(node.endpoint).port
    status, headers, _ = visit(node.endpoint, host, "/old/x.html")
    assert (status, headers["Location"]) == (301, f"http://{host}:{port}/docs/x.html")
    status, headers, _ = visit(node.endpoint, host, "/app/x")
    assert (status, headers["Location"]) == (302, "http://app.example.com/index.html")
    assert visit(node.endpoint, host, "/other")[0] == 404
    s3.put_object(Bucket=bucket, Key="moved", WebsiteRedirectLocation="/docs/")
    status, headers, _ = visit(node.endpoint, host, "/moved")
    assert (status, headers["Location"]) == (301, "/docs/")
    # By the operation it is an object as all others.
    assert s3.head_object(Bucket=bucket, Key="moved")["WebsiteRedirectLocation"] == "/docs/"


@pytest.mark.parametrize(
    "wrong",
    [
        {"Redirect": {"HttpRedirectCode": "200"}},
        {"Redirect": {"HttpRedirectCode": "300"}},
        {"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}},
        {"Condition": {"HttpErrorCodeReturnedEquals": "302"}, "Redirect": {"HostName": "h"}},
    ],
)
def test_rules_that_lead_nowhere_are_refused(s3, wrong):
    with pytest.raises(ClientError) as caught:
        site(s3, IndexDocument={"Suffix": "index.html"}, RoutingRules=[wrong])
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"


def test_locations_begin_as_addresses_do(s3):
    bucket = site(s3)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", WebsiteRedirectLocation="docs/")
    assert caught.value.response["Error"]["Code"] == "InvalidRedirectLocation"


def test_pages_of_other_origins_are_let_in_by_the_buckets_rules(node, s3):
    bucket = site(s3)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    headers = visit(node.endpoint, f"{bucket}.s3-website.localhost", Origin="https://example.com")[1]
    assert headers["Access-Control-Allow-Origin"] == "https://example.com"


def test_strangers_see_what_everybody_may(tmp_path):
    """Where calls are authorised a site is seen as far as its bucket's policy lets everybody see it."""
    node = Node(tmp_path / "data", "--auth", "iam").start()
    try:
        root = json.loads((node.data / "credentials.json").read_text())
        s3 = boto3.client(
            "s3",
            endpoint_url=node.endpoint,
            region_name="us-east-1",
            aws_access_key_id=root["AccessKeyId"],
            aws_secret_access_key=root["SecretAccessKey"],
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        bucket = site(s3)
        host = f"{bucket}.s3-website.localhost"
        status, _, body = visit(node.endpoint, host)
        assert status == 403 and b"<li>Code: AccessDenied</li>" in body and b"Custom Error Document" in body
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN)
        allow = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [allow]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        assert visit(node.endpoint, host)[2] == b"<h1>home</h1>"
        # Who may not list is not told what is not there; the site's page says it, and folders are found.
        status, headers, body = visit(node.endpoint, host, "/nothing")
        assert (status, headers["x-amz-error-code"], body) == (403, "AccessDenied", b"<h1>lost</h1>")
        assert visit(node.endpoint, host, "/docs")[0] == 302
    finally:
        node.stop()


def test_a_template_tells_where_its_site_is(node, tmp_path):
    folder = tmp_path / f"pages-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    (folder / "template.yaml").write_text(
        """
Resources:
  Site:
    Type: AWS::S3::Bucket
    Properties:
      WebsiteConfiguration: {IndexDocument: index.html}
Outputs:
  Url: {Value: !GetAtt Site.WebsiteURL}
  Bucket: {Value: !Ref Site}
"""
    )
    node.freehold("deploy", folder)
    listed = json.loads(node.freehold("ls", "apps", "--json").stdout)["applications"]
    told = next(one["outputs"] for one in listed if one["name"] == folder.name)
    port = urllib.parse.urlsplit(node.endpoint).port
    assert told["Url"] == f"http://{told['Bucket']}.s3-website.localhost:{port}"
    s3 = node.client("s3", s3={"addressing_style": "path"})
    s3.put_object(Bucket=told["Bucket"], Key="index.html", Body=b"here")
    assert visit(node.endpoint, urllib.parse.urlsplit(told["Url"]).hostname)[2] == b"here"
