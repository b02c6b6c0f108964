"""Wrong use of the command line: one line that says what to do, and the exit code 2."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import NoReturn

WRONG_USE = 2


class WrongUse(Exception):
    """What to do otherwise, in one line without a value of the event."""


class Parser(ArgumentParser):
    """argparse's parser, except that it raises `WrongUse` for a command line that it can't read."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(f"{message}; `{self.prog} --help` lists what can be given")


def seconds(text: str) -> float:
    """The type of an option that is a time: up to 15 minutes, as long as Lambda lets anything
    run."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= 900:
        raise ArgumentTypeError("a number of seconds up to 900 is needed")
    return value
