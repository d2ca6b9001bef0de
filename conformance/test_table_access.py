"""Tenants in one table, kept apart by its policy and DynamoDB's own condition keys, as boto3 meets them."""

import json
import uuid

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from botocore.exceptions import ClientError
from support import create, python_zip

# Who calls this is who may call as it.
HANDLER = """
import os

def handler(event, context):
    return {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
"""
ROLES = {name: f"arn:aws:iam::000000000000:role/{name}" for name in ("ann", "bob", "reader")}


class Tenants:
    """A table whose items belong to roles, and a client for each."""

    def __init__(self, node):
        self.node = node
        self.owner = node.root_client("dynamodb")
        self.name = f"tenants-{uuid.uuid4()}"
        made = self.owner.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("owner", "id", "color")],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-color",
                    "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.arn = made["TableDescription"]["TableArn"]
        for owner in ROLES.values():
            item = {"owner": {"S": owner}, "id": {"S": "1"}, "color": {"S": "red"}, "secret": {"S": "x"}}
            self.owner.put_item(TableName=self.name, Item=item)
        self.credentials = {}
        functions = node.root_client("lambda")
        for name, role in ROLES.items():
            function = f"{name}-{uuid.uuid4().hex[:8]}"
            create(functions, function, code=python_zip(HANDLER), Role=role)
            answer = functions.invoke(FunctionName=function)
            self.credentials[name] = json.loads(answer["Payload"].read())

    def session(self, name):
        told = self.credentials[name]
        return dict(
            endpoint_url=self.node.endpoint,
            region_name="us-east-1",
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=told["AWS_SESSION_TOKEN"],
            config=Config(retries={"max_attempts": 1}),
        )

    def client(self, name):
        return boto3.client("dynamodb", **self.session(name))

    def table(self, name):
        return boto3.resource("dynamodb", **self.session(name)).Table(self.name)

    def allow(self, *statements):
        def whole(statement):
            resources = [self.arn, f"{self.arn}/index/*"]
            return {"Effect": "Allow", "Action": "dynamodb:*", "Resource": resources, **statement}

        policy = {"Version": "2012-10-17", "Statement": [whole(statement) for statement in statements]}
        self.owner.put_resource_policy(ResourceArn=self.arn, Policy=json.dumps(policy))


@pytest.fixture(scope="module")
def tenants(guarded):
    return Tenants(guarded)


def may(call, **arguments):
    """Whether the call is let through."""
    try:
        call(**arguments)
        return True
    except ClientError as refused:
        assert refused.response["Error"]["Code"] == "AccessDeniedException", refused
        return False


def key(name, id="1"):
    return {"owner": {"S": ROLES[name]}, "id": {"S": id}}


def test_each_tenant_has_its_own_items_and_no_other(tenants):
    tenants.allow(
        {
            "Principal": {"AWS": [ROLES["ann"], ROLES["bob"]]},
            "Action": ["dynamodb:*Item", "dynamodb:Query", "dynamodb:PartiQL*"],
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:PrincipalArn}"]}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "dynamodb:PartiQLSelect",
            "Condition": {"Bool": {"dynamodb:FullTableScan": ["true"]}},
        },
    )
    ann, table = tenants.client("ann"), tenants.name
    for whose, allowed in [("ann", True), ("bob", False)]:
        item = {**key(whose, "2"), "color": {"S": "blue"}}
        update = dict(UpdateExpression="SET color = :c", ExpressionAttributeValues={":c": {"S": "green"}})
        assert may(ann.get_item, TableName=table, Key=key(whose)) == allowed
        assert may(ann.put_item, TableName=table, Item=item) == allowed
        assert may(ann.update_item, TableName=table, Key=key(whose, "2"), **update) == allowed
        assert may(ann.delete_item, TableName=table, Key=key(whose, "2")) == allowed
        assert may(tenants.table("ann").query, KeyConditionExpression=Key("owner").eq(ROLES[whose])) == allowed
        # One item of somebody else's spoils the whole.
        both = [key("ann"), key(whose)][: 1 + (whose != "ann")]
        assert may(ann.batch_get_item, RequestItems={table: {"Keys": both}}) == allowed
        writes = [{"PutRequest": {"Item": one}} for one in both]
        assert may(ann.batch_write_item, RequestItems={table: writes}) == allowed
        gets = [{"Get": {"TableName": table, "Key": one}} for one in both]
        assert may(ann.transact_get_items, TransactItems=gets) == allowed
        exists = "attribute_exists(id)"
        checks = [{"ConditionCheck": {"TableName": table, "Key": one, "ConditionExpression": exists}} for one in both]
        assert may(ann.transact_write_items, TransactItems=checks) == allowed
        select = f"SELECT * FROM \"{table}\" WHERE \"owner\" = ?"
        assert may(ann.execute_statement, Statement=select, Parameters=[{"S": ROLES[whose]}]) == allowed
        single = {"Statement": f"{select} AND id = '1'", "Parameters": [{"S": ROLES[whose]}]}
        [one] = ann.batch_execute_statement(Statements=[single])["Responses"]
        assert ("Item" in one) == allowed and one.get("Error", {}).get("Code") == (None if allowed else "AccessDenied")
        assert may(ann.execute_transaction, TransactStatements=[single]) == allowed
    # What belongs to no one tenant.
    assert not may(ann.scan, TableName=table)
    assert not may(ann.execute_statement, Statement=f"SELECT * FROM \"{table}\"")
    red = dict(KeyConditionExpression="color = :c", ExpressionAttributeValues={":c": {"S": "red"}})
    assert not may(ann.query, TableName=table, IndexName="by-color", **red)
    assert not may(tenants.client("reader").get_item, TableName=table, Key=key("reader"))
    # Nothing was written that was refused.
    kept = tenants.owner.scan(TableName=table)["Items"]
    assert sorted(item["owner"]["S"] for item in kept) == sorted(ROLES.values())


