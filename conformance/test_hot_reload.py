"""Functions whose code is a folder that people edit (`S3Bucket=hot-reload`): each call runs what is in it then."""

import json

import pytest
from botocore.exceptions import ClientError
from support import ROLE


def say(folder, word):
    (folder / "app.py").write_text(f"def handler(event, context):\n    return {word!r}\n")


def make(client, name, folder):
    return client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.handler",
        Role=ROLE,
        Code={"S3Bucket": "hot-reload", "S3Key": str(folder)},
    )


def said(client, name, **which):
    return json.loads(client.invoke(FunctionName=name, **which)["Payload"].read())


def test_calls_run_what_was_saved_last(own_node, tmp_path):
    folder = tmp_path / "work" / "greet"
    folder.mkdir(parents=True)
    node = own_node("--hot-reload", tmp_path / "work").start()
    client = node.client("lambda")
    say(folder, "one")
    made = make(client, "greet", folder)
    assert (made["PackageType"], made["State"]) == ("Zip", "Active")
    assert said(client, "greet") == "one"
    # However soon one save follows the other, and of whatever length.
    for word in ["two", "six", "ten", "many more", "two"]:
        say(folder, word)
        assert said(client, "greet") == word
    # However it is called.
    say(folder, "streamed")
    parts = list(client.invoke_with_response_stream(FunctionName="greet")["EventStream"])
    assert b"".join(part["PayloadChunk"]["Payload"] for part in parts[:-1]) == b'"streamed"'
    say(folder, "two")
    assert said(client, "greet") == "two"
    # A version is what was in the folder, and stays so.
    version = client.publish_version(FunctionName="greet")["Version"]
    (folder / "word.py").write_text("WORD = 'imported'\n")
    (folder / "app.py").write_text("import word\n\n\ndef handler(event, context):\n    return word.WORD\n")
    assert said(client, "greet") == "imported"
    assert said(client, "greet", Qualifier=version) == "two"
    # What cannot be run says why, and is mended by the next save.
    (folder / "app.py").write_text("def handler(event, context) return 1\n")
    broken = client.invoke(FunctionName="greet")
    assert broken["FunctionError"] and b"SyntaxError" in broken["Payload"].read()
    say(folder, "mended")
    assert said(client, "greet") == "mended"
    # It is the same function after a restart.
    node.stop()
    say(folder, "restarted")
    node.start()
    assert said(client, "greet") == "restarted"
    (folder / "app.py").unlink()
    folder.rename(folder.with_name("gone"))
    with pytest.raises(ClientError, match="InvalidParameterValueException.*greet cannot be read: No such file"):
        client.invoke(FunctionName="greet")


def test_only_opened_folders_are_read(own_node, tmp_path):
    work, other = tmp_path / "work", tmp_path / "other"
    for folder in (work / "in", other):
        folder.mkdir(parents=True)
        say(folder, "here")
    (work / "link").symlink_to(other)
    shut = own_node().start().client("lambda")
    with pytest.raises(ClientError, match="InvalidParameterValueException.*freehold up --hot-reload DIR"):
        make(shut, "greet", work / "in")
    opened = own_node("--hot-reload", work).start().client("lambda")
    for folder, why in [
        (other, "is in none that may be read"),
        (work / "link", "is in none that may be read"),
        (work / ".." / "other", "is in none that may be read"),
        (work / "in" / "app.py", "is no folder"),
        (work / "nothing", "cannot be read"),
    ]:
        with pytest.raises(ClientError, match=f"InvalidParameterValueException.*{why}"):
            make(opened, "greet", folder)
    with pytest.raises(ClientError, match="for functions, not for layers"):
        opened.publish_layer_version(LayerName="shared", Content={"S3Bucket": "hot-reload", "S3Key": str(work / "in")})
    assert opened.list_functions()["Functions"] == []
    make(opened, "greet", work / "in")
    assert said(opened, "greet") == "here"
