"""Terraform's AWS provider makes buckets with all that they can have and objects in them, changes them, and plans again with
no difference.

What buckets do is held against boto3 in `test_objects.py`.
"""

import hashlib
import json
import os

import pytest
from botocore.exceptions import ClientError

TERRAFORM = """
resource "aws_s3_bucket" "pictures" {
  bucket        = "terraformed-pictures"
  force_destroy = true
  tags          = { team = "%(team)s" }
}

resource "aws_s3_bucket_versioning" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  versioning_configuration { status = "%(versioning)s" }
}

%(lifecycle)s

resource "aws_s3_bucket_server_side_encryption_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_s3_bucket_cors_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  cors_rule {
    id              = "page"
    allowed_headers = ["*"]
    allowed_methods = %(methods)s
    allowed_origins = ["https://example.com"]
    expose_headers  = ["ETag"]
    max_age_seconds = 3000
  }
}

resource "aws_s3_bucket_public_access_block" "pictures" {
  bucket                  = aws_s3_bucket.pictures.id
  block_public_acls       = %(block)s
  block_public_policy     = false
  ignore_public_acls      = true
  restrict_public_buckets = false
}

resource "aws_s3_bucket_ownership_controls" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  rule { object_ownership = "%(ownership)s" }
}

resource "aws_s3_bucket_policy" "pictures" {
  bucket     = aws_s3_bucket.pictures.id
  depends_on = [aws_s3_bucket_public_access_block.pictures]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Read"
      Effect    = "Allow"
      Principal = "*"
      Action    = "%(action)s"
      Resource  = "${aws_s3_bucket.pictures.arn}/open/*"
    }]
  })
}

resource "aws_sns_topic" "heard" { name = "terraformed-heard" }

resource "aws_sns_topic_policy" "heard" {
  arn = aws_sns_topic.heard.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.heard.arn
    }]
  })
}

resource "aws_s3_bucket_notification" "pictures" {
  bucket      = aws_s3_bucket.pictures.id
  depends_on  = [aws_sns_topic_policy.heard]
  eventbridge = true
  topic {
    id            = "uploads"
    topic_arn     = aws_sns_topic.heard.arn
    events        = %(events)s
    filter_prefix = "in/"
    filter_suffix = ".png"
  }
}

resource "aws_s3_bucket_website_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  index_document { suffix = "%(index)s" }
  error_document { key = "error.html" }
  routing_rule {
    condition { key_prefix_equals = "old/" }
    redirect { replace_key_prefix_with = "new/" }
  }
}

resource "aws_s3_bucket_logging" "pictures" {
  bucket        = aws_s3_bucket.pictures.id
  target_bucket = aws_s3_bucket.locked.id
  target_prefix = "%(logs)s"
}

resource "aws_s3_bucket_accelerate_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  status = "%(accelerate)s"
}

resource "aws_s3_bucket_request_payment_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  payer  = "%(payer)s"
}

resource "aws_s3_bucket_intelligent_tiering_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  name   = "all"
  tiering {
    access_tier = "ARCHIVE_ACCESS"
    days        = 125
  }
}

resource "aws_s3_bucket_metric" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  name   = "all"
}

resource "aws_s3_bucket_inventory" "pictures" {
  bucket                   = aws_s3_bucket.pictures.id
  name                     = "weekly"
  included_object_versions = "All"
  schedule { frequency = "Weekly" }
  destination {
    bucket {
      format     = "CSV"
      bucket_arn = aws_s3_bucket.locked.arn
    }
  }
}

resource "aws_s3_bucket" "locked" {
  bucket              = "terraformed-locked"
  object_lock_enabled = true
}

resource "aws_s3_bucket_object_lock_configuration" "locked" {
  bucket = aws_s3_bucket.locked.id
  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = %(retention)d
    }
  }
}

resource "aws_s3_bucket" "listed" { bucket = "terraformed-listed" }

resource "aws_s3_bucket_ownership_controls" "listed" {
  bucket = aws_s3_bucket.listed.id
  rule { object_ownership = "ObjectWriter" }
}

resource "aws_s3_bucket_acl" "listed" {
  bucket     = aws_s3_bucket.listed.id
  depends_on = [aws_s3_bucket_ownership_controls.listed]
  acl        = "%(acl)s"
}

resource "aws_s3_object" "tagged" {
  bucket        = aws_s3_bucket_versioning.pictures.bucket
  key           = "open/tagged.txt"
  source        = "${abspath(path.root)}/tagged.txt"
  etag          = filemd5("${abspath(path.root)}/tagged.txt")
  content_type  = "text/plain"
  cache_control = "max-age=%(days)d"
  metadata      = { made = "here" }
  tags          = { kind = "%(team)s" }
}

resource "aws_s3_object" "hashed" {
  bucket             = aws_s3_bucket.listed.id
  key                = "deep/a key/with ünusual+characters"
  source             = "${abspath(path.root)}/hashed.bin"
  source_hash        = filemd5("${abspath(path.root)}/hashed.bin")
  checksum_algorithm = "SHA256"
  storage_class      = "STANDARD_IA"
}

resource "aws_s3_object_copy" "copied" {
  bucket = aws_s3_bucket.listed.id
  key    = "copied.txt"
  source = "${aws_s3_object.tagged.bucket}/${aws_s3_object.tagged.key}"
  # Else it has the source's, which this says nothing of.
  tagging_directive = "REPLACE"
  tags              = { kind = "copy" }
}

data "aws_s3_bucket" "pictures" {
  bucket     = aws_s3_bucket.pictures.id
  depends_on = [aws_s3_object.tagged]
}

data "aws_s3_object" "tagged" {
  bucket = aws_s3_object.tagged.bucket
  key    = aws_s3_object.tagged.key
}

data "aws_s3_objects" "listed" {
  bucket     = aws_s3_bucket.listed.id
  depends_on = [aws_s3_object.hashed, aws_s3_object_copy.copied]
}

output "told" {
  value = {
    region = data.aws_s3_bucket.pictures.region
    body   = data.aws_s3_object.tagged.body
    keys   = data.aws_s3_objects.listed.keys
  }
}
"""

