"""DynamoDB as boto3's client and resource see it: items, indexes, pages, transactions, streams, refusals, and what a kill leaves."""

import decimal
import os
import random
import threading
import time
import uuid

import botocore.exceptions
import boto3.dynamodb.conditions as conditions
import pytest
from support import create_table, eventually, refusal

KILLS = int(os.environ.get("FREEHOLD_TABLE_KILLS", 3))
GONE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)


@pytest.fixture(scope="module")
def dynamodb(node):
    return node.client("dynamodb")


@pytest.fixture
def table(dynamodb):
    name = create_table(dynamodb)
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def resource(node, table):
    import boto3

    session = boto3.Session("key", "secret", region_name="us-east-1")
    return session.resource("dynamodb", endpoint_url=node.endpoint).Table(table)


def test_the_resource_puts_gets_and_queries_values_of_every_type(resource):
    item = {
        "p": "ann",
        "s": decimal.Decimal("1.5"),
        "text": "grüße",
        "raw": b"\x00\xff",
        "yes": True,
        "none": None,
        "list": [1, "two", {"three": decimal.Decimal("3.1415926535897932384626433832795028841")}],
        "map": {"deep": {"er": [b"x"]}},
        "texts": {"b", "a"},
        "numbers": {decimal.Decimal(1), decimal.Decimal("-2.5")},
        "bytes": {b"1", b"2"},
    }
    resource.put_item(Item=item)
    found = resource.get_item(Key={"p": "ann", "s": decimal.Decimal("1.50")}, ConsistentRead=True)["Item"]
    assert found == item
    for n in range(10):
        resource.put_item(Item={"p": "bob", "s": n, "g": "even" if n % 2 == 0 else "odd"})
    answer = resource.query(
        KeyConditionExpression=conditions.Key("p").eq("bob") & conditions.Key("s").between(3, 8),
        FilterExpression=conditions.Attr("g").eq("even"),
        ScanIndexForward=False,
    )
    assert [int(item["s"]) for item in answer["Items"]] == [8, 6, 4]
    assert (answer["Count"], answer["ScannedCount"]) == (3, 6)
    answer = resource.query(IndexName="by-g", KeyConditionExpression=conditions.Key("g").eq("odd"), Select="COUNT")
    assert answer["Count"] == 5
    updated = resource.update_item(
        Key={"p": "bob", "s": 0},
        UpdateExpression="SET #l = list_append(if_not_exists(#l, :none), :more), n = :n ADD hits :one REMOVE g",
        ConditionExpression=conditions.Attr("g").begins_with("ev"),
        ExpressionAttributeNames={"#l": "log"},
        ExpressionAttributeValues={":none": [], ":more": ["x"], ":n": {"a": [1]}, ":one": 1},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert updated == {"p": "bob", "s": 0, "log": ["x"], "n": {"a": [1]}, "hits": 1}
    with resource.batch_writer() as batch:
        for n in range(60):
            batch.put_item(Item={"p": "many", "s": n, "text": "x" * 1_000})
    pages = resource.meta.client.get_paginator("scan").paginate(
        TableName=resource.name, PaginationConfig={"PageSize": 7}, FilterExpression=conditions.Attr("p").eq("many")
    )
    assert sorted(int(item["s"]) for page in pages for item in page["Items"]) == list(range(60))


def test_transactions_tell_why_they_are_cancelled(dynamodb, table):
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    put = {"Put": {"TableName": table, "Item": key, "ConditionExpression": "attribute_not_exists(p)"}}
    token = str(uuid.uuid4())
    dynamodb.transact_write_items(TransactItems=[put], ClientRequestToken=token)
    dynamodb.transact_write_items(TransactItems=[put], ClientRequestToken=token)
    other = {"Put": {"TableName": table, "Item": {"p": {"S": "b"}, "s": {"N": "1"}}}}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=[other, put])
    assert cancelled.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
    ]
    assert "Item" not in dynamodb.get_item(TableName=table, Key=other["Put"]["Item"])
    answer = dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": table, "Key": key}}])
    assert answer["Responses"] == [{"Item": key}]


