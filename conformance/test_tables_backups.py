"""Backups of DynamoDB's tables and what is brought back from them, as boto3 sees it, and what a kill in the midst of it leaves."""

import base64
import datetime
import gzip
import hashlib
import json
import os
import time
import uuid

import pytest
from support import create_table, eventually, refusal

ITEMS = int(os.environ.get("FREEHOLD_BACKUP_ITEMS", 400))


@pytest.fixture(scope="module")
def dynamodb(node):
    return node.client("dynamodb")


def put(client, name, numbers, value, size=10):
    batch = []
    for n in numbers:
        item = {"p": {"S": f"p{n % 7}"}, "s": {"N": str(n)}, "g": {"S": value}, "text": {"S": "x" * size}}
        batch.append({"PutRequest": {"Item": item}})
        if len(batch) == 25:
            client.batch_write_item(RequestItems={name: batch})
            batch = []
    if batch:
        client.batch_write_item(RequestItems={name: batch})


def contents(client, name, **more):
    pages = client.get_paginator("scan").paginate(TableName=name, **more)
    items = [item for page in pages for item in page["Items"]]
    return sorted(items, key=lambda item: (item["p"]["S"], int(item["s"]["N"])))


def available(client, arn):
    def look():
        details = client.describe_backup(BackupArn=arn)["BackupDescription"]
        return details if details["BackupDetails"]["BackupStatus"] == "AVAILABLE" else None

    return eventually(look, what="the backup")


def active(client, name):
    def look():
        table = client.describe_table(TableName=name)["Table"]
        return table if table["TableStatus"] == "ACTIVE" else None

    return eventually(look, what="the table")


def test_a_table_is_backed_up_and_brought_back(dynamodb):
    name = create_table(dynamodb)
    put(dynamodb, name, range(100), "before")
    before = contents(dynamodb, name)
    made = dynamodb.create_backup(TableName=name, BackupName="nightly")["BackupDetails"]
    assert (made["BackupName"], made["BackupType"]) == ("nightly", "USER")
    put(dynamodb, name, range(50, 150), "after")
    described = available(dynamodb, made["BackupArn"])
    assert described["SourceTableDetails"]["ItemCount"] == 100
    assert described["SourceTableFeatureDetails"]["GlobalSecondaryIndexes"][0]["IndexName"] == "by-g"
    listed = dynamodb.list_backups(TableName=name)["BackupSummaries"]
    assert [summary["BackupArn"] for summary in listed] == [made["BackupArn"]]
    assert listed[0]["BackupStatus"] == "AVAILABLE"

    target = f"{name}-again"
    began = dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=made["BackupArn"])["TableDescription"]
    assert (began["TableStatus"], began["RestoreSummary"]["RestoreInProgress"]) == ("CREATING", True)
    dynamodb.get_waiter("table_exists").wait(TableName=target, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert contents(dynamodb, target) == before
    assert contents(dynamodb, target, IndexName="by-g") == before
    assert dynamodb.describe_table(TableName=target)["Table"]["ItemCount"] == 100
    again = refusal(dynamodb.restore_table_from_backup, TargetTableName=target, BackupArn=made["BackupArn"])
    assert again == ("TableAlreadyExistsException", f"Table already exists: {target}")

    deleted = dynamodb.delete_backup(BackupArn=made["BackupArn"])["BackupDescription"]["BackupDetails"]
    assert deleted["BackupStatus"] == "DELETED"
    missing = ("BackupNotFoundException", f"Backup not found: {made['BackupArn']}")
    assert refusal(dynamodb.describe_backup, BackupArn=made["BackupArn"]) == missing
    nobody = f"nobody-{uuid.uuid4()}"
    assert refusal(dynamodb.create_backup, TableName=nobody, BackupName="nightly") == (
        "TableNotFoundException",
        f"Table not found: {nobody}",
    )


def test_a_table_is_brought_back_to_a_moment(dynamodb):
    name = create_table(dynamodb)
    put(dynamodb, name, range(60), "before")
    assert refusal(
        dynamodb.restore_table_to_point_in_time,
        SourceTableName=name,
        TargetTableName=f"{name}-never",
        UseLatestRestorableTime=True,
    ) == (
        "PointInTimeRecoveryUnavailableException",
        f"Point in time recovery is not enabled for table '{name}'",
    )
    answer = dynamodb.update_continuous_backups(
        TableName=name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
    )["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert (answer["PointInTimeRecoveryStatus"], answer["RecoveryPeriodInDays"]) == ("ENABLED", 7)
    put(dynamodb, name, range(30, 90), "then")
    then = contents(dynamodb, name)
    # Moments on the wire are whole seconds, and the next write must not lie in the same one.
    moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=1)
    later = moment + datetime.timedelta(milliseconds=5)
    eventually(lambda: datetime.datetime.now(datetime.UTC) > later)
    put(dynamodb, name, range(0, 120, 2), "later")
    dynamodb.delete_item(TableName=name, Key={"p": {"S": "p1"}, "s": {"N": "1"}})
    latest = contents(dynamodb, name)

    description = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    window = description["PointInTimeRecoveryDescription"]
    assert window["EarliestRestorableDateTime"] <= window["LatestRestorableDateTime"]
    for target, wanted, expected in [
        ("moment", {"RestoreDateTime": moment}, then),
        ("latest", {"UseLatestRestorableTime": True}, latest),
    ]:
        target = f"{name}-{target}"
        dynamodb.restore_table_to_point_in_time(SourceTableName=name, TargetTableName=target, **wanted)
        table = active(dynamodb, target)
        assert contents(dynamodb, target) == expected
        assert contents(dynamodb, target, IndexName="by-g") == expected
        assert table["RestoreSummary"]["SourceTableArn"].endswith(f"table/{name}")
    code, _ = refusal(
        dynamodb.restore_table_to_point_in_time,
        SourceTableName=name,
        TargetTableName=f"{name}-never",
        RestoreDateTime=datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2),
    )
    assert code == "InvalidRestoreTimeException"
    dynamodb.delete_table(TableName=name)
    left = dynamodb.list_backups(TableName=name, BackupType="SYSTEM")["BackupSummaries"]
    assert [summary["BackupName"] for summary in left] == [f"{name}$DeletedTableBackup"]
    available(dynamodb, left[0]["BackupArn"])


