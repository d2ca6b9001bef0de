"""What a person sees who watches the node: `freehold top`, and the metrics that a collector reads."""

import json
import re
import urllib.request
import uuid

import pytest
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
    instances = [one for one in document["instances"] if one["arn"].endswith(f":{watched}")]
    assert len(instances) == 1 and instances[0]["state"] in ("idle", "frozen") and instances[0]["attempts"] == 4


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
    assert text.endswith("# EOF\n")
