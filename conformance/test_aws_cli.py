"""AWS's own command line, as the README shows it."""

import json
import pathlib
import sys

from support import ROLE, eventually, python_zip

AWS = pathlib.Path(sys.executable).with_name("aws")

GREET = """def handler(event, context):
    print("greeting", event["name"])
    return "Hello " + event["name"]
"""


def test_the_readme_tour(node, tmp_path):
    (tmp_path / "greet.zip").write_bytes(python_zip(GREET))

    def aws(*arguments):
        done = node.run(AWS, *arguments, cwd=tmp_path)
        return json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout

    created = aws(
        *["lambda", "create-function", "--function-name", "greet", "--runtime", "python3.13", "--handler", "app.handler"],
        *["--role", ROLE, "--zip-file", "fileb://greet.zip"],
    )
    assert created["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:greet"
    aws("lambda", "wait", "function-active-v2", "--function-name", "greet")

    invoked = aws(
        *["lambda", "invoke", "--function-name", "greet", "--payload", '{"name":"Ada"}'],
        *["--log-type", "Tail", "out.json"],
    )
    assert invoked["StatusCode"] == 200 and invoked["ExecutedVersion"] == "$LATEST" and invoked["LogResult"]
    assert json.loads((tmp_path / "out.json").read_text()) == "Hello Ada"

    url = aws("lambda", "create-function-url-config", "--function-name", "greet", "--auth-type", "NONE")
    assert url["AuthType"] == "NONE" and url["FunctionUrl"].startswith("http://")

    def logged():
        events = aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/greet")["events"]
        return [event["message"].strip() for event in events if "greeting Ada" in event["message"]]

    assert eventually(logged, what="the function's line in its log") == ["greeting Ada"]
    groups = aws("logs", "describe-log-groups", "--log-group-name-prefix", "/aws/lambda/greet")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/lambda/greet"]

    identity = aws("sts", "get-caller-identity")
    assert identity["Account"] == "000000000000"

    aws("lambda", "delete-function", "--function-name", "greet")
    gone = node.run(AWS, "lambda", "get-function", "--function-name", "greet", check=False)
    assert gone.returncode != 0
    assert "ResourceNotFoundException" in gone.stderr and "Function not found: arn:aws:lambda:us-east-1:000000000000:function:greet" in gone.stderr


def test_an_operation_that_is_not_served_says_so(node):
    done = node.run(AWS, "lambda", "list-code-signing-configs", check=False)
    assert done.returncode != 0
    assert "ListCodeSigningConfigs" in done.stderr and "does not serve" in done.stderr
