"""Every operation of functions through boto3: what waiters wait for, what errors say, what pages hold."""

import base64
import hashlib
import json
import time
import urllib.error
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError
from support import ROLE, create, eventually, node_zip, python_zip, zipped

ACCOUNT = "000000000000"


def arn(rest):
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{rest}"


@pytest.fixture
def client(lambda_client):
    return lambda_client


@pytest.fixture
def name(client):
    """A name of its own for each test, and nothing left of it afterwards."""
    name = f"f-{uuid.uuid4().hex[:12]}"
    yield name
    try:
        client.delete_function(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        pass


def refused(code, part, operation, **arguments):
    with pytest.raises(ClientError) as error:
        operation(**arguments)
    found = error.value.response["Error"]
    assert found["Code"] == code, found
    assert part in found["Message"], found
    return error.value.response


def payload(answer):
    return json.loads(answer["Payload"].read())


def versions(client, name):
    return [version["Version"] for version in client.list_versions_by_function(FunctionName=name)["Versions"]]


# Create, read, update, delete


def test_create_shows_what_aws_shows_and_waiters_return_at_once(client, name):
    code = python_zip()
    made = create(
        client,
        name,
        code=code,
        Timeout=10,
        MemorySize=256,
        Description="conformance",
        Environment={"Variables": {"VALUE": "1"}},
        Tags={"purpose": "conformance"},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["FunctionArn"] == arn(name)
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert made["CodeSize"] == len(code)
    assert made["Version"] == "$LATEST"
    assert made["State"] == "Active" and made["LastUpdateStatus"] == "Successful"
    assert made["PackageType"] == "Zip" and made["EphemeralStorage"] == {"Size": 512}
    assert made["TracingConfig"] == {"Mode": "PassThrough"}
    assert made["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert made["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    assert made["Environment"] == {"Variables": {"VALUE": "1"}}
    assert made["LastModified"].endswith("+0000") and "VpcConfig" not in made and "Layers" not in made
    for waiter in ["function_exists", "function_active", "function_active_v2", "function_updated", "function_updated_v2"]:
        client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 1})

    found = client.get_function(FunctionName=name)
    assert found["Tags"] == {"purpose": "conformance"}
    assert found["Code"]["RepositoryType"] == "S3"
    with urllib.request.urlopen(found["Code"]["Location"], timeout=30) as answer:
        assert answer.read() == code
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(found["Code"]["Location"].replace("signature=", "signature=00"), timeout=30)
    assert error.value.code == 403
    configuration = found["Configuration"]
    made.pop("ResponseMetadata")
    assert configuration == made
    again = client.get_function_configuration(FunctionName=arn(name))
    again.pop("ResponseMetadata")
    assert again == made


def test_every_form_of_a_name_means_the_function(client, name):
    create(client, name)
    client.publish_version(FunctionName=name)
    for form in [name, f"function:{name}", f"{ACCOUNT}:function:{name}", f"us-east-1:{ACCOUNT}:function:{name}", arn(name)]:
        assert client.get_function_configuration(FunctionName=form)["FunctionArn"] == arn(name)
        assert client.get_function_configuration(FunctionName=f"{form}:1")["FunctionArn"] == arn(f"{name}:1")
    refused(
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
        client.get_function,
        FunctionName=f"{name}:1",
        Qualifier="2",
    )
    elsewhere = arn(name).replace("us-east-1", "eu-west-1")
    refused("ResourceNotFoundException", "are not reachable in this region", client.get_function, FunctionName=elsewhere)


def test_what_is_not_there_is_not_found(client):
    gone = f"Function not found: {arn('nobody')}"
    for operation, arguments in [
        (client.get_function, {}),
        (client.get_function_configuration, {}),
        (client.delete_function, {}),
        (client.invoke, {}),
        (client.publish_version, {}),
        (client.list_versions_by_function, {}),
        (client.list_aliases, {}),
        (client.update_function_configuration, {"Timeout": 5}),
        (client.update_function_code, {"ZipFile": python_zip()}),
        (client.get_function_concurrency, {}),
    ]:
        answer = refused("ResourceNotFoundException", gone, operation, FunctionName="nobody", **arguments)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert answer["Type"] == "User"


def test_what_cannot_be_created_is_refused(client, name):
    invalid = "InvalidParameterValueException"

    def attempt(code, part, **changes):
        arguments = {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": python_zip()},
            **changes,
        }
        refused(code, part, client.create_function, **{key: value for key, value in arguments.items() if value is not None})

    attempt(invalid, "Could not unzip uploaded file. Please check your file, then try to upload again.", Code={"ZipFile": b"no"})
    nowhere = "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"
    attempt(invalid, nowhere, Code={"S3Bucket": f"no-{uuid.uuid4()}", "S3Key": "key"})
    attempt(invalid, "Please provide a source for function code.", Code={})
    attempt(invalid, "Runtime and Handler are mandatory parameters", Runtime=None)
    attempt(invalid, "java21", Runtime="java21")
    attempt("ValidationException", "at 'role' failed to satisfy constraint: Member must satisfy regular expression", Role="me")
    attempt("ValidationException", "Member must have value less than or equal to 900", Timeout=901)
    attempt("ValidationException", "at 'memorySize' failed to satisfy constraint", MemorySize=64)
    attempt(invalid, "exceeded the 4KB limit", Environment={"Variables": {"KEY": "x" * 4096}})
    attempt(invalid, "Reserved keys used in this request: AWS_REGION", Environment={"Variables": {"AWS_REGION": "x"}})
    attempt(invalid, "Freehold does not serve VpcConfig", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    attempt(invalid, "must be the ARN of an SQS queue or an SNS topic", DeadLetterConfig={"TargetArn": "arn:aws:s3:::bucket"})
    attempt(invalid, "Unzipped size must be smaller than 262144000 bytes", Code={"ZipFile": zipped({"a": b"\0" * 262144001})})
    refused("ResourceNotFoundException", "Function not found", client.get_function, FunctionName=name)


def test_names_are_taken_once(client, name):
    create(client, name)
    answer = refused("ResourceConflictException", f"Function already exist: {name}", create, client=client, name=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 409
    deleted = client.delete_function(FunctionName=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    create(client, name)


def test_settings_and_code_are_updated_under_revisions(client, name):
    made = create(client, name, Environment={"Variables": {"VALUE": "1"}})
    updated = client.update_function_configuration(FunctionName=name, Timeout=9, RevisionId=made["RevisionId"])
    assert (updated["Timeout"], updated["Environment"]) == (9, {"Variables": {"VALUE": "1"}})
    mismatch = (
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
        "latest Revision Id"
    )
    old = {"FunctionName": name, "RevisionId": made["RevisionId"]}
    answer = refused("PreconditionFailedException", mismatch, client.update_function_configuration, Timeout=8, **old)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    refused("PreconditionFailedException", mismatch, client.update_function_code, ZipFile=python_zip(), **old)
    refused("PreconditionFailedException", mismatch, client.publish_version, **old)

    new = python_zip("def handler(event, context):\n    return 2\n")
    tried = client.update_function_code(FunctionName=name, ZipFile=new, DryRun=True)
    assert client.get_function_configuration(FunctionName=name)["CodeSha256"] == made["CodeSha256"] != tried["CodeSha256"]
    published = client.update_function_code(FunctionName=name, ZipFile=new, Publish=True)
    assert (published["Version"], published["FunctionArn"]) == ("1", arn(f"{name}:1"))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    assert payload(client.invoke(FunctionName=name)) == 2
    empty = client.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
    assert "Environment" not in empty


def test_lists_come_in_pages(client):
    prefix = f"page-{uuid.uuid4().hex[:8]}-"
    names = [f"{prefix}{number}" for number in range(5)]
    try:
        for one in names:
            create(client, one)
        client.publish_version(FunctionName=names[0])
        pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
        found = [function for page in pages for function in page["Functions"] if function["FunctionName"].startswith(prefix)]
        assert [function["FunctionName"] for function in found] == names
        assert "State" not in found[0] and "LastUpdateStatus" not in found[0]
        pages = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2})
        found = [function for page in pages for function in page["Functions"] if function["FunctionName"].startswith(prefix)]
        assert [f"{function['FunctionName']}:{function['Version']}" for function in found] == [
            f"{names[0]}:$LATEST",
            f"{names[0]}:1",
            *[f"{one}:$LATEST" for one in names[1:]],
        ]
    finally:
        for one in names:
            client.delete_function(FunctionName=one)


# Versions and aliases


def test_versions_are_published_listed_and_deleted(client, name):
    made = create(client, name)
    first = client.publish_version(FunctionName=name, Description="first", CodeSha256=made["CodeSha256"])
    assert first["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (first["Version"], first["Description"]) == ("1", "first")
    client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 1, "MaxAttempts": 1}
    )
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    client.update_function_configuration(FunctionName=name, Timeout=4)
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    assert versions(client, name) == ["$LATEST", "1", "2"]
    refused(
        "InvalidParameterValueException",
        "is different from current CodeSHA256 in $LATEST",
        client.publish_version,
        FunctionName=name,
        CodeSha256="x",
    )
    refused(
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
        client.delete_function,
        FunctionName=name,
        Qualifier="$LATEST",
    )
    client.delete_function(FunctionName=name, Qualifier="1")
    assert versions(client, name) == ["$LATEST", "2"]
    refused("ResourceNotFoundException", f"Function not found: {arn(name)}:1", client.get_function, FunctionName=name, Qualifier="1")


def test_aliases_point_divide_and_protect(client, name):
    create(client, name, code=python_zip("def handler(event, context):\n    return context.function_version\n"))
    for timeout in [4, 5]:
        client.update_function_configuration(FunctionName=name, Timeout=timeout)
        client.publish_version(FunctionName=name)
    made = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="what people use")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201 and made["AliasArn"] == arn(f"{name}:live")
    found = client.get_alias(FunctionName=name, Name="live")
    assert (found["FunctionVersion"], found["RevisionId"]) == ("1", made["RevisionId"])
    answer = client.invoke(FunctionName=name, Qualifier="live")
    assert (payload(answer), answer["ExecutedVersion"]) == ("1", "1")
    routing = {"AdditionalVersionWeights": {"2": 1.0}}
    assert client.update_alias(FunctionName=name, Name="live", RoutingConfig=routing)["RoutingConfig"] == routing
    assert payload(client.invoke(FunctionName=f"{name}:live")) == "2"
    assert "RoutingConfig" not in client.update_alias(FunctionName=name, Name="live", RoutingConfig={})
    refused(
        "PreconditionFailedException",
        "does not match the latest Revision Id",
        client.update_alias,
        FunctionName=name,
        Name="live",
        RevisionId=made["RevisionId"],
    )
    refused(
        "ResourceConflictException",
        f"Alias already exists: {arn(name)}:live",
        client.create_alias,
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
    )
    refused(
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
        client.delete_function,
        FunctionName=name,
        Qualifier="1",
    )
    assert [alias["Name"] for alias in client.list_aliases(FunctionName=name, FunctionVersion="1")["Aliases"]] == ["live"]
    assert client.list_aliases(FunctionName=name, FunctionVersion="2")["Aliases"] == []
    assert client.delete_alias(FunctionName=name, Name="live")["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused("ResourceNotFoundException", "Cannot find alias arn", client.get_alias, FunctionName=name, Name="live")


# Invoking


def test_invoke_answers_with_log_and_errors(client, name):
    create(client, name, runtime="nodejs22.x", handler="index.handler", code=node_zip())
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"name": "Ada"}), LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert payload(answer)["echo"] == {"name": "Ada"}
    log = base64.b64decode(answer["LogResult"]).decode()
    assert f"REPORT RequestId: {answer['ResponseMetadata']['RequestId']}" in log
    assert payload(client.invoke(FunctionName=name))["echo"] == {}
    assert client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    client.update_function_code(FunctionName=name, ZipFile=node_zip("exports.handler = async () => { throw new TypeError('no') }"))
    answer = client.invoke(FunctionName=name)
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = payload(answer)
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "no")


