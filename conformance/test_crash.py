"""Acknowledged means on disk: a node that is killed again and again under load loses nothing that it acknowledged."""

import json
import os
import random
import threading
import time

import botocore.exceptions
from support import create, node_zip, python_zip

FUNCTIONS = int(os.environ.get("FREEHOLD_CRASH_FUNCTIONS", 1000))
KILLS = int(os.environ.get("FREEHOLD_CRASH_KILLS", 20))
WORKERS = 6
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)


class Ledger:
    """What was acknowledged, and what was asked and never answered (which may or may not have happened)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.todo = [f"crash-{number:04}" for number in range(FUNCTIONS)]
        self.asked = set()
        self.values = {}
        self.unanswered = {}
        self.invoked = 0
        self.wrong = []

    def take(self):
        with self.lock:
            return self.todo.pop() if self.todo else None

    def give_back(self, name):
        with self.lock:
            self.todo.append(name)

    def any_acknowledged(self, chance):
        with self.lock:
            return chance.choice(sorted(self.values)) if self.values else None


def load(node, ledger, seed, stop):
    """Creates, updates and invokes until told to stop, or until the node is gone."""
    chance = random.Random(seed)
    client = node.client("lambda", retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
    packages = {"python3.13": (python_zip(), "app.handler"), "nodejs24.x": (node_zip(), "index.handler")}
    while not stop.is_set():
        kind = chance.random()
        name = None
        try:
            if kind < 0.6 and (name := ledger.take()):
                runtime = chance.choice(sorted(packages))
                code, handler = packages[runtime]
                ledger.asked.add(name)
                try:
                    create(client, name, runtime, handler, code, Environment={"Variables": {"VALUE": "0"}})
                except client.exceptions.ResourceConflictException:
                    # Asked before the last kill, never answered, and there all the same.
                    pass
                with ledger.lock:
                    ledger.values[name] = "0"
            elif kind < 0.9 and (name := ledger.any_acknowledged(chance)):
                value = str(chance.randrange(10**9))
                with ledger.lock:
                    if name in ledger.unanswered:
                        continue
                    ledger.unanswered[name] = value
                try:
                    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"VALUE": value}})
                    with ledger.lock:
                        ledger.values[name] = value
                finally:
                    # After a kill the entry stays: the new value may or may not be there.
                    if ledger.values[name] == value:
                        del ledger.unanswered[name]
            elif name := ledger.any_acknowledged(chance):
                answer = json.load(client.invoke(FunctionName=name, Payload=json.dumps({"n": 1}))["Payload"])
                if answer.get("echo") != {"n": 1}:
                    ledger.wrong.append(f"{name} answered {answer}")
                ledger.invoked += 1
        except GONE:
            if name and name in ledger.asked and name not in ledger.values:
                ledger.give_back(name)
            return
        except botocore.exceptions.ClientError as fault:
            ledger.wrong.append(f"{name}: {fault}")
            return


def verify(node, ledger, chance):
    """Everything acknowledged is there with its last acknowledged value, nobody is there who was not asked for."""
    client = node.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    found = {function["FunctionName"]: function for page in pages for function in page["Functions"]}
    assert set(ledger.values) <= set(found), f"lost: {sorted(set(ledger.values) - set(found))}"
    assert set(found) <= ledger.asked, f"never asked for: {sorted(set(found) - ledger.asked)}"
    for name, value in ledger.values.items():
        there = found[name]["Environment"]["Variables"]["VALUE"]
        allowed = {value, ledger.unanswered.get(name, value)}
        assert there in allowed, f"{name} has {there}, acknowledged was {value}"
        # What was not answered is decided now.
        ledger.values[name] = there
    ledger.unanswered.clear()
    for name in chance.sample(sorted(ledger.values), min(len(ledger.values), max(10, FUNCTIONS // KILLS))):
        answer = client.invoke(FunctionName=name, Payload=b'{"after":"restart"}')
        body = json.load(answer["Payload"])
        assert body == {"echo": {"after": "restart"}, "value": ledger.values[name]}, (name, body)


def test_nothing_acknowledged_is_lost(own_node):
    seed = int(os.environ.get("FREEHOLD_SEED", time.time_ns() % 10**9))
    print(f"replay with FREEHOLD_SEED={seed}")
    chance = random.Random(seed)
    node = own_node().start()
    ledger = Ledger()
    for kill in range(KILLS):
        stop = threading.Event()
        workers = [
            threading.Thread(target=load, args=(node, ledger, seed + kill * WORKERS + worker, stop), daemon=True)
            for worker in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        # The moment of the kill is what the test varies; it is no wait for a state.
        time.sleep(chance.uniform(0.2, 2.0))
        node.kill()
        stop.set()
        for worker in workers:
            worker.join()
        assert not ledger.wrong, ledger.wrong
        node.start()
        verify(node, ledger, chance)
    client = node.client("lambda")
    while name := ledger.take():
        ledger.asked.add(name)
        try:
            create(client, name, Environment={"Variables": {"VALUE": "0"}})
        except client.exceptions.ResourceConflictException:
            pass
        ledger.values[name] = "0"
    verify(node, ledger, chance)
    print(f"{len(ledger.values)} functions, {KILLS} kills, {ledger.invoked} invocations under load: nothing lost")
    assert len(ledger.values) == FUNCTIONS
    assert node.stop() == 0
