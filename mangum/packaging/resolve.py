"""The wheels that a target needs, resolved and unpacked by uv, wherever this runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mangum.packaging.distributions import canonical, required
from mangum.packaging.errors import CannotPackage
from mangum.packaging.targets import Target

MISSING_UV = "uv is missing, which resolves wheels for Lambda: pip install 'mangum[package]'"
TIMEOUT_S = 900

NO_WHEEL = re.compile(
    r"Wheels are (?:required|available) for `([\w.-]+)`"
    r"|found wheels for `([\w.-]+)`"
    r"|[Bb]uilding source distributions for `([\w.-]+)`"
    r"|attempted to build `([\w.-]+)`"
    r"|([\w.-]+?)(?:[=<>!~]=?\S+)? has no (?:usable )?wheels"
)
"""How uv names what it finds no wheel of."""


class CannotResolve(CannotPackage):
    """One line that says what is missing, and below it what uv says of it."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    requirements: Sequence[str] = ()  # `"orjson>=3.10"`
    files: Sequence[Path] = ()  # requirements files
    find_links: Sequence[str] = ()  # folders of wheels, or pages with links, beside the index
    constraints: Sequence[str] = ()  # `"orjson==3.13.0"`, of what may be installed
    offline: bool = False  # from `find_links` alone


def install(wanted: Wanted, target: Target | None, folder: Path) -> None:
    """Unpack into `folder` what `target` needs, or this interpreter for `None`. Wheels only.

    Indexes and credentials are those that uv is configured with. Raises `CannotResolve`.
    """
    command = [_uv(), "pip", "install", "--python", sys.executable, "--target", str(folder)]
    command += ["--only-binary=:all:", "--link-mode=copy", "--no-progress", "--color=never"]
    if target is not None:
        command += ["--python-version", target.python, "--python-platform", target.uv_platform]
    command += [argument for file in wanted.files for argument in ("-r", str(file))]
    for place in wanted.find_links:
        command += ["--find-links", place]
    if wanted.offline:
        command += ["--no-index", "--offline", "--no-cache"]
    else:
        command += [f"--refresh-package={it}" for it in _names_in(wanted.find_links)]
    with tempfile.TemporaryDirectory() as temporary:
        if wanted.constraints:
            constraints = Path(temporary, "constraints.txt")
            constraints.write_text("\n".join(wanted.constraints), encoding="utf-8")
            command += ["-c", str(constraints)]
        _run([*command, "--", *wanted.requirements], target)
    (folder / ".lock").unlink(missing_ok=True)


def named(wanted: Wanted) -> set[str]:
    """The keys of what is asked for itself, and not for another: `{"fastapi", "boto3"}`."""
    lines = [*wanted.requirements]
    for file in wanted.files:
        lines += _lines(file)
    return {key for key in map(required, lines) if key}


def _lines(file: Path) -> list[str]:
    """Of a requirements file, and of those that it names."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in tuple(lines):
        other = re.match(r"\s*(?:-r|--requirement)[ =]*(\S+)", line)
        if other and (file.parent / other[1]).is_file():
            lines += _lines(file.parent / other[1])
    return lines


def _names_in(folders: Iterable[str]) -> set[str]:
    """Of the wheels there, which may have been built anew since uv unpacked them into its cache."""
    wheels = (it for folder in folders for it in Path(folder).glob("*.whl"))
    return {canonical(it.name.partition("-")[0]) for it in wheels}


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if not found:
        raise CannotResolve(MISSING_UV)
    return found


def _run(command: list[str], target: Target | None) -> None:
    # uv warns of an active environment that it does not install into.
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            command,
            env={**environ, "UV_PYTHON_DOWNLOADS": "never"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotResolve(f"uv did not resolve the requirements in {TIMEOUT_S} s") from None
    if done.returncode != 0:
        said = re.sub(r"^Using CPython .*\n", "", done.stdout).strip()
        said = re.sub(r"(\w+://\S*?\?)\S+", r"\1…", said)  # which may hold a token
        raise CannotResolve(f"{_reason(said, target)}\n{said}")


def _reason(said: str, target: Target | None) -> str:
    where = str(target) if target else "this machine"
    names = dict.fromkeys(name for found in NO_WHEEL.findall(said) for name in found if name)
    if not names:
        return f"the requirements can't be resolved for {where}:"
    return (
        f"no wheel for {where} of {', '.join(names)}: choose a version that has one, or build one"
        " and name its folder with --find-links"
    )