def test_invoke_refuses_what_it_cannot_do(client, name):
    create(client, name)
    refused("InvalidRequestContentException", "Could not parse request body into json", client.invoke, FunctionName=name, Payload=b"{")
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName=name, Payload=b'"' + b"x" * (6 << 20) + b'"')
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    refused("ResourceNotFoundException", f"{arn(name)}:9", client.invoke, FunctionName=name, Qualifier="9")


def test_concurrency_is_reserved_and_throttles(client, name):
    create(client, name)
    assert client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"] == 0
    answer = refused("TooManyRequestsException", "Rate Exceeded.", client.invoke, FunctionName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    refused(
        "InvalidParameterValueException",
        "below its minimum value of [100]",
        client.put_function_concurrency,
        FunctionName=name,
        ReservedConcurrentExecutions=901,
    )
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert client.invoke(FunctionName=name)["StatusCode"] == 200


def test_concurrency_is_provisioned(client, name):
    code = python_zip("import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']")
    create(client, name, code=code)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    live = {"FunctionName": name, "Qualifier": "live"}
    answer = client.put_provisioned_concurrency_config(**live, ProvisionedConcurrentExecutions=2)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Status"]) == (202, "IN_PROGRESS")
    until = time.monotonic() + 60
    while (found := client.get_provisioned_concurrency_config(**live))["Status"] != "READY":
        assert time.monotonic() < until, found
        time.sleep(0.02)
    assert found["AvailableProvisionedConcurrentExecutions"] == found["AllocatedProvisionedConcurrentExecutions"] == 2
    [listed] = client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert (listed["FunctionArn"], listed["Status"]) == (f"{arn(name)}:live", "READY")
    assert payload(client.invoke(**live)) == "provisioned-concurrency"
    assert payload(client.invoke(FunctionName=name)) == "on-demand"
    client.delete_provisioned_concurrency_config(**live)
    refused(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        client.get_provisioned_concurrency_config,
        **live,
    )


PROVISIONED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Ready:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: NAME
      Runtime: python3.13
      Handler: index.handler
      InlineCode: |
        VALUE = "COUNT"
        import os
        def handler(event, context): return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
      AutoPublishAlias: live
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: COUNT }
"""


def test_a_template_provisions_concurrency(node, client, name, tmp_path):
    live = {"FunctionName": name, "Qualifier": "live"}
    for count in (1, 2):
        (tmp_path / "template.yaml").write_text(PROVISIONED.replace("NAME", name).replace("COUNT", str(count)))
        node.freehold("deploy", tmp_path)
        found = client.get_provisioned_concurrency_config(**live)
        assert found["RequestedProvisionedConcurrentExecutions"] == count
    ready = eventually(
        lambda: client.get_provisioned_concurrency_config(**live)["Status"] == "READY", 60, "the provisioned instances"
    )
    assert ready and payload(client.invoke(**live)) == "provisioned-concurrency"


# Addresses and permissions


def test_urls_are_made_answer_and_go(client, node, name):
    create(client, name)
    cors = {"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 60}
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE", Cors=cors)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["AuthType"], made["Cors"], made["InvokeMode"]) == ("NONE", cors, "BUFFERED")
    assert made["FunctionArn"] == arn(name) and made["CreationTime"].endswith("Z")
    host = made["FunctionUrl"].removeprefix("http://").rstrip("/")
    request = urllib.request.Request(node.endpoint + "/?a=b", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["echo"]["queryStringParameters"] == {"a": "b"}
    refused(
        "ResourceConflictException",
        "FunctionUrlConfig exists for this Lambda function",
        client.create_function_url_config,
        FunctionName=name,
        AuthType="NONE",
    )
    updated = client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert (updated["AuthType"], updated["Cors"], updated["FunctionUrl"]) == ("AWS_IAM", cors, made["FunctionUrl"])
    assert client.get_function_url_config(FunctionName=name)["AuthType"] == "AWS_IAM"
    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert [url["FunctionUrl"] for url in listed] == [made["FunctionUrl"]]
    assert client.delete_function_url_config(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    gone = "The resource you requested does not exist."
    for operation in [client.get_function_url_config, client.delete_function_url_config]:
        refused("ResourceNotFoundException", gone, operation, FunctionName=name)


def test_permissions_make_a_policy(client, name):
    create(client, name)
    refused("ResourceNotFoundException", "The resource you requested does not exist.", client.get_policy, FunctionName=name)
    one = {"FunctionName": name, "StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    added = client.add_permission(**one, SourceArn="arn:aws:s3:::bucket", SourceAccount=ACCOUNT)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    found = client.get_policy(FunctionName=name)
    assert json.loads(found["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": arn(name),
                "Condition": {
                    "StringEquals": {"AWS:SourceAccount": ACCOUNT},
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
                },
            }
        ],
    }
    assert json.loads(added["Statement"]) == json.loads(found["Policy"])["Statement"][0]
    refused("ResourceConflictException", "The statement id (one) provided already exists.", client.add_permission, **one)
    refused(
        "InvalidParameterValueException",
        "The provided principal was invalid.",
        client.add_permission,
        **{**one, "StatementId": "two", "Principal": "somebody"},
    )
    refused(
        "PreconditionFailedException",
        "Call the GetPolicy API",
        client.remove_permission,
        FunctionName=name,
        StatementId="one",
        RevisionId="old",
    )
    refused(
        "ResourceNotFoundException",
        "Statement two is not found in resource policy.",
        client.remove_permission,
        FunctionName=name,
        StatementId="two",
    )
    removed = client.remove_permission(FunctionName=name, StatementId="one", RevisionId=found["RevisionId"])
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204


# Tags, and what tools ask besides


def test_tags_are_kept(client, name):
    create(client, name, Tags={"a": "1"})
    assert client.tag_resource(Resource=arn(name), Tags={"b": "2"})["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.untag_resource(Resource=arn(name), TagKeys=["a"])
    assert client.list_tags(Resource=arn(name))["Tags"] == {"b": "2"}
    refused(
        "InvalidParameterValueException",
        "Number of tags exceeds resource tag limit.",
        client.tag_resource,
        Resource=arn(name),
        Tags={f"k{number}": "v" for number in range(50)},
    )
    refused(
        "InvalidParameterValueException",
        "Tags on function aliases and versions are not supported.",
        client.tag_resource,
        Resource=arn(f"{name}:1"),
        Tags={"a": "1"},
    )


def test_tools_find_what_they_ask_for(client, name):
    create(client, name)
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["TotalCodeSize"] == 80530636800
    assert settings["AccountLimit"]["CodeSizeUnzipped"] == 262144000
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountUsage"]["FunctionCount"] >= 1
    assert client.get_function_code_signing_config(FunctionName=name)["FunctionName"] == name
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    assert client.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")
    assert client.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "FunctionUpdate"
    refused(
        "InvalidParameterValueException",
        "cannot be honoured",
        client.put_runtime_management_config,
        FunctionName=name,
        UpdateRuntimeOn="Manual",
        RuntimeVersionArn="arn:aws:lambda:us-east-1::runtime:" + "0" * 64,
    )


def test_the_caller_is_told_who_it_is(node):
    identity = node.client("sts").get_caller_identity()
    assert (identity["Account"], identity["UserId"]) == (ACCOUNT, ACCOUNT)
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_code_comes_from_a_bucket(node, lambda_client):
    s3 = node.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="packages-of-code")
    s3.put_bucket_versioning(Bucket="packages-of-code", VersioningConfiguration={"Status": "Enabled"})

    def put(word):
        code = python_zip(f"def handler(event, context):\n    return '{word}'\n")
        return s3.put_object(Bucket="packages-of-code", Key="a/code.zip", Body=code)["VersionId"]

    first, _second = put("first"), put("second")
    place = {"S3Bucket": "packages-of-code", "S3Key": "a/code.zip"}

    def answer():
        return json.load(lambda_client.invoke(FunctionName="from-bucket")["Payload"])

    lambda_client.create_function(
        FunctionName="from-bucket", Runtime="python3.13", Handler="app.handler", Role="arn:aws:iam::000000000000:role/any", Code=place
    )
    assert answer() == "second"
    lambda_client.update_function_code(FunctionName="from-bucket", **place, S3ObjectVersion=first)
    assert answer() == "first"
    with pytest.raises(ClientError) as refused:
        lambda_client.update_function_code(FunctionName="from-bucket", **{**place, "S3Key": "none.zip"})
    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
    }
    assert answer() == "first"
    layer = lambda_client.publish_layer_version(LayerName="from-bucket", Content=place)
    assert layer["Content"]["CodeSize"] > 0
    lambda_client.delete_layer_version(LayerName="from-bucket", VersionNumber=layer["Version"])
    lambda_client.delete_function(FunctionName="from-bucket")
