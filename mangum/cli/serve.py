"""`mangum serve`: a function behind API Gateway, on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mangum.cli.event import base_path, stage
from mangum.cli.serving import (
    also,
    count,
    host,
    memory,
    none_or_more,
    port,
    read_options,
)
from mangum.cli.usage import WRONG_USE, WrongUse, describe, seconds, seconds_up_to
from mangum.local.sources import SOURCES

if TYPE_CHECKING:
    from mangum.local.guard import Guard
    from mangum.local.options import Options

ENDED = 0

A_DAY_S = 86_400

CHECK_S = 10.0  # for an import, as long as Lambda's initialisation may take

NEEDED = ("awslambdaric", "uvicorn", "websockets")
"""What the extra brings, without which nothing works."""

DESCRIPTION = """\
Serve a Lambda function as AWS would: HTTP requests and WebSocket messages become
the events of a source, and go to execution environments that run the function
with Lambda's own runtime client (awslambdaric)."""

EXAMPLES = """\
  mangum serve main:handler --reload
  mangum serve main:handler --source rest --stage prod --also url:8001 --also alb:/alb
  mangum serve main:handler --env DEBUG=1 --timeout 3 --concurrency 1
  mangum serve main:handler --record events    # mangum invoke main:handler events/…json
  mangum serve main:handler --inline           # breakpoint() works"""


def configure(parser: ArgumentParser) -> None:
    describe(
        parser, DESCRIPTION, EXAMPLES, sources={name: it.phrase for name, it in SOURCES.items()}
    )
    parser.add_argument(
        "function", metavar="MODULE:HANDLER", help="the function; Lambda's MODULE.HANDLER does too"
    )
    _configure_front(parser)
    _configure_environments(parser)
    _configure_websockets(parser)
    add = parser.add_argument_group("what is shown and kept").add_argument
    add("--json", action="store_true", help="print an object for each line")
    add("--record", metavar="DIR", help="keep the event and the result of each invocation there")
    add(
        "--dashboard",
        action="store_true",
        default=None,
        help="show it although --host lets others in; it tells all that goes through",
    )
    add(
        "--no-dashboard",
        action="store_false",
        dest="dashboard",
        default=None,
        help="show none",
    )


