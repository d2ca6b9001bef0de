"""The programs of `examples/languages`: built where their tool chain is, and run both ways."""

import json
import os
import pathlib
import shutil
import subprocess
import urllib.request

import mono
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
    return zipped(packed(work, out))


def packed(work, out):
    """What was built, with the scripts beside it."""
    for script in ["bootstrap", "run.sh", "run"]:
        if (work / script).is_file() and not (out / script).exists():
            shutil.copy2(work / script, out / script)
    files = {}
    for path in out.rglob("*"):
        if path.is_file():
            mark = "*" if os.access(path, os.X_OK) else ""
            files[str(path.relative_to(out)) + mark] = path.read_bytes()
    return files


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
    pytest.param("dotnet-http", ["dotnet", "publish", "-c", "Release", "-o", "out"], "server", "C#", marks=needs("dotnet")),
]


def answers_events(client, name, language):
    """Calls a function twice, and takes it away."""
    for number in range(2):
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"number": number}))
        payload = json.load(answer["Payload"])
        assert "FunctionError" not in answer, payload
        assert payload["event"] == {"number": number}
        assert payload["language"].startswith(language)
    client.delete_function(FunctionName=name)


def answers_requests(node, client, name, language):
    """Asks a server for two pages, and takes it away."""
    client.create_function_url_config(FunctionName=name, AuthType="NONE")
    for path in ["/one", "/two"]:
        with urllib.request.urlopen(f"{node.endpoint}/_fn/{name}{path}", timeout=90) as answer:
            assert json.load(answer) == {"language": language, "path": path}
    client.delete_function(FunctionName=name)


@pytest.mark.parametrize("folder, command, language", RUNTIME_API)
def test_by_the_runtime_api(lambda_client, tmp_path, folder, command, language):
    code, name = build(folder, tmp_path, *command), f"language-{folder}"
    create(lambda_client, name, "provided.al2023", "bootstrap", code, MemorySize=512, Timeout=60)
    answers_events(lambda_client, name, language)


@pytest.mark.parametrize("folder, command, handler, language", HTTP)
def test_as_a_web_server(node, lambda_client, tmp_path, folder, command, handler, language):
    code, name = build(folder, tmp_path, *command), f"language-{folder}"
    create(lambda_client, name, "http", handler, code, MemorySize=512, Timeout=60)
    answers_requests(node, lambda_client, name, language)


@pytest.fixture(scope="module")
def mono_layer(lambda_client):
    """Mono as a layer: the machine need not have it."""
    try:
        files = mono.layer()
    except mono.Missing as missing:
        pytest.skip(str(missing))
    made = lambda_client.publish_layer_version(LayerName="mono", Content={"ZipFile": zipped(files)})
    yield made["LayerVersionArn"]
    lambda_client.delete_layer_version(LayerName="mono", VersionNumber=made["Version"])


def c_sharp(folder, source, program, tmp_path):
    """The files of a package: a program that Mono has compiled, and the script that starts it."""
    work = tmp_path / folder
    shutil.copytree(PROGRAMS / folder, work)
    command = mono.compile_program(source, f"mono/{program}", "System.Net.Http.dll")
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return packed(work, work / "mono")


def test_c_sharp_by_the_runtime_api(lambda_client, mono_layer, tmp_path):
    code = zipped(c_sharp("dotnet", "Program.cs", "bootstrap.exe", tmp_path))
    settings = {"MemorySize": 512, "Timeout": 60, "Layers": [mono_layer]}
    create(lambda_client, "language-mono", "provided.al2023", "bootstrap", code, **settings)
    answers_events(lambda_client, "language-mono", ".NET 4")


def test_c_sharp_as_a_web_server(node, lambda_client, mono_layer, tmp_path):
    code = zipped(c_sharp("dotnet-http", "Server.cs", "Server.exe", tmp_path))
    settings = {"MemorySize": 512, "Timeout": 60, "Layers": [mono_layer]}
    create(lambda_client, "language-mono-http", "http", "run.sh", code, **settings)
    answers_requests(node, lambda_client, "language-mono-http", "C#")


