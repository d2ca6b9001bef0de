"""Objects got and put, signed as AWS's SDKs do it, with nothing but Python's own library."""

import datetime
import hashlib
import hmac
import os
import urllib.error
import urllib.parse
import urllib.request


def call(method, bucket, key, body=b""):
    """Gives the status and the answer's bytes."""
    endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    path = urllib.parse.quote(f"/{bucket}/{key}", safe="/-_.~")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    # As SDKs do: it says what led to this call, so that a chain which goes in a circle is seen.
    if trace := os.environ.get("_X_AMZN_TRACE_ID"):
        headers["x-amzn-trace-id"] = trace
    if method == "PUT":
        headers["content-type"] = "image/png"
    headers["authorization"] = signature(method, path, headers, digest, now)
    data = body if method == "PUT" else None
    request = urllib.request.Request(f"{endpoint.scheme}://{endpoint.netloc}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def signature(method, path, headers, digest, now):
    """The Authorization header of Signature Version 4. What is on the way for tracing is not signed: others may add to it."""
    region = os.environ["AWS_REGION"]
    signed = sorted(name for name in headers if name != "x-amzn-trace-id")
    names, lines = ";".join(signed), "".join(f"{name}:{headers[name]}\n" for name in signed)
    canonical = "\n".join([method, path, "", lines, names, digest])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (now[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.new(key, text.encode(), "sha256").hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, Signature={proof}"
