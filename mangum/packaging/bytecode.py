"""Bytecode that a read-only folder can use: written ahead, and never checked against its source.

Where a function runs, `/opt` and `/var/task` can't be written to, so that each cold start compiles
anew every module that brings none; and the dates in a zip are fixed, so that bytecode which is
checked against them is worth nothing.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from mangum.packaging.errors import CannotPackage
from mangum.packaging.interpreters import Interpreter

TIMEOUT_S = 900

_FAILED = re.compile(r"^\*\*\* Error compiling (?P<path>.+)\.\.\.$")
_LINE = re.compile(r'^ *File ".*", line (\d+)')


class Failure(NamedTuple):
    """A file that is no Python of this version."""

    path: str  # relative to the root, `"package/module.py"`
    line: int  # 0 if it is not told
    reason: str  # `"SyntaxError: invalid syntax"`


class CannotCompile(CannotPackage):
    """The interpreter broke; the message is what it said."""


def compile_files(
    interpreter: Interpreter,
    root: Path,
    shown_as: str,
    files: Iterable[Path],
    *,
    sources: bool = True,
    columns: bool = True,
) -> list[Failure]:
    """Write the bytecode of `files`, which are below `root`; tracebacks will name `shown_as`.

    Without `sources` it lies where the source does, as `module.pyc`, and not in `__pycache__`.
    Without `columns` tracebacks name lines and don't mark the place within them, and the bytecode
    takes a fifth less in a zip. Returns what could not be compiled. Raises `CannotCompile`.
    """
    command = [interpreter.path, "-m", "compileall", "-q", "-f"]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", shown_as]
    command += [] if sources else ["-b"]
    files = sorted(files)
    environ = {name: it for name, it in os.environ.items() if not name.startswith("PYTHON")}
    environ |= {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1"}
    if not columns:
        environ["PYTHONNODEBUGRANGES"] = "1"
    with tempfile.TemporaryDirectory() as empty:  # no module that lies there can run
        done = subprocess.run(
            [*command, "-i", "-"],
            input="".join(f"{path}\n" for path in files),
            env=environ,
            cwd=empty,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    failures = _failures(done.stdout.splitlines(), root)
    if done.returncode != 0 and not failures:
        raise CannotCompile(f"{interpreter.path} can't compile: {done.stdout.strip()[-500:]}")
    _check_written(interpreter, files, {root / it.path for it in failures}, sources=sources)
    return failures


def _check_written(
    interpreter: Interpreter, files: list[Path], failed: Collection[Path], *, sources: bool
) -> None:
    """The compiler says nothing of a file that it does not find."""
    tag = f"cpython-{interpreter.version.replace('.', '')}"
    for path in files:
        cached = path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"
        if path not in failed and not (cached if sources else path.with_suffix(".pyc")).exists():
            raise CannotCompile(f"{interpreter.path} wrote no bytecode for {path.name}")


def _failures(lines: list[str], root: Path) -> list[Failure]:
    """Each begins with a line that names the file; the last that follows tells what it is."""
    found: list[Failure] = []
    for line in lines:
        begun, place = _FAILED.match(line), _LINE.match(line)
        if begun:
            path = Path(ast.literal_eval(begun["path"]))
            found.append(Failure(path.relative_to(root).as_posix(), 0, ""))
        elif found and place:
            found[-1] = found[-1]._replace(line=int(place[1]))
        elif found and line.strip():
            found[-1] = found[-1]._replace(reason=line.strip().removeprefix("Sorry: "))
    return found