def test_attributes_are_hidden_from_who_may_not_name_them(tenants):
    tenants.owner.put_item(TableName=tenants.name, Item={**key("reader"), "color": {"S": "red"}, "secret": {"S": "x"}})
    tenants.allow(
        {
            "Principal": {"AWS": ROLES["reader"]},
            "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"],
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:Attributes": ["owner", "id", "color"]},
                "StringEqualsIfExists": {
                    "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
                    "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"],
                },
            },
        }
    )
    reader, table = tenants.client("reader"), tenants.name
    one = dict(TableName=table, Key=key("reader"))
    assert reader.get_item(**one, ProjectionExpression="color")["Item"] == {"color": {"S": "red"}}
    for hidden in [{}, {"ProjectionExpression": "secret"}, {"AttributesToGet": ["color", "secret"]}]:
        assert not may(reader.get_item, **one, **hidden)
    assert may(reader.scan, TableName=table, ProjectionExpression="color")
    for hidden in [{}, {"Select": "COUNT"}, {"IndexName": "by-color"}]:
        assert not may(reader.scan, TableName=table, **hidden)
    peeking = dict(FilterExpression="secret = :x", ExpressionAttributeValues={":x": {"S": "x"}})
    assert not may(reader.scan, TableName=table, ProjectionExpression="color", **peeking)
    update = dict(UpdateExpression="SET color = :c", ExpressionAttributeValues={":c": {"S": "blue"}})
    assert may(reader.update_item, **one, **update, ReturnValues="UPDATED_OLD")
    assert not may(reader.update_item, **one, **update, ReturnValues="ALL_NEW")
    # Not by the way of a condition that fails either.
    failing = dict(ConditionExpression="attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert not may(reader.update_item, **one, **update, **failing)
    assert not may(reader.update_item, **one, UpdateExpression="SET color = secret")


def test_what_only_a_transaction_may_do(tenants):
    enclosing = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactGetItems"]}}
    tenants.allow({"Principal": {"AWS": ROLES["bob"]}, "Action": "dynamodb:GetItem", "Condition": enclosing})
    bob, get = tenants.client("bob"), dict(TableName=tenants.name, Key=key("bob"))
    assert may(bob.transact_get_items, TransactItems=[{"Get": get}])
    assert not may(bob.get_item, **get)


def test_who_is_under_a_key_that_is_not_told_is_refused(tenants):
    unknown = {"ForAllValues:StringEquals": {"dynamodb:FirstPartitionKeyValues": [ROLES["bob"]]}}
    tenants.allow({"Principal": {"AWS": ROLES["bob"]}, "Condition": unknown})
    with pytest.raises(ClientError) as refused:
        tenants.client("bob").get_item(TableName=tenants.name, Key=key("bob"))
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "dynamodb:FirstPartitionKeyValues" in refused.value.response["Error"]["Message"]
    # Whoever owns the table is not.
    assert may(tenants.owner.get_item, TableName=tenants.name, Key=key("bob"))
