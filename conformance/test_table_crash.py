"""A node that is killed again and again under writes of tables: transfers neither make nor lose money, and a stream hands every change to
its function, in order. `FREEHOLD_TABLE_KILLS` says how often it is killed."""

import collections
import json
import os
import random
import threading
import time
import uuid

import botocore.exceptions
from botocore.exceptions import ClientError
from support import create, eventually, python_zip

KILLS = int(os.environ.get("FREEHOLD_TABLE_KILLS", 3))
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
IMPATIENT = {"retries": {"max_attempts": 0}, "connect_timeout": 5, "read_timeout": 30, "max_pool_connections": 20}
ACCOUNTS = 6
PEOPLE = 6
START = 1_000

# Tells a queue that keeps order which changes it was given.
HANDLER = """
import json
import os
import urllib.request


def handler(event, context):
    changes = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    told = [[image["id"]["S"], int(image["n"]["N"])] for image in changes]
    message = {"QueueUrl": os.environ["TOLD"], "MessageBody": json.dumps(told)}
    message.update(MessageGroupId="all", MessageDeduplicationId=os.urandom(8).hex())
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    body = json.dumps(message).encode()
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)).read()
"""


def seeded():
    seed = int(os.environ.get("FREEHOLD_SEED", time.time_ns() % 10**9))
    print(f"replay with FREEHOLD_SEED={seed}")
    return random.Random(seed)


def table(dynamodb, name, **more):
    attributes = [{"AttributeName": "id", "AttributeType": "S"}, *more.pop("attributes", [])]
    made = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=attributes,
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        **more,
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return made["TableDescription"]["LatestStreamArn"]


def workers_of(target, each):
    workers = [threading.Thread(target=target, args=arguments, daemon=True) for arguments in each]
    for worker in workers:
        worker.start()
    return workers