def test_what_a_kill_cuts_off_goes_on(own_node):
    """Backups and restores, killed again and again, end as if nobody had killed them."""
    node = own_node().start()
    client = node.client("dynamodb")
    name = create_table(client)
    put(client, name, range(ITEMS), "before", size=20_000)
    before = contents(client, name)
    arn = client.create_backup(TableName=name, BackupName="nightly")["BackupDetails"]["BackupArn"]
    put(client, name, range(0, ITEMS, 2), "after", size=100)
    for _ in range(2):
        node.kill()
        node.start()
    made = available(client, arn)
    assert made["SourceTableDetails"]["ItemCount"] == ITEMS
    target = f"{name}-again"
    client.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    for wait in (0.05, 0.2):
        # The moment of the kill is what the test varies; it is no wait for a state.
        time.sleep(wait)
        node.kill()
        node.start()
    table = active(client, target)
    assert table["ItemCount"] == ITEMS
    assert contents(client, target) == before
    assert contents(client, target, IndexName="by-g") == before


@pytest.fixture
def bucket(node):
    s3 = node.client("s3")
    name = f"tables-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return s3, name


def ended(describe, arn, of):
    def look():
        found = describe(arn)
        return found if found[f"{of}Status"] != "IN_PROGRESS" else None

    return eventually(look, what=f"the end of the {of.lower()}")


