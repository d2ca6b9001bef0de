"""What every conformance test needs: one node for the session, and clients that are pointed at it.

The node is the program that `FREEHOLD_BINARY` names, or `target/debug/freehold`, started on a free port with a data folder of
its own. Tests that kill or restart a node start one for themselves with `Node`.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid

import boto3
import pytest
import terraform as terraform_tool
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("FREEHOLD_BINARY", ROOT / "target" / "debug" / "freehold"))
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
}


class Node:
    """A running `freehold up`. Its output is read all the time, and shown when it does not start."""

    binary = BINARY
    # The id of the user that it runs as; as whom the tests run, if none.
    user = None

    def __init__(self, data, *arguments, listen="127.0.0.1:0"):
        self.data = pathlib.Path(data)
        self.arguments = arguments
        self.listen = listen
        self.process = None
        self.endpoint = None
        self.output = []

    def start(self, deadline=120):
        command = [self.binary, "up", "--listen", self.listen, "--data", self.data, *self.arguments]
        environment = {**os.environ, "NO_COLOR": "1"}
        environment.pop("AWS_ENDPOINT_URL", None)
        self.output = []
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            **self.identity(),
        )
        listening = threading.Event()
        threading.Thread(target=self._read, args=(self.process, listening), daemon=True).start()
        if not listening.wait(deadline):
            self.kill()
            raise AssertionError("the node did not start:\n" + "".join(self.output))
        if self.endpoint is None:
            raise AssertionError("the node ended:\n" + "".join(self.output))
        # Started again, it keeps its port, so that clients made before find it.
        self.listen = self.endpoint.removeprefix("http://")
        self.await_health(deadline)
        return self

    def identity(self):
        """For `subprocess`: who it runs as."""
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": [], "cwd": "/"}

    def _read(self, process, listening):
        for line in process.stdout:
            self.output.append(line)
            found = re.search(r"AWS_ENDPOINT_URL=(http://[^\s'\"]+)", line)
            if found and not listening.is_set():
                self.endpoint = found.group(1).replace("localhost", "127.0.0.1")
                listening.set()
        listening.set()

    def await_health(self, deadline=120):
        until = time.monotonic() + deadline
        while True:
            try:
                with urllib.request.urlopen(self.endpoint + "/_health", timeout=5) as answer:
                    if json.load(answer)["status"] == "ready":
                        return
            except (OSError, ValueError):
                pass
            if time.monotonic() > until or self.process.poll() is not None:
                raise AssertionError("the node is not ready:\n" + "".join(self.output))
            time.sleep(0.01)

    def kill(self):
        """SIGKILL: nothing is flushed, nothing is said."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, deadline=120):
        """SIGTERM: drain and end. Returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(deadline)

    def client(self, service, **settings):
        settings.setdefault("retries", {"max_attempts": 1})
        # What is wrong with a request is for the node to say.
        settings.setdefault("parameter_validation", False)
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**settings),
        )

    def root_keys(self):
        root = json.loads((self.data / "credentials.json").read_text())
        return dict(aws_access_key_id=root["AccessKeyId"], aws_secret_access_key=root["SecretAccessKey"])

    def root_client(self, service, **settings):
        """As whoever owns the node, which one started with `--auth iam` asks for."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            **self.root_keys(),
            config=Config(retries={"max_attempts": 1}, **settings),
        )

    def environment(self):
        return {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": self.endpoint}

    def run(self, *command, check=True, environment=None, **settings):
        """Runs a command with this node as its AWS, and gives what it printed."""
        done = subprocess.run(
            [str(part) for part in command],
            env={**self.environment(), **(environment or {})},
            text=True,
            capture_output=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
            **settings,
        )
        if check:
            assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def freehold(self, *arguments, **settings):
        return self.run(BINARY, *arguments, **settings)


@pytest.fixture(scope="session")
def node():
    data = tempfile.mkdtemp(prefix="freehold-conformance-")
    node = Node(data).start()
    yield node
    node.stop()
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A node that lets nobody do what no policy allows."""
    node = Node(tmp_path_factory.mktemp("guarded") / "data", "--auth", "iam").start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def endpoint(node):
    return node.endpoint


@pytest.fixture(scope="session")
def lambda_client(node):
    return node.client("lambda")


@pytest.fixture(scope="session")
def logs_client(node):
    return node.client("logs")


@pytest.fixture(scope="module")
def s3(node):
    """The node's objects, for those who have no client of their own for them."""
    return node.client("s3", s3={"addressing_style": "path"})


@pytest.fixture
def bucket(s3):
    """A new bucket."""
    name = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3, bucket):
    """A new bucket that keeps versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def own_node(tmp_path):
    """Makes nodes that a test may kill and restart; ends what is left of them."""
    made = []

    def make(*arguments):
        node = Node(tmp_path / f"data-{len(made)}", *arguments)
        made.append(node)
        return node

    yield make
    for node in made:
        if node.process is not None and node.process.poll() is None:
            node.kill()


@pytest.fixture(scope="session")
def terraform_provider():
    lacks = terraform_tool.missing()
    if lacks:
        pytest.skip(lacks)
    with terraform_tool.running_provider() as attached:
        yield attached


@pytest.fixture
def terraform(node, terraform_provider, tmp_path):
    """Terraform in this test's folder, about the session's node."""
    return terraform_tool.Terraform(node, tmp_path, terraform_provider)
