"""The command line, `mangum` or `python -m mangum`. For development: no handler imports it."""

from __future__ import annotations

import os
import sys
from argparse import RawDescriptionHelpFormatter
from importlib import import_module

from mangum import __version__
from mangum.cli.usage import WRONG_USE, Parser, WrongUse

__all__ = ["main"]

VERBS: dict[str, tuple[str, str]] = {
    "serve": ("mangum.cli.serve", "serve a function as Lambda and API Gateway do"),
    "invoke": ("mangum.cli.invoke", "run one event through a function and print the answer"),
    "event": ("mangum.cli.event", "print the event that a source makes of a request"),
    "package": ("mangum.cli.package", "make the zip of a function, with its dependencies"),
    "layer": ("mangum.cli.layer", "make a Lambda layer"),
    "coldstart": ("mangum.cli.coldstart", "measure what a cold start of a function costs"),
}
"""Each verb with its module, which is imported only when the verb is used, and what it does.

A module has `configure(parser)`, which adds its arguments, and `run(arguments)`, which returns the
exit code.
"""

INTERRUPTED = 130  # what shells report for Ctrl-C
BROKEN_PIPE = 141  # and for a reader that has gone


def main(argv: list[str] | None = None) -> int:
    """Run a command line, by default that of the process, and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser(argv)
    if not argv:
        parser.print_help(sys.stderr)
        return WRONG_USE
    try:
        arguments, unknown = parser.parse_known_args(argv)
        if unknown:
            raise WrongUse(
                f"unrecognized arguments: {' '.join(unknown)};"
                f" `mangum {arguments.verb} --help` lists what can be given"
            )
        code: int = import_module(VERBS[arguments.verb][0]).run(arguments)
        sys.stdout.flush()
    except WrongUse as error:
        print(f"mangum: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `mangum … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush
        return BROKEN_PIPE
    except SystemExit as stop:  # after --help and --version
        return int(stop.code or 0)
    return code


def _parser(argv: list[str]) -> Parser:
    parser = Parser(prog="mangum", description="Tools for ASGI applications on AWS Lambda.")
    parser.add_argument("--version", action="version", version=f"mangum {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    used = next((argument for argument in argv if not argument.startswith("-")), None)
    for name, (module, summary) in VERBS.items():
        verb = verbs.add_parser(name, help=summary, formatter_class=RawDescriptionHelpFormatter)
        if name == used:
            import_module(module).configure(verb)
    return parser
