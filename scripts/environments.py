"""Makes the virtual environments under .venv/, each once, and again when its recipe changes.

What has the project in it shares the one source tree, and there the compiled half of the hot path:
a file for each Python version, compiled again when its source changes. Without a C compiler there
is none, and the pure half runs.

`python scripts/environments.py NAME` makes one and prints the path of its python, and on stderr
which half runs there.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from interpreters import ROOT, Interpreter, default

HOME = ROOT / ".venv"
SPEEDUPS = ROOT / "mangum" / "_speedups"


class Recipe(NamedTuple):
    groups: tuple[str, ...] = ()  # dependency groups of pyproject.toml
    requirements: tuple[str, ...] = ()  # requirements files
    project: bool = False  # the project itself, editable, and what compiles it
    alone: tuple[str, ...] = ()  # requirements files whose packages come without dependencies
    extras: tuple[str, ...] = ()  # of the project


RECIPES = {
    "lint": Recipe(groups=("lint",)),
    "docs": Recipe(groups=("docs",)),
    "test": Recipe(
        groups=("test", "docs"),
        requirements=(
            "tests/frameworks/requirements.txt",
            "tests/websockets/requirements.txt",
            "examples/requirements.txt",
        ),
        project=True,
        alone=("tests/requirements-nodeps.txt",),
    ),
    "bench": Recipe(
        requirements=("benchmarks/requirements.txt",), project=True, extras=("local", "package")
    ),
    "upstream": Recipe(groups=("upstream",)),
    "wheels": Recipe(groups=("wheels",)),
    "layers": Recipe(groups=("wheels",), project=True, extras=("package",)),
    "examples": Recipe(
        requirements=("examples/requirements.txt",), project=True, extras=("local",)
    ),
}

SETTINGS = ("MANGUM_PURE_PYTHON", "MANGUM_REQUIRE_COMPILED", "MANGUM_LINE_TRACE")
"""The variables of the environment that say what to build and what to run."""

PROBE = """\
from setuptools import Extension, setup
setup(name="probe", ext_modules=[Extension("probe", ["probe.c"])])
"""
PROBE_C = "#include <Python.h>\nPyMODINIT_FUNC PyInit_probe(void) { return NULL; }\n"
HALF = "from mangum._speedups import COMPILED; print('compiled' if COMPILED else 'in pure Python')"

_lock = threading.Lock()  # editable installs and the compiler write into the one source tree
_failures: dict[str, Exception | None] = {}  # of compiling, by Python version


class EnvironmentFailed(Exception):
    """The environment could not be made; the message is what the installer said."""


class NoCompiler(Exception):
    """There is no compiled half, and there can be none here."""


def ensure(name: str, interpreter: Interpreter) -> Path:
    """The python of the environment, which is made first if it is missing or out of date."""
    folder = HOME / f"{name}-{interpreter.version}"
    python = folder / "bin" / "python"
    stamp = folder / "recipe.sha256"
    digest = _digest(name, interpreter)
    with _lock:
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, RECIPES[name], interpreter)
            stamp.write_text(digest, encoding="utf-8")
        if RECIPES[name].project and interpreter.version not in _failures:
            _failures[interpreter.version] = _compile(python, interpreter)
    return python


def ensure_compiled(name: str, interpreter: Interpreter) -> Path:
    """The python of an environment in which the compiled half can run.

    Raises `NoCompiler` where no extension can be compiled at all, and `EnvironmentFailed` where
    this one cannot.
    """
    python = ensure(name, interpreter)
    failure = _failures[interpreter.version]
    if failure is not None:
        raise failure
    return python


def can_compile(interpreter: Interpreter) -> bool:
    """Whether there is a compiled half for it, once an environment with the project is made."""
    return _failures.get(interpreter.version, NoCompiler()) is None


def _digest(name: str, interpreter: Interpreter) -> str:
    """Changes with everything that decides what the environment holds."""
    recipe = RECIPES[name]
    parts = [repr(recipe), repr(interpreter), str(ROOT)]
    files = ("pyproject.toml", *recipe.requirements, *recipe.alone)
    return _sha256(*parts, *map(_read, files))


def _compile(python: Path, interpreter: Interpreter) -> Exception | None:
    """Compiles in the source tree, if need be. Returns what went wrong."""
    stamp = HOME / f"compiled-{interpreter.version}.sha256"
    sources = sorted(path for path in SPEEDUPS.iterdir() if path.suffix in (".pyx", ".pxd"))
    inputs = [ROOT / "pyproject.toml", ROOT / "setup.py", *sources]
    digest = _sha256(repr(interpreter), *map(_read, inputs))
    compiled = f"compiled.cpython-{interpreter.version.replace('.', '')}-*"
    is_new = stamp.exists() and stamp.read_text(encoding="utf-8") == digest
    if is_new and any(SPEEDUPS.glob(compiled)):
        return None
    for old in SPEEDUPS.glob(compiled):
        old.unlink()
    command = (str(python), "setup.py", "-q", "build_ext", "--inplace")
    try:
        _run(*command, MANGUM_REQUIRE_COMPILED="1")
    except EnvironmentFailed as error:
        *_, reason = str(error).splitlines()
        return error if _compiles(python) else NoCompiler(reason.removeprefix("mangum: "))
    stamp.write_text(digest, encoding="utf-8")
    return None


def _compiles(python: Path) -> bool:
    """Tries the smallest extension there is."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "probe.c").write_text(PROBE_C, encoding="utf-8")
        try:
            _run(str(python), "-c", PROBE, "-q", "build_ext", "--inplace", folder=folder)
        except EnvironmentFailed:
            return False
    return True


def _read(path: Path | str) -> str:
    path = ROOT / path
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _sha256(*parts: str) -> str:
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
    groups = (*recipe.groups, "build") if recipe.project else recipe.groups
    wanted = [argument for group in groups for argument in ("--group", group)]
    wanted += [argument for file in recipe.requirements for argument in ("-r", file)]
    _run(*installer, *wanted)
    if recipe.project:
        # A plain path entry; the default import hook would load modules before the tests do. The
        # compiled half has a step of its own, because its source changes more often.
        path = f".[{','.join(recipe.extras)}]" if recipe.extras else "."
        project = ("--no-build-isolation", "--config-settings", "editable_mode=compat", "-e", path)
        _run(*installer, *project, MANGUM_PURE_PYTHON="1")
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


def _run(*command: str, folder: str | Path = ROOT, **variables: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environ |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_PYTHON_DOWNLOADS": "never", **variables}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
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


def _half(python: Path) -> str:
    """The half that runs in this process's environment, and why there is no other."""
    command = [str(python), "-c", HALF]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    failure = _failures[default().version]
    return (asked.stdout + asked.stderr).strip() + (f" ({failure})" if failure else "")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in RECIPES:
        print(f"name one of {', '.join(RECIPES)}", file=sys.stderr)
        return 2
    try:
        python = ensure(arguments[0], default())
    except EnvironmentFailed as error:
        print(error, file=sys.stderr)
        return 1
    if RECIPES[arguments[0]].project:
        print(f"mangum: running {_half(python)}", file=sys.stderr)
    print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