@pytest.mark.skipif("FREEHOLD_DOTNET" not in os.environ, reason="FREEHOLD_DOTNET names no folder with a .NET runtime")
def test_c_sharp_on_a_runtime_of_dotnets_own(lambda_client, mono_layer, tmp_path):
    """The assembly that Mono compiled, on .NET itself, which comes in a layer as any runtime may."""
    files = c_sharp("dotnet", "Program.cs", "bootstrap.exe", tmp_path)
    runtime = pathlib.Path(os.environ["FREEHOLD_DOTNET"])
    versions = sorted(folder.name for folder in (runtime / "shared" / "Microsoft.NETCore.App").iterdir())
    framework = {"name": "Microsoft.NETCore.App", "version": versions[-1]}
    options = {"framework": framework, "configProperties": {"System.Globalization.Invariant": True}}
    code = {
        "bootstrap.dll": files["bootstrap.exe*"],
        "bootstrap.runtimeconfig.json": json.dumps({"runtimeOptions": options}),
        "bootstrap*": '#!/bin/sh\nexec /opt/dotnet/dotnet "$LAMBDA_TASK_ROOT/bootstrap.dll"\n',
    }
    layer = {"dotnet/dotnet*": (runtime / "dotnet").read_bytes()}
    for part in ["host", "shared/Microsoft.NETCore.App"]:
        found = [path for path in (runtime / part).rglob("*") if path.is_file()]
        layer.update({f"dotnet/{path.relative_to(runtime)}": path.read_bytes() for path in found})
    made = lambda_client.publish_layer_version(LayerName="dotnet", Content={"ZipFile": zipped(layer)})
    settings = {"MemorySize": 512, "Timeout": 60, "Layers": [made["LayerVersionArn"]]}
    create(lambda_client, "language-own-dotnet", "provided.al2023", "bootstrap", zipped(code), **settings)
    answers_events(lambda_client, "language-own-dotnet", f".NET {versions[-1].split('.')[0]}")
    lambda_client.delete_layer_version(LayerName="dotnet", VersionNumber=made["Version"])


NODE_HANDLER = """
exports.handler = async (event, context) => {
  if (event.fail) throw new TypeError("boom");
  return { event, id: context.awsRequestId, left: context.getRemainingTimeInMillis() > 0 };
};
"""


@pytest.mark.skipif("FREEHOLD_AWS_LAMBDA_RIC" not in os.environ, reason="FREEHOLD_AWS_LAMBDA_RIC names no folder with npm's aws-lambda-ric")
def test_the_published_client_for_node_works_unchanged(lambda_client):
    """The folder of the package as npm has built it, which takes a C++ compiler, cmake and the autotools, and a minute."""
    package = pathlib.Path(os.environ["FREEHOLD_AWS_LAMBDA_RIC"])
    parts = [path for part in ("bin", "dist") for path in (package / part).iterdir()]
    files = {f"ric/{path.relative_to(package)}": path.read_bytes() for path in parts}
    bootstrap = "#!/bin/sh\ncd $LAMBDA_TASK_ROOT\nexec node ric/bin/index.mjs $_HANDLER\n"
    files |= {"bootstrap*": bootstrap, "index.js": NODE_HANDLER}
    create(lambda_client, "ric-node", "provided.al2023", "index.handler", zipped(files), MemorySize=512, Timeout=60)
    for event in ({"number": 1}, {"fail": 1}, {"number": 2}):
        answer = lambda_client.invoke(FunctionName="ric-node", Payload=json.dumps(event))
        told = json.loads(answer["Payload"].read())
        if "fail" in event:
            assert (answer["FunctionError"], told["errorType"], told["errorMessage"]) == ("Unhandled", "TypeError", "boom"), told
        else:
            known = (told["event"], told["id"], told["left"])
            assert known == (event, answer["ResponseMetadata"]["RequestId"], True), told
    lambda_client.delete_function(FunctionName="ric-node")


@pytest.mark.skipif("FREEHOLD_LAMBDA_RUNTIME" not in os.environ, reason="FREEHOLD_LAMBDA_RUNTIME names no folder to build AWS's crate for Rust in")
def test_the_published_crate_for_rust_works_unchanged(lambda_client):
    """Sixty crates, a minute of two processors the first time: what is built stays in that folder."""
    target = pathlib.Path(os.environ["FREEHOLD_LAMBDA_RUNTIME"])
    command = ["cargo", "build", "--locked", "--target-dir", target]
    done = subprocess.run(command, cwd=PROGRAMS / "rust", capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    code = zipped({"bootstrap*": (target / "debug" / "greet").read_bytes()})
    create(lambda_client, "language-rust", "provided.al2023", "bootstrap", code, Timeout=60)
    answer = lambda_client.invoke(FunctionName="language-rust", Payload=json.dumps({"fail": True}))
    assert answer["FunctionError"] == "Unhandled" and json.load(answer["Payload"])["errorMessage"] == "boom"
    answers_events(lambda_client, "language-rust", "Rust")
