"""Signs odd requests with botocore's own signer and prints them as JSON: the vectors that tests/botocore.rs verifies.

    python3 crates/signature/tests/vectors.py > crates/signature/tests/vectors.json
"""
import datetime
import json
import sys
from urllib.parse import urlsplit

import botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 11, 21, 2, 40, 11, tzinfo=datetime.timezone.utc)
auth.get_current_datetime = lambda *a, **k: NOW.replace(tzinfo=None)

ACCESS, SECRET, TOKEN = "AKIAFREEHOLDTEST", "a/secret+with=odd/characters", "a/session+token=="
LAMBDA = "http://localhost:4566"
URLS = [
    "/", "/2015-03-31/functions", "/2015-03-31/functions/", "/2015-03-31/functions/greet/invocations?Qualifier=%24LATEST",
    "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Agreet",
    "/a//b/./c/../d", "/a%20b/%C3%A9", "/~tilde/star*/(paren)/q'uote", "/?b=2&a=1&a=0", "/?empty&x=", "/?q=a%20b%2Fc%3D%26",
    "/?%C3%A9=%E2%9C%93&e=1", "/?a=1&A=2&aa=3&a-b=4",
]
HEADERS = [
    {}, {"X-Amz-Target": "Logs_20140328.CreateLogGroup", "Content-Type": "application/x-amz-json-1.1"},
    {"X-Amz-Meta-Spaces": "  several   blanks  inside "}, {"X-Amz-Meta-Many": ["one", "two", "three"]},
    {"X-Amz-Log-Type": "Tail", "X-Amz-Client-Context": "e30="},
]
BODIES = ["", '{"logGroupName":"é"}', "Action=GetCallerIdentity&Version=2011-06-15"]


def request(method, url, headers, body):
    made = AWSRequest(method=method, url=url, data=body.encode())
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            made.headers.add_header(name, one)
    return made


def vector(kind, service, signed, body):
    parts = urlsplit(signed.url)
    return {
        "kind": kind, "service": service, "method": signed.method, "host": parts.netloc, "path": parts.path,
        "query": parts.query, "headers": [[name, value] for name, value in signed.headers.items()], "body": body,
    }


def every():
    for token in (None, TOKEN):
        for index, url in enumerate(URLS):
            headers, body = HEADERS[index % len(HEADERS)], BODIES[index % len(BODIES)]
            credentials = Credentials(ACCESS, SECRET, token)
            for service, header_signer, query_signer in (
                ("lambda", auth.SigV4Auth, auth.SigV4QueryAuth),
                ("s3", auth.S3SigV4Auth, auth.S3SigV4QueryAuth),
            ):
                made = request("POST" if body else "GET", LAMBDA + url, headers, body)
                header_signer(credentials, service, "eu-central-1").add_auth(made)
                yield vector("header", service, made, body)
                made = request("GET", LAMBDA + url, {}, "")
                query_signer(credentials, service, "eu-central-1", expires=900).add_auth(made)
                yield vector("query", service, made, "")


json.dump({"access_key": ACCESS, "secret": SECRET, "token": TOKEN, "now": "2026-11-21T02:40:11Z", "requests": list(every())},
          sys.stdout, indent=1)
print()