# The provider looks at it for a minute, after each change, to see that it stays as it is.
LIFECYCLE = """
resource "aws_s3_bucket_lifecycle_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  rule {
    id     = "old"
    status = "Enabled"
    filter {
      and {
        prefix                   = "tmp/"
        object_size_greater_than = 1000
        tags                     = { keep = "no" }
      }
    }
    expiration { days = %(days)d }
    noncurrent_version_expiration {
      noncurrent_days           = 30
      newer_noncurrent_versions = 3
    }
  }
  rule {
    id     = "unfinished"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
  rule {
    id     = "cold"
    status = "Enabled"
    filter { prefix = "archive/" }
    transition {
      days          = 90
      storage_class = "GLACIER"
    }
  }
}
"""
WITH_LIFECYCLE = bool(os.environ.get("FREEHOLD_TERRAFORM_LIFECYCLE"))

BEFORE = {
    "team": "shop",
    "versioning": "Enabled",
    "days": 3,
    "methods": '["GET"]',
    "block": "true",
    "ownership": "BucketOwnerEnforced",
    "action": "s3:GetObject",
    "events": '["s3:ObjectCreated:*"]',
    "index": "index.html",
    "logs": "one/",
    "accelerate": "Enabled",
    "payer": "Requester",
    "retention": 1,
    "acl": "private",
}
AFTER = {
    "team": "cellar",
    "versioning": "Suspended",
    "days": 9,
    "methods": '["GET", "PUT"]',
    "block": "false",
    "ownership": "BucketOwnerPreferred",
    "action": "s3:GetObjectVersion",
    "events": '["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"]',
    "index": "start.html",
    "logs": "two/",
    "accelerate": "Suspended",
    "payer": "BucketOwner",
    "retention": 2,
    "acl": "log-delivery-write",
}


