"""Celery and kombu over the queues, as applications use them."""

import os
import pathlib
import subprocess
import sys

import kombu
import pytest
from conftest import ENVIRONMENT

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60


@pytest.fixture(scope="module")
def broker(node):
    return "sqs://test:test@" + node.endpoint.removeprefix("http://")


@pytest.fixture(scope="module")
def app(broker, tmp_path_factory):
    """The application, with a worker that runs its tasks."""
    folder = tmp_path_factory.mktemp("celery")
    results = folder / "results"
    results.mkdir()
    environment = {**ENVIRONMENT, "BROKER": broker, "BACKEND": f"file://{results}", "PYTHONPATH": str(HERE)}
    previous = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    log = open(folder / "worker.log", "w")
    command = [sys.executable, "-m", "celery", "--app", "celery_app", "worker", "--pool", "solo", "--without-mingle", "--without-gossip"]
    worker = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env={**os.environ})
    try:
        import celery_app

        yield celery_app
    finally:
        worker.terminate()
        worker.wait(PATIENCE)
        log.close()
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def test_tasks_are_run(app):
    answers = [app.add.delay(number, number) for number in range(20)]
    assert [answer.get(timeout=PATIENCE) for answer in answers] == [2 * number for number in range(20)]


def test_tasks_are_tried_again_and_run_later(app):
    stubborn = app.stubborn.delay("done")
    later = app.add.apply_async((1, 2), countdown=2)
    assert stubborn.get(timeout=PATIENCE) == "done after 2"
    assert later.get(timeout=PATIENCE) == 3


def test_large_arguments_arrive_whole(app):
    assert app.total.delay(list(range(50_000))).get(timeout=PATIENCE) == sum(range(50_000))


def test_kombu_puts_and_gets(broker):
    options = {"region": "us-east-1", "is_secure": False, "wait_time_seconds": 1}
    with kombu.Connection(broker, transport_options=options) as connection:
        queue = connection.SimpleQueue("kombu-plain")
        queue.put({"number": 1})
        queue.put({"text": "Grüße, 世界"})
        found = []
        for _ in range(2):
            message = queue.get(timeout=PATIENCE)
            found.append(message.payload)
            message.ack()
        assert sorted(map(str, found)) == sorted(map(str, [{"number": 1}, {"text": "Grüße, 世界"}]))
        assert queue.qsize() == 0
        queue.close()
