"""Whether a handler can be imported from an unpacked function, as Lambda does at each cold start.

By an interpreter of its own, with nothing but the folder and the standard library to import from.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, NamedTuple

from mangum.local.environment import Function, variables
from mangum.packaging import interpreters
from mangum.packaging.errors import CannotPackage
from mangum.packaging.function import TASK, Plan, Staged, stage
from mangum.packaging.interpreters import Interpreter
from mangum.packaging.native import is_native, libraries
from mangum.packaging.prune import LAMBDA_BOTO3
from mangum.packaging.resolve import CannotResolve, Wanted, install
from mangum.packaging.targets import ARCHITECTURES, Target

TIMEOUT_S = 60
TAIL_LINES = 12

BROUGHT = {
    **{name: name for name in (*LAMBDA_BOTO3, "six", "urllib3", "awslambdaric", "simplejson")},
    "dateutil": "python-dateutil",
    "snapshot_restore_py": "snapshot-restore-py",
}
"""Modules that Lambda's Python has beside the standard library, with their distributions: AWS's
SDK, the runtime client, and what these need."""

LENT = "lambda"  # a folder of these

FOREIGN = ("AWS_", "PYTHON", "VIRTUAL_ENV")
"""What begins so in this environment is none of the function's."""

_PROGRAM = """
import importlib, inspect, json, linecache, os, sys, traceback
report, root, task, module, name, *also = sys.argv[1:]
sys.argv = [""]
sys.path[:0] = [root]
sys.path += also
found = {}

def frame(it):
    shown = it.filename
    if shown.startswith(task + "/"):
        path = root + shown[len(task):]
    else:
        path, shown = shown, shown.replace(root, task)
    line = linecache.getline(path, it.lineno or 0)
    return traceback.FrameSummary(shown, it.lineno, it.name, lookup_line=False, line=line)

try:
    imported = importlib.import_module(module)
    handler = getattr(imported, name, None)
    if not hasattr(imported, name):
        found["fault"] = "no %s is in %s" % (name, module)
    elif not callable(handler):
        kind = type(handler).__name__
        found["fault"] = "%s of %s can't be called: it is of the type %s" % (name, module, kind)
    else:
        try:
            inspect.signature(handler).bind(None, None)
        except TypeError:
            found["fault"] = "%s of %s does not take an event and a context" % (name, module)
        except ValueError:
            pass  # of some built-in functions there is none to see
except BaseException as error:
    frames = traceback.extract_tb(error.__traceback__)[1:]
    frames = [it for it in frames if not it.filename.startswith(("<frozen importlib", "<string>"))
              and os.path.dirname(it.filename) != os.path.dirname(importlib.__file__)]
    lines = traceback.format_list([frame(it) for it in frames])
    lines += traceback.format_exception_only(type(error), error)
    found["fault"] = "%s: %s" % (type(error).__name__, error)
    found["trace"] = "".join(lines).replace(root, task)
    found["missing"] = error.name if isinstance(error, ModuleNotFoundError) else None
with open(report, "w", encoding="utf-8", errors="backslashreplace") as file:
    json.dump(found, file)
os._exit(0)
"""


@dataclass(frozen=True)
class Outcome:
    """What became of it: nothing in it is good."""

    fault: str = ""  # in one line
    trace: str = ""  # the end of the traceback, with its exception
    missing: str = ""  # the module that was not found, if that is it

    @property
    def needs(self) -> str | None:
        """The distribution that is missing, if Lambda brings it."""
        return BROUGHT.get(self.missing.partition(".")[0])


class NotChecked(Exception):
    """One line that says why, and what would make it possible."""


class Checked(NamedTuple):
    """The handler was imported, or tried to be."""

    outcome: Outcome
    by: str  # `"CPython 3.13.0 on x86_64"`
    from_lambda: Sequence[str] = ()  # distributions that it imports and that Lambda brings


