"""Everything that delivers, busy at once, while the node is killed again and again: what it accepted arrives.

Messages go straight into a FIFO queue, and through a topic, an event bus and schedules into a standard one. `FREEHOLD_STORM_KILLS`
says how often the node is killed.
"""

import collections
import datetime
import json
import os
import random
import threading
import time

import botocore.exceptions
from botocore.exceptions import ClientError
from conftest import Node
from support import ROLE, eventually

KILLS = int(os.environ.get("FREEHOLD_STORM_KILLS", 2))
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError, ClientError)
GROUPS = 3


class Ledger:
    """What was accepted, what came, and what came that should not have."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accepted = set()
        self.come = collections.Counter()
        self.last = collections.defaultdict(int)
        self.wrong = []

    def accept(self, name):
        with self.lock:
            self.accepted.add(name)

    def note(self, name):
        with self.lock:
            self.come[name] += 1

    def note_in_order(self, group, number):
        """A FIFO group's next message; one that is not deleted may come again, none may come early."""
        with self.lock:
            if number > self.last[group] + 1:
                self.wrong.append(f"{group}:{number} came after {self.last[group]}")
            self.last[group] = max(self.last[group], number)

    def counts(self):
        """How many of each kind were accepted."""
        with self.lock:
            return collections.Counter(name.split(":")[0] for name in self.accepted)

    def missing(self):
        with self.lock:
            return len(self.accepted - self.come.keys())


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def worker(target, *arguments):
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def send_each(ledger, stop, kind, send):
    """Sends one after the other until it is told to stop; what fails is not sent again, and may come or not."""
    number = 0
    while not stop.is_set():
        number += 1
        name = f"{kind}:{number}"
        try:
            send(name)
        except GONE:
            # The node is down: not to be hammered.
            time.sleep(0.05)
            continue
        ledger.accept(name)


def send_in_order(ledger, stop, sqs, url, group):
    """Sends one after the other, each again until it is accepted: deduplication makes it one."""
    number = 1
    while not stop.is_set():
        name = f"{group}:{number}"
        try:
            sqs.send_message(QueueUrl=url, MessageBody=name, MessageGroupId=group, MessageDeduplicationId=name)
        except GONE:
            time.sleep(0.05)
            continue
        ledger.accept(name)
        number += 1


def collect(ledger, stop, sqs, url):
    while not stop.is_set():
        try:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            for message in found:
                name = message["Body"].strip('"')
                if url.endswith(".fifo"):
                    group, number = name.split(":")
                    ledger.note_in_order(group, int(number))
                ledger.note(name)
            if found:
                entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(found)]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        except GONE:
            time.sleep(0.05)


def test_what_was_accepted_arrives_whatever_dies(tmp_path):
    node = Node(tmp_path / "data").start()
    settings = {"retries": {"max_attempts": 0}, "connect_timeout": 5, "read_timeout": 30, "max_pool_connections": 20}
    sqs, sns, events, scheduler = (node.client(name, **settings) for name in ("sqs", "sns", "events", "scheduler"))
    sink = sqs.create_queue(QueueName="sink", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    fifo = {"FifoQueue": "true", "VisibilityTimeout": "5"}
    ordered = sqs.create_queue(QueueName="ordered.fifo", Attributes=fifo)["QueueUrl"]
    topic = sns.create_topic(Name="topic")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(sqs, sink), Attributes=raw)
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["storm"]}))
    target = {"Id": "sink", "Arn": arn(sqs, sink), "InputPath": "$.detail.name"}
    assert events.put_targets(Rule="all", Targets=[target])["FailedEntryCount"] == 0
    sink_arn = arn(sqs, sink)

    def publish(name):
        sns.publish(TopicArn=topic, Message=name)

    def put(name):
        entry = {"Source": "storm", "DetailType": "each", "Detail": json.dumps({"name": name})}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def schedule(name):
        then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        scheduler.create_schedule(
            Name=name.replace(":", "-"),
            ScheduleExpression=then.strftime("at(%Y-%m-%dT%H:%M:%S)"),
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={"Arn": sink_arn, "RoleArn": ROLE, "Input": name},
        )

    def send(name):
        sqs.send_message(QueueUrl=sink, MessageBody=name)

    ledger, sent, collected = Ledger(), threading.Event(), threading.Event()
    kinds = {"queue": send, "topic": publish, "rule": put, "schedule": schedule}
    senders = [worker(send_each, ledger, sent, kind, how) for kind, how in kinds.items()]
    senders += [worker(send_in_order, ledger, sent, sqs, ordered, f"group{n}") for n in range(GROUPS)]
    collectors = [worker(collect, ledger, collected, sqs, url) for url in (sink, sink, ordered)]
    chance = random.Random(11)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 1.5))
        node.kill()
        node.start()
    # Whatever was broken off: something of each kind is accepted after the last kill too.
    before = ledger.counts()
    for kind in [*kinds, *(f"group{n}" for n in range(GROUPS))]:
        eventually(lambda: ledger.counts()[kind] > before[kind], what=f"another {kind}")
    sent.set()
    for thread in senders:
        thread.join()
    # As long as some of what is left comes, nothing is stuck.
    try:
        while left := ledger.missing():
            eventually(lambda: ledger.missing() < left, what=f"any of {left} accepted messages")
    finally:
        collected.set()
        for thread in collectors:
            thread.join()
    node.stop()
    accepted = ledger.counts()
    again = sum(count - 1 for count in ledger.come.values())
    print(f"{KILLS} kills, accepted and delivered: {dict(sorted(accepted.items()))}; {again} more than once")
    assert not ledger.wrong
    assert all(accepted[kind] for kind in kinds)
