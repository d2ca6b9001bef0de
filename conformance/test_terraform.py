"""Terraform's AWS provider applies a function with a URL, plans again with no difference, and destroys it."""

import json
import os
import pathlib
import shutil
import urllib.request

import pytest
from support import node_zip

# Where Terraform looks for providers that were installed beforehand, and where packagers put them.
PLUGIN_FOLDERS = [
    os.environ.get("FREEHOLD_TERRAFORM_PLUGINS"),
    "~/.terraform.d/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    *sorted(str(folder) for folder in pathlib.Path("/opt").glob("*")),
]

CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = %(skip_account)s
  endpoints {
    lambda = "%(endpoint)s"
    sts    = "%(endpoint)s"
    logs   = "%(endpoint)s"
  }
}

resource "aws_lambda_function" "hello" {
  function_name    = "terraformed"
  role             = "arn:aws:iam::000000000000:role/any"
  runtime          = "nodejs22.x"
  handler          = "index.handler"
  filename         = "hello.zip"
  source_code_hash = filebase64sha256("hello.zip")
  memory_size      = 256
  timeout          = %(timeout)d
  environment {
    variables = { VALUE = "from terraform" }
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


def plugins():
    for folder in PLUGIN_FOLDERS:
        if folder and list(pathlib.Path(folder).expanduser().glob("registry.terraform.io/hashicorp/aws/**/terraform-provider-aws*")):
            return pathlib.Path(folder).expanduser()
    return None


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@pytest.mark.skipif(plugins() is None, reason="Terraform's AWS provider is not installed")
@pytest.mark.parametrize("skip_account", ["true", "false"])
def test_function_with_url(node, tmp_path, skip_account):
    (tmp_path / "hello.zip").write_bytes(node_zip())

    def configure(timeout):
        settings = {"endpoint": node.endpoint, "timeout": timeout, "age": 60 * timeout, "skip_account": skip_account}
        (tmp_path / "main.tf").write_text(CONFIGURATION % settings)

    def terraform(*arguments, **settings):
        return node.run("terraform", *arguments, cwd=tmp_path, **settings)

    configure(timeout=5)
    terraform("init", "-no-color", "-input=false", f"-plugin-dir={plugins()}")
    terraform("apply", "-no-color", "-input=false", "-auto-approve")

    url = json.loads(terraform("output", "-json").stdout)["url"]["value"]
    with urllib.request.urlopen(f"{node.endpoint}/_fn/terraformed/?a=b", timeout=30) as answer:
        body = json.load(answer)
    assert body["value"] == "from terraform"
    assert url.endswith("/") and ".lambda-url.us-east-1." in url

    again = terraform("plan", "-no-color", "-input=false", "-detailed-exitcode", check=False)
    assert again.returncode == 0, f"the second plan has differences:\n{again.stdout}\n{again.stderr}"

    configure(timeout=7)
    terraform("apply", "-no-color", "-input=false", "-auto-approve")
    assert node.client("lambda").get_function_configuration(FunctionName="terraformed")["Timeout"] == 7
    again = terraform("plan", "-no-color", "-input=false", "-detailed-exitcode", check=False)
    assert again.returncode == 0, f"the plan after a change has differences:\n{again.stdout}\n{again.stderr}"

    terraform("destroy", "-no-color", "-input=false", "-auto-approve")
    functions = node.client("lambda").list_functions()["Functions"]
    assert "terraformed" not in [function["FunctionName"] for function in functions]
