"""`mangum package --measure`: the cold start of what was made, beside that of a plain zip."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import platform
import stat
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mangum.cli.coldstart import measured
from mangum.cli.load import locate
from mangum.cli.probe import Plan as Runs
from mangum.cli.probe import Variant
from mangum.cli.report import print_results
from mangum.cli.sample import HTTP_EVENT
from mangum.cli.usage import WrongUse
from mangum.local.environment import RUNTIME
from mangum.packaging.archive import Archive
from mangum.packaging.bytecode import compile_files
from mangum.packaging.check import LENT, NotChecked, lend
from mangum.packaging.function import Plan, Staged, plain
from mangum.packaging.interpreters import Interpreter
from mangum.packaging.targets import Target

RUNS = 10
TIMEOUT_S = 30.0  # of the initialisation, and of each call

IMAGE = (RUNTIME, "simplejson", "snapshot-restore-py")
"""The runtime client and what it needs."""

SDK = "boto3"

PACKAGED = "as packaged"
PLAIN = "as a plain zip: `pip install --target`, no bytecode"


def check_measurable(target: Target, handler: str | None) -> None:
    """Before anything is made, for that takes its time. Raises `WrongUse`."""
    here = "{}.{}".format(*sys.version_info[:2])
    if not target.is_host or target.python != here:
        raise WrongUse(
            f"--measure runs the function here, on Python {here} on {platform.machine()}, and the"
            f" zip is for {target}: give --python and --arch of this machine, or drop --measure"
        )
    if importlib.util.find_spec(RUNTIME) is None:
        raise WrongUse(
            f"--measure needs {RUNTIME}, Lambda's runtime client: pip install 'mangum[local]'"
        )
    if handler is None:
        raise WrongUse("--measure runs the function: name it with --handler MODULE:HANDLER")


def measure(
    written: Archive, plan: Plan, staged: Staged, handler: str, event: Any, work: Path
) -> bool:
    """Print both. Whether they could be measured.

    `event` is None for GET / of an HTTP API, `work` the folder that the handler was checked with.
    """
    packaged, unpacked, lent = work / "packaged", work / "plain", work / LENT
    with zipfile.ZipFile(written.path) as opened:
        opened.extractall(packaged)
    plain(plan, staged, unpacked)
    if _uses_sdk(plan, staged) and not lent.exists():
        with contextlib.suppress(NotChecked):  # then a run fails that needs it, and tells
            lend([SDK], plan, staged, plan.target, lent)
    variants = [
        Variant(
            PACKAGED, locate(handler, str(packaged)), bytecode=False, packages=[packaged, lent]
        ),
        Variant(PLAIN, locate(handler, str(unpacked)), bytecode=False, packages=[lent]),
    ]
    encoded = json.dumps(HTTP_EVENT if event is None else event).encode()
    runs = Runs(_image(work / "image", lent), encoded, RUNS, TIMEOUT_S)
    with _read_only(packaged), _read_only(unpacked):
        results = measured(variants, runs, default_event=event is None)
    if results:
        print_results(results, runs, event="an event of yours" if event else "GET / of an HTTP API")
    return bool(results)


def _uses_sdk(plan: Plan, staged: Staged) -> bool:
    """Whether some call may import Lambda's, as far as the application's text tells."""
    if any(it.key == SDK for it in staged.distributions):
        return False
    modules = (path for name, path in plan.application.files.items() if name.endswith(".py"))
    return any(SDK.encode() in path.read_bytes() for path in modules)


def _image(folder: Path, lent: Path) -> str:
    """An interpreter that has what Lambda's has, and nothing else that is installed here."""
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    for name in IMAGE:
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (site / top).symlink_to(str(distribution.locate_file(top)))
    if lent.is_dir():
        (site / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
        interpreter = Interpreter("{}.{}".format(*sys.version_info[:2]), "", sys.executable)
        compile_files(interpreter, lent, str(lent), lent.rglob("*.py"))
    return str(folder / "bin" / "python")


@contextlib.contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """As `/var/task` is."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(stat.S_IRWXU)
