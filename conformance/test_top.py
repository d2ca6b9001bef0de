"""What a person sees who watches the node: `freehold top`, and the metrics that a collector reads."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import urllib.request
import uuid

import pytest
from conftest import BINARY
from support import create, zipped

HANDLER = "def handler(event, context):\n    return 1 / event['by']\n"


@pytest.fixture(scope="module")
def watched(node):
    """A function that answered three times and failed once."""
    client = node.client("lambda")
    name = f"watched-{uuid.uuid4().hex[:8]}"
    create(client, name, code=zipped({"app.py": HANDLER}))
    for by in (1, 2, 0, 4):
        client.invoke(FunctionName=name, Payload=json.dumps({"by": by}))
    yield name
    client.delete_function(FunctionName=name)


def test_the_table_and_the_document_tell_the_same(node, watched):
    table = node.freehold("top").stdout
    assert re.search(r"calls/s · instances: \d+ busy", table), table
    row = next(line.split() for line in table.splitlines() if line.startswith(watched))
    document = json.loads(node.freehold("top", "--json").stdout)
    counts = next(one for one in document["functions"] if one["arn"].endswith(f":{watched}"))
    assert (counts["calls"], counts["errors"], counts["coldStarts"], counts["throttles"]) == (4, 1, 1, 0)
    assert counts["billedMbMs"] >= 4 * 128 and sum(counts["durations"]) == 4
    # Without calls in this second there are no durations; errors, cold starts and throttles count from the start.
    assert row[1:7] == ["0.0", "-", "-", "1", "1", "0"], table
    assert re.fullmatch(r"\$0\.\d{6}", row[-1]) and float(row[-1][1:]) > 0, table
    instances = [one for one in document["instances"] if one["arn"].endswith(f":{watched}")]
    assert instances[0]["memoryBytes"] > 1 << 20 and row[-2] != "B", (instances, row)
    assert document["starting"] >= 0 and document["bootedAhead"]["ready"] >= 0
    assert len(instances) == 1 and instances[0]["state"] in ("idle", "frozen") and instances[0]["attempts"] == 4


def test_what_is_refused_is_seen(node):
    client = node.client("lambda")
    name = f"refused-{uuid.uuid4().hex[:8]}"
    create(client, name, code=zipped({"app.py": HANDLER}))
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    once = node.client("lambda", retries={"total_max_attempts": 1})
    for _ in range(2):
        with pytest.raises(client.exceptions.TooManyRequestsException):
            once.invoke(FunctionName=name)
    document = json.loads(node.freehold("top", "--json").stdout)
    counts = next(one for one in document["functions"] if one["arn"].endswith(f":{name}"))
    table = node.freehold("top").stdout
    with urllib.request.urlopen(node.endpoint + "/_metrics", timeout=30) as answer:
        metrics = answer.read().decode()
    client.delete_function(FunctionName=name)
    assert (counts["calls"], counts["throttles"]) == (0, 2)
    row = next(line.split() for line in table.splitlines() if line.startswith(name))
    assert row[6] == "2", table
    line = rf'freehold_function_throttles_total{{function="[^"]*:{name}"}} 2(\.0)?\n'
    assert re.search(line, metrics), metrics


def test_metrics_tell_them_to_collectors(node, watched):
    with urllib.request.urlopen(node.endpoint + "/_metrics", timeout=30) as answer:
        text = answer.read().decode()
    function = f'function="arn:aws:lambda:us-east-1:000000000000:function:{watched}"'
    lines = {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in text.splitlines() if function in line}
    assert float(lines[f"freehold_function_calls_total{{{function}}}"]) == 4
    assert float(lines[f"freehold_function_errors_total{{{function}}}"]) == 1
    assert float(lines[f"freehold_function_cold_starts_total{{{function}}}"]) == 1
    assert float(lines[f"freehold_function_in_flight{{{function}}}"]) == 0
    assert sum(float(number) for name, number in lines.items() if name.startswith("freehold_instances{")) == 1
    assert float(lines[f"freehold_instance_memory_bytes{{{function}}}"]) > 1 << 20
    assert float(lines[f"freehold_function_duration_seconds_count{{{function}}}"]) == 4
    assert float(lines[f"freehold_function_duration_seconds_sum{{{function}}}"]) > 0
    buckets = {name: number for name, number in lines.items() if name.startswith("freehold_function_duration_seconds_bucket{")}
    assert [float(number) for name, number in buckets.items() if 'le="+Inf"' in name] == [4], buckets
    for name in ("freehold_booted_ahead ", "freehold_booted_ahead_taken_total ", "freehold_in_process_memory_bytes "):
        assert f"\n{name}" in text, name
    assert text.endswith("# EOF\n")


def test_the_page_lives_on_a_terminal_and_gives_it_back(node, watched):
    """On a terminal it is a page that is shown anew each second, until Ctrl-C."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "AWS_ENDPOINT_URL": node.endpoint, "TERM": "xterm"}
    command = [str(BINARY), "top", "--endpoint", node.endpoint]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""

    def read_until(text):
        nonlocal shown
        until = time.monotonic() + 60
        while text not in shown:
            assert time.monotonic() < until and select.select([ours], [], [], 60)[0], shown
            try:
                shown += os.read(ours, 65536)
            except OSError:
                # Linux says so when the other side is closed.
                break
        assert text in shown, shown

    try:
        read_until(b"\x1b[?1049h")
        read_until(watched.encode())
        shown = shown.split(watched.encode())[-1]
        read_until(watched.encode())
        process.send_signal(signal.SIGINT)
        read_until(b"\x1b[?1049l")
        assert b"\x1b[?25h" in shown, "the cursor is there again"
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
