"""The two calls that a reminder needs, signed as AWS's SDKs do it, with nothing but Python's own library."""

import datetime
import hashlib
import hmac
import json
import os
import urllib.error
import urllib.parse
import urllib.request


def scheduler(method, path, document):
    """Calls EventBridge Scheduler; gives the status and the answer's document."""
    status, body = call("scheduler", method, path, "application/json", json.dumps(document).encode())
    return status, json.loads(body or b"{}")


def publish(topic, subject, message):
    """Publishes to a topic of SNS."""
    form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic, "Subject": subject, "Message": message}
    body = urllib.parse.urlencode(form).encode()
    status, answer = call("sns", "POST", "/", "application/x-www-form-urlencoded", body)
    if status != 200:
        raise RuntimeError(f"the topic refused ({status}): {answer.decode(errors='replace')}")


def call(service, method, path, kind, body):
    endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": kind, "host": endpoint.netloc, "x-amz-date": now}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    headers["authorization"] = signature(service, method, path, headers, body, now)
    request = urllib.request.Request(f"{endpoint.scheme}://{endpoint.netloc}{path}", body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=8) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def signature(service, method, path, headers, body, now):
    """The Authorization header of Signature Version 4."""
    region = os.environ["AWS_REGION"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (now[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = hmac.new(key, text.encode(), "sha256").hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, Signature={signed}"
