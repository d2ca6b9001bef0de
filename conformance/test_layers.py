"""Layers: published by SDK and template, found by each language where Lambda has them."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError
from support import create, zipped

PYTHON = "import own, os\n\ndef handler(event, context):\n    return [own.NAME, sorted(os.listdir('/opt'))]\n"
NODE = "exports.handler = async () => [require('own'), require('fs').readdirSync('/opt').sort()];\n"


def publish(client, name, files, **settings):
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(files)}, **settings)


def call(client, name):
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    return payload


def test_functions_find_what_layers_bring(lambda_client):
    first = publish(
        lambda_client,
        "tools",
        {"python/own.py": "NAME = 'first'", "nodejs/node_modules/own/index.js": "module.exports = 'first'", "lib/one": ""},
        Description="one",
        CompatibleRuntimes=["python3.13", "nodejs22.x"],
        LicenseInfo="MIT",
    )
    assert (first["Version"], first["LicenseInfo"]) == (1, "MIT")
    other = publish(lambda_client, "others", {"python/own.py": "NAME = 'other'", "nodejs/node_modules/own/index.js": "module.exports = 'other'", "bin/two": ""})
    both = [first["LayerVersionArn"], other["LayerVersionArn"]]
    create(lambda_client, "layered-python", code=zipped({"app.py": PYTHON}), Layers=both)
    create(lambda_client, "layered-node", runtime="nodejs22.x", handler="index.handler", code=zipped({"index.js": NODE}), Layers=both)
    for name in ["layered-python", "layered-node"]:
        assert call(lambda_client, name) == ["other", ["bin", "lib", "nodejs", "python"]], "later layers count"
        shown = lambda_client.update_function_configuration(FunctionName=name, Layers=both[:1])["Layers"]
        assert shown == [{"Arn": first["LayerVersionArn"], "CodeSize": first["Content"]["CodeSize"]}]
        assert call(lambda_client, name) == ["first", ["lib", "nodejs", "python"]]
    # A layer that nobody can name any more is still the function's.
    lambda_client.delete_layer_version(LayerName="tools", VersionNumber=1)
    assert call(lambda_client, "layered-python")[0] == "first"
    with pytest.raises(ClientError, match="Layer version .*:layer:tools:1 does not exist."):
        lambda_client.update_function_configuration(FunctionName="layered-python", Layers=both)
    for name in ["layered-python", "layered-node"]:
        lambda_client.delete_function(FunctionName=name)
    lambda_client.delete_layer_version(LayerName="others", VersionNumber=1)


def test_layers_are_listed_read_and_given_away(lambda_client):
    package = {"python/listed.py": "NAME = 1"}
    arns = [publish(lambda_client, "listed", package, CompatibleArchitectures=["x86_64"])["LayerVersionArn"] for _ in range(2)]
    layers = {layer["LayerName"]: layer["LatestMatchingVersion"] for layer in lambda_client.list_layers()["Layers"]}
    assert layers["listed"]["LayerVersionArn"] == arns[1]
    versions = lambda_client.list_layer_versions(LayerName="listed", CompatibleArchitecture="x86_64")["LayerVersions"]
    assert [version["Version"] for version in versions] == [2, 1]
    assert lambda_client.list_layer_versions(LayerName="listed", CompatibleArchitecture="arm64")["LayerVersions"] == []
    found = lambda_client.get_layer_version_by_arn(Arn=arns[0])
    assert found["Version"] == lambda_client.get_layer_version(LayerName="listed", VersionNumber=1)["Version"] == 1
    with urllib.request.urlopen(found["Content"]["Location"], timeout=30) as answer:
        assert answer.read() == zipped(package)
    added = lambda_client.add_layer_version_permission(
        LayerName="listed", VersionNumber=1, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
    )
    policy = json.loads(lambda_client.get_layer_version_policy(LayerName="listed", VersionNumber=1)["Policy"])
    assert policy["Statement"] == [json.loads(added["Statement"])]
    lambda_client.remove_layer_version_permission(LayerName="listed", VersionNumber=1, StatementId="all")
    with pytest.raises(ClientError, match="No policy is associated with the given resource."):
        lambda_client.get_layer_version_policy(LayerName="listed", VersionNumber=1)
    for number in [1, 2]:
        lambda_client.delete_layer_version(LayerName="listed", VersionNumber=number)
    with pytest.raises(ClientError, match="The resource you requested does not exist."):
        lambda_client.get_layer_version(LayerName="listed", VersionNumber=1)


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Tools:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: templated
      ContentUri: layer/
      RetentionPolicy: Delete
  Shared:
    Type: AWS::Lambda::LayerVersionPermission
    Properties: {Action: "lambda:GetLayerVersion", LayerVersionArn: !Ref Tools, Principal: "*"}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: templated-layer
      Runtime: python3.13
      Handler: app.handler
      CodeUri: code/
      Layers: [!Ref Tools]
"""


def test_templates_have_layers(node, lambda_client, tmp_path):
    for name, text in [("code/app.py", PYTHON), ("layer/python/own.py", "NAME = 'one'"), ("template.yaml", TEMPLATE)]:
        (tmp_path / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / name).write_text(text)
    node.freehold("deploy", tmp_path / "shop")
    assert call(lambda_client, "templated-layer")[0] == "one"
    (tmp_path / "shop" / "layer" / "python" / "own.py").write_text("NAME = 'two'")
    node.freehold("deploy", tmp_path / "shop")
    assert call(lambda_client, "templated-layer")[0] == "two"
    versions = lambda_client.list_layer_versions(LayerName="templated")["LayerVersions"]
    assert [version["Version"] for version in versions] == [2], "the one before is gone"
