"""AWS's command line on tables: made, filled, read in pages, changed, and taken away."""

import json

import pytest
from command_line import CommandLine


@pytest.fixture(scope="module")
def aws(node):
    command_line = CommandLine(node)

    def run(*arguments, **settings):
        done = command_line("dynamodb", *arguments, **settings)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    run.refused = lambda *arguments: command_line("dynamodb", *arguments, check=False)
    yield run
    command_line.close()


@pytest.fixture
def orders(aws):
    table = ["--table-name", "by-hand"]
    aws(
        *["create-table", *table, "--billing-mode", "PAY_PER_REQUEST"],
        *["--attribute-definitions", "AttributeName=customer,AttributeType=S", "AttributeName=number,AttributeType=N"],
        *["--key-schema", "AttributeName=customer,KeyType=HASH", "AttributeName=number,KeyType=RANGE"],
    )
    aws("wait", "table-exists", *table)
    yield table
    aws("delete-table", *table)
    aws("wait", "table-not-exists", *table)


def item(number, state="open"):
    return {"customer": {"S": "ada"}, "number": {"N": str(number)}, "state": {"S": state}}


def test_items_are_put_read_changed_and_deleted(aws, orders):
    aws("put-item", *orders, "--item", json.dumps(item(1)))
    key = json.dumps({"customer": {"S": "ada"}, "number": {"N": "1"}})
    assert aws("get-item", *orders, "--key", key, "--consistent-read")["Item"] == item(1)
    changed = aws(
        *["update-item", *orders, "--key", key, "--update-expression", "SET #s = :new ADD visits :one"],
        *["--expression-attribute-names", '{"#s": "state"}', "--return-values", "UPDATED_NEW"],
        *["--expression-attribute-values", '{":new": {"S": "paid"}, ":one": {"N": "1"}}'],
    )
    assert changed["Attributes"] == {"state": {"S": "paid"}, "visits": {"N": "1"}}
    done = aws.refused("put-item", *orders, "--item", json.dumps(item(1)), "--condition-expression", "attribute_not_exists(customer)")
    assert done.returncode != 0
    assert "(ConditionalCheckFailedException)" in done.stderr and "The conditional request failed" in done.stderr
    deleted = aws("delete-item", *orders, "--key", key, "--return-values", "ALL_OLD")
    assert deleted["Attributes"]["state"] == {"S": "paid"}
    assert "Item" not in aws("get-item", *orders, "--key", key)


def test_pages_are_put_together(aws, orders):
    requests = {"by-hand": [{"PutRequest": {"Item": item(number)}} for number in range(20)]}
    assert aws("batch-write-item", "--request-items", json.dumps(requests))["UnprocessedItems"] == {}
    asked = ["--key-condition-expression", "customer = :c", "--expression-attribute-values", '{":c": {"S": "ada"}}']
    # Seven at a time from the node; the command line asks on until it has all.
    found = aws("query", *orders, *asked, "--page-size", "7", "--no-scan-index-forward")
    assert [row["number"]["N"] for row in found["Items"]] == [str(number) for number in reversed(range(20))]
    first = aws("scan", *orders, "--max-items", "5")
    assert len(first["Items"]) == 5
    rest = aws("scan", *orders, "--starting-token", first["NextToken"])
    assert len(rest["Items"]) == 15
    told = aws("execute-statement", "--statement", "SELECT number FROM \"by-hand\" WHERE customer = 'ada' AND number < 3")
    assert sorted(row["number"]["N"] for row in told["Items"]) == ["0", "1", "2"]


def test_transactions_hold_or_say_why(aws, orders):
    puts = [{"Put": {"TableName": "by-hand", "Item": item(number)}} for number in (1, 2)]
    aws("transact-write-items", "--transact-items", json.dumps(puts))
    once = {**puts[0]["Put"], "ConditionExpression": "attribute_not_exists(customer)"}
    done = aws.refused("transact-write-items", "--transact-items", json.dumps([{"Put": once}, puts[1]]))
    assert done.returncode != 0
    assert "specific reasons [ConditionalCheckFailed, None]" in done.stderr
