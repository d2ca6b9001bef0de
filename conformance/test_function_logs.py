"""Functions whose log is JSON: what boto3 sets and sees of it, what comes to CloudWatch Logs, and what is left out below a level."""

import base64
import json
import uuid

import pytest
from botocore.exceptions import ClientError
from support import create, eventually, node_zip, python_zip

LOGGING = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
REFUSED = (
    'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to '
    '"Json" and try again.'
)
PYTHON = """import logging

log = logging.getLogger("shop")


def handler(event, context):
    log.debug("looked at %s", event)
    log.warning("sold", extra={"item": "tea"})
    if event.get("fail"):
        raise ValueError("none left")
"""
NODE = "exports.handler = async () => { console.debug('a'); console.warn('b', { c: 1 }); };\n"


@pytest.fixture
def name(lambda_client):
    name = f"records-{uuid.uuid4().hex[:12]}"
    yield name
    lambda_client.delete_function(FunctionName=name)


def settings_of(client, name):
    return client.get_function_configuration(FunctionName=name)["LoggingConfig"]


def tail(client, name, event="{}"):
    """The end of the log of one call, as records; text stays text."""
    answer = client.invoke(FunctionName=name, LogType="Tail", Payload=event)
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    return [json.loads(line) if line.startswith("{") else line for line in lines]


def test_levels_are_kept_and_belong_to_json(lambda_client, name):
    group = f"/aws/lambda/{name}"
    made = create(lambda_client, name, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"})
    expected = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": group}
    assert made["LoggingConfig"] == expected == settings_of(lambda_client, name)
    lambda_client.update_function_configuration(FunctionName=name, LoggingConfig={"ApplicationLogLevel": "TRACE"})
    assert settings_of(lambda_client, name) == {**expected, "ApplicationLogLevel": "TRACE", "SystemLogLevel": "INFO"}
    for levels in [{"ApplicationLogLevel": "DEBUG"}, {"SystemLogLevel": "DEBUG"}]:
        with pytest.raises(ClientError) as error:
            lambda_client.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "Text", **levels})
        assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"
        assert error.value.response["Error"]["Message"] == REFUSED
    with pytest.raises(ClientError) as error:
        lambda_client.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "XML"})
    assert error.value.response["Error"]["Code"] == "ValidationException"
    lambda_client.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "Text"})
    assert settings_of(lambda_client, name) == {"LogFormat": "Text", "LogGroup": group}


def test_python_and_the_platform_write_records(lambda_client, logs_client, name):
    create(lambda_client, name, code=python_zip(PYTHON), LoggingConfig=LOGGING)
    start, sold, report = tail(lambda_client, name)
    assert start["type"] == "platform.start" and start["record"]["version"] == "$LATEST"
    assert {key: sold[key] for key in ["level", "message", "logger", "item", "requestId"]} == {
        "level": "WARNING",
        "message": "sold",
        "logger": "shop",
        "item": "tea",
        "requestId": start["record"]["requestId"],
    }
    assert report["type"] == "platform.report" and report["record"]["status"] == "success"
    assert set(report["record"]["metrics"]) >= {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB"}

    records = tail(lambda_client, name, '{"fail": true}')
    error = next(record for record in records if record.get("level") == "ERROR")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "none left") and error["stackTrace"]
    assert records[-1]["record"]["status"] == "error" and records[-1]["record"]["errorType"] == "ValueError"

    def stored():
        try:
            events = logs_client.filter_log_events(
                logGroupName=f"/aws/lambda/{name}", filterPattern='{ $.type = "platform.report" }'
            )["events"]
        except logs_client.exceptions.ResourceNotFoundException:
            return []
        return events if len(events) == 2 else []

    found = eventually(stored, what="two reports in the log")
    assert all(json.loads(event["message"])["type"] == "platform.report" for event in found)


def test_levels_leave_out_what_matters_less(lambda_client, name):
    quiet = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"}
    create(lambda_client, name, "nodejs22.x", "index.handler", node_zip(NODE), LoggingConfig=quiet)
    assert tail(lambda_client, name) == []
    lambda_client.update_function_configuration(
        FunctionName=name, LoggingConfig={**quiet, "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "DEBUG"}
    )
    records = tail(lambda_client, name)
    assert [record.get("type", record.get("level")) for record in records] == [
        "platform.start",
        "DEBUG",
        "WARN",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert [record["message"] for record in records if "level" in record] == ["a", "b { c: 1 }"]


def test_functions_that_share_a_group_are_told_apart(node, lambda_client, logs_client):
    mark = uuid.uuid4().hex[:8]
    group, names = f"/shop/{mark}", [f"tea-{mark}", f"cup-{mark}"]
    code = python_zip("def handler(event, context):\n    print('I am', context.function_name)\n")
    for name in names:
        create(lambda_client, name, "python3.13", "app.handler", code, LoggingConfig={"LogGroup": group})
        lambda_client.invoke(FunctionName=name)

    def streams():
        try:
            found = logs_client.describe_log_streams(logGroupName=group)["logStreams"]
        except logs_client.exceptions.ResourceNotFoundException:
            return []
        return sorted(stream["logStreamName"].split("/")[-1].split("[")[0] for stream in found)

    eventually(lambda: streams() == sorted(names), what="a stream of each function")
    said = eventually(lambda: node.freehold("logs", names[0]).stdout, what="its log")
    assert f"I am {names[0]}" in said and names[1] not in said
    every = node.freehold("logs").stdout
    assert all(f" {name} I am {name}" in every for name in names)
    for name in names:
        lambda_client.delete_function(FunctionName=name)


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Talks:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): pass"
      %(logging)s
Outputs:
  Name: {Value: !Ref Talks}
"""


def test_a_template_says_how_a_function_logs(node, lambda_client, tmp_path):
    folder = tmp_path / f"talks-{uuid.uuid4().hex[:8]}"
    folder.mkdir()

    def deploy(logging):
        (folder / "template.yaml").write_text(TEMPLATE % {"logging": logging})
        made = json.loads(node.freehold("deploy", folder, "--json").stdout)["outputs"]
        settings = settings_of(lambda_client, made["Name"])
        settings.pop("LogGroup")
        return settings

    said = deploy("LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: ERROR, SystemLogLevel: WARN}")
    assert said == {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"}
    assert deploy("LoggingConfig: {LogFormat: JSON}") == LOGGING
    assert deploy("") == {"LogFormat": "Text"}
    node.freehold("rm", folder.name, "--yes")
