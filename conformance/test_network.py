"""What a function reaches from its own network: the platform, by the address that it is given, and nothing of the machine."""

import json
import socket
import threading
import uuid

import pytest
from conftest import Node
from support import create, lacks, zipped

HANDLER = """
import os, socket, urllib.request

def ask(url):
    try:
        return urllib.request.urlopen(url, timeout=30).status
    except Exception as error:
        return type(error).__name__

def knock(host, port):
    try:
        with socket.create_connection((host, port), timeout=3) as door:
            # Who is refused hears of it by a reset, which may come a moment later; the stranger hangs up politely.
            door.recv(1)
        return "open"
    except OSError as error:
        return "closed"

def handler(event, context):
    return {
        "platform": ask(os.environ["AWS_ENDPOINT_URL"] + "/_health"),
        "doors": [knock(host, port) for host, port in event["doors"]],
        "metadata": knock("169.254.169.254", 80),
    }
"""

REACH = """
import errno, os, socket, urllib.request

def ask(url):
    try:
        return urllib.request.urlopen(url, timeout=30).status
    except Exception as error:
        return type(error).__name__

def has_a_way(host):
    # Whether there is one at all, not whether somebody answers.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
            return True
        except OSError as error:
            return error.errno != errno.ENETUNREACH

def handler(event, context):
    return {"platform": ask(os.environ["AWS_ENDPOINT_URL"] + "/_health"), "world": has_a_way("192.0.2.1")}
"""


@pytest.fixture
def stranger():
    """A server of the machine's own, which is none of a function's business."""
    server = socket.create_server(("0.0.0.0", 0))

    def accept():
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def own_address():
    """An address of this machine that is not its loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: this only asks which address would be used.
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def need_own_network(node):
    doctor = json.loads(node.freehold("doctor", "--json", check=False).stdout)
    verdicts = {check["subject"]: check["verdict"] for check in doctor["checks"]}
    if verdicts["own network"] != "good":
        lacks("this machine gives functions no network of their own")


def test_a_function_reaches_the_platform_and_not_the_machine(node, lambda_client, stranger):
    need_own_network(node)
    name = f"f-{uuid.uuid4().hex[:12]}"
    create(lambda_client, name, code=zipped({"app.py": HANDLER}), Timeout=60)
    hosts = ["127.0.0.1"] + [address for address in [own_address()] if address]
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps({"doors": [[host, stranger] for host in hosts]}))
    told = json.loads(answer["Payload"].read())
    lambda_client.delete_function(FunctionName=name)
    assert told == {"platform": 200, "doors": ["closed"] * len(hosts), "metadata": "closed"}


@pytest.fixture(scope="module")
def secluded(tmp_path_factory):
    """A node whose functions reach the platform alone, where they do not say otherwise."""
    node = Node(tmp_path_factory.mktemp("secluded") / "data", "--network", "platform").start()
    yield node
    node.stop()


@pytest.mark.parametrize(
    ("which", "word", "platform", "world"),
    [
        ("node", "platform", 200, False),
        ("node", "none", "URLError", False),
        ("node", "full", 200, True),
        ("secluded", None, 200, False),
        ("secluded", "none", "URLError", False),
        ("secluded", "full", 200, True),
    ],
)
def test_a_function_says_what_it_reaches(request, which, word, platform, world):
    node = request.getfixturevalue(which)
    need_own_network(node)
    client = node.client("lambda")
    name = f"f-{uuid.uuid4().hex[:12]}"
    variables = {"FREEHOLD_NETWORK": word} if word else {}
    create(client, name, code=zipped({"app.py": REACH}), Timeout=60, Environment={"Variables": variables})
    told = json.loads(client.invoke(FunctionName=name)["Payload"].read())
    client.delete_function(FunctionName=name)
    assert told == {"platform": platform, "world": world}


def test_a_word_that_means_nothing_is_refused(lambda_client):
    name = f"f-{uuid.uuid4().hex[:12]}"
    with pytest.raises(lambda_client.exceptions.InvalidParameterValueException, match="full, platform or none"):
        create(lambda_client, name, code=zipped({"app.py": REACH}), Environment={"Variables": {"FREEHOLD_NETWORK": "some"}})
