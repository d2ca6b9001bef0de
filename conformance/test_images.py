"""Container images as functions: from a layout, a saved archive and a registry; by SDK, template, command line and Terraform."""

import json
import shutil
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError
from images import Image, Registry
from support import ROLE, create, lacks

API = {"Entrypoint": ["/app/guest", "api"], "Cmd": ["of the image"], "WorkingDir": "/app", "Env": ["COLOUR=red", "PATH=/app"]}


@pytest.fixture
def registry():
    registry = Registry()
    yield registry
    registry.close()


def make(client, name, uri, **settings):
    try:
        return client.create_function(FunctionName=name, PackageType="Image", Role=ROLE, Code={"ImageUri": uri}, **settings)
    except ClientError as error:
        if "cannot be run on this machine" in str(error):
            lacks(str(error))
        raise


def call(client, name, **settings):
    answer = client.invoke(FunctionName=name, Payload=b"{}", **settings)
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    return payload


def test_an_image_is_a_function(lambda_client, tmp_path):
    image = Image(API, app__file="first")
    uri = image.layout(tmp_path / "layout")
    made = make(lambda_client, "imaged", uri, ImageConfig={"Command": ["of", "the function"]}, Environment={"Variables": {"COLOUR": "blue"}})
    assert (made["PackageType"], made["State"], made["CodeSize"]) == ("Image", "Active", 0)
    assert made["CodeSha256"] == image.digest.removeprefix("sha256:")
    assert made["ImageConfigResponse"] == {"ImageConfig": {"Command": ["of", "the function"]}}
    assert "Runtime" not in made and "Handler" not in made
    code = lambda_client.get_function(FunctionName="imaged")["Code"]
    assert code == {"RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": f"{uri}@{image.digest}"}

    seen = call(lambda_client, "imaged")
    assert seen["arguments"] == ["/app/guest", "api", "of", "the function"]
    assert (seen["file"], seen["directory"], seen["environment"]["COLOUR"]) == ("first", "/app", "blue")
    assert seen["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == "imaged"
    assert sorted(seen["root"]) == ["app", "dev", "etc", "proc", "tmp"]
    assert seen["writes"] == {"/new": False, "/etc/new": False, "/app/new": False, "/tmp/new": True}

    published = lambda_client.publish_version(FunctionName="imaged")
    second = Image(API, app__file="second")
    updated = lambda_client.update_function_code(FunctionName="imaged", ImageUri=second.layout(tmp_path / "second"))
    assert updated["CodeSha256"] == second.digest.removeprefix("sha256:")
    lambda_client.update_function_configuration(FunctionName="imaged", ImageConfig={"WorkingDirectory": "/tmp"})
    seen = call(lambda_client, "imaged")
    assert (seen["file"], seen["directory"], seen["arguments"][-1]) == ("second", "/tmp", "of the image")
    assert call(lambda_client, "imaged", Qualifier=published["Version"])["file"] == "first"
    assert "ImageConfigResponse" not in lambda_client.update_function_configuration(FunctionName="imaged", ImageConfig={})
    lambda_client.delete_function(FunctionName="imaged")


def test_saved_archives_and_registries_have_images(lambda_client, registry, tmp_path):
    image = Image(API, app__file="saved")
    uri = image.saved(tmp_path / "image.tar", "app:1.0")
    make(lambda_client, "saved", uri + "#app:1.0")
    assert call(lambda_client, "saved")["file"] == "saved"

    first, second = Image(API, app__file="first"), Image(API, app__file="second")
    uri = registry.push(first, "latest")
    lambda_client.update_function_code(FunctionName="saved", ImageUri=uri)
    code = lambda_client.get_function(FunctionName="saved")["Code"]
    assert code["ResolvedImageUri"] == f"{registry.name}/app:latest@{first.digest}"
    registry.push(second, "latest")
    assert call(lambda_client, "saved")["file"] == "first", "what was pinned stays"
    lambda_client.update_function_code(FunctionName="saved", ImageUri=uri)
    assert call(lambda_client, "saved")["file"] == "second"
    with pytest.raises(ClientError, match="does not exist. Provide a valid source image"):
        lambda_client.update_function_code(FunctionName="saved", ImageUri=f"{registry.name}/app:none")
    lambda_client.delete_function(FunctionName="saved")


def test_buckets_have_images(lambda_client, node, tmp_path):
    s3 = node.client("s3")
    s3.create_bucket(Bucket="images")
    image = Image(API, app__file="out of a bucket")
    image.saved(tmp_path / "image.tar", "app:1.0")
    s3.upload_file(str(tmp_path / "image.tar"), "images", "app/image.tar")
    made = make(lambda_client, "bucketed", "s3://images/app/image.tar#app:1.0")
    code = lambda_client.get_function(FunctionName="bucketed")["Code"]
    assert code["ImageUri"] == "s3://images/app/image.tar#app:1.0"
    assert code["ResolvedImageUri"].endswith(f"@sha256:{made['CodeSha256']}")
    # What is in the bucket then is of no matter.
    s3.delete_object(Bucket="images", Key="app/image.tar")
    assert call(lambda_client, "bucketed")["file"] == "out of a bucket"
    # A layout in a tar, packed, is one too.
    Image(API, app__file="second").layout(tmp_path / "layout")
    shutil.make_archive(str(tmp_path / "layout"), "gztar", tmp_path / "layout")
    s3.upload_file(str(tmp_path / "layout.tar.gz"), "images", "layout")
    lambda_client.update_function_code(FunctionName="bucketed", ImageUri="s3://images/layout")
    assert call(lambda_client, "bucketed")["file"] == "second"
    s3.put_object(Bucket="images", Key="text", Body=b"no image at all")
    refusals = [
        ("s3://images/gone.tar", "S3 Error Code: NoSuchKey"),
        ("s3://nobody-has-this/image.tar", "S3 Error Code: NoSuchBucket"),
        ("s3://images", "s3://BUCKET/KEY"),
        ("s3://images/layout#other:1", "s3://images/layout"),
        ("s3://images/text", "s3://images/text"),
    ]
    for uri, said in refusals:
        with pytest.raises(ClientError, match=said) as caught:
            lambda_client.update_function_code(FunctionName="bucketed", ImageUri=uri)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException", uri
        assert "/tmp/" not in str(caught.value), uri
    assert call(lambda_client, "bucketed")["file"] == "second"
    lambda_client.delete_function(FunctionName="bucketed")


def test_images_in_buckets_are_for_who_may_read_them(guarded):
    root = guarded.root_client("s3")
    root.create_bucket(Bucket="private-images")
    root.put_object(Bucket="private-images", Key="image.tar", Body=b"no image at all")
    owner = guarded.root_client("lambda")
    # Read, and found to be none.
    with pytest.raises(ClientError, match="s3://private-images/image.tar") as caught:
        make(owner, "refused", "s3://private-images/image.tar")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::private-images/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    root.put_bucket_policy(Bucket="private-images", Policy=policy)
    with pytest.raises(ClientError, match="Your access has been denied by S3") as caught:
        make(owner, "refused", "s3://private-images/image.tar")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_an_image_may_be_a_web_server(node, lambda_client, tmp_path):
    config = {"Cmd": ["/app/guest", "serve"], "Env": ["PORT=3000"]}
    # The adapter itself is built in: that the image brings it says what the image is.
    image = Image(config, **{"opt__extensions__lambda-adapter": "not run"})
    make(lambda_client, "serving", image.layout(tmp_path / "layout"))
    lambda_client.create_function_url_config(FunctionName="serving", AuthType="NONE")
    with urllib.request.urlopen(node.endpoint + "/_fn/serving/any/path", timeout=60) as answer:
        assert json.load(answer)["environment"]["PORT"] == "3000"
    assert call(lambda_client, "serving")["environment"]["PORT"] == "3000"
    lambda_client.delete_function(FunctionName="serving")


def test_an_image_outlives_its_source_and_a_restart(own_node, tmp_path):
    node = own_node().start()
    client = node.client("lambda")
    make(client, "kept", Image(API, app__file="kept").layout(tmp_path / "layout"))
    assert call(client, "kept")["file"] == "kept"
    shutil.rmtree(tmp_path / "layout")
    node.kill()
    node.start()
    assert call(client, "kept")["file"] == "kept"


def test_images_of_the_machine_are_for_open_mode(own_node, tmp_path):
    node = own_node("--auth", "iam").start()
    root = json.loads((node.data / "credentials.json").read_text())
    client = boto3.client(
        "lambda",
        endpoint_url=node.endpoint,
        region_name="us-east-1",
        aws_access_key_id=root["AccessKeyId"],
        aws_secret_access_key=root["SecretAccessKey"],
    )
    for uri in [Image(API).layout(tmp_path / "layout"), "localhost:5000/app", "169.254.169.254/app"]:
        with pytest.raises(ClientError, match="is this machine's own"):
            make(client, "refused", uri)


def test_kinds_of_packages_do_not_mix(lambda_client, tmp_path):
    uri = Image(API).layout(tmp_path / "layout")
    with pytest.raises(ClientError, match="Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."):
        make(lambda_client, "mixed", uri, Handler="a.b")
    with pytest.raises(ClientError, match="Provide a valid source image"):
        make(lambda_client, "mixed", "file:/nowhere/at/all")
    create(lambda_client, "mixed")
    with pytest.raises(ClientError, match="Please don't provide ImageUri when updating a function with packageType Zip."):
        lambda_client.update_function_code(FunctionName="mixed", ImageUri=uri)
    lambda_client.delete_function(FunctionName="mixed")


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: image-plain
      Role: arn:aws:iam::000000000000:role/any
      PackageType: Image
      Code: {ImageUri: "file:layout"}
      ImageConfig: {Command: [from cloudformation]}
  Sam:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: image-sam
      PackageType: Image
      ImageUri: ./layout
"""

TO_BUILD = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Sam:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}
"""


def test_templates_have_images(node, lambda_client, tmp_path):
    Image(API, app__file="templated").layout(tmp_path / "app" / "layout")
    (tmp_path / "app" / "template.yaml").write_text(TEMPLATE)
    node.freehold("deploy", tmp_path / "app")
    assert call(lambda_client, "image-plain")["arguments"][-1] == "from cloudformation"
    assert call(lambda_client, "image-sam")["arguments"][-1] == "of the image"
    Image(API, app__file="changed").layout(tmp_path / "other")
    (tmp_path / "app" / "template.yaml").write_text(TEMPLATE.replace('"file:layout"', f'"file:{tmp_path}/other"').replace("ImageConfig", "Description: x #"))
    node.freehold("deploy", tmp_path / "app")
    seen = call(lambda_client, "image-plain")
    assert (seen["file"], seen["arguments"][-1]) == ("changed", "of the image")
    node.freehold("rm", "app", "--yes", check=False)

    (tmp_path / "app" / "template.yaml").write_text(TO_BUILD)
    refused = node.freehold("deploy", tmp_path / "app", check=False)
    assert refused.returncode != 0
    for word in ["Freehold has no builder", "docker build -t sam -f", "docker save sam -o image.tar", "ImageUri: file:./image.tar"]:
        assert word in refused.stdout + refused.stderr, word


CONFIGURATION = """
resource "aws_lambda_layer_version" "tools" {
  layer_name          = "terraformed"
  filename            = "${abspath(path.root)}/layer.zip"
  compatible_runtimes = ["python3.13"]
}

resource "aws_lambda_function" "layered" {
  function_name = "terraformed-layered"
  role          = "arn:aws:iam::000000000000:role/any"
  runtime       = "python3.13"
  handler       = "app.handler"
  filename      = "${abspath(path.root)}/code.zip"
  layers        = [aws_lambda_layer_version.tools.arn]
}

resource "aws_lambda_function" "image" {
  function_name = "terraformed-image"
  role          = "arn:aws:iam::000000000000:role/any"
  package_type  = "Image"
  image_uri     = "%(uri)s"
  image_config {
    command = ["from terraform"]
  }
}
"""


def test_terraform_makes_images_and_layers(terraform, lambda_client, tmp_path):
    from support import zipped

    (tmp_path / "layer.zip").write_bytes(zipped({"python/own.py": "NAME = 'layer'"}))
    (tmp_path / "code.zip").write_bytes(zipped({"app.py": "import own\n\ndef handler(event, context):\n    return own.NAME\n"}))
    terraform.apply(CONFIGURATION % {"uri": Image(API).layout(tmp_path / "layout")})
    assert call(lambda_client, "terraformed-image")["arguments"][-1] == "from terraform"
    assert call(lambda_client, "terraformed-layered") == "layer"
    terraform.destroy()
    assert lambda_client.list_layer_versions(LayerName="terraformed")["LayerVersions"] == []
