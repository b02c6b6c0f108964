"""`mangum coldstart`: what a cold start of a function costs, and which imports make it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mangum.cli.events import read_event, recognise
from mangum.cli.load import locate
from mangum.cli.measure import FAILED_STEP, PHASES, Failed, Result, measure
from mangum.cli.probe import InterpreterFailed, Plan, Variant, prepare
from mangum.cli.report import as_json, as_svg, print_results
from mangum.cli.sample import HTTP_EVENT
from mangum.cli.signals import ended_by_signals
from mangum.cli.usage import WRONG_USE, WrongUse, describe, parse_environ, seconds

MEASURED, FAILED = 0, 1

EXIT_CODES = {
    MEASURED: "measured",
    FAILED: "the function failed: in its initialisation, or with the event",
    WRONG_USE: "wrong use: no such file, no awslambdaric, …",
}

DESCRIPTION = """\
Measure what a cold start of a function costs on this machine.

Starts the function many times, each in a new process with Lambda's own runtime
client (awslambdaric), calls it twice, and prints the time of its initialisation
and of both calls, CPU time, memory, and what its imports cost."""

EXAMPLES = """\
  mangum coldstart main:handler
  mangum coldstart main:handler --compare ../other/main:handler
  mangum coldstart main:handler --env MANGUM_PURE_PYTHON=1 --no-bytecode
  mangum coldstart main:handler --event event.json --svg imports.svg"""


def configure(parser: ArgumentParser) -> None:
    describe(parser, DESCRIPTION, EXAMPLES, exit_codes=EXIT_CODES)
    add = parser.add_argument
    add("function", metavar="MODULE:HANDLER", help="the function; Lambda's MODULE.HANDLER does too")
    add("--app-dir", default=".", metavar="DIR", help="where the module is (default: here)")
    add("--event", metavar="FILE", help="what to call it with (default: GET / of an HTTP API)")
    add(
        "-n",
        "--runs",
        type=_count,
        default=20,
        metavar="N",
        help="processes to measure of each variant (default: 20)",
    )
    add(
        "--compare",
        action="append",
        default=[],
        metavar="[DIR/]MODULE:HANDLER",
        help="measure this function too; may be given several times",
    )
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="measure the function with this variable too; may be given several times",
    )
    add("--no-bytecode", action="store_true", help="measure it too as a zip without bytecode")
    add("--python", default=sys.executable, metavar="FILE", help="the interpreter (default: this)")
    add(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="for the initialisation and for each call (default: 30)",
    )
    add("--json", metavar="FILE", help="write everything that was measured")
    add("--svg", metavar="FILE", help="write a chart of the imports")


def run(arguments: Namespace) -> int:
    if not hasattr(os, "wait4"):
        raise WrongUse("coldstart needs os.wait4, which Windows lacks: run it in WSL")
    for path in filter(None, (arguments.json, arguments.svg)):
        _check_writable(Path(path))
    event = read_event(arguments.event) if arguments.event else HTTP_EVENT
    plan = Plan(_interpreter(arguments.python), _encode(event), arguments.runs, arguments.timeout)
    results = measured(_variants(arguments), plan, default_event=not arguments.event)
    if not results:
        return FAILED
    for result in results:
        if (result.status or 0) >= 400:
            _note(
                f"{result.variant.label} answers the event with {result.status}:"
                f" --event names the file of one that it serves"
            )
    where = f"an event of {recognise(event).phrase}"
    print_results(results, plan, event=where if arguments.event else "GET / of an HTTP API")
    if arguments.json:
        _write(arguments.json, json.dumps(as_json(results, plan), indent=2) + "\n")
    if arguments.svg:
        _write(arguments.svg, as_svg(results))
    return MEASURED


def measured(variants: Sequence[Variant], plan: Plan, *, default_event: bool) -> list[Result]:
    """Nothing if a function failed, which is printed. Raises `WrongUse`."""
    failure: Failed | None = None
    results: list[Result] = []
    with ended_by_signals(), _progress() as progress:
        try:
            prepared, probes = prepare(variants, plan)
            results = asyncio.run(measure(prepared, plan, probes, progress))
        except InterpreterFailed as error:
            raise WrongUse(str(error)) from None
        except Failed as error:
            failure = error
    if failure is not None:
        _print_failure(failure, default_event=default_event)
    return results


# --- the command line -----------------------------------------------------------------------------


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
        raise ArgumentTypeError("a number from 1 to 10000 is needed")
    return int(text)


def _check_writable(path: Path) -> None:
    """Before anything is measured, for that takes its time."""
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise WrongUse(f"can't write {path}: name a file in a folder that exists")


def _interpreter(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise WrongUse(f"--python {name} is no program: name an interpreter, such as python3.13")
    return os.path.abspath(found)  # not resolved: the link is what makes a virtual environment


def _encode(event: Any) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _variants(arguments: Namespace) -> list[Variant]:
    """The function as it is, with each change that is asked for, and the others."""
    function = locate(arguments.function, arguments.app_dir, "--app-dir ")
    name = arguments.function
    variants = [Variant(name, function)]
    variants += [
        Variant(f"{name} with {setting}", function, parse_environ(setting))
        for setting in arguments.env
    ]
    if arguments.no_bytecode:
        variants.append(Variant(f"{name} without bytecode", function, bytecode=False))
    for target in arguments.compare:
        folder, slash, inner = target.rpartition("/")
        folder = (folder or slash) if slash else arguments.app_dir
        variants.append(Variant(target, locate(inner, folder, f"--compare {target}: ")))
    return variants


# --- while it runs --------------------------------------------------------------------------------


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Counts on the standard error, if that is a terminal, and leaves nothing there."""
    shown = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        if shown:
            print(f"\r{done}/{total} processes", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if shown:
            print("\r" + " " * 30 + "\r", end="", file=sys.stderr, flush=True)


def _print_failure(failure: Failed, *, default_event: bool) -> None:
    _note(str(failure))
    if failure.report:
        print(failure.report, file=sys.stderr)
    function = failure.variant.function
    if failure.phase == PHASES[0]:
        module = function.handler.rpartition(".")[0].partition(".")[0]
        if f"No module named '{module}'" in failure.report:
            _note(f"there is no {module} in {function.folder}: --app-dir names its folder")
    elif failure.what == FAILED_STEP and default_event:
        _note("it may need another event than GET / of an HTTP API: --event names its file")


def _note(text: str) -> None:
    print(f"mangum: {text}", file=sys.stderr)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"can't write {path} ({error.strerror})") from None
