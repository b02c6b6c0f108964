"""AWS's emulator of Lambda's runtime, which tests run the layer under: fetched, never committed.

The wheel of the SAM CLI carries it for both architectures. `python scripts/emulator.py` unpacks it
into the cache, unless it is there, and prints where the one for this machine is; with `--where`
nothing is fetched.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from interpreters import ROOT

sys.path.insert(1, str(ROOT))
from mangum.packaging.interpreters import unpacked
from mangum.packaging.targets import ARCHITECTURES

VERSION = "1.170.0"
REQUIREMENT = (
    f"aws-sam-cli=={VERSION}"
    " --hash=sha256:24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"
)
MEMBER = "samcli/local/rapid/aws-lambda-rie-{arch}"
TIMEOUT_S = 300


class CannotFetch(Exception):
    """The message is what pip said."""


def place(machine: str) -> Path:
    """Where the emulator for a machine belongs: `~/.cache/mangum/emulator-1.170.0/x86_64`."""
    return unpacked().parent / f"emulator-{VERSION}" / machine


def ensure(machine: str) -> Path:
    """The emulator, fetched first if need be. Raises `CannotFetch`."""
    program = place(machine)
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            wheel = _download(Path(folder))
            for arch, name in ARCHITECTURES.items():
                _unpack(wheel, MEMBER.format(arch=arch), place(name))
    return program


def _download(folder: Path) -> Path:
    """The wheel, whose checksum pip has verified."""
    requirements = folder / "requirements.txt"
    requirements.write_text(REQUIREMENT, encoding="utf-8")
    words = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    words += ["--require-hashes", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    done = subprocess.run(
        [*words, "-r", str(requirements)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise CannotFetch(f"aws-sam-cli {VERSION} can't be had: {done.stdout.strip()}")
    return wheels[0]


def _unpack(wheel: Path, member: str, program: Path) -> None:
    """Beside its place and renamed, so that nothing half written counts as there."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        with zipfile.ZipFile(wheel) as archive:
            unfinished = Path(archive.extract(member, folder))
        unfinished.chmod(0o755)
        unfinished.replace(program)


def main(arguments: list[str]) -> int:
    machine = platform.machine()
    if machine not in ARCHITECTURES.values():
        print(f"there is no emulator for {machine}", file=sys.stderr)
        return 1
    if arguments == ["--where"]:
        print(place(machine))
        return 0 if place(machine).exists() else 1
    try:
        print(ensure(machine))
    except (CannotFetch, OSError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