def _configure_front(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("requests").add_argument
    add(
        "--host",
        type=host,
        default="127.0.0.1",
        help="the address to listen at (default: 127.0.0.1)",
    )
    add("--port", type=port, default=8000, help="default: 8000; 0 takes any that is free")
    add("--source", choices=SOURCES, default="http", help="what sends the events (default: http)")
    add(
        "--also",
        action="append",
        type=also,
        default=[],
        metavar="SOURCE:PORT",
        help="one more source at a port of its own, or SOURCE:/PREFIX; may be given several times",
    )
    add("--stage", type=stage, help="the URLs begin with it, as on the API's own domain")
    add("--base-path", type=base_path, default="", metavar="PATH", help="of a custom domain")
    add(
        "--binary-media-types",
        action="append",
        default=[],
        metavar="TYPES",
        help="of a REST API, separated by commas: 'image/*,application/pdf'",
    )


def _configure_environments(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("execution environments").add_argument
    add("--app-dir", default=".", metavar="DIR", help="where the module is (default: here)")
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the function's environment; may be given several times",
    )
    add(
        "--concurrency",
        type=count,
        default=4,
        metavar="N",
        help="at most so many (default: 4)",
    )
    add(
        "--warm",
        type=none_or_more,
        default=1,
        metavar="N",
        help="start N at once (default: 1)",
    )
    add(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="after which an environment is killed (default: 30)",
    )
    add(
        "--memory",
        type=memory,
        default=128,
        metavar="MB",
        help="what the function is told that it has (default: 128)",
    )
    add("--enforce-memory", action="store_true", help="let it have no more than that (Linux)")
    add("--reload", action="store_true", help="start them anew when the code changes")
    add("--inline", action="store_true", help="run the function in this process, for a debugger")


def _configure_websockets(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("WebSocket API").add_argument
    add(
        "--route-selection",
        default="$request.body.action",
        metavar="EXPRESSION",
        help="picks the route of a message (default: $request.body.action)",
    )
    add(
        "--route",
        action="append",
        default=[],
        metavar="KEY",
        help="a route beside $connect, $default and $disconnect; may be given several times",
    )
    add(
        "--idle-timeout",
        type=seconds_up_to(A_DAY_S),
        default=600.0,
        metavar="SECONDS",
        help="closes a connection without messages (default: 600)",
    )
    add(
        "--lifetime",
        type=seconds_up_to(A_DAY_S),
        default=7200.0,
        metavar="SECONDS",
        help="closes any connection (default: 7200)",
    )
    add(
        "--verify-signatures",
        action="store_true",
        help="refuse calls of @connections that are not signed",
    )


def run(arguments: Namespace) -> int:
    _check_machine(arguments)
    options = read_options(arguments)
    from mangum.local.addresses import PortTaken, bind
    from mangum.local.console import Console

    try:
        sockets = bind(options)
    except PortTaken as error:
        raise WrongUse(f"{error}; {_advice(error.errno, arguments.host)}") from None
    console = Console(sys.stdout, as_json=arguments.json)
    if arguments.inline:
        from mangum.cli.inline import serve_inline

        with contextlib.redirect_stdout(sys.stderr if arguments.json else sys.stdout):
            return serve_inline(arguments.function, options, sockets, console)
    asyncio.run(_serve(arguments, options, sockets, console))
    return ENDED


async def _serve(arguments: Namespace, options: Options, sockets: Any, console: Any) -> None:
    from mangum.local.server import run

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _stopper(stop, number))

    async def check(guard: Guard) -> None:
        await _check_function(arguments.function, options, guard)

    await run(options, sockets, console, stop, check)


def _stopper(stop: asyncio.Event, number: int) -> Any:
    def stop_or_leave() -> None:
        if stop.is_set():
            os._exit(128 + number)  # the guard kills what is left
        stop.set()

    return stop_or_leave


async def _check_function(target: str, options: Options, guard: Guard) -> None:
    """Raise `WrongUse` if the function can't be one; a process that imports it finds out.

    Whatever else goes wrong there, or takes too long, its environments will tell.
    """
    from mangum.local.environment import Process, variables

    folder = options.function.folder
    command = [sys.executable, "-m", "mangum.cli.check", target, str(folder)]
    environ = variables(options.function, "", options.environ)
    with tempfile.TemporaryFile() as said:
        process = Process(command, folder, environ, said, said)
        guard.watch(process.pid)
        try:
            await asyncio.wait({process.ended}, timeout=CHECK_S)
        finally:
            end = await process.end()
            guard.forget(process.pid)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if end.exit_code == WRONG_USE and text:
        raise WrongUse(text)


def _advice(number: int | None, host: str) -> str:
    """What to do where a socket can't be had."""
    if number == errno.EADDRINUSE:
        return "stop what listens there, or give --port 0 for a free one"
    if number in (errno.EACCES, errno.EPERM):
        return "name a port above 1023"
    return "name an address of this machine with --host"


def _check_machine(arguments: Namespace) -> None:
    if not hasattr(os, "wait4"):
        raise WrongUse("serve needs os.wait4, which Windows lacks: run it in WSL")
    needed = (*NEEDED, "watchfiles") if arguments.reload else NEEDED
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise WrongUse(f"serve needs {' and '.join(missing)}: pip install 'mangum[local]'")
    if arguments.enforce_memory and sys.platform != "linux":
        raise WrongUse("--enforce-memory needs Linux: leave it out")
    if arguments.stage and arguments.base_path:
        raise WrongUse(
            "--stage is for the API's own domain, --base-path for a custom one: take one"
        )
    if arguments.inline and (arguments.reload or arguments.enforce_memory):
        raise WrongUse("--inline has no process to start anew or to limit: leave out the other")
