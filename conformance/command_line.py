"""AWS's command line, loaded once: each command is a process of its own that is forked from one which has read all of its modules.

Loading takes longer than most commands, by far on a busy machine. Run as a program this file is that process: it reads one command a
line, as JSON, and answers each with its exit status.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile


class CommandLine:
    """`aws` for one node: call it with arguments. Not for several threads at a time."""

    def __init__(self, node):
        self.environment = node.environment()
        self.loaded = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
        )

    def __call__(self, *arguments, check=True, cwd=None, stdin=os.devnull):
        """Runs a command and gives what became of it, as `subprocess.run` does."""
        arguments = [str(argument) for argument in arguments]
        with tempfile.TemporaryDirectory() as folder:
            files = {"stdin": str(stdin), "stdout": f"{folder}/stdout", "stderr": f"{folder}/stderr"}
            wanted = {"arguments": arguments, "cwd": str(cwd or os.getcwd()), "files": files}
            print(json.dumps(wanted), file=self.loaded.stdin, flush=True)
            status = int(self.loaded.stdout.readline())
            said = [pathlib.Path(files[name]).read_text() for name in ("stdout", "stderr")]
        if check:
            assert status == 0, f"{arguments}: exit {status}\n" + "\n".join(said)
        return subprocess.CompletedProcess(arguments, status, *said)

    def close(self):
        self.loaded.stdin.close()
        self.loaded.wait()


def serve():
    from awscli import clidriver
    # What its commands load on first use.
    from awscli.customizations.s3 import subcommands  # noqa: F401

    for line in sys.stdin:
        wanted = json.loads(line)
        if child := os.fork():
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            continue
        os.chdir(wanted["cwd"])
        for number, (name, flags) in enumerate(
            [("stdin", os.O_RDONLY), ("stdout", os.O_CREAT | os.O_WRONLY), ("stderr", os.O_CREAT | os.O_WRONLY)]
        ):
            opened = os.open(wanted["files"][name], flags)
            os.dup2(opened, number)
        sys.argv = ["aws", *wanted["arguments"]]
        sys.exit(clidriver.main())


if __name__ == "__main__":
    serve()
