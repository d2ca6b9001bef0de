"""The applications under examples/, each started as their first lines say, and used as a person would."""

import datetime
import json
import struct
import urllib.error
import urllib.request
import zlib

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


def png(side):
    """A picture in one colour, whose rows are filtered as most programs do."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    first, rest = b"\1" + bytes([200, 100, 50]) + bytes(3 * side - 3), (b"\2" + bytes(3 * side)) * (side - 1)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(first + rest)) + chunk(b"IEND", b"")


def test_uploads_become_thumbnails_and_a_loop_ends(own_node):
    node = own_node(str(ROOT / "examples" / "thumbnails"), "--no-watch")
    node.start()
    bucket = eventually(lambda: outputs(node, "thumbnails").get("Bucket"), 60, "the application")
    s3 = node.client("s3", s3={"addressing_style": "path"})

    def keys():
        return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def thumbnail(name):
        return eventually(lambda: f"thumbnails/{name}" in keys() and s3.get_object(Bucket=bucket, Key=f"thumbnails/{name}"), 60, name)

    s3.put_object(Bucket=bucket, Key="uploads/a b.png", Body=png(300))
    small = thumbnail("a b.png")["Body"].read()
    assert struct.unpack_from(">II", small, 16) == (60, 60)
    rows = zlib.decompress(small[small.index(b"IDAT") + 4 : small.index(b"IEND") - 8])
    assert rows == (b"\0" + bytes([200, 100, 50]) * 60) * 60

    # The page: what is posted to it is put, and shown when it is small.
    url = f"{node.endpoint}/_fn/shrink/"
    assert b"<input type=file" in urllib.request.urlopen(url, timeout=30).read()
    with urllib.request.urlopen(urllib.request.Request(url, png(80)), timeout=30) as sent:
        name = json.load(sent)["name"]
    assert thumbnail(name)["ContentType"] == "image/png"
    assert urllib.request.urlopen(url + name, timeout=30).read().startswith(b"\x89PNG")
    assert len(keys()) == 4, "what the function writes does not wake it"

    # Without the filter it does, and the chain of calls is cut.
    [told] = s3.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"]
    del told["Filter"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [told]})
    s3.put_object(Bucket=bucket, Key="loop.png", Body=png(4))
    logs = node.client("logs")

    def refusal():
        found = logs.filter_log_events(logGroupName="/aws/lambda/shrink", filterPattern="RecursiveInvocationException")
        return found["events"]

    eventually(refusal, 60, "the end of the loop")
    depths = [key.count("thumbnails/") for key in keys() if key.endswith("loop.png")]
    assert 2 < max(depths) <= 16, depths


def outputs(node, stack):
    listed = json.loads(node.freehold("ls", "apps", "--json").stdout)["applications"]
    found = [one.get("outputs") or {} for one in listed if one["name"] == stack]
    return found[0] if found else {}
