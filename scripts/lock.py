"""Keeps uv.lock, the versions that development and releases are made with.

`python scripts/lock.py write` resolves them anew, `check` tells without a network whether the lock
is what pyproject.toml asks for, and `audit` looks up known vulnerabilities of all that it names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from interpreters import ROOT

INDEX = "https://pypi.org/simple"
FOREIGN = ("PIP_", "UV_")  # settings of one machine, which must not get into the lock
KEPT = ("UV_CACHE_DIR", "PIP_CERT")
LOCK = ("lock", "--no-config", "--default-index", INDEX)
EXPORT = (
    *("export", "--no-config", "--frozen", "--quiet"),
    *("--all-groups", "--all-extras", "--no-emit-project", "--no-annotate", "--no-header"),
)
AUDIT = (
    *("--vulnerability-service", "pypi", "--strict"),  # what cannot be looked up is an error
    *("--disable-pip", "--require-hashes", "--progress-spinner", "off"),
)


def run(tool: str, *arguments: object) -> int:
    """The exit code of a tool of this environment."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(FOREIGN)
    }
    command = [str(Path(sys.executable).with_name(tool)), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


def write() -> int:
    return run("uv", *LOCK, "--upgrade")


def check() -> int:
    """Everything that it takes to see that is in the lock; what is not there is not current."""
    if run("uv", *LOCK, "--check", "--offline", "--quiet"):
        print("uv.lock is not what pyproject.toml asks for: make lock")
        return 1
    return 0


def audit() -> int:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        return run("uv", *EXPORT, "--output-file", requirements) or run(
            "pip-audit", *AUDIT, "--requirement", requirements
        )


COMMANDS = {"write": write, "check": check, "audit": audit}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"name one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