def test_refusals_are_dynamodbs_word_for_word(dynamodb, table):
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=key)
    invalid = "One or more parameter values were invalid: "
    cases = [
        (dynamodb.get_item, {"Key": {"p": {"S": "a"}}}, "The provided key element does not match the schema"),
        (dynamodb.put_item, {"Item": {"p": {"S": "a"}}}, invalid + "Missing the key s in the item"),
        (
            dynamodb.put_item,
            {"Item": {"p": {"N": "1"}, "s": {"N": "1"}}},
            invalid + "Type mismatch for key p expected: S actual: N",
        ),
        (
            dynamodb.put_item,
            {"Item": key, "ConditionExpression": "size(p) > :n"},
            "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :n",
        ),
        (
            dynamodb.update_item,
            {"Key": key, "UpdateExpression": "SET p = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
            invalid + "Cannot update attribute p. This attribute is part of the key",
        ),
        (
            dynamodb.query,
            {"KeyConditionExpression": "s = :s", "ExpressionAttributeValues": {":s": {"N": "1"}}},
            "Query condition missed key schema element: p",
        ),
        (
            dynamodb.query,
            {},
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ),
        (dynamodb.scan, {"IndexName": "nothing"}, "The table does not have the specified index: nothing"),
        (
            dynamodb.scan,
            {"FilterExpression": "n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}, ":m": {"N": "2"}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:m}",
        ),
        (
            dynamodb.get_item,
            {"Key": key, "ProjectionExpression": "n", "ExpressionAttributeNames": {"#n": "n"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}",
        ),
        (
            dynamodb.scan,
            {"ConditionalOperator": "OR"},
            "ConditionalOperator cannot be used without Filter or Expected",
        ),
        (
            dynamodb.scan,
            {"ProjectionExpression": "p.a"},
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: p",
        ),
    ]
    for call, arguments, message in cases:
        assert refusal(call, TableName=table, **arguments) == ("ValidationException", message)
    condition = {"TableName": table, "Item": key, "ConditionExpression": "attribute_not_exists(p)"}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as failed:
        dynamodb.put_item(**condition, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert failed.value.response["Error"]["Message"] == "The conditional request failed"
    assert failed.value.response["Item"] == key
    assert refusal(dynamodb.get_item, TableName="no-such-table", Key=key) == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )
    assert refusal(dynamodb.describe_table, TableName="no-such-table") == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: no-such-table not found",
    )
    assert refusal(dynamodb.create_global_table, GlobalTableName="g", ReplicationGroup=[{"RegionName": "x"}])[0] == (
        "NotImplementedException"
    )


def test_calls_carry_as_much_as_dynamodbs_do(dynamodb, table):
    keys = [{"p": {"S": "many"}, "s": {"N": str(n)}} for n in range(101)]
    puts = [{"PutRequest": {"Item": key}} for key in keys]
    transacted = [{"Put": {"TableName": table, "Item": key}} for key in keys]
    gets = [{"Get": {"TableName": table, "Key": key}} for key in keys]
    statement = f"SELECT * FROM \"{table}\" WHERE p = 'many' AND s = 1"
    said = [{"Statement": statement}] * 101
    cases = [
        (dynamodb.batch_write_item, lambda n: {"RequestItems": {table: puts[:n]}}, 25),
        (dynamodb.batch_get_item, lambda n: {"RequestItems": {table: {"Keys": keys[:n]}}}, 100),
        (dynamodb.transact_write_items, lambda n: {"TransactItems": transacted[:n]}, 100),
        (dynamodb.transact_get_items, lambda n: {"TransactItems": gets[:n]}, 100),
        (dynamodb.batch_execute_statement, lambda n: {"Statements": said[:n]}, 25),
        (dynamodb.scan, lambda n: {"TableName": table, "Segment": 0, "TotalSegments": n}, 1_000_000),
        (dynamodb.list_tables, lambda n: {"Limit": n}, 100),
    ]
    for call, arguments, most in cases:
        call(**arguments(most))
        assert refusal(call, **arguments(most + 1))[0] == "ValidationException", call.__name__
    for call, arguments in [
        (dynamodb.scan, {"TableName": table, "Limit": 0}),
        (dynamodb.list_tables, {"Limit": 0}),
        (dynamodb.batch_write_item, {"RequestItems": {}}),
        (dynamodb.batch_write_item, {"RequestItems": {table: []}}),
        (dynamodb.transact_write_items, {"TransactItems": []}),
        (dynamodb.transact_write_items, {"TransactItems": transacted[:1], "ClientRequestToken": "t" * 37}),
        (dynamodb.execute_statement, {"Statement": statement + " " * 8_192}),
    ]:
        assert refusal(call, **arguments)[0] == "ValidationException", (call.__name__, arguments)


def test_an_index_can_be_made_later_and_taken_away(dynamodb, table):
    for n in range(50):
        dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "s": {"N": str(n)}, "colour": {"S": f"c{n % 5}"}})
    dynamodb.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "colour", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-colour",
                    "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )

    def active():
        described = dynamodb.describe_table(TableName=table)["Table"]
        return all(index["IndexStatus"] == "ACTIVE" for index in described["GlobalSecondaryIndexes"])

    eventually(active, what="the index is filled")
    answer = dynamodb.query(
        TableName=table,
        IndexName="by-colour",
        KeyConditionExpression="colour = :c",
        ExpressionAttributeValues={":c": {"S": "c3"}},
        ReturnConsumedCapacity="INDEXES",
    )
    assert answer["Count"] == 10
    assert answer["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {"by-colour": {"CapacityUnits": 0.5}}
    delete = [{"Delete": {"IndexName": "by-colour"}}]
    dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=delete)
    eventually(
        lambda: len(dynamodb.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]) == 1,
        what="the index is gone",
    )


