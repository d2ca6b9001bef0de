"""Terraform's AWS provider makes tables with all that they can have, changes them, and plans again with no difference.

What tables do is held against boto3 in `test_tables.py`.
"""

from support import eventually

TERRAFORM = """
resource "aws_dynamodb_table" "orders" {
  name             = "terraformed"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "customer"
  range_key        = "number"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"
  tags             = { team = "shop" }

  attribute {
    name = "customer"
    type = "S"
  }
  attribute {
    name = "number"
    type = "N"
  }
  attribute {
    name = "state"
    type = "S"
  }
  attribute {
    name = "placed"
    type = "S"
  }
  %(attribute)s

  local_secondary_index {
    name            = "by-time"
    range_key       = "placed"
    projection_type = "KEYS_ONLY"
  }
  global_secondary_index {
    name               = "by-state"
    hash_key           = "state"
    range_key          = "number"
    projection_type    = "INCLUDE"
    non_key_attributes = ["total"]
  }
  %(index)s

  ttl {
    attribute_name = "%(expires)s"
    enabled        = %(ttl)s
  }
  point_in_time_recovery { enabled = true }
}

resource "aws_dynamodb_table" "counters" {
  name                        = "terraformed-counters"
  billing_mode                = "PROVISIONED"
  hash_key                    = "name"
  read_capacity               = %(capacity)d
  write_capacity              = 5
  deletion_protection_enabled = false

  attribute {
    name = "name"
    type = "S"
  }
  attribute {
    name = "kind"
    type = "B"
  }
  global_secondary_index {
    name            = "by-kind"
    hash_key        = "kind"
    projection_type = "ALL"
    read_capacity   = 3
    write_capacity  = 4
  }
}

resource "aws_dynamodb_table_item" "first" {
  table_name = aws_dynamodb_table.orders.name
  hash_key   = aws_dynamodb_table.orders.hash_key
  range_key  = aws_dynamodb_table.orders.range_key
  item = jsonencode({
    customer = { S = "ada" }
    number   = { N = "1" }
    state    = { S = "open" }
    city     = { S = "London" }
    total    = { N = "%(total)s" }
    lines    = { L = [{ M = { article = { S = "tea" }, count = { N = "3" } } }] }
    tags     = { SS = ["gift", "new"] }
  })
}

data "aws_dynamodb_table" "orders" {
  name = aws_dynamodb_table.orders.name
}

output "stream" { value = data.aws_dynamodb_table.orders.stream_arn }
"""

BEFORE = {"attribute": "", "index": "", "expires": "expires", "ttl": "true", "capacity": 5, "total": "12.5"}
AFTER = {
    "attribute": 'attribute {\n    name = "city"\n    type = "S"\n  }',
    "index": 'global_secondary_index {\n    name = "by-city"\n    hash_key = "city"\n    projection_type = "ALL"\n  }',
    "expires": "expires",
    "ttl": "false",
    "capacity": 7,
    "total": "13",
}


def test_terraform_applies_changes_and_plans_no_difference(node, terraform):
    tables = node.client("dynamodb")

    def described(name="terraformed"):
        return tables.describe_table(TableName=name)["Table"]

    def index(name):
        found = tables.query(
            TableName="terraformed",
            IndexName=name,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": {"by-state": "state", "by-city": "city"}[name]},
            ExpressionAttributeValues={":value": {"S": {"by-state": "open", "by-city": "London"}[name]}},
        )
        return found["Items"]

    terraform.apply(TERRAFORM % BEFORE)
    table = described()
    made = table["CreationDateTime"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["LatestStreamArn"] == terraform.output("stream")
    assert [one["IndexName"] for one in table["LocalSecondaryIndexes"]] == ["by-time"]
    assert index("by-state")[0]["total"] == {"N": "12.5"}
    lives = tables.describe_time_to_live(TableName="terraformed")["TimeToLiveDescription"]
    assert (lives["TimeToLiveStatus"], lives["AttributeName"]) == ("ENABLED", "expires")
    backups = tables.describe_continuous_backups(TableName="terraformed")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert tables.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert described("terraformed-counters")["ProvisionedThroughput"]["ReadCapacityUnits"] == 5

    terraform.apply(TERRAFORM % AFTER)
    table = described()
    assert table["CreationDateTime"] == made, "the table was changed, not made anew"
    assert {one["IndexName"] for one in table["GlobalSecondaryIndexes"]} == {"by-state", "by-city"}
    eventually(lambda: index("by-city"), what="the index's item")
    assert index("by-city")[0]["total"] == {"N": "13"}
    lives = tables.describe_time_to_live(TableName="terraformed")["TimeToLiveDescription"]
    assert lives["TimeToLiveStatus"] == "DISABLED"
    assert described("terraformed-counters")["ProvisionedThroughput"]["ReadCapacityUnits"] == 7

    terraform.destroy()
    eventually(lambda: not [name for name in tables.list_tables()["TableNames"] if name.startswith("terraformed")])
