"""Small things that several tests use: code packages, refusals, and waiting for a state with a deadline."""

import io
import os
import stat
import time
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/any"

NODE_ECHO = "exports.handler = async (event) => ({ echo: event, value: process.env.VALUE ?? null });\n"
PYTHON_ECHO = """import os


def handler(event, context):
    return {"echo": event, "value": os.environ.get("VALUE")}
"""


def zipped(files):
    """A zip of `files`: name → text or bytes. A name ending in `*` is executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            mode = 0o755 if name.endswith("*") else 0o644
            info = zipfile.ZipInfo(name.rstrip("*"), date_time=(2026, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def lacks(missing):
    """Ends a test because this machine lacks what it is about, as `base::trial::skip` does: where `FREEHOLD_REQUIRE` is `1`, it fails."""
    if os.environ.get("FREEHOLD_REQUIRE") == "1":
        pytest.fail(f"skipped, and FREEHOLD_REQUIRE=1 says that nothing is missing here: {missing}")
    pytest.skip(missing)


def refusal(call, **arguments):
    """The code and the words that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def python_zip(text=PYTHON_ECHO):
    return zipped({"app.py": text})


def node_zip(text=NODE_ECHO):
    return zipped({"index.js": text})


def create(client, name, runtime="python3.13", handler="app.handler", code=None, **settings):
    return client.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=handler,
        Code={"ZipFile": code or python_zip()},
        **{"Role": ROLE, **settings},
    )


def eventually(check, deadline=120, what="the state"):
    """Calls `check` until it gives something true, and gives that."""
    until = time.monotonic() + deadline
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < until, f"{what} did not come within {deadline} s"
        time.sleep(0.02)


def create_table(client, **more):
    """The name of a new table with a hash and a range key and an index, that is ready."""
    name = f"t-{uuid.uuid4()}"
    settings = {
        "TableName": name,
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    settings.update(more)
    client.create_table(**settings)
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return name
