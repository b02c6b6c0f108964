"""Wrong use of the command line: one line that says what to do, and the exit code 2."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import NoReturn

WRONG_USE = 2


class WrongUse(Exception):
    """What to do otherwise, in one line without a value of the event."""


class Parser(ArgumentParser):
    """argparse's parser, except that it raises `WrongUse` for a command line that it can't read."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(f"{message}; `{self.prog} --help` lists what can be given")
