"""Makes the virtual environments under .venv/, each once, and again when its recipe changes.

`python scripts/environments.py NAME` makes one and prints the path of its python.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from interpreters import ROOT, Interpreter, default

HOME = ROOT / ".venv"


class Recipe(NamedTuple):
    groups: tuple[str, ...] = ()  # dependency groups of pyproject.toml
    requirements: tuple[str, ...] = ()  # requirements files
    project: bool = False  # the project itself, editable
    alone: tuple[str, ...] = ()  # requirements files whose packages come without dependencies


RECIPES = {
    "lint": Recipe(groups=("lint",)),
    "docs": Recipe(groups=("docs",)),
    "test": Recipe(
        groups=("test", "docs"),
        requirements=("tests/frameworks/requirements.txt", "examples/requirements.txt"),
        project=True,
        alone=("tests/requirements-nodeps.txt",),
    ),
    "upstream": Recipe(groups=("upstream",)),
    "examples": Recipe(requirements=("examples/requirements.txt",), project=True),
}

_lock = threading.Lock()  # editable installs write into the one source tree


class EnvironmentFailed(Exception):
    """The environment could not be made; the message is what the installer said."""


def ensure(name: str, interpreter: Interpreter) -> Path:
    """The python of the environment, which is made first if it is missing or out of date."""
    folder = HOME / f"{name}-{interpreter.version}"
    stamp = folder / "recipe.sha256"
    digest = _digest(name, interpreter)
    with _lock:
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, RECIPES[name], interpreter)
            stamp.write_text(digest, encoding="utf-8")
    return folder / "bin" / "python"


def _digest(name: str, interpreter: Interpreter) -> str:
    """Changes with everything that decides what the environment holds."""
    recipe = RECIPES[name]
    parts = [repr(recipe), repr(interpreter), str(ROOT)]
    for file in ("pyproject.toml", "setup.py", *recipe.requirements, *recipe.alone):
        path = ROOT / file
        parts.append(path.read_text(encoding="utf-8") if path.exists() else "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _make(folder: Path, recipe: Recipe, interpreter: Interpreter) -> None:
    python = str(folder / "bin" / "python")
    uv = _uv()
    if uv is not None:
        try:
            _run(uv, "venv", "-q", "--seed", "--python", interpreter.path, str(folder))
            _install(recipe, (uv, "pip", "install", "-q", "--python", python))
        except EnvironmentFailed as error:
            print(f"uv failed, trying pip\n{error}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return
    _venv(folder, interpreter.path)
    pip = (python, "-m", "pip", "install", "-q")
    _run(*pip, "--upgrade", "pip>=25.1")  # the first that knows dependency groups
    _install(recipe, pip)


def _install(recipe: Recipe, installer: tuple[str, ...]) -> None:
    wanted = [argument for group in recipe.groups for argument in ("--group", group)]
    wanted += [argument for file in recipe.requirements for argument in ("-r", file)]
    if recipe.project:
        # A plain path entry; the default import hook would load modules before the tests do.
        wanted += ["--config-settings", "editable_mode=compat", "-e", "."]
    _run(*installer, *wanted)
    for file in recipe.alone:
        _run(*installer, "--no-deps", "-r", file)


@functools.cache
def _uv() -> str | None:
    """The installer uv, in an environment of its own; None where it cannot be had."""
    folder = HOME / "uv"
    uv = folder / "bin" / "uv"
    if not uv.exists():
        try:
            _venv(folder, sys.executable)
            _run(str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "uv")
        except EnvironmentFailed:
            found = shutil.which("uv")
            print(f"uv cannot be had from the registry, using {found or 'pip'}", file=sys.stderr)
            return found
    return str(uv)


def _venv(folder: Path, python: str) -> None:
    errors = []
    for maker in (
        (python, "-m", "venv"),
        (python, "-m", "virtualenv"),
        ("virtualenv", "--python", python),
    ):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _run(*maker, str(folder))
        except EnvironmentFailed as error:
            errors.append(str(error))
        else:
            return
    raise EnvironmentFailed(
        "\n".join(errors)
        + f"\n{python} can make no virtual environment. Install its venv module (on Debian and"
        " Ubuntu: apt-get install python3-venv) or the virtualenv package."
    )


def _run(*command: str) -> None:
    environ = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_PYTHON_DOWNLOADS": "never"}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise EnvironmentFailed(f"$ {' '.join(command)}\n{error}") from None
    if done.returncode != 0:
        raise EnvironmentFailed(f"$ {' '.join(command)}\n{done.stdout.rstrip()}")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in RECIPES:
        print(f"name one of {', '.join(RECIPES)}", file=sys.stderr)
        return 2
    try:
        print(ensure(arguments[0], default()))
    except EnvironmentFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
