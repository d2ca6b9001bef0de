"""The programs of `examples/languages`: built where their tool chain is, and run both ways."""

import json
import os
import shutil
import subprocess
import urllib.request

import pytest
from conftest import ROOT
from support import create, zipped

PROGRAMS = ROOT / "examples" / "languages"


def build(folder, tmp_path, *command):
    """Copies a program, builds it there into `out`, and packs that."""
    work = tmp_path / folder
    shutil.copytree(PROGRAMS / folder, work)
    out = work / "out"
    out.mkdir()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "GOCACHE": str(tmp_path / "go")}
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for script in ["bootstrap", "run.sh", "run"]:
        if (work / script).is_file() and not (out / script).exists():
            shutil.copy2(work / script, out / script)
    files = {}
    for path in out.rglob("*"):
        if path.is_file():
            mark = "*" if os.access(path, os.X_OK) else ""
            files[str(path.relative_to(out)) + mark] = path.read_bytes()
    return zipped(files)


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


RUNTIME_API = [
    pytest.param("java", ["javac", "-d", "out", "Main.java"], "Java", marks=needs("java", "javac")),
    pytest.param("go", ["go", "build", "-o", "out/bootstrap", "main.go"], "Go", marks=needs("go")),
    pytest.param("ruby", ["ruby", "-c", "bootstrap"], "Ruby", marks=needs("ruby")),
    pytest.param("dotnet", ["dotnet", "publish", "-c", "Release", "-o", "out"], ".NET", marks=needs("dotnet")),
]

HTTP = [
    pytest.param("java-http", ["javac", "-d", "out", "Server.java"], "run.sh", "Java", marks=needs("java", "javac")),
    pytest.param("go-http", ["go", "build", "-o", "out/server", "main.go"], "server", "Go", marks=needs("go")),
    pytest.param("ruby-http", ["ruby", "-c", "run"], "run", "Ruby", marks=needs("ruby")),
]


@pytest.mark.parametrize("folder, command, language", RUNTIME_API)
def test_by_the_runtime_api(lambda_client, tmp_path, folder, command, language):
    code, name = build(folder, tmp_path, *command), f"language-{folder}"
    create(lambda_client, name, "provided.al2023", "bootstrap", code, MemorySize=512, Timeout=60)
    for number in range(2):
        answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps({"number": number}))
        payload = json.load(answer["Payload"])
        assert "FunctionError" not in answer, payload
        assert payload["event"] == {"number": number}
        assert payload["language"].startswith(language)
    lambda_client.delete_function(FunctionName=name)


@pytest.mark.parametrize("folder, command, handler, language", HTTP)
def test_as_a_web_server(node, lambda_client, tmp_path, folder, command, handler, language):
    code, name = build(folder, tmp_path, *command), f"language-{folder}"
    create(lambda_client, name, "http", handler, code, MemorySize=512, Timeout=60)
    lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE")
    for path in ["/one", "/two"]:
        with urllib.request.urlopen(f"{node.endpoint}/_fn/{name}{path}", timeout=90) as answer:
            assert json.load(answer) == {"language": language, "path": path}
    lambda_client.delete_function(FunctionName=name)
