"""What `mangum layer` and `mangum package` have in common on the command line."""

from __future__ import annotations

import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mangum.cli.usage import WRONG_USE, WrongUse
from mangum.packaging.application import Application
from mangum.packaging.contents import kb
from mangum.packaging.prune import LeftOut
from mangum.packaging.targets import (
    ARCHITECTURES,
    PYTHONS,
    UnknownTarget,
    parse_architecture,
    parse_python,
)

MADE, FAILED = 0, 1

SHOWN = 8  # names of what was left out for one reason

EXIT_CODES = {
    MADE: "made",
    FAILED: "can't be made: no wheel for a target, a handler that does not import, …",
    WRONG_USE: "wrong use: no such file, an unknown Python, …",
}


class _Several(Action):
    """Lets an option be given several times, each with one value or more. Without repetitions."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        given = [] if before is self.default else before
        setattr(namespace, self.dest, list(dict.fromkeys([*given, *values])))


def add_targets(parser: ArgumentParser) -> None:
    """`--python` and `--arch`, one or more of each and by default all."""
    for option, parse, every in (
        ("--python", parse_python, PYTHONS),
        ("--arch", parse_architecture, tuple(ARCHITECTURES)),
    ):
        parser.add_argument(
            option,
            action=_Several,
            nargs="+",
            type=parsed(parse),
            default=every,
            metavar=option.strip("-").upper(),
            help=f"one or several (default: {', '.join(every)})",
        )


def add_wheels(parser: ArgumentParser) -> None:
    """Where third-party packages come from."""
    parser.add_argument(
        "--requirements",
        action="append",
        default=[],
        metavar="FILE",
        help="add what a requirements file names; may be given several times",
    )
    parser.add_argument(
        "--find-links",
        action="append",
        default=[],
        metavar="DIR",
        help="look for wheels in this folder too; may be given several times",
    )
    parser.add_argument(
        "--offline", action="store_true", help="take wheels from --find-links alone, and no index"
    )


def requirements_files(names: Iterable[str]) -> list[Path]:
    """Raises `WrongUse` for one that is not there."""
    paths = [Path(name) for name in names]
    for path in paths:
        if not path.is_file():
            raise WrongUse(
                f"--requirements {path} is no file: name the one that lists the packages"
            )
    return paths


def check_output(name: str) -> Path:
    """The zip to write, if it can be written. Raises `WrongUse`."""
    path = Path(name)
    if path.suffix != ".zip":
        raise WrongUse(f"-o {name} is no zip: name a file such as {path.with_suffix('.zip').name}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise WrongUse(f"can't write {name}: name a file in a folder that exists")
    return path


def tell_left_out(left_out: LeftOut) -> None:
    """One line for all that no function uses."""
    sizes = sorted(left_out.items(), key=lambda it: -it[1])
    if sizes:
        print("left out:", ", ".join(f"{reason} {kb(size)} KB" for reason, size in sizes))


def tell_failure(error: Exception) -> int:
    """One line, and the exit code."""
    if isinstance(error, BrokenPipeError):  # nobody reads what is printed
        raise error
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        note(f"can't write or read{where}: {error.strerror or error}")
    else:
        note(str(error))
    return FAILED


def note(text: str) -> None:
    print(f"mangum: {text}", file=sys.stderr)


def parsed(parse: Callable[[str], str]) -> Callable[[str], str]:
    """The type of an option, whose refusal is argparse's."""

    def read(text: str) -> str:
        try:
            return parse(text)
        except UnknownTarget as error:
            raise ArgumentTypeError(str(error)) from None

    return read


def tell_application(application: Application) -> None:
    """What of its folder is not in the zip, by the reason."""
    if application.secrets:
        print(f"left out, as they may hold secrets: {', '.join(application.secrets)}")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for path, reason in application.left_out:
        by_reason[reason].append(path)
    for reason, paths in by_reason.items():
        more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
        print(f"left out, {reason}: {', '.join(paths[:SHOWN])}{more}")
