"""The applications under examples/, each started as their first lines say, and used as a person would."""

import datetime
import json
import urllib.error
import urllib.request

import pytest
from conftest import ROOT
from support import eventually


def fetch(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return json.load(answer)


def letters(node):
    return fetch(f"{node.endpoint}/_outbox")["letters"]


def test_reminders_become_letters(own_node):
    node = own_node(str(ROOT / "examples" / "reminders"), "--no-watch")
    node.start()
    eventually(lambda: outputs(node, "reminders").get("Url"), 60, "the application")
    url = f"{node.endpoint}/_fn/remind/"

    # The address is asked before anything else is sent to it.
    [asked] = eventually(lambda: letters(node), 60, "the letter that asks")
    link = next(line for line in asked["body"].splitlines() if line.startswith("http"))
    urllib.request.urlopen(link, timeout=10).close()

    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(url, {"text": "no time"})
    assert refused.value.code == 400
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    made = fetch(url, {"text": "Water the flowers", "at": soon.strftime("%Y-%m-%dT%H:%M:%S")})

    def told(text):
        return [letter for letter in letters(node) if letter["body"].startswith(text)]

    [letter] = eventually(lambda: told("Water the flowers"), 60, "the reminder")
    assert (letter["subject"], letter["to"]) == ("Reminder", "you@example.com")
    names = [found["Name"] for found in node.client("scheduler").list_schedules()["Schedules"]]
    assert made["name"] not in names and "remind-every-morning" in names

    node.freehold("fire", "remind-every-morning")
    eventually(lambda: told("Good morning"), 60, "the morning's letter")


def test_clicks_are_enriched_and_sorted(own_node):
    node = own_node(str(ROOT / "examples" / "clicks"), "--no-watch")
    node.start()
    queues = eventually(lambda: outputs(node, "clicks"), 60, "the application")
    sqs = node.client("sqs")

    def click(**what):
        sqs.send_message(QueueUrl=queues["Clicks"], MessageBody=json.dumps({"user": "ada", **what}))

    click(action="look", url="https://shop.example/tea")
    click(action="buy", url="https://shop.example/robot", robot=True)
    click(action="buy", url="https://shop.example/tea?utm_campaign=spring&sku=42")

    def bought():
        return sqs.receive_message(QueueUrl=queues["Purchases"], WaitTimeSeconds=5).get("Messages")

    [message] = eventually(bought, 60, "the purchase")
    purchase = json.loads(message["Body"])
    assert purchase.pop("id")
    assert purchase == {
        "user": "ada",
        "action": "buy",
        "site": "shop.example",
        "page": "/tea",
        "campaign": "spring",
        "query": {"sku": "42"},
    }
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty():
        counts = sqs.get_queue_attributes(QueueUrl=queues["Clicks"], AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}

    eventually(is_empty, 60, "the end of the clicks")


def outputs(node, stack):
    listed = json.loads(node.freehold("ls", "apps", "--json").stdout)["applications"]
    found = [one.get("outputs") or {} for one in listed if one["name"] == stack]
    return found[0] if found else {}