def test_a_stream_tells_of_every_change(node, dynamodb):
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    table = create_table(dynamodb, StreamSpecification=stream)
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    streams = node.client("dynamodbstreams")
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=key)
    dynamodb.put_item(TableName=table, Item={**key, "v": {"S": "x"}})
    dynamodb.delete_item(TableName=table, Key=key)
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert records[1]["dynamodb"]["NewImage"] == {**key, "v": {"S": "x"}}
    assert records[2]["dynamodb"]["Keys"] == key
    dynamodb.delete_table(TableName=table)


def test_settings_are_kept(dynamodb, table):
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "blue"}])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "blue"}]
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    dynamodb.put_item(TableName=table, Item={"p": {"S": "old"}, "s": {"N": "1"}, "until": {"N": str(int(time.time()) - 5)}})
    eventually(
        lambda: "Item" not in dynamodb.get_item(TableName=table, Key={"p": {"S": "old"}, "s": {"N": "1"}}),
        what="the item whose time is over is gone",
    )
    assert table in [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    assert dynamodb.describe_limits()["TableMaxReadCapacityUnits"] == 40_000


def test_nothing_acknowledged_is_lost(own_node):
    """Writers count up items, each alone with its own; a kill may add one count that was not answered, and never takes one away."""
    seed = int(os.environ.get("FREEHOLD_SEED", time.time_ns() % 10**9))
    print(f"replay with FREEHOLD_SEED={seed}")
    chance = random.Random(seed)
    node = own_node().start()
    table = create_table(node.client("dynamodb"))
    counts = [0] * 8

    def count(client, worker, stop):
        key = {"p": {"S": f"w{worker}"}, "s": {"N": "1"}}
        while not stop.is_set():
            try:
                client.transact_write_items(
                    TransactItems=[
                        {
                            "Update": {
                                "TableName": table,
                                "Key": {**key, "s": {"N": str(s)}},
                                "UpdateExpression": "ADD n :one SET g = :g",
                                "ExpressionAttributeValues": {":one": {"N": "1"}, ":g": {"S": f"g{worker}"}},
                            }
                        }
                        for s in (1, 2)
                    ]
                )
            except GONE:
                return
            counts[worker] += 1

    for _ in range(KILLS):
        stop = threading.Event()
        clients = [node.client("dynamodb", retries={"max_attempts": 0}) for _ in counts]
        workers = [threading.Thread(target=count, args=(client, n, stop), daemon=True) for n, client in enumerate(clients)]
        for worker in workers:
            worker.start()
        # The moment of the kill is what the test varies; it is no wait for a state.
        time.sleep(chance.uniform(0.2, 0.8))
        node.kill()
        stop.set()
        for worker in workers:
            worker.join()
        node.start()
        client = node.client("dynamodb")
        for worker, known in enumerate(counts):
            items = client.query(
                TableName=table,
                IndexName="by-g",
                KeyConditionExpression="g = :g",
                ExpressionAttributeValues={":g": {"S": f"g{worker}"}},
            )["Items"]
            found = {int(item["n"]["N"]) for item in items} or {0}
            assert len(found) == 1, f"half a transaction: {items}"
            assert found <= {known, known + 1}, (worker, known, items)
            counts[worker] = found.pop()
    assert sum(counts) > 0
    assert node.stop() == 0
