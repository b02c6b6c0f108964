"""Builds the sdist, and wheels from it: with zig, which compiles for any machine and an old glibc.

Nothing that an interpreter's own build was configured with gets into a wheel: the compiler, its
flags and the names are all given here, and setup.py adds its own.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from interpreters import ROOT
from pythons import headers
from suite import LEFT_BEHIND

GLIBC = "2.17"
TAG = "manylinux2014"  # the name of the same for installers of any age
FLAGS = "-fPIC -fwrapv -DNDEBUG"
BUILD = """\
import json, sys, sysconfig
sysconfig.get_config_vars().update(json.loads(sys.argv[3]))
from setuptools import build_meta
kind, folder, _, *options = sys.argv[1:]
build = getattr(build_meta, f"build_{kind}")
print("built", build(folder, {"--build-option": options} if options else None))
"""
FOREIGN = ("PYTHON", "MANGUM_", "VIRTUAL_ENV", "CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED")
"""What variables of the environment begin with that no build or test run may see."""

SHOWN_LINES = 40  # of what a command said that failed
TIMEOUT_S = 1200


class Failed(Exception):
    """A command ended with an error; the message is what it said."""


class Build(NamedTuple):
    """What one wheel is for; the pure one is for no Python and no machine."""

    python: str = ""  # "3.13"
    machine: str = ""  # "aarch64"

    def __str__(self) -> str:
        return f"{self.python} {self.machine}" if self.python else "pure"

    @property
    def platform(self) -> str:
        return f"{TAG}_{self.machine}"

    @property
    def tag(self) -> str:
        """The end of the wheel's name: `"cp313-cp313-manylinux2014_aarch64"`."""
        digits = self.python.replace(".", "")
        return f"cp{digits}-cp{digits}-{self.platform}" if digits else "py3-none-any"

    @property
    def extension_suffix(self) -> str:
        return f".cpython-{self.python.replace('.', '')}-{self.machine}-linux-gnu.so"


def run(command: Sequence[object], folder: Path, **variables: str) -> str:
    """What a command said. Raises `Failed`."""
    words = [str(word) for word in command]
    environ = {name: it for name, it in os.environ.items() if not name.startswith(FOREIGN)}
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env={**environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"$ {shlex.join(words)}\ndid not end within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        last = done.stdout.rstrip().splitlines()[-SHOWN_LINES:]
        raise Failed("\n".join([f"$ {shlex.join(words)}", *last]))
    return done.stdout


@functools.cache  # a commit may be made meanwhile
def date_of_the_source() -> str:
    """Seconds since 1970: the last commit's, as the date of all that is built."""
    if stated := os.environ.get("SOURCE_DATE_EPOCH"):
        return stated
    try:
        return run(["git", "log", "-1", "--format=%ct"], ROOT).strip()
    except (Failed, OSError):  # an unpacked sdist
        return str(int((ROOT / "pyproject.toml").stat().st_mtime))


def build_sdist(folder: Path) -> Path:
    """From a copy of the tree: what other builds have left in it is no part of the source."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    run([sys.executable, "-c", BUILD, "sdist", folder, "{}"], tree)
    [sdist] = folder.glob("*.tar.gz")
    return sdist


def unpack(sdist: Path, folder: Path) -> Path:
    """The one folder that the sdist holds."""
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:
            archive.extractall(folder)
    [source] = folder.iterdir()
    return source


def make_environment(folder: Path, python: Path | str, *wanted: object) -> Path:
    """The python of a new virtual environment, with `wanted` in it."""
    uv = [sys.executable, "-m", "uv", "--no-progress", "--no-config"]
    run([*uv, "venv", "-q", "--python", python, folder], ROOT, UV_PYTHON_DOWNLOADS="never")
    program = folder / "bin" / "python"
    run([*uv, "pip", "install", "-q", "--python", program, *wanted], ROOT)
    return program


def build_wheel(build: Build, python: Path | str, sdist: Path, folder: Path) -> Path:
    """By a Python that has setuptools, and for a compiled one Cython, and is of its version."""
    folder.mkdir(parents=True)
    source = unpack(sdist, folder / "source")
    command: list[object] = [python, "-c", BUILD, "wheel", folder]
    variables = {"SOURCE_DATE_EPOCH": date_of_the_source()}
    if build.python:
        include = headers(python)
        if include is None:
            raise Failed(f"{python} has no headers")
        command += [json.dumps(toolchain(build, include)), "--plat-name", build.platform]
        variables["MANGUM_REQUIRE_COMPILED"] = "1"
        variables["_PYTHON_HOST_PLATFORM"] = f"linux-{build.machine}"
        variables["ZIG_LOCAL_CACHE_DIR"] = str(folder / "zig")
    else:
        command += ["{}"]
        variables["MANGUM_PURE_PYTHON"] = "1"
    run(command, source, **variables)
    [wheel] = folder.glob("*.whl")
    return wheel


def toolchain(build: Build, include: Path) -> dict[str, object]:
    """What takes the place of the variables that the interpreter was built with.

    An interpreter's headers do for each machine: what differs is in none that others include.
    """
    target = f"{build.machine}-linux-gnu.{GLIBC}"
    compiler = shlex.join([str(zig()), "cc", "-target", target])
    return {
        "CC": compiler,
        "CXX": compiler,
        "CFLAGS": FLAGS,
        "OPT": "",
        "CCSHARED": "",
        "LDSHARED": f"{compiler} -shared",
        "LDCXXSHARED": f"{compiler} -shared",
        "Py_ENABLE_SHARED": 0,
        "INCLUDEPY": str(include),
        "CONFINCLUDEPY": str(include),
        "EXT_SUFFIX": build.extension_suffix,
    }


def zig() -> Path:
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise Failed("the package ziglang is missing, which carries the compiler")
    return Path(found.origin).with_name("zig")
