"""Interpreters on this machine that write bytecode for a version of Python.

Bytecode depends on the version alone, so that any architecture's will do.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

TIMEOUT_S = 60  # one that runs under emulation takes its time
_ASK = """
import platform, sys
print("%d.%d" % sys.version_info[:2], platform.python_version())
print(sys.implementation.name, sys.version_info.releaselevel)
"""
_USABLE = ["cpython", "final"]  # others write bytecode that Lambda's can't read


class Interpreter(NamedTuple):
    version: str  # "3.13"
    release: str  # "3.13.0"
    path: str


@cache
def find(version: str) -> Interpreter | None:
    """One that runs: this one, on the `PATH`, of pyenv or uv, or unpacked in the cache."""
    for path in _candidates(version):
        found = _ask(path)
        if found is not None and found.version == version:
            return found
    return None


def unpacked() -> Path:
    """Where interpreters lie that are unpacked and not installed: `3.14-x86_64/bin/python3.14`."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache_home, "mangum", "pythons")


def _candidates(version: str) -> Iterator[str]:
    if version == "{}.{}".format(*sys.version_info[:2]):
        yield sys.executable
    name = f"python{version}"
    on_path = shutil.which(name)
    if on_path:
        yield on_path
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    for folder, pattern in (
        (pyenv, f"versions/{version}.*/bin/{name}"),
        (uv, f"cpython-{version}.*/bin/{name}"),
        (unpacked(), f"{version}-{platform.machine()}/bin/{name}"),
        (unpacked(), f"{version}-*/bin/{name}"),
    ):
        yield from map(str, sorted(folder.glob(pattern), key=_numbers, reverse=True))


def _numbers(path: Path) -> list[int]:
    """By which 3.13.10 comes after 3.13.9."""
    return [int(it) for it in re.findall(r"\d+", str(path))]


def _ask(path: str) -> Interpreter | None:
    """What the program says it is; None if it does not run, as a shim of pyenv may not."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        version, release, *kind = done.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Interpreter(version, release, path) if kind == _USABLE else None
