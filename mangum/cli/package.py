"""`mangum package`: the zip of a function, with its dependencies and their bytecode."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from mangum.cli.events import read_event
from mangum.cli.load import split_target
from mangum.cli.package_measure import check_measurable, measure
from mangum.cli.package_report import fault, tell
from mangum.cli.packages import (
    EXIT_CODES,
    FAILED,
    MADE,
    add_wheels,
    check_output,
    note,
    parsed,
    requirements_files,
    tell_failure,
)
from mangum.cli.signals import ended_by_signals
from mangum.cli.usage import WrongUse, describe
from mangum.packaging import archive
from mangum.packaging.application import collect
from mangum.packaging.archive import Archive
from mangum.packaging.check import NotChecked, check
from mangum.packaging.errors import CannotPackage
from mangum.packaging.function import Plan, Staged, stage
from mangum.packaging.handlers import HANDLERS, find_handler
from mangum.packaging.resolve import Wanted
from mangum.packaging.sbom import bill_path
from mangum.packaging.targets import (
    ARCHITECTURES,
    DEFAULT_PYTHON,
    PYTHONS,
    Target,
    parse_architecture,
    parse_python,
)

DEFAULT_OUTPUT = "function.zip"
DEFAULT_REQUIREMENTS = "requirements.txt"
DEFAULT_ARCHITECTURE = "x86_64"  # as it is Lambda's

DESCRIPTION = """\
Make the zip of a function, ready for Lambda: its files, its dependencies as wheels
for the target, and the bytecode of both, which a read-only /var/task can't get
otherwise, so that each cold start would compile every module. Works for any
function in Python, with Mangum in it or not."""

EXAMPLES = """\
  mangum package
  mangum package src --requirements requirements.txt --arch arm64 -o function.zip
  mangum package --handler main:handler --exclude 'docs' --exclude '*/locale/*' --measure"""


def configure(parser: ArgumentParser) -> None:
    describe(parser, DESCRIPTION, EXAMPLES, exit_codes=EXIT_CODES)
    add = parser.add_argument
    add("folder", nargs="?", default=".", metavar="DIR", help="the function (default: here)")
    add(
        "-o",
        "--output",
        default=DEFAULT_OUTPUT,
        metavar="FILE",
        help=f"the zip to write (default: {DEFAULT_OUTPUT})",
    )
    add(
        "--python",
        type=parsed(parse_python),
        default=DEFAULT_PYTHON,
        metavar="VERSION",
        help=f"Lambda's: {', '.join(PYTHONS)} (default: {DEFAULT_PYTHON})",
    )
    add(
        "--arch",
        type=parsed(parse_architecture),
        default=DEFAULT_ARCHITECTURE,
        metavar="ARCH",
        help=f"{' or '.join(ARCHITECTURES)} (default: {DEFAULT_ARCHITECTURE})",
    )
    add_wheels(parser)
    for option, what in (
        ("--exclude", "leave out what this pattern matches, dependencies too: '*/locale/*'"),
        ("--include", "take a file or folder of DIR that would be left out: 'dist'"),
    ):
        add(
            option,
            action="append",
            default=[],
            metavar="PATTERN",
            help=f"{what}; of a path in the zip, may be given several times",
        )
    add("--use-lambda-boto3", action="store_true", help="leave boto3 out: Lambda has one")
    add("--no-sources", action="store_true", help="bytecode alone; tracebacks show no source")
    add("--handler", metavar="MODULE:HANDLER", help=f"to check (default: {HANDLERS[0]}, …)")
    add("--no-check", action="store_true", help="don't import the handler")
    add("--measure", action="store_true", help="measure its cold start beside that of a plain zip")
    add("--event", metavar="FILE", help="to measure with (default: GET / of an HTTP API)")


def run(arguments: Namespace) -> int:
    folder, output = Path(arguments.folder), check_output(arguments.output)
    if not folder.is_dir():
        raise WrongUse(f"{arguments.folder} is no folder: name the one with the function in it")
    handler = _handler(arguments, folder)
    target = Target(arguments.python, arguments.arch)
    event = _event(arguments, target, handler)
    wanted = Wanted(
        files=_requirements(arguments.requirements, folder),
        find_links=arguments.find_links,
        offline=arguments.offline,
    )
    with ended_by_signals(), tempfile.TemporaryDirectory(prefix="mangum-package-") as work:
        try:
            plan = Plan(
                collect(folder, include=arguments.include, outputs=[output, bill_path(output)]),
                wanted,
                target,
                exclude=arguments.exclude,
                lambda_boto3=arguments.use_lambda_boto3,
                sources=not arguments.no_sources,
            )
            staged = stage(plan, Path(work, "stage"))
            if not (plan.application.files or staged.distributions):
                raise WrongUse(f"{folder} has nothing of a function, and nothing is required")
            written, checked = _write(plan, staged, arguments, handler, output, Path(work))
        except (CannotPackage, OSError) as error:
            return tell_failure(error)
        tell(written, plan, staged, handler, checked)
        if handler and arguments.measure:
            print(flush=True)
            return MADE if measure(written, plan, staged, handler, event, Path(work)) else FAILED
    return MADE


def _write(
    plan: Plan,
    staged: Staged,
    arguments: Namespace,
    handler: str | None,
    output: Path,
    work: Path,
) -> tuple[Archive, str]:
    """The zip, and how the check went. Raises `CannotPackage` if it fails; an older zip stays then.

    It is written before the handler is imported, which may write into its folder.
    """
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.zip")
    try:
        written = archive.write(staged.folder, unfinished)
        if arguments.no_check:
            checked = "not checked, as --no-check says"
        else:
            checked = _check(handler, plan, staged, work)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return written._replace(path=output), checked


# --- the command line -----------------------------------------------------------------------------


def _handler(arguments: Namespace, folder: Path) -> str | None:
    """`"main:handler"`: what is named, or what is found."""
    if arguments.handler and arguments.no_check:
        raise WrongUse("--handler names what is checked, and --no-check checks nothing: drop one")
    if arguments.measure and arguments.no_check:
        raise WrongUse(
            "--measure runs the handler, and --no-check does not even import it: drop one"
        )
    if not arguments.handler:
        return find_handler(folder)
    module, name = split_target(arguments.handler)
    if "." in name:
        raise WrongUse(f"Lambda takes no {name}: the handler is to be a name in {module}")
    return f"{module}:{name}"


def _event(arguments: Namespace, target: Target, handler: str | None) -> Any:
    """What to measure with. Raises `WrongUse` where nothing can be measured, before all else."""
    if arguments.measure:
        check_measurable(target, handler)
    elif arguments.event:
        raise WrongUse("--event is what is measured with: add --measure, or drop it")
    return read_event(arguments.event) if arguments.event else None


def _requirements(given: list[str], folder: Path) -> list[Path]:
    if given:
        return requirements_files(given)
    default = folder / DEFAULT_REQUIREMENTS
    if default.is_file():
        return [default]
    found = [name for name in ("pyproject.toml", "requirements.in") if (folder / name).is_file()]
    advice = f"--requirements {folder / found[0]} takes" if found else "--requirements FILE adds"
    note(f"no {default}: the zip has no dependencies; {advice} them")
    return []


def _check(handler: str | None, plan: Plan, staged: Staged, work: Path) -> str:
    """How it went. Raises `CannotPackage` for a handler that can't be imported."""
    if handler is None:
        usual = ", ".join(HANDLERS[:3])
        return f"not checked, as there is none of {usual}, …: name it with --handler MODULE:HANDLER"
    try:
        found = check(handler, plan, staged, work)
    except NotChecked as error:
        return f"not checked: {error}"
    if found.outcome.fault:
        raise CannotPackage(fault(handler, found))
    lent = f", and {' and '.join(found.from_lambda)} lent for it" if found.from_lambda else ""
    return f"imported with {found.by}{lent}"