def test_a_table_is_exported_to_a_bucket(dynamodb, bucket):
    s3, where = bucket
    name = create_table(dynamodb)
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    put(dynamodb, name, range(200), "there", size=500)
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    begun = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=where, S3Prefix="daily")["ExportDescription"]
    put(dynamodb, name, range(200, 220), "later")

    def describe(export):
        return dynamodb.describe_export(ExportArn=export)["ExportDescription"]

    export = ended(describe, begun["ExportArn"], "Export")
    assert (export["ExportStatus"], export["ItemCount"], export["ExportFormat"]) == ("COMPLETED", 200, "DYNAMODB_JSON")
    folder = f"daily/AWSDynamoDB/{export['ExportArn'].rsplit('/', 1)[1]}/"
    assert export["ExportManifest"] == f"{folder}manifest-summary.json"

    def read(key):
        return s3.get_object(Bucket=where, Key=key)["Body"].read()

    names = {entry["Key"] for entry in s3.list_objects_v2(Bucket=where, Prefix=folder)["Contents"]}
    assert {f"{folder}{name}" for name in ("_started", "manifest-files.md5", "manifest-summary.md5")} <= names
    summary = json.loads(read(export["ExportManifest"]))
    assert (summary["itemCount"], summary["exportArn"]) == (200, export["ExportArn"])
    items = []
    for line in read(summary["manifestFilesS3Key"]).splitlines():
        file = json.loads(line)
        head = s3.head_object(Bucket=where, Key=file["dataFileS3Key"])
        assert head["ETag"].strip('"') == file["etag"]
        packed = read(file["dataFileS3Key"])
        assert base64.b64encode(hashlib.md5(packed).digest()).decode() == file["md5Checksum"]
        lines = gzip.decompress(packed).splitlines()
        assert len(lines) == file["itemCount"]
        items += [json.loads(line)["Item"] for line in lines]
    assert sorted(int(item["s"]["N"]) for item in items) == list(range(200))
    exports = dynamodb.list_exports(TableArn=arn)["ExportSummaries"]
    assert [entry["ExportStatus"] for entry in exports] == ["COMPLETED"]
    nowhere = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=f"no-{uuid.uuid4()}")["ExportDescription"]
    failed = ended(describe, nowhere["ExportArn"], "Export")
    assert (failed["ExportStatus"], failed["FailureCode"]) == ("FAILED", "NoSuchBucket")


