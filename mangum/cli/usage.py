"""Wrong use of the command line: one line that says what to do, and the exit code 2."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

WRONG_USE = 2


class WrongUse(Exception):
    """What to do otherwise, in one line without a value of the event."""


class Parser(ArgumentParser):
    """argparse's parser, except that it raises `WrongUse` for a command line that it can't read."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(f"{message}; `{self.prog} --help` lists what can be given")


def describe(parser: ArgumentParser, text: str, examples: str, **lists: Mapping[Any, str]) -> None:
    """What `--help` says above the arguments and below: lists of things with their meanings.

    `exit_codes={0: "made"}` stands under `exit codes:`.
    """
    parser.description = text
    sections = []
    for title, items in lists.items():
        width = max(len(str(it)) for it in items)
        lines = (f"  {it!s:<{width}}  {meaning}" for it, meaning in items.items())
        sections.append("\n".join([f"{title.replace('_', ' ')}:", *lines]))
    parser.epilog = "\n\n".join([*sections, f"examples:\n{examples}"])


def seconds_up_to(limit_s: int) -> Callable[[str], float]:
    """The type of an option that is a time."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0
        if not 0 < value <= limit_s:
            raise ArgumentTypeError(f"a number of seconds up to {limit_s} is needed")
        return value

    return read


seconds = seconds_up_to(900)
"""As long as Lambda lets anything run."""


def parse_environ(setting: str) -> dict[str, str]:
    """`"A=1"` → `{"A": "1"}`, `"A=1 B='2 3'"` → `{"A": "1", "B": "2 3"}`. Raises `WrongUse`."""
    try:
        pairs = [word.partition("=") for word in shlex.split(setting)]
    except ValueError:
        pairs = []
    if not pairs or not all(name and equals for name, equals, _ in pairs):
        raise WrongUse("--env takes NAME=VALUE, or several in quotes: --env 'A=1 B=2'")
    return {name: value for name, _, value in pairs}
