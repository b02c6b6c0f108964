"""What packages bring that no function uses.

Only what is sure not to be loaded: what a package might look for when it runs, it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mangum.packaging.distributions import Distribution, required
from mangum.packaging.uses import Modules, names_file, reads_stubs, used_tests

BYTECODE = "bytecode of other versions"
SOURCES = "sources of extensions"
STUBS = "type stubs"

SUFFIXES = {
    ".pyc": BYTECODE,
    ".pyi": STUBS,
    **dict.fromkeys((".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyx"), SOURCES),
}

NAMES = {"py.typed": STUBS}

NOTES = (
    *("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json", "sboms"),
    *("uv_build.json", "uv_cache.json"),
)
"""What of a `*.dist-info` is about how it was built and installed. METADATA, entry points and
licences stay: `importlib.metadata` reads the first two, and the last have to come along."""

DEVELOPMENT = {"mangum": ("__main__.py", "cli/", "local/", "packaging/")}
"""Parts of distributions that are for a developer's machine, by the package's name."""

LAMBDA_BOTO3 = ("boto3", "botocore", "jmespath", "s3transfer")
LAMBDA_SHARED = ("python-dateutil", "six", "urllib3")
"""What Lambda's Python brings: the SDK, and what others need of the same too.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-runtime-sdk
"""

NO_FILES: Mapping[str, Path] = {}

LeftOut = dict[str, int]
"""Bytes by the reason, `{"type stubs": 51200, "tests": 8000}`."""


def prune(
    folder: Path, found: Iterable[Distribution], application: Mapping[str, Path] = NO_FILES
) -> LeftOut:
    """Remove from `folder` what no function uses.

    `application` are files by their paths in the zip, which may use what a distribution seems not
    to.
    """
    left_out: LeftOut = {}
    modules = {it.key: _modules({name: folder / name for name in it.files}) for it in found}
    every = {name: text for texts in modules.values() for name, text in texts.items()}
    tests = used_tests({**every, **_modules(application)})
    for distribution in found:
        brought = Brought(frozenset(distribution.files), modules[distribution.key], tests)
        for name in distribution.files:
            reason = brought.reason(PurePosixPath(name))
            if reason:
                _remove(folder / name, reason, left_out)
    for cache in folder.rglob("__pycache__"):
        for path in cache.iterdir():
            _remove(path, BYTECODE, left_out)
    _remove_empty(folder)
    return left_out


def leave_to_lambda(
    folder: Path, found: Sequence[Distribution], named: Collection[str] = ()
) -> list[Distribution]:
    """Remove the SDK that Lambda's Python brings, and what only that needs. Returns the rest.

    `named` are the keys of what the requirements name themselves.
    """
    shared = {it.key for it in found if it.key in LAMBDA_SHARED}
    kept = [it for it in found if it.key not in {*LAMBDA_BOTO3, *(shared - {*named})}]
    for it in kept:  # which grows by what it is found to need
        needed = shared & {_name(line) for line in it.requires}
        kept += [new for new in found if new.key in needed and new not in kept]
    kept = [it for it in found if it in kept]
    for distribution in found:
        if distribution not in kept:
            for name in distribution.files:
                (folder / name).unlink(missing_ok=True)
    _remove_empty(folder)
    return kept


def narrowed(kept: Iterable[Distribution], by_lambda: Iterable[Distribution]) -> list[str]:
    """What is kept and asks for certain versions of what Lambda brings in its own:
    `["aiobotocore requires botocore<1.41,>=1.40"]`."""
    names = {it.key for it in by_lambda}
    return [
        f"{it.name} requires {line}"
        for it in kept
        for line in it.requires
        if _name(line) in names and re.search(r"[<=~]", line.partition(";")[0])
    ]


class Brought:
    """What one distribution brought, and what is known of its use."""

    def __init__(self, files: Collection[str], modules: Modules, tests: Collection[str]) -> None:
        self._files = files
        self._modules = modules
        self._tests = tests  # that are used
        self._stubs_read = reads_stubs(modules)
        self._has_extension = any(name.endswith(".so") for name in files)

    def reason(self, path: PurePosixPath) -> str:
        """Why a file is left out; "" if it stays."""
        if _is_note(path):
            return "notes of installers"
        if path.parts[0] == "bin":
            return "scripts"
        if _is_development(path):
            return "development parts"
        if self._is_unused_test(path):
            return "tests"
        reason = NAMES.get(path.name) or SUFFIXES.get(path.suffix, "")
        return "" if self._is_used(path, reason) else reason

    def _is_unused_test(self, path: PurePosixPath) -> bool:
        parts = path.parts
        if "tests" not in parts[1:-1]:
            return False
        return ".".join(parts[: parts.index("tests", 1) + 1]) not in self._tests

    def _is_used(self, path: PurePosixPath, reason: str) -> bool:
        if reason == STUBS:
            return self._stubs_read and path.suffix == ".pyi"
        if reason == SOURCES:  # that it was made of, if there is one
            return not self._has_extension or names_file(self._modules, path)
        is_module = path.parent.name != "__pycache__"  # and may be all that there is of it
        return reason == BYTECODE and is_module and str(path.with_suffix(".py")) not in self._files


def _is_note(path: PurePosixPath) -> bool:
    return path.parts[0].endswith(".dist-info") and path.parts[1] in NOTES


def _is_development(path: PurePosixPath) -> bool:
    package, _, inner = path.as_posix().partition("/")
    return inner.startswith(DEVELOPMENT.get(package, ())) if inner else False


def _modules(files: Mapping[str, Path]) -> Modules:
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if name.endswith(".py") and not _is_development(PurePosixPath(name))
    }


def _name(requirement: str) -> str:
    """The key of what is required; "" of what an extra alone requires."""
    return "" if "extra ==" in requirement else required(requirement)


def _remove(path: Path, reason: str, left_out: LeftOut) -> None:
    left_out[reason] = left_out.get(reason, 0) + path.stat().st_size
    path.unlink()


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
