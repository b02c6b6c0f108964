"""Which files of a folder are a function's, and which its developer's.

What is left out stands in the tables below. Everything else is taken: a function may read any file.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mangum.packaging.errors import CannotPackage

ANYWHERE = {
    "hidden": (".*",),
    "bytecode": ("__pycache__", "*.pyc", "*.pyo"),
    "built": ("*.egg-info",),
    "JavaScript packages": ("node_modules",),
    "an editor's": ("*~", "*.swp", "Thumbs.db"),
}
"""What never is a function's, by the reason: patterns of names, at any depth."""

AT_THE_TOP = {
    "tests": ("tests", "test", "test_*.py", "conftest.py"),
    "built": (
        *("build", "dist", "cdk.out", "htmlcov"),
        *("*.zip", "*.whl", "*.tar.gz", "*.cdx.json"),
    ),
    "deployment": (
        *("*.tf", "template.yaml", "template.yml", "samconfig.toml", "samconfig.yaml"),
        *("serverless.yml", "serverless.yaml", "serverless.json", "serverless.ts", "cdk.json"),
        *("Dockerfile", "Dockerfile.*", "docker-compose*.y*ml", "compose*.y*ml", "buildspec.y*ml"),
    ),
    "a tool's": (
        *("requirements*.txt", "requirements*.in", "Pipfile", "*.lock", "package-lock.json"),
        *("Makefile", "tox.ini", "noxfile.py", "pytest.ini", "mypy.ini", "ruff.toml"),
    ),
}
"""What is not a function's where it lies at the top: below, the same name may well be one."""

SHOWN = (".well-known", ".gitkeep", ".keep")
"""Hidden folders that applications serve, and files that keep a folder there."""

SECRETS = (
    *(".env*", "credentials", ".netrc", ".pypirc", ".npmrc", ".htpasswd"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.key", "*.p12", "*.pfx", "*.jks", "*.kdbx"),
    *("*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*"),
)
"""Names of files that are likely to hold secrets."""

MAYBE_SECRETS = ("*.pem",)
"""Names of files that are secrets if they hold this, and else certificates."""
PRIVATE_KEY = b"PRIVATE KEY-----"

_NO_NAME = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")  # surrogates are bytes that are no UTF-8

SECRET = "secret"  # the reason
TO_DO = "give it permissions, or take it out of the folder"

ENVIRONMENT = "pyvenv.cfg"  # is in every virtual environment


class CannotRead(CannotPackage):
    """It names the file."""


class LeftOut(NamedTuple):
    path: str  # within the folder; that of a folder ends in a slash
    reason: str


@dataclass
class Application:
    """What was found in a folder."""

    files: dict[str, Path] = field(default_factory=dict)  # by the path within the zip
    left_out: list[LeftOut] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)  # left out too
    warnings: list[str] = field(default_factory=list)


def collect(
    folder: Path, *, include: Sequence[str] = (), outputs: Collection[Path] = ()
) -> Application:
    """The files of the function in `folder`.

    `include` has patterns of paths that are taken whatever the tables say; `outputs` are files
    that are about to be written. Raises `CannotRead`.
    """
    found = Application()
    written = {os.path.realpath(path) for path in outputs}
    for path, source in _walk(folder, "", [os.path.realpath(folder)], found, include):
        if os.path.realpath(source) in written:
            continue
        found.files[path] = source
    for pattern in include:
        if not any(_matches(it, [pattern]) for path in found.files for it in _and_folders(path)):
            found.warnings.append(f"--include {pattern} names nothing that is there")
    return found


def copy(application: Application, folder: Path) -> list[str]:
    """Add the files to the dependencies in `folder`; warnings of what hides what.

    The application's own file takes the place of a dependency's. Raises `CannotRead`.
    """
    warnings = _hidden(application.files, folder)
    for path, source in application.files.items():
        destination = folder / path
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
            executable = source.stat().st_mode & stat.S_IXUSR
        except OSError as error:
            raise CannotRead(f"can't pack {source} ({error.strerror}): {TO_DO}") from None
        destination.chmod(0o755 if executable else 0o644)
    return warnings


