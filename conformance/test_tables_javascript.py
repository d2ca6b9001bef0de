"""The JavaScript document client against tables: `javascript/tables.mjs` holds the cases, and Node.js's own test runner runs them."""

import shutil

import pytest
from conftest import ROOT

FOLDER = ROOT / "conformance" / "javascript"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
@pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason="npm has not installed the JavaScript clients")
def test_the_document_client_finds_tables_as_it_expects_them(node):
    done = node.run("node", "--test", "--test-reporter=tap", FOLDER / "tables.mjs", cwd=FOLDER, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.removeprefix("# ").split() for line in done.stdout.splitlines() if line.startswith(("# pass", "# fail")))
    assert int(counts["pass"]) >= 9 and counts["fail"] == "0", done.stdout