def test_terraform_applies_changes_and_plans_no_difference(node, terraform, tmp_path):
    s3 = node.client("s3", s3={"addressing_style": "path"})

    def apply(values, tagged, hashed):
        (tmp_path / "tagged.txt").write_bytes(tagged)
        (tmp_path / "hashed.bin").write_bytes(hashed)
        lifecycle = LIFECYCLE % values if WITH_LIFECYCLE else ""
        terraform.apply(TERRAFORM % {**values, "lifecycle": lifecycle})

    def body(bucket, key):
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    there = {"Bucket": "terraformed-pictures"}

    def days():
        if not WITH_LIFECYCLE:
            return int(s3.head_object(**there, Key="open/tagged.txt")["CacheControl"].removeprefix("max-age="))
        [expiry, unfinished, cold] = s3.get_bucket_lifecycle_configuration(**there)["Rules"]
        assert unfinished["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
        assert cold["Transitions"] == [{"Days": 90, "StorageClass": "GLACIER"}]
        return expiry["Expiration"]["Days"]

    def settings():
        """What a change of the configuration changes, in its order."""
        [cors] = s3.get_bucket_cors(**there)["CORSRules"]
        [ownership] = s3.get_bucket_ownership_controls(**there)["OwnershipControls"]["Rules"]
        [statement] = json.loads(s3.get_bucket_policy(**there)["Policy"])["Statement"]
        [topic] = s3.get_bucket_notification_configuration(**there)["TopicConfigurations"]
        block = s3.get_public_access_block(**there)["PublicAccessBlockConfiguration"]
        grants = s3.get_bucket_acl(Bucket="terraformed-listed")["Grants"]
        lock = s3.get_object_lock_configuration(Bucket="terraformed-locked")["ObjectLockConfiguration"]
        return {
            "team": s3.get_bucket_tagging(**there)["TagSet"][0]["Value"],
            "versioning": s3.get_bucket_versioning(**there)["Status"],
            "days": days(),
            "methods": json.dumps(sorted(cors["AllowedMethods"])),
            "block": str(block["BlockPublicAcls"]).lower(),
            "ownership": ownership["ObjectOwnership"],
            "action": statement["Action"],
            "events": json.dumps(sorted(topic["Events"])),
            "index": s3.get_bucket_website(**there)["IndexDocument"]["Suffix"],
            "logs": s3.get_bucket_logging(**there)["LoggingEnabled"]["TargetPrefix"],
            "accelerate": s3.get_bucket_accelerate_configuration(**there)["Status"],
            "payer": s3.get_bucket_request_payment(**there)["Payer"],
            "retention": lock["Rule"]["DefaultRetention"]["Days"],
            "acl": "private" if len(grants) == 1 else "log-delivery-write",
        }

    apply(BEFORE, b"first", b"\x00\x01")
    assert settings() == BEFORE
    odd = "deep/a key/with ünusual+characters"
    assert terraform.output("told") == {"region": "us-east-1", "body": "first", "keys": ["copied.txt", odd]}
    tagged = s3.head_object(**there, Key="open/tagged.txt")
    assert tagged["ETag"] == f'"{hashlib.md5(b"first").hexdigest()}"'
    assert (tagged["Metadata"], tagged["CacheControl"]) == ({"made": "here"}, "max-age=3")
    hashed = s3.head_object(Bucket="terraformed-listed", Key=odd, ChecksumMode="ENABLED")
    assert hashed["StorageClass"] == "STANDARD_IA" and hashed["ChecksumSHA256"]

    apply(AFTER, b"second", b"\x00\x02\x03")
    assert settings() == AFTER
    assert body("terraformed-pictures", "open/tagged.txt") == b"second"
    assert body("terraformed-listed", odd) == b"\x00\x02\x03"
    # The bucket was changed, not made anew: what was in it is still there.
    older = s3.get_object(**there, Key="open/tagged.txt", VersionId=tagged["VersionId"])
    assert older["Body"].read() == b"first"

    terraform.destroy()
    names = [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith("terraformed-")]
    with pytest.raises(ClientError):
        s3.head_bucket(**there)
