"""The JavaScript document client against tables: `javascript/tables.mjs` holds the cases, and Node.js's own test runner runs them."""

import shutil

from conftest import ROOT
from support import lacks

FOLDER = ROOT / "conformance" / "javascript"


def test_the_document_client_finds_tables_as_it_expects_them(node):
    if shutil.which("node") is None or not (FOLDER / "node_modules").is_dir():
        lacks("there is no Node.js here, or npm has not installed the JavaScript clients")
    done = node.run("node", "--test", "--test-reporter=tap", FOLDER / "tables.mjs", cwd=FOLDER, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.removeprefix("# ").split() for line in done.stdout.splitlines() if line.startswith(("# pass", "# fail")))
    assert int(counts["pass"]) >= 9 and counts["fail"] == "0", done.stdout
