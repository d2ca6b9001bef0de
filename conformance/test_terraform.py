"""Terraform's AWS provider applies a function with a URL, plans again with no difference, and destroys it."""

import json
import urllib.request

import pytest
from support import node_zip

CONFIGURATION = """
resource "aws_lambda_function" "hello" {
  function_name    = "terraformed"
  role             = "arn:aws:iam::000000000000:role/any"
  runtime          = "nodejs22.x"
  handler          = "index.handler"
  filename         = "${abspath(path.root)}/hello.zip"
  source_code_hash = filebase64sha256("hello.zip")
  memory_size      = 256
  timeout          = %(timeout)d
  environment {
    variables = { VALUE = "from terraform" }
  }
  # Both levels: its provider sees a change in those that it left out, once versions are published.
  logging_config {
    application_log_level = "INFO"
    log_format            = "JSON"
    system_log_level      = "WARN"
  }
  tags = { purpose = "conformance" }
  publish = true
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.hello.function_name
  function_version = aws_lambda_function.hello.version
}

resource "aws_lambda_function_event_invoke_config" "hello" {
  function_name                = aws_lambda_function.hello.function_name
  maximum_event_age_in_seconds = %(age)d
  maximum_retry_attempts       = 0
  destination_config {
    on_failure {
      destination = "arn:aws:sqs:us-east-1:000000000000:failed"
    }
  }
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  function_name                     = aws_lambda_alias.live.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = 1
}

resource "aws_lambda_function_url" "hello" {
  function_name      = aws_lambda_function.hello.function_name
  authorization_type = "NONE"
  cors {
    allow_origins = ["*"]
    allow_methods = ["GET"]
  }
}

resource "aws_lambda_permission" "hello" {
  statement_id           = "public"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.hello.function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_cloudwatch_log_group" "hello" {
  name              = "/aws/lambda/terraformed"
  retention_in_days = 7
}

output "url" { value = aws_lambda_function_url.hello.function_url }
"""


@pytest.mark.parametrize("skip_account", [True, False])
def test_function_with_url(node, terraform, tmp_path, skip_account):
    (tmp_path / "hello.zip").write_bytes(node_zip())
    terraform.skip_account = skip_account
    terraform.apply(CONFIGURATION % {"timeout": 5, "age": 300})

    url = terraform.output("url")
    with urllib.request.urlopen(f"{node.endpoint}/_fn/terraformed/?a=b", timeout=30) as answer:
        body = json.load(answer)
    assert body["value"] == "from terraform"
    assert url.endswith("/") and ".lambda-url.us-east-1." in url

    terraform.apply(CONFIGURATION % {"timeout": 7, "age": 420})
    assert node.client("lambda").get_function_configuration(FunctionName="terraformed")["Timeout"] == 7

    terraform.destroy()
    functions = node.client("lambda").list_functions()["Functions"]
    assert "terraformed" not in [function["FunctionName"] for function in functions]