def test_a_bucket_is_imported_as_a_table(dynamodb, logs_client, bucket):
    s3, where = bucket
    lines = [json.dumps({"Item": {"p": {"S": f"p{n % 7}"}, "s": {"N": str(n)}, "g": {"S": "in"}}}) for n in range(300)]
    s3.put_object(Bucket=where, Key="in/1.json.gz", Body=gzip.compress("\n".join(lines[:200]).encode()))
    s3.put_object(Bucket=where, Key="in/2.json.gz", Body=gzip.compress("\n".join(lines[200:] + ["nonsense"]).encode()))
    name = f"b-{uuid.uuid4()}"
    keys = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
    parameters = {
        "TableName": name,
        "KeySchema": keys,
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }

    def describe(arn):
        return dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]

    begun = dynamodb.import_table(
        S3BucketSource={"S3Bucket": where, "S3KeyPrefix": "in/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters=parameters,
    )["ImportTableDescription"]
    done = ended(describe, begun["ImportArn"], "Import")
    # What was no item is told of, and all others are there.
    assert (done["ImportStatus"], done["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert done["ProcessedItemCount"] == 301
    stream = f"{done['ImportArn'].rsplit('/', 1)[1]}/error"
    logged = logs_client.get_log_events(logGroupName="/aws-dynamodb/imports", logStreamName=stream)["events"]
    place = {"bucket": where, "key": "in/2.json.gz", "itemIndex": 100}
    assert [json.loads(line["message"])["itemS3Pointer"] for line in logged] == [place]
    assert (done["ImportedItemCount"], done["ErrorCount"]) == (300, 1)
    assert [int(item["s"]["N"]) for item in contents(dynamodb, name)].count(299) == 1
    assert dynamodb.describe_table(TableName=name)["Table"]["ItemCount"] == 300
    listed = dynamodb.list_imports(TableArn=done["TableArn"])["ImportSummaryList"]
    assert [entry["ImportArn"] for entry in listed] == [done["ImportArn"]]

    s3.put_object(Bucket=where, Key="csv/1.csv", Body=b'p,s,text\na,1,"one, two"\na,x,three\n')
    again = {**parameters, "TableName": f"{name}-csv"}
    begun = dynamodb.import_table(
        S3BucketSource={"S3Bucket": where, "S3KeyPrefix": "csv/"},
        InputFormat="CSV",
        TableCreationParameters=again,
    )["ImportTableDescription"]
    done = ended(describe, begun["ImportArn"], "Import")
    assert (done["FailureCode"], done["ImportedItemCount"], done["ErrorCount"]) == ("ItemValidationError", 1, 1)
    assert contents(dynamodb, f"{name}-csv") == [{"p": {"S": "a"}, "s": {"N": "1"}, "text": {"S": "one, two"}}]

    ion = b"$ion_1_0 {Item:{p:\"a\",s:1.,tags:$dynamodb_SS::[\"x\",\"y\"]}}\n$ion_1_0 {Item:{p:\"b\",s:20d-1}}\n"
    s3.put_object(Bucket=where, Key="ion/1.ion", Body=ion)
    begun = dynamodb.import_table(
        S3BucketSource={"S3Bucket": where, "S3KeyPrefix": "ion/"},
        InputFormat="ION",
        TableCreationParameters={**parameters, "TableName": f"{name}-ion"},
    )["ImportTableDescription"]
    assert ended(describe, begun["ImportArn"], "Import")["ImportStatus"] == "COMPLETED"
    found = contents(dynamodb, f"{name}-ion")
    tagged = {"p": {"S": "a"}, "s": {"N": "1"}, "tags": {"SS": ["x", "y"]}}
    assert found == [tagged, {"p": {"S": "b"}, "s": {"N": "2"}}]

    begun = dynamodb.import_table(
        S3BucketSource={"S3Bucket": where, "S3KeyPrefix": "csv/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="ZSTD",
        TableCreationParameters={**parameters, "TableName": f"{name}-never"},
    )["ImportTableDescription"]
    failed = ended(describe, begun["ImportArn"], "Import")
    assert (failed["ImportStatus"], failed["FailureCode"]) == ("FAILED", "DamagedObject")
    assert refusal(dynamodb.describe_table, TableName=f"{name}-never")[0] == "ResourceNotFoundException"


def test_a_template_imports_a_table(node, dynamodb, bucket, tmp_path):
    s3, where = bucket
    s3.put_object(Bucket=where, Key="in/1.csv", Body=b"id;text\na;one\nb;two\n")
    name = f"b-{uuid.uuid4()}"
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 3},
        "ImportSourceSpecification": {
            "InputFormat": "CSV",
            "InputFormatOptions": {"Csv": {"Delimiter": ";"}},
            "S3BucketSource": {"S3Bucket": where, "S3KeyPrefix": "in/"},
        },
    }
    template = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}}
    folder = tmp_path / f"imports-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    (folder / "template.yaml").write_text(json.dumps(template))
    node.freehold("deploy", folder, "--json")
    items = dynamodb.scan(TableName=name)["Items"]
    assert sorted(item["text"]["S"] for item in items) == ["one", "two"]
    window = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert window["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 3


def test_exports_and_imports_outlive_kills(own_node):
    """What is exported under kills, and imported again under kills, is the table as it was."""
    node = own_node().start()
    client, s3 = node.client("dynamodb"), node.client("s3")
    name = create_table(client)
    recovery = {"PointInTimeRecoveryEnabled": True}
    client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    put(client, name, range(ITEMS), "before", size=20_000)
    before = contents(client, name)
    s3.create_bucket(Bucket="kept")
    table = client.describe_table(TableName=name)["Table"]
    begun = client.export_table_to_point_in_time(TableArn=table["TableArn"], S3Bucket="kept")["ExportDescription"]
    put(client, name, range(0, ITEMS, 3), "after", size=100)
    for _ in range(2):
        node.kill()
        node.start()

    def export(arn):
        return client.describe_export(ExportArn=arn)["ExportDescription"]

    done = ended(export, begun["ExportArn"], "Export")
    assert (done["ExportStatus"], done["ItemCount"]) == ("COMPLETED", ITEMS)
    begun = client.import_table(
        S3BucketSource={
            "S3Bucket": "kept",
            "S3KeyPrefix": done["ExportManifest"].replace("manifest-summary.json", "data/"),
        },
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": f"{name}-again",
            "KeySchema": table["KeySchema"],
            "AttributeDefinitions": table["AttributeDefinitions"],
            "GlobalSecondaryIndexes": [
                {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
                for index in table["GlobalSecondaryIndexes"]
            ],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )["ImportTableDescription"]
    for wait in (0.05, 0.2):
        # The moment of the kill is what the test varies; it is no wait for a state.
        time.sleep(wait)
        node.kill()
        node.start()

    def describe(arn):
        return client.describe_import(ImportArn=arn)["ImportTableDescription"]

    done = ended(describe, begun["ImportArn"], "Import")
    assert (done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]) == ("COMPLETED", ITEMS, 0)
    target = f"{name}-again"
    assert active(client, target)["ItemCount"] == ITEMS
    assert contents(client, target) == before
    assert contents(client, target, IndexName="by-g") == before
