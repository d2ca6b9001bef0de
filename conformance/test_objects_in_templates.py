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
