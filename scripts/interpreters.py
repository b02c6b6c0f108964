"""Finds the Python interpreters on this machine that the project supports.

`python scripts/interpreters.py` prints them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Interpreter(NamedTuple):
    version: str  # "3.12"
    release: str  # "3.12.1"
    path: str

    @property
    def order(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))


def supported() -> list[str]:
    """The versions named by the classifiers in pyproject.toml, oldest first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


def default() -> Interpreter:
    """The interpreter this script runs on."""
    major, minor, micro = sys.version_info[:3]
    return Interpreter(f"{major}.{minor}", f"{major}.{minor}.{micro}", sys.executable)


def find() -> list[Interpreter]:
    """The default interpreter and one of each supported version that is here, oldest first."""
    found = {default().version: default()}
    for version in supported():
        if version not in found:
            for candidate in _candidates(version):
                interpreter = ask(candidate)
                if interpreter is not None and interpreter.version == version:
                    found[version] = interpreter
                    break
    return sorted(found.values(), key=lambda interpreter: interpreter.order)


def choose(found: list[Interpreter], wish: str = "") -> list[Interpreter]:
    """Those to test on: `all`, `default`, versions, or else the default, oldest and newest."""
    if wish == "all":
        return found
    if wish == "default":
        return [default()]
    if wish:
        versions = wish.replace(",", " ").split()
        missing = set(versions) - {interpreter.version for interpreter in found}
        if missing:
            raise SystemExit(f"PYTHONS names {', '.join(sorted(missing))}, which is not here")
        return [interpreter for interpreter in found if interpreter.version in versions]
    return [it for it in found if it in (default(), found[0], found[-1])]


def ask(command: str) -> Interpreter | None:
    """What the command says it is; None if it does not run, as a pyenv shim may not."""
    code = "import sys; print('%d.%d %d.%d.%d' % (sys.version_info[:2] + sys.version_info[:3]))"
    code += "; print(sys.executable)"
    try:
        answer = subprocess.run(
            [command, "-c", code], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    versions, path = answer.stdout.splitlines()[:2]
    version, release = versions.split()
    return Interpreter(version, release, path)


def _candidates(version: str) -> list[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    return [f"python{version}", *(str(path) for path in installed)]


if __name__ == "__main__":
    for interpreter in find():
        print(f"{interpreter.release:8} {interpreter.path}")
