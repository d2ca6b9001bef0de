"""Terraform with its AWS provider, pointed at a node.

One provider process serves the whole session: it is started as debuggers start it and Terraform attaches to it, for starting it anew
for each command costs more than all that the command does.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

# Where Terraform looks for providers that were installed beforehand, and where packagers put them.
PLUGIN_FOLDERS = [
    os.environ.get("FREEHOLD_TERRAFORM_PLUGINS"),
    "~/.terraform.d/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    *sorted(str(folder) for folder in pathlib.Path("/opt").glob("*")),
]
SERVICES = ["dynamodb", "events", "lambda", "logs", "pipes", "s3", "scheduler", "sns", "sqs", "sts"]
# Each command handles the schemas of all that AWS has: where memory is collected as usual, half of the time goes into that.
THRIFT = {"GOGC": "off", "GOMEMLIMIT": "2GiB"}
PROVIDER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = %s
  endpoints {
%s
  }
}
"""


def missing():
    """What of Terraform is not on this machine, or None."""
    if shutil.which("terraform") is None:
        return "terraform is not installed"
    return None if provider() else "Terraform's AWS provider is not installed"


def provider():
    """The program of the newest AWS provider that is found."""
    for folder in filter(None, PLUGIN_FOLDERS):
        found = pathlib.Path(folder).expanduser().glob("registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*")
        programs = [program for program in found if program.suffix != ".zip"]
        if programs:
            return max(programs, key=lambda program: [int(part) for part in re.findall(r"\d+", program.parts[-3])])
    return None


@contextlib.contextmanager
def running_provider():
    """Starts the provider; gives what Terraform needs in its environment to attach to it."""
    # In this mode its HTTP client takes no certificates beside the system's and ends over the setting; a node's address has none anyway.
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"} | THRIFT
    started = subprocess.Popen(
        [provider(), "-debug"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        line = next((line for line in started.stdout if "TF_REATTACH_PROVIDERS=" in line), None)
        assert line, "Terraform's AWS provider ended before it could be attached to"
        # What it says later is not for us, yet a full pipe would stop it.
        threading.Thread(target=lambda: all(True for _ in started.stdout), daemon=True).start()
        yield {"TF_REATTACH_PROVIDERS": line.strip().removeprefix("TF_REATTACH_PROVIDERS=").strip("'")}
    finally:
        started.kill()
        started.wait()


class Terraform:
    """One folder with a configuration, its state, and the node that it is about."""

    def __init__(self, node, folder, attached):
        self.node = node
        self.folder = folder
        self.attached = attached
        self.initialised = False
        self.skip_account = True

    def run(self, *arguments, check=True):
        environment = {**self.attached, **THRIFT}
        return self.node.run("terraform", *arguments, "-no-color", cwd=self.folder, check=check, environment=environment)

    def apply(self, configuration):
        """Brings about `configuration`: resources and outputs. A plan made afterwards must find nothing to do.

        The provider was not started in the folder: names of files in the configuration begin with `${abspath(path.root)}/`.
        """
        endpoints = "\n".join(f'    {service} = "{self.node.endpoint}"' for service in SERVICES)
        (self.folder / "provider.tf").write_text(PROVIDER % (str(self.skip_account).lower(), endpoints))
        (self.folder / "main.tf").write_text(configuration)
        if not self.initialised:
            self.run("init", "-input=false")
            self.initialised = True
        self.run("apply", "-input=false", "-auto-approve")
        again = self.run("plan", "-input=false", "-detailed-exitcode", check=False)
        assert again.returncode == 0, f"the second plan has differences:\n{again.stdout}\n{again.stderr}"

    def output(self, name):
        return json.loads(self.run("output", "-json").stdout)[name]["value"]

    def destroy(self):
        self.run("destroy", "-input=false", "-auto-approve")
