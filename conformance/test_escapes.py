"""What one function cannot have of another, and what a package cannot do to the node: from outside, as its users see it. The sandbox's
own tests (crates/sandbox/tests/walls) try hundreds of ways more."""

import io
import json
import stat
import uuid
import zipfile

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support import ROLE, create, lacks, zipped

# Keeps its secret wherever a function may have one, and says who it is to the platform.
VICTIM = """
import os

SECRET = os.environ["SECRET"]

def handler(event, context):
    with open("/tmp/secret", "w") as file:
        file.write(SECRET)
    return {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
"""

# Looks for somebody else's secret wherever it may look.
PROWLER = """
import glob, os, socket, urllib.request

def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""

def files():
    for root in ("/tmp", "/var", "/opt", "/run", "/mnt", "/etc", "/dev/shm"):
        for folder, _, names in os.walk(root):
            yield from (os.path.join(folder, name) for name in names)
    own = str(os.getpid())
    for process in glob.glob("/proc/[0-9]*"):
        if os.path.basename(process) != own:
            yield from (f"{process}/{name}" for name in ("environ", "cmdline", "maps", "root/tmp/secret", "cwd/app.py"))

def invocation_of_others(port):
    try:
        url = f"http://127.0.0.1:{port}/2018-06-01/runtime/invocation/next"
        return urllib.request.urlopen(url, timeout=3).status == 200
    except OSError:
        return False

def handler(event, context):
    secret = bytes.fromhex(event["secret"])
    return {
        "found": [path for path in files() if secret in read(path)],
        "processes": len(glob.glob("/proc/[0-9]*")),
        "invocations": [port for port in (4566, 9001) if invocation_of_others(port)],
        "key": os.environ["AWS_ACCESS_KEY_ID"],
        "variable": os.environ.get("SECRET"),
    }
"""


def call(client, name, event=None):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}))
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return told


def isolated(node):
    doctor = json.loads(node.freehold("doctor", "--json", check=False).stdout)
    return {check["subject"]: check["verdict"] for check in doctor["checks"]}["namespaces"] == "good"


def test_a_function_finds_nothing_of_another(node, lambda_client):
    if not isolated(node):
        lacks("this machine gives functions no namespaces")
    secret = uuid.uuid4().hex
    victim, prowler = (f"{kind}-{uuid.uuid4().hex[:12]}" for kind in ("victim", "prowler"))
    create(lambda_client, victim, code=zipped({"app.py": VICTIM}), Environment={"Variables": {"SECRET": secret}})
    # It reads all that it can, and waits for ports that nobody answers at.
    create(lambda_client, prowler, code=zipped({"app.py": PROWLER}), Timeout=60)
    # Its instance stays, with all of it, while the other one looks.
    credentials = call(lambda_client, victim)
    # Not the secret itself: what was sent would be found in the prowler's own memory.
    told = call(lambda_client, prowler, {"secret": secret.encode().hex()})
    key = told.pop("key")
    for name in (victim, prowler):
        lambda_client.delete_function(FunctionName=name)
    assert told == {"found": [], "processes": 2, "invocations": [], "variable": None}
    assert key != credentials["AWS_ACCESS_KEY_ID"]


def test_a_functions_credentials_are_good_for_nothing_of_anothers(own_node):
    """Where calls are authorised, even somebody who got hold of a function's credentials has only what its role is allowed."""
    node = own_node("--auth", "iam").start()
    root = json.loads((node.data / "credentials.json").read_text())

    def client(service, key, secret, token=None):
        return boto3.client(
            service,
            endpoint_url=node.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 1}),
        )

    owner = client("lambda", root["AccessKeyId"], root["SecretAccessKey"])
    name = f"victim-{uuid.uuid4().hex[:12]}"
    create(owner, name, code=zipped({"app.py": VICTIM}), Environment={"Variables": {"SECRET": "x"}})
    stolen = call(owner, name)
    stolen = [stolen[part] for part in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    # They are real: the platform knows whose they are.
    assert ":assumed-role/any/" in client("sts", *stolen).get_caller_identity()["Arn"]
    thief = client("lambda", *stolen)
    for attempt in (
        lambda: thief.get_function(FunctionName=name),
        lambda: thief.list_functions(),
        lambda: thief.invoke(FunctionName=name),
        lambda: thief.update_function_configuration(FunctionName=name, Timeout=4),
        lambda: thief.delete_function(FunctionName=name),
    ):
        with pytest.raises(ClientError) as refused:
            attempt()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    # Without the token, or with somebody else's secret, they are nobody's.
    for key, secret, token in [(stolen[0], stolen[1], None), (stolen[0], root["SecretAccessKey"], stolen[2])]:
        with pytest.raises(ClientError) as refused:
            client("lambda", key, secret, token).list_functions()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def package(name, content, mode=stat.S_IFREG | 0o644):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): pass")
        info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name, content, mode",
    [
        ("../evil", "x", stat.S_IFREG | 0o644),
        ("a/../../evil", "x", stat.S_IFREG | 0o644),
        ("/tmp/evil-of-a-package", "x", stat.S_IFREG | 0o644),
        ("out", "/etc/passwd", stat.S_IFLNK | 0o777),
        ("out", "../../credentials.json", stat.S_IFLNK | 0o777),
    ],
)
def test_a_package_that_leads_out_is_refused(node, lambda_client, name, content, mode):
    before = {path for path in node.data.rglob("*evil*")}
    with pytest.raises(ClientError) as refused:
        lambda_client.create_function(
            FunctionName=f"f-{uuid.uuid4().hex[:12]}",
            Runtime="python3.13",
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": package(name, content, mode)},
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert {path for path in node.data.rglob("*evil*")} == before