def check(handler: str, plan: Plan, staged: Staged, work: Path) -> Checked:
    """Import `"module:name"` from what was staged; `work` is a folder for what that takes.

    What another machine's extensions are in is resolved anew for this one, in the same versions.
    Raises `NotChecked`.
    """
    version = plan.target.python
    interpreter = interpreters.find(version)
    if interpreter is None:
        raise NotChecked(
            f"no interpreter of Python {version} is here: `uv python install {version}`"
        )
    machine = machine_of(interpreter)
    folder, target = staged.folder, plan.target
    has_extensions = any(libraries(folder))
    if has_extensions and (sys.platform != "linux" or machine != target.machine):
        folder, target = work / "here", _target(version, machine, plan)
        try:
            wanted = replace(plan.wanted, constraints=[*plan.wanted.constraints, *staged.pins])
            stage(replace(plan, wanted=wanted, target=target), folder)
        except CannotPackage as error:
            raise NotChecked(f"for this machine, {_first_line(error)}") from None
    lent = work / LENT
    brought: list[str] = []
    while True:
        outcome = import_handler(handler, folder, interpreter, [lent])
        needs = outcome.needs
        if needs is None or needs in brought:
            return Checked(outcome, f"Python {interpreter.release} on {machine}", brought)
        brought.append(needs)
        lend(brought, plan, staged, target, lent)


def _target(version: str, machine: str, plan: Plan) -> Target:
    """That of the interpreter here. Raises `NotChecked` if nothing for it can be made."""
    names = {name: arch for arch, name in ARCHITECTURES.items()}
    if sys.platform != "linux" or machine not in names:
        raise NotChecked(f"extensions for Lambda can't be loaded on {sys.platform} {machine}")
    for name, path in plan.application.files.items():
        if is_native(path):
            raise NotChecked(f"{name} of the application can't be loaded on {machine}")
    return Target(version, names[machine])


def lend(names: Sequence[str], plan: Plan, staged: Staged, target: Target, folder: Path) -> None:
    """Put into `folder` what Lambda brings: `names`, and all that was left to it.

    In the versions that were resolved, or else the newest. Raises `NotChecked`.
    """
    resolved = {it.key: f"{it.name}=={it.version}" for it in staged.by_lambda}
    requirements = [*resolved.values(), *(it for it in names if it not in resolved)]
    shutil.rmtree(folder, ignore_errors=True)
    try:
        wanted = Wanted(requirements, (), plan.wanted.find_links, (), plan.wanted.offline)
        install(wanted, target, folder)
    except CannotResolve as error:
        raise NotChecked(
            f"it imports {names[-1]}, which Lambda brings; here {_first_line(error)}"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(":")


def machine_of(interpreter: Interpreter) -> str:
    """What it runs on, which an emulator may make another one than this, `"x86_64"`."""
    command = [interpreter.path, "-I", "-S", "-c", "import os; print(os.uname().machine)"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def import_handler(
    handler: str, folder: Path, interpreter: Interpreter, also: Sequence[Path] = ()
) -> Outcome:
    """Import `"module:name"` from `folder`, and what that does not have from the folders `also`."""
    module, _, name = handler.partition(":")
    with tempfile.TemporaryDirectory(prefix="mangum-check-") as temporary:
        report = Path(temporary, "report.json")
        root = os.path.realpath(folder)
        command = [interpreter.path, "-I", "-S", "-B", "-c", _PROGRAM, str(report), root, TASK]
        command += [module, name, *(os.path.realpath(path) for path in also)]
        output = Path(temporary, "output")
        with (
            output.open("wb") as stream,
            _started(command, root, _environ(handler, interpreter), stream) as it,
        ):
            try:
                code = it.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                return Outcome(f"it did not end within {TIMEOUT_S} s", _tail(output))
        if not report.exists():
            return Outcome(f"the process ended with exit code {code}", _tail(output))
        found = json.loads(report.read_text(encoding="utf-8"))
    trace = "\n".join(found.get("trace", "").splitlines()[-TAIL_LINES:])
    return Outcome(found.get("fault", ""), trace, found.get("missing") or "")


@contextlib.contextmanager
def _started(
    command: Sequence[str], folder: str, environ: dict[str, str], output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with all that it has started."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environ(handler: str, interpreter: Interpreter) -> dict[str, str]:
    """What a function needs of this environment, and no credentials."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    base |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
    function = Function(handler.replace(":", "."), Path(TASK), "function", interpreter.version)
    return variables(function, "127.0.0.1:9", base)


def _tail(output: Path) -> str:
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