def pages(call, key, **arguments):
    """All entries of a paged answer."""
    found = []
    while True:
        page = call(**arguments)
        found += page[key]
        if "LastEvaluatedKey" not in page:
            return found
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class Bank:
    """Accounts, and a note of each transfer in the same transaction."""

    def __init__(self, node):
        self.dynamodb = node.client("dynamodb", **IMPATIENT)
        by_person = {
            "IndexName": "by-person",
            "KeySchema": [{"AttributeName": "person", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        person = {"AttributeName": "person", "AttributeType": "S"}
        table(self.dynamodb, "bank", attributes=[person], GlobalSecondaryIndexes=[by_person])
        for account in range(ACCOUNTS):
            item = {"id": {"S": f"account-{account}"}, "balance": {"N": str(START)}, "changes": {"N": "0"}}
            self.dynamodb.put_item(TableName="bank", Item=item)
        self.acknowledged = [[] for _ in range(PEOPLE)]
        # When each that was answered was begun and had ended: transfers by their notes, and what was seen of all accounts.
        self.history = []

    def person(self, number, seed, stop):
        """Moves money until told to stop, or until the node is gone."""
        chance = random.Random(seed)
        while not stop.is_set():
            (source, target), amount = chance.sample(range(ACCOUNTS), 2), chance.randrange(1, 10)
            transfer = f"transfer-{uuid.uuid4()}"
            note = {
                "id": {"S": transfer},
                "person": {"S": f"person-{number}"},
                "from": {"N": str(source)},
                "to": {"N": str(target)},
                "amount": {"N": str(amount)},
            }
            actions = [self.move(source, -amount), self.move(target, amount), {"Put": {"TableName": "bank", "Item": note}}]
            begun = time.monotonic()
            try:
                if chance.random() < 0.2:
                    self.look()
                    continue
                self.dynamodb.transact_write_items(TransactItems=actions, ClientRequestToken=transfer[-36:])
            except GONE:
                return
            except ClientError as refused:
                # Nothing was moved: too little there, or others were faster. All else is a failure of the node.
                assert refused.response["Error"]["Code"] == "TransactionCanceledException", refused
                continue
            self.acknowledged[number].append(transfer)
            self.history.append((begun, time.monotonic(), transfer))

    def move(self, account, amount):
        return {
            "Update": {
                "TableName": "bank",
                "Key": {"id": {"S": f"account-{account}"}},
                "UpdateExpression": "SET balance = balance + :amount, changes = changes + :one",
                "ConditionExpression": "balance >= :least",
                "ExpressionAttributeValues": {
                    ":amount": {"N": str(amount)},
                    ":least": {"N": str(max(-amount, 0))},
                    ":one": {"N": "1"},
                },
            }
        }

    def look(self):
        """All accounts, as of one moment: how often each was changed, and what is in it."""
        gets = [{"Get": {"TableName": "bank", "Key": {"id": {"S": f"account-{n}"}}}} for n in range(ACCOUNTS)]
        begun = time.monotonic()
        found = self.dynamodb.transact_get_items(TransactItems=gets)["Responses"]
        seen = tuple(account(one["Item"]) for one in found)
        self.history.append((begun, time.monotonic(), seen))
        return seen

    def balances(self):
        return [balance for _, balance in self.look()]

    def check(self):
        """What was acknowledged is there, each transfer is there whole, in the table, its index and its stream."""
        notes = [item for item in pages(self.dynamodb.scan, "Items", TableName="bank") if "amount" in item]
        known = {note["id"]["S"] for note in notes}
        for transfers in self.acknowledged:
            assert set(transfers) <= known, f"lost: {sorted(set(transfers) - known)}"
        expected = [START] * ACCOUNTS
        for note in notes:
            amount = int(note["amount"]["N"])
            expected[int(note["from"]["N"])] -= amount
            expected[int(note["to"]["N"])] += amount
        assert self.balances() == expected and sum(expected) == START * ACCOUNTS
        indexed = set()
        for person in range(PEOPLE):
            asked = {
                "KeyConditionExpression": "person = :person",
                "ExpressionAttributeValues": {":person": {"S": f"person-{person}"}},
            }
            found = pages(self.dynamodb.query, "Items", TableName="bank", IndexName="by-person", **asked)
            indexed |= {item["id"]["S"] for item in found}
        assert indexed == known
        return known


    def check_order(self, records):
        """The stream is the order of all commits: whatever was seen is what one of them left, and nothing is before what had ended when
        it was begun. What was not answered may be in it or not."""
        states, places, accounts, last = [], {}, [(0, 0)] * ACCOUNTS, None
        for record in records:
            told = record["dynamodb"]
            name, commit = told["Keys"]["id"]["S"], told["SequenceNumber"][:-5]
            if name.startswith("account-"):
                accounts[int(name.removeprefix("account-"))] = account(told["NewImage"])
            if commit != last:
                states.append(None)
                last = commit
            states[-1] = tuple(accounts)
            if name.startswith("transfer-"):
                places[name] = len(states) - 1
        assert {sum(balance for _, balance in state) for state in states[ACCOUNTS - 1 :]} == {START * ACCOUNTS}
        places |= {state: place for place, state in enumerate(states)}
        by_end = sorted(self.history, key=lambda event: event[1])
        earliest, done = -1, 0
        for begun, _, what in sorted(self.history, key=lambda event: event[0]):
            while by_end[done][1] < begun:
                earliest = max(earliest, places[by_end[done][2]])
                done += 1
            is_write = isinstance(what, str)
            assert places[what] >= earliest + is_write, f"{what} is at {places[what]}, and {earliest} had ended before it was begun"
        return len(states)


def account(item):
    return int(item["changes"]["N"]), int(item["balance"]["N"])


def told_by_stream(node, arn):
    """All records of a stream, in their order."""
    streams = node.client("dynamodbstreams")
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        asked = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        at = streams.get_shard_iterator(**asked)["ShardIterator"]
        while at:
            page = streams.get_records(ShardIterator=at)
            records += page["Records"]
            at = page.get("NextShardIterator") if page["Records"] else None
    return records


def test_transfers_neither_make_nor_lose_money(own_node):
    chance = seeded()
    node = own_node().start()
    bank = Bank(node)
    arn = bank.dynamodb.describe_table(TableName="bank")["Table"]["LatestStreamArn"]
    for _ in range(KILLS):
        stop = threading.Event()
        workers = workers_of(bank.person, [(number, chance.random(), stop) for number in range(PEOPLE)])
        # While they move it, the sum is always the same.
        until = time.monotonic() + chance.uniform(0.3, 1.0)
        while time.monotonic() < until:
            assert sum(bank.balances()) == START * ACCOUNTS
        node.kill()
        stop.set()
        for worker in workers:
            worker.join()
        node.start()
        known = bank.check()
    records = told_by_stream(node, arn)
    made = [record["dynamodb"]["Keys"]["id"]["S"] for record in records if record["eventName"] == "INSERT"]
    told = [name for name in made if name.startswith("transfer-")]
    assert sorted(told) == sorted(known), "the stream tells of each transfer once"
    commits = bank.check_order(records)
    acknowledged = sum(map(len, bank.acknowledged))
    looks = len(bank.history) - acknowledged
    print(f"{KILLS} kills: {acknowledged} transfers acknowledged, {len(known)} done, none by half; {looks} looks in the order of {commits} commits")
    assert acknowledged > 0
    assert node.stop() == 0


class Ledger:
    """What was written, and what the function told of it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.written = collections.defaultdict(int)
        self.told = collections.defaultdict(int)
        self.again = 0
        self.wrong = []

    def note(self, key, number):
        """The next number of a key. One that was handed over may come again; none may come early."""
        with self.lock:
            if number > self.told[key] + 1:
                self.wrong.append(f"{key}:{number} came after {self.told[key]}")
            self.again += number <= self.told[key]
            self.told[key] = max(self.told[key], number)

    def missing(self):
        with self.lock:
            return sum(max(0, number - self.told[key]) for key, number in self.written.items())


def count_up(ledger, dynamodb, name, keys, stop):
    """Counts keys up, one after the other; a count that was not answered is written again, which changes nothing if it was done."""
    while True:
        for key in keys:
            item = {"id": {"S": key}, "n": {"N": str(ledger.written[key] + 1)}}
            while True:
                if stop.is_set():
                    return
                try:
                    dynamodb.put_item(TableName=name, Item=item)
                    break
                except GONE:
                    # The node is down: not to be hammered.
                    time.sleep(0.05)
            with ledger.lock:
                ledger.written[key] += 1


def collect(ledger, sqs, url, stop):
    while not stop.is_set():
        try:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            for message in found:
                for key, number in json.loads(message["Body"]):
                    ledger.note(key, number)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        except (*GONE, ClientError):
            time.sleep(0.05)


def test_a_stream_hands_over_every_change_in_order(own_node):
    chance = seeded()
    node = own_node().start()
    dynamodb, functions, sqs = (node.client(service, **IMPATIENT) for service in ("dynamodb", "lambda", "sqs"))
    arn = table(dynamodb, "counts")
    fifo = {"FifoQueue": "true", "VisibilityTimeout": "5"}
    told = sqs.create_queue(QueueName="told.fifo", Attributes=fifo)["QueueUrl"]
    create(functions, "tell", code=python_zip(HANDLER), Environment={"Variables": {"TOLD": told}}, Timeout=10)
    functions.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="tell", StartingPosition="LATEST", BatchSize=50, ParallelizationFactor=2
    )
    ledger, written, collected = Ledger(), threading.Event(), threading.Event()
    each = [(ledger, dynamodb, "counts", [f"k{worker}-{n}" for n in range(3)], written) for worker in range(3)]
    writers = workers_of(count_up, each)
    collectors = workers_of(collect, [(ledger, sqs, told, collected)])
    for _ in range(KILLS):
        # The moment of the kill is what the test varies; it is no wait for a state.
        time.sleep(chance.uniform(0.3, 1.2))
        node.kill()
        node.start()
    # Whatever was broken off: it goes on after the last kill too.
    before = sum(ledger.told.values())
    eventually(lambda: sum(ledger.told.values()) > before, 60, "another change")
    written.set()
    for writer in writers:
        writer.join()
    # As long as some of what is left comes, nothing is stuck.
    try:
        while left := ledger.missing():
            eventually(lambda: ledger.missing() < left, 60, f"any of {left} changes")
    finally:
        collected.set()
        for collector in collectors:
            collector.join()
    print(f"{KILLS} kills: {sum(ledger.written.values())} changes, all handed over in order, {ledger.again} more than once")
    assert not ledger.wrong, ledger.wrong[:10]
    assert node.stop() == 0
