"""What the packaged functions are made with and run by: an interpreter, our wheel, versions.

What takes long to make is kept below .venv/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.contenders import ROOT, UPSTREAM, ContenderFailed, version_of
from mangum import __version__
from mangum.packaging.distributions import distributions
from mangum.packaging.resolve import Wanted, install
from mangum.packaging.targets import ARCHITECTURES, Target

HOME = ROOT / ".venv"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"

FRAMEWORKS = {"bare_app": "", "with_starlette": "starlette", "with_fastapi": "fastapi"}
"""What the functions import beside mangum, by the module's name."""

OURS, THEIRS = f"mangum=={__version__}", f"mangum=={UPSTREAM}"

RUNTIME = "awslambdaric"
RUNTIME_NEEDS = frozenset({RUNTIME, "simplejson", "snapshot-restore-py"})
"""What Lambda's image has beside the standard library, without its AWS SDK."""

SOURCES = ("mangum", "setup.py", "pyproject.toml", "README.md", "LICENSE")
LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.c", "*.so")


@dataclass(frozen=True)
class Kit:
    """The same for every zip."""

    target: Target
    work: Path  # a temporary folder
    wheels: Path  # the folder that ours is in
    pins: Sequence[str]  # `["fastapi==0.165.0", …]`, all that the frameworks need
    made: dict[str, Path] = field(default_factory=dict)  # zips that are used more than once

    def folder(self) -> Path:
        """A new one."""
        path = self.work / str(sum(1 for _ in self.work.iterdir()))
        path.mkdir()
        return path


def make(python: str, work: Path) -> Kit:
    """Raises `ContenderFailed` and `CannotResolve`."""
    target = target_of(python)
    names = [name for name in FRAMEWORKS.values() if name]
    install(Wanted([*_stated(*names), THEIRS]), target, work / "resolved")
    pins = [it for it in versions(work / "resolved") if it != THEIRS]
    return Kit(target, work, _wheels(python, target), pins)


def target_of(python: str) -> Target:
    """What of Lambda's an interpreter stands for. Raises `ContenderFailed`."""
    for arch in ARCHITECTURES:
        target = Target(version_of(python), arch)
        if target.is_host:
            return target
    raise ContenderFailed("Lambda's zips run on Linux, on x86_64 or aarch64")


def versions(folder: Path) -> list[str]:
    """`["anyio==4.16.0", …]` of what is installed in a folder."""
    return [f"{it.name}=={it.version}" for it in distributions(folder)]


def runtime(python: str) -> str:
    """An interpreter whose environment has the runtime client, with bytecode, and nothing else.

    So a function gets nothing from there that its own zip should bring. Raises `ContenderFailed`.
    """
    folder = HOME / f"lambda-{version_of(python)}"
    own = str(folder / "bin" / "python")
    recipe = "\n".join([python, *_stated(RUNTIME)])
    stamp = folder / "recipe.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != recipe:
        shutil.rmtree(folder, ignore_errors=True)
        run([python, "-m", "venv", "--without-pip", str(folder)])
        pip = [sys.executable, "-m", "pip", "--python", own, "install", "--quiet"]
        run([*pip, "--only-binary=:all:", *_stated(RUNTIME)])
        stamp.write_text(recipe, encoding="utf-8")
    [packages] = folder.glob("lib/python*/site-packages")
    strange = {it.key for it in distributions(packages)} - RUNTIME_NEEDS
    if strange:
        raise ContenderFailed(f"{folder} has {', '.join(sorted(strange))} too: remove the folder")
    return own


def run(command: Sequence[str], **variables: str) -> None:
    """Raises `ContenderFailed` with what it printed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ContenderFailed(f"$ {' '.join(command)}\n{done.stdout.strip()}")


def _stated(*names: str) -> list[str]:
    """The lines of the requirements file for some packages."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    stated = (line.partition("#")[0].strip() for line in lines)
    return [line for line in stated if line.partition("~")[0] in names]


def _wheels(python: str, target: Target) -> Path:
    """A folder with a compiled wheel of this very checkout: of `make wheels`, or made now."""
    pattern = f"mangum-{__version__}-{target.wheel_tag}-{target.wheel_tag}-*{target.machine}.whl"
    changed_s = max(path.stat().st_mtime for path in _sources())
    own = HOME / "wheels"
    for folder in (ROOT / "dist", own):
        found = [it for it in folder.glob("*.whl") if fnmatch(it.name, pattern)]
        if found and all(it.stat().st_mtime > changed_s for it in found):
            return folder
    source = own / f"source-{target.python}"  # a copy: what lies in build/ is not looked at
    shutil.rmtree(source, ignore_errors=True)
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=LEFTOVERS)
        else:
            shutil.copy(path, source / name)
    command = [python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run([*command, "--wheel-dir", str(own), str(source)], MANGUM_REQUIRE_COMPILED="1")
    shutil.rmtree(source)
    return own


def _sources() -> Iterator[Path]:
    yield from (ROOT / name for name in ("setup.py", "pyproject.toml"))
    yield from (it for it in (ROOT / "mangum").rglob("*.py*") if it.suffix in (".py", ".pyx"))
