"""Mono, which compiles C# and runs it, on machines that have no .NET: Debian's own packages, unpacked into a folder.

Nothing is installed, and nobody need be root: `apt-get download` brings them (7 MB), once for a working copy. `FREEHOLD_MONO` names
a folder that has it already (`bin/mono`, `lib/mono/4.5/mcs.exe`, `etc/mono/config`).
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from conftest import ROOT

PLACE = ROOT / "target" / "mono"
PACKAGES = [
    "libmono-corlib4.5-dll",
    "mono-mcs",
    "mono-runtime-common",
    "mono-runtime-sgen",
    *(
        f"libmono-{name}-cil"
        for name in ["corlib4.5", "security4.0", "system4.0", "system-configuration4.0", "system-core4.0", "system-net-http4.0"]
    ),
    *(f"libmono-{name}-cil" for name in ["system-numerics4.0", "system-security4.0", "system-xml4.0"]),
]


class Missing(Exception):
    """Why there is no Mono."""


def home():
    """The folder in which Mono is; where it is not there yet, it is fetched."""
    if named := os.environ.get("FREEHOLD_MONO"):
        return pathlib.Path(named)
    if not (PLACE / "bin" / "mono").is_file():
        fetch()
    return PLACE


def fetch():
    absent = [program for program in ["apt-get", "dpkg-deb"] if shutil.which(program) is None]
    if absent:
        raise Missing(f"Mono's packages cannot be had without {' and '.join(absent)}; FREEHOLD_MONO may name a folder with it")
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE.parent) as made:
        folder = pathlib.Path(made)
        done = subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Missing(f"Mono's packages cannot be fetched: {(done.stdout + done.stderr).strip()[-300:]}")
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], check=True, timeout=120)
        lay_out(folder / "unpacked", folder / "mono")
        os.replace(folder / "mono", PLACE)


def lay_out(unpacked, place):
    """Below one folder, beside each other, as Mono looks for its parts from where its program is."""
    (place / "bin").mkdir(parents=True)
    shutil.copy2(unpacked / "usr/bin/mono-sgen", place / "bin/mono")
    (place / "etc/mono").mkdir(parents=True)
    shutil.copy2(unpacked / "etc/mono/config", place / "etc/mono/config")
    # The compiler looks in one folder, running programs in the other.
    for part in ["4.5", "gac"]:
        shutil.copytree(unpacked / "usr/lib/mono" / part, place / "lib/mono" / part, symlinks=True)
    for library in (unpacked / "usr/lib").glob("*.so*"):
        shutil.copy2(library, place / "lib" / library.name, follow_symlinks=False)


def compile_program(source, program, *libraries):
    """An assembly of a file of C#."""
    mono = home()
    command = [mono / "bin/mono", mono / "lib/mono/4.5/mcs.exe", f"-out:{program}", *(f"-r:{name}" for name in libraries), source]
    return [str(part) for part in command]


def layer():
    """Mono as a layer's files: below `/opt` programs find it, as `PATH` has `/opt/bin`."""
    mono = home()
    files = {}
    for path in sorted(mono.rglob("*")):
        # What only the compiler needs stays here.
        if path.is_file() and (path.parent.name != "4.5" or path.name == "mscorlib.dll"):
            mark = "*" if os.access(path, os.X_OK) else ""
            files[str(path.relative_to(mono)) + mark] = path.read_bytes()
    return files
