"""The applications under examples/, each started as their first lines say, and used as a person would."""

import datetime
import http.client
import json
import mimetypes
import struct
import urllib.error
import urllib.parse
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
    urllib.request.urlopen(link, timeout=60).close()

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


def test_orders_are_taken_once_and_shipped_once(own_node):
    node = own_node(str(ROOT / "examples" / "orders-api"), "--no-watch")
    node.start()
    made = eventually(lambda: outputs(node, "orders-api"), 60, "the application")
    url = f"{node.endpoint}/_fn/orders-api"

    def ask(method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(url + path, data, {"content-type": "application/json", **headers}, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    # What was there before the stream's first reader came is handed over as well.
    lines = [{"sku": "tea", "count": 2}, {"sku": "cup", "count": 1}]
    again = {"idempotency-key": "once"}
    status, order = ask("POST", "/", {"customer": "ada", "lines": lines}, **again)
    assert (status, order["state"], order["id"], order["lines"]) == (201, "placed", "once", lines)
    status, same = ask("POST", "/", {"customer": "eve", "lines": lines[:1]}, **again)
    assert (status, same["customer"], same["placed"]) == (200, "ada", order["placed"])

    def shipped(id):
        return ask("GET", f"/{id}")[1]["state"] == "shipped"

    eventually(lambda: shipped("once"), 60, "the order on its way")
    order = ask("GET", "/once")[1]
    assert order["shipment"] and order["lines"] == lines
    assert ask("POST", "/once/cancel") == (409, {"error": "The order is shipped."})

    ids = ["once"] + [ask("POST", "/", {"customer": "ada", "lines": lines})[1]["id"] for _ in range(14)]
    status, page = ask("GET", "/?customer=ada")
    assert (status, len(page["orders"])) == (200, 10)
    rest = ask("GET", f"/?customer=ada&after={page['after']}")[1]
    assert [found["id"] for found in page["orders"] + rest["orders"]] == ids[::-1] and "after" not in rest
    for id in ids:
        eventually(lambda: shipped(id), 60, f"order {id} on its way")
    sqs = node.client("sqs")

    def count(queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, sqs.get_queue_attributes(QueueUrl=made[queue], AttributeNames=names)["Attributes"].values()))

    eventually(lambda: count("Shipments") == 0, 60, "the end of the work")
    assert count("Stuck") == 0

    for body in [{}, {"customer": "ada", "lines": []}, {"customer": "ada", "lines": [{"sku": "tea", "count": 0}]}]:
        assert ask("POST", "/", body)[0] == 400, body
    assert ask("GET", "/nobody") == (404, {"error": "There is no such order."})
    assert ask("DELETE", "/once")[0] == 404

    # Who cancels in time gets nothing sent: the message finds an order that is not placed any more.
    node.client("dynamodb").put_item(
        TableName=made["Table"],
        Item={
            "id": {"S": "late"},
            "customer": {"S": "eve"},
            "lines": {"L": []},
            "state": {"S": "cancelled"},
            "placed": {"S": "2026-01-01T00:00:00.000Z"},
        },
    )
    logs = node.client("logs")

    def left_alone():
        found = logs.filter_log_events(logGroupName="/aws/lambda/orders-ship", filterPattern='"late is cancelled already"')
        return found["events"]

    eventually(left_alone, 60, "the word that it is left alone")
    assert ask("GET", "/late")[1]["state"] == "cancelled"


def test_a_site_shows_its_pages_and_leads_to_its_function(own_node):
    folder = ROOT / "examples" / "site"
    node = own_node(str(folder), "--no-watch")
    node.start()
    made = eventually(lambda: outputs(node, "site"), 60, "the application")
    s3 = node.client("s3", s3={"addressing_style": "path"})
    pages = folder / "pages"
    for path in sorted(path for path in pages.rglob("*") if path.is_file()):
        kind = mimetypes.guess_type(path.name)[0]
        s3.put_object(
            Bucket=made["Bucket"], Key=path.relative_to(pages).as_posix(), Body=path.read_bytes(), ContentType=kind
        )

    def ask(url, method="GET", body=None, **headers):
        """As a browser does, which knows that names below localhost are this machine."""
        asked, node_is = urllib.parse.urlsplit(url), urllib.parse.urlsplit(node.endpoint)
        connection = http.client.HTTPConnection(node_is.hostname, node_is.port, timeout=60)
        try:
            connection.request(method, asked.path or "/", body, {"Host": asked.netloc, **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    site = made["Site"]
    assert urllib.parse.urlsplit(site).hostname == f"{made['Bucket']}.s3-website.localhost"
    status, headers, page = ask(site)
    assert (status, headers["Content-Type"]) == (200, "text/html") and b"<h1>Guest book</h1>" in page
    assert ask(f"{site}/book.js")[1]["Content-Type"] in ("text/javascript", "application/javascript")
    status, headers, _ = ask(f"{site}/about")
    assert (status, headers["Location"]) == (302, "/about/")
    status, _, page = ask(f"{site}/nothing")
    assert status == 404 and b"There is no such page" in page

    # What the page does: it is led to the function, and writes where it was led to.
    status, headers, _ = ask(f"{site}/api/")
    assert (status, headers["Location"]) == (307, made["Api"])
    api, origin = headers["Location"], {"Origin": site}
    status, headers, body = ask(api, **origin)
    assert (status, headers["Access-Control-Allow-Origin"], json.loads(body)) == (200, "*", {"entries": []})
    words = json.dumps({"name": "Ada", "words": "<b>Hello</b>"})
    status, _, body = ask(api, "POST", words, **{"Content-Type": "application/json", **origin})
    assert status == 201, body
    [entry] = json.loads(ask(api, **origin)[2])["entries"]
    assert (entry["name"], entry["words"]) == ("Ada", "<b>Hello</b>")
    assert ask(api, "POST", json.dumps({"name": ""}), **origin)[0] == 400


def outputs(node, stack):
    listed = json.loads(node.freehold("ls", "apps", "--json").stdout)["applications"]
    found = [one.get("outputs") or {} for one in listed if one["name"] == stack]
    return found[0] if found else {}
