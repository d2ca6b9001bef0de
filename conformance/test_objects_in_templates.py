"""Buckets of templates: made with their settings, changed, and taken away; what they tell arrives."""

import json

import pytest
from botocore.exceptions import ClientError
from support import eventually

TEMPLATE = """
Resources:
  Heard:
    Type: AWS::SQS::Queue
  Hear:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Heard]
      PolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt Heard.Arn}
  Pictures:
    Type: AWS::S3::Bucket
    DependsOn: Hear
    Properties:
      VersioningConfiguration: {Status: %(versioning)s}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: false, IgnorePublicAcls: true, RestrictPublicBuckets: false}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ["*"], MaxAge: 30}]}
      LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, Prefix: tmp/, ExpirationInDays: %(days)s}]}
      WebsiteConfiguration: {IndexDocument: index.html, ErrorDocument: error.html}
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt Heard.Arn
            Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}
        EventBridgeConfiguration: {EventBridgeEnabled: true}
%(tags)s
  Read:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Pictures
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: "*", Action: s3:GetObject, Resource: !Sub "${Pictures.Arn}/*"}
Outputs:
  Bucket: {Value: !Ref Pictures}
  Arn: {Value: !GetAtt Pictures.Arn}
  Queue: {Value: !Ref Heard}
"""


def test_a_template_makes_changes_and_removes_buckets(node, tmp_path):
    s3, sqs = node.client("s3", s3={"addressing_style": "path"}), node.client("sqs")
    folder = tmp_path / "pictures"
    folder.mkdir()

    def deploy(**values):
        (folder / "template.yaml").write_text(TEMPLATE % values)
        node.freehold("deploy", folder)
        listed = json.loads(node.freehold("ls", "apps", "--json").stdout)["applications"]
        return next(one["outputs"] for one in listed if one["name"] == "pictures")

    outputs = deploy(versioning="Enabled", days=3, tags="      Tags: [{Key: of, Value: us}]")
    bucket = outputs["Bucket"]
    assert outputs["Arn"] == f"arn:aws:s3:::{bucket}"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["ID"], rule["Filter"], rule["Expiration"]) == ("old", {"Prefix": "tmp/"}, {"Days": 3})
    [cors] = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert (cors["AllowedMethods"], cors["MaxAgeSeconds"]) == (["GET"], 30)
    assert s3.get_bucket_website(Bucket=bucket)["IndexDocument"] == {"Suffix": "index.html"}
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is False
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "of", "Value": "us"}]
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert (len(told["QueueConfigurations"]), told["EventBridgeConfiguration"]) == (1, {})
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Resource"] == f"arn:aws:s3:::{bucket}/*"

    s3.put_object(Bucket=bucket, Key="in/one", Body=b"1")

    def heard():
        for message in sqs.receive_message(QueueUrl=outputs["Queue"], MaxNumberOfMessages=10).get("Messages", []):
            for record in json.loads(message["Body"]).get("Records", []):
                return record["s3"]["object"]["key"]

    assert eventually(heard, what="the record") == "in/one"

    assert deploy(versioning="Suspended", days=9, tags="")["Bucket"] == bucket
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 9}
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)

    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    node.freehold("rm", "--yes", "pictures")
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=bucket)


WOKEN = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Uploads:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration: {EventBridgeConfiguration: {}}
  Notes:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: notes-objects
      Runtime: python3.13
      Handler: app.handler
      CodeUri: code
      Events:
        Came:
          Type: S3
          Properties:
            Bucket: !Ref Uploads
            Events: %(events)s
            Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}
Outputs:
  Bucket: {Value: !Ref Uploads}
"""

NOTES = """def handler(event, context):
    for record in event["Records"]:
        print("noted", record["eventName"], record["s3"]["object"]["key"])
"""


def test_a_serverless_function_is_woken_by_a_bucket_of_its_template(node, tmp_path):
    s3, logs = node.client("s3", s3={"addressing_style": "path"}), node.client("logs")
    folder = tmp_path / "notes"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "app.py").write_text(NOTES)

    def deploy(events):
        (folder / "template.yaml").write_text(WOKEN % {"events": events})
        node.freehold("deploy", folder)
        listed = json.loads(node.freehold("ls", "apps", "--json").stdout)["applications"]
        return next(one["outputs"]["Bucket"] for one in listed if one["name"] == "notes")

    def told():
        found = s3.get_bucket_notification_configuration(Bucket=bucket)
        # What the template says of the bucket itself is still there.
        assert found["EventBridgeConfiguration"] == {}
        return sorted(event for one in found["LambdaFunctionConfigurations"] for event in one["Events"])

    def noted(line):
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/notes-objects", filterPattern=f'"{line}"')
        except logs.exceptions.ResourceNotFoundException:
            # Nothing was printed yet.
            return []
        return [event["message"].strip() for event in found["events"]]

    bucket = deploy("s3:ObjectCreated:*")
    assert told() == ["s3:ObjectCreated:*"]
    s3.put_object(Bucket=bucket, Key="out/none", Body=b"1")
    s3.put_object(Bucket=bucket, Key="in/one", Body=b"1")
    came = "noted ObjectCreated:Put in/one"
    assert eventually(lambda: noted(came), 60, "the function's line") == [came]
    assert not noted("noted ObjectCreated:Put out/none")

    assert deploy("[s3:ObjectCreated:*, s3:ObjectRemoved:*]") == bucket
    assert told() == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    s3.delete_object(Bucket=bucket, Key="in/one")
    eventually(lambda: noted("noted ObjectRemoved:Delete in/one"), 60, "the function's line")

    s3.delete_object(Bucket=bucket, Key="out/none")
    node.freehold("rm", "--yes", "notes")
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=bucket)
