"""A table that is many times as large as the memory which reading and indexing it may take. `FREEHOLD_BIG_ITEMS` says how many items it
has; `cargo xtask bench bigtable` does the same with ten million."""

import http.client
import json
import os
import pathlib
import threading

import pytest
from support import eventually

ITEMS = int(os.environ.get("FREEHOLD_BIG_ITEMS", 16_000)) // 100 * 100
WRITERS = 8
BATCH = 10
# How many items, and how many bytes each: many, and as long as they may be, nearly.
SIZES = [(ITEMS, 8_000), (ITEMS // 8_000 * 100, 350_000)]
# What pages, batches and the store's own caches may take beyond what is there after the writing.
GROWTH_MAX = 120 << 20


class Raw:
    """Calls without an SDK, whose own work would take most of the time."""

    def __init__(self, node):
        self.connection = http.client.HTTPConnection(node.endpoint.removeprefix("http://"), timeout=60)

    def call(self, operation, body):
        headers = {
            "x-amz-target": f"DynamoDB_20120810.{operation}",
            "content-type": "application/x-amz-json-1.0",
            "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        self.connection.request("POST", "/", json.dumps(body), headers)
        answer = self.connection.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 200, document
        return document


def item(number, body):
    return {
        "p": {"S": f"p{number // 100}"},
        "s": {"N": str(number % 100)},
        "kind": {"S": f"k{number % 50}"},
        "body": {"S": body},
    }


def fill(node, wrong, first, count, body):
    try:
        raw = Raw(node)
        for start in range(first * BATCH, count, WRITERS * BATCH):
            puts = [{"PutRequest": {"Item": item(number, body)}} for number in range(start, start + BATCH)]
            raw.call("BatchWriteItem", {"RequestItems": {"big": puts}})
    except Exception as why:  # noqa: BLE001 (told by whoever waits for this thread)
        wrong.append(why)


def pages(call, **arguments):
    while True:
        page = call(**arguments)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def memory(node, name):
    """A line of the process's status, in bytes."""
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(name))


@pytest.mark.parametrize(("count", "size"), SIZES)
def test_reading_and_indexing_a_large_table_takes_little_memory(own_node, count, size):
    node = own_node().start()
    dynamodb = node.client("dynamodb", read_timeout=60)
    dynamodb.create_table(
        TableName="big",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    )
    dynamodb.get_waiter("table_exists").wait(TableName="big", WaiterConfig={"Delay": 1})
    wrong = []
    writers = [threading.Thread(target=fill, args=(node, wrong, n, count, "x" * size), daemon=True) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not wrong, wrong
    before = memory(node, "VmHWM")

    seen = sum(page["ScannedCount"] for page in pages(dynamodb.scan, TableName="big", Select="COUNT"))
    assert seen == count
    for partition in [0, count // 200, count // 100 - 1]:
        asked = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": f"p{partition}"}}}
        found = [item for page in pages(dynamodb.query, TableName="big", **asked) for item in page["Items"]]
        assert [int(item["s"]["N"]) for item in found] == list(range(100))
    read = memory(node, "VmHWM")

    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["body"]}
    keys = [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
    dynamodb.update_table(
        TableName="big",
        AttributeDefinitions=[
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexUpdates=[{"Create": {"IndexName": "by-kind", "KeySchema": keys, "Projection": projection}}],
    )

    def is_made():
        [index] = dynamodb.describe_table(TableName="big")["Table"]["GlobalSecondaryIndexes"]
        return index["IndexStatus"] == "ACTIVE"

    eventually(is_made, 300, "the index")
    asked = {
        "IndexName": "by-kind",
        "KeyConditionExpression": "kind = :kind",
        "ExpressionAttributeValues": {":kind": {"S": "k7"}},
    }
    counted = sum(page["Count"] for page in pages(dynamodb.query, TableName="big", Select="COUNT", **asked))
    assert counted == count // 50
    made = memory(node, "VmHWM")
    mebibytes = [round(size / (1 << 20)) for size in (before, read, made)]
    print(f"{count} items of {size} bytes: at most {mebibytes} MiB when they were put, then read, then indexed")
    assert made - before < GROWTH_MAX, mebibytes
    assert node.stop() == 0
