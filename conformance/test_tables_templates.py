"""Templates make tables, change them without losing what is in them, and take them away."""

import json
import uuid

from support import eventually

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: customer, AttributeType: S}
        - {AttributeName: number, AttributeType: N}
        - {AttributeName: state, AttributeType: S}
        %(attribute)s
      KeySchema: [{AttributeName: customer, KeyType: HASH}, {AttributeName: number, KeyType: RANGE}]
      GlobalSecondaryIndexes:
        - IndexName: by-state
          KeySchema: [{AttributeName: state, KeyType: HASH}]
          Projection: {ProjectionType: KEYS_ONLY}
        %(index)s
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      Tags: [{Key: team, Value: %(team)s}]
  Counters:
    Type: AWS::Serverless::SimpleTable
    Properties:
      PrimaryKey: {Name: name, Type: String}
      ProvisionedThroughput: {ReadCapacityUnits: 3, WriteCapacityUnits: 2}
  Sessions: {Type: AWS::Serverless::SimpleTable}
Outputs:
  Name: {Value: !Ref Orders}
  Arn: {Value: !GetAtt Orders.Arn}
  Stream: {Value: !GetAtt Orders.StreamArn}
  Counters: {Value: !Ref Counters}
  Sessions: {Value: !Ref Sessions}
"""
BEFORE = {"attribute": "", "index": "", "team": "shop"}
AFTER = {
    "attribute": "- {AttributeName: city, AttributeType: S}",
    "index": "- {IndexName: by-city, KeySchema: [{AttributeName: city, KeyType: HASH}], Projection: {ProjectionType: ALL}}",
    "team": "sales",
}


def test_a_template_makes_changes_and_removes_tables(node, tmp_path):
    tables = node.client("dynamodb")
    folder = tmp_path / f"tables-{uuid.uuid4().hex[:8]}"
    folder.mkdir()

    def deploy(values):
        (folder / "template.yaml").write_text(TEMPLATE % values)
        return json.loads(node.freehold("deploy", folder, "--json").stdout)["outputs"]

    made = deploy(BEFORE)
    name = made["Name"]
    table = tables.describe_table(TableName=name)["Table"]
    assert table["TableStatus"] == "ACTIVE" and table["TableArn"] == made["Arn"]
    assert table["LatestStreamArn"] == made["Stream"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    lives = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (lives["TimeToLiveStatus"], lives["AttributeName"]) == ("ENABLED", "expires")
    backups = tables.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    tags = {tag["Key"]: tag["Value"] for tag in tables.list_tags_of_resource(ResourceArn=made["Arn"])["Tags"]}
    assert tags["team"] == "shop"
    counters = tables.describe_table(TableName=made["Counters"])["Table"]
    assert counters["KeySchema"] == [{"AttributeName": "name", "KeyType": "HASH"}]
    assert counters["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    sessions = tables.describe_table(TableName=made["Sessions"])["Table"]
    assert sessions["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert sessions["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    order = {"customer": {"S": "ada"}, "number": {"N": "1"}, "state": {"S": "open"}, "city": {"S": "London"}}
    tables.put_item(TableName=name, Item=order)

    assert deploy(AFTER) == made, "tables are changed where they are"
    table = tables.describe_table(TableName=name)["Table"]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"by-state", "by-city"}
    tags = {tag["Key"]: tag["Value"] for tag in tables.list_tags_of_resource(ResourceArn=made["Arn"])["Tags"]}
    assert tags["team"] == "sales"
    found = tables.query(
        TableName=name,
        IndexName="by-city",
        KeyConditionExpression="city = :city",
        ExpressionAttributeValues={":city": {"S": "London"}},
    )
    assert found["Items"] == [order]

    node.freehold("rm", "--yes", folder.name)
    eventually(lambda: not {name, made["Counters"], made["Sessions"]} & set(tables.list_tables()["TableNames"]))