def _walk(
    folder: Path,
    prefix: str,
    inside: list[str],
    found: Application,
    include: Sequence[str],
    *,
    alone: bool = False,
) -> Iterator[tuple[str, Path]]:
    """Each file that is taken, by its path. `inside` are the real folders that are entered.

    With `alone` the folder is left out, and nothing is taken of it but what `include` names.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise CannotRead(f"can't read {folder} ({error.strerror}): {TO_DO}") from None
    for entry in entries:
        path, source = prefix + entry.name, Path(entry.path)
        kind = _kind(entry, path, inside, found)
        if not kind:
            continue
        is_folder, reason = kind == "folder", None
        if not _matches(path, include):
            reason = _reason(entry.name, source, top=not prefix, is_folder=is_folder)
            if reason and not alone:
                _leave_out(found, path, reason, is_folder=is_folder)
        is_left_out = bool(reason) or (alone and not _matches(path, include))
        if is_folder and (not is_left_out or any(it.startswith(f"{path}/") for it in include)):
            entered = [*inside, os.path.realpath(source)]
            yield from _walk(source, f"{path}/", entered, found, include, alone=is_left_out)
        elif not is_folder and not is_left_out:
            yield path, source


def _leave_out(found: Application, path: str, reason: str, *, is_folder: bool) -> None:
    if reason == SECRET:
        found.secrets.append(path)
    else:
        found.left_out.append(LeftOut(path + "/" * is_folder, reason))


def _and_folders(path: str) -> list[str]:
    """`"a/b/c"` → `["a/b/c", "a/b", "a"]`."""
    return [path, *(it.as_posix() for it in PurePosixPath(path).parents if it.name)]


def _kind(
    entry: os.DirEntry[str], path: str, inside: Sequence[str], found: Application
) -> str | None:
    """`"file"`, `"folder"`, or `None` with a warning for what can't be in a zip."""
    fault = None
    if not _is_writable_name(entry.name):
        fault = "its name is no text"
    elif os.path.isfile(entry.path):  # false where a link can't be followed, which an entry raises
        return "file"
    elif os.path.isdir(entry.path):
        target = os.path.realpath(entry.path)
        if not any(it == target or it.startswith(target.rstrip("/") + "/") for it in inside):
            return "folder"
        fault = "a link to a folder that holds it"
    elif entry.is_symlink():
        fault = f"a link to {os.readlink(entry.path)}, where nothing is"
    else:
        fault = "neither a file nor a folder"
    if not _matches(entry.name, [pattern for it in ANYWHERE.values() for pattern in it]):
        shown = path.encode("utf-8", "backslashreplace").decode()
        found.warnings.append(f"{shown!r} is left out: {fault}")
    return None


def _is_writable_name(name: str) -> bool:
    """Whether a zip and every tool that unpacks it agree on it."""
    return not _NO_NAME.search(name)


def _reason(name: str, source: Path, *, top: bool, is_folder: bool) -> str | None:
    """Why it is left out. A link is judged by its own name and by that of what it leads to."""
    names = dict.fromkeys([name, os.path.basename(os.path.realpath(source))])
    if not is_folder:
        for it in names:
            if _matches(it, SECRETS) or (_matches(it, MAYBE_SECRETS) and _has_key(source)):
                return SECRET
    elif (source / ENVIRONMENT).is_file():
        return "a virtual environment"
    if not is_folder and _is_module_without_source(source):
        return None
    for reason, patterns in ANYWHERE.items():
        if _matches(name, patterns) and name not in SHOWN:
            return reason
    if top:
        for reason, patterns in AT_THE_TOP.items():
            if _matches(name, patterns):
                return reason
    return None


def _is_module_without_source(path: Path) -> bool:
    is_module = path.suffix == ".pyc" and path.parent.name != "__pycache__"
    return is_module and not path.with_suffix(".py").exists()


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _has_key(path: Path) -> bool:
    try:
        return PRIVATE_KEY in path.read_bytes()
    except OSError as error:
        raise CannotRead(f"can't read {path} ({error.strerror}): {TO_DO}") from None


def _hidden(files: Collection[str], folder: Path) -> list[str]:
    """What the application and its dependencies both bring, and which one is imported then."""
    warnings = []
    for path in files:
        name, slash, _ = path.partition("/")
        module = name.removesuffix(".py")
        if (folder / path).is_file():
            warnings.append(f"{path} takes the place of a dependency's")
        elif not slash and module != name and (folder / module / "__init__.py").is_file():
            warnings.append(f"{path} is never imported: the package {module} of a dependency is")
    packages = {path.partition("/")[0] for path in files if path.count("/") == 1}
    warnings += [
        f"the package {name} hides the module {name}.py of a dependency"
        for name in sorted(packages)
        if f"{name}/__init__.py" in files and (folder / f"{name}.py").is_file()
    ]
    tops = {path.partition("/")[0].removesuffix(".py") for path in files if path.endswith(".py")}
    return warnings + [
        f"{name} hides the standard library's module of that name"
        for name in sorted(tops & sys.stdlib_module_names)
    ]
