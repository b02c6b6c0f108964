"""`mangum serve --inline`: the function runs in this process, in the thread that a debugger has."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from socket import socket
from typing import Any

from mangum.cli.context import Context
from mangum.cli.invoke import FunctionFailed, call, own_frames
from mangum.cli.load import load
from mangum.cli.usage import WrongUse
from mangum.local.console import Console
from mangum.local.environment import variables
from mangum.local.invocations import Fault, Invocation, Outcome
from mangum.local.journal import Entry
from mangum.local.options import Options
from mangum.local.server import environ, run

__all__ = ["Inline", "serve_inline"]

Function = Callable[[Any, Context], Any]
Jobs = queue.SimpleQueue["Callable[[], None] | None"]

ENDED, RAISED = 0, 1  # exit codes
JOIN_S = 10.0


class Inline:
    """The one place where the function runs. Implements `pool.Environment`.

    Time limits do not hold: whoever debugs takes their time.
    """

    number = 1
    memory_bytes: int | None = None

    def __init__(self, function: Function, name: str, jobs: Jobs) -> None:
        """`jobs` are done in the other thread, one after another."""
        self.state = "idle"
        self.started_s = time.time()
        self.invocations = 0
        self.pid: int | None = os.getpid()
        self._function = function
        self._name = name
        self._jobs = jobs

    async def start(self) -> None:
        pass

    async def invoke(self, invocation: Invocation, entry: Entry) -> Outcome:
        self.state = "busy"
        entry.environment = self.number
        done: Future[Outcome] = Future()
        self._jobs.put(lambda: self._work(invocation, done))
        try:
            outcome = await asyncio.wrap_future(done)
        finally:
            self.state = "idle"
        self.invocations += 1
        entry.duration_s = outcome.answered_s - outcome.taken_s
        return outcome

    async def end(self) -> None:
        self.state = "ended"

    def _work(self, invocation: Invocation, done: Future[Outcome]) -> None:
        if not done.set_running_or_notify_cancel():
            return  # everything ends
        try:
            outcome = self._run(invocation)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # pdb may have taken it
            done.set_result(outcome)
        except BaseException:  # Ctrl-C: whoever waits is let go first
            now_s = time.perf_counter()
            fault = Fault("Runtime.ExitError", "The function was interrupted")
            if not done.done():
                done.set_result(Outcome(b"", "application/json", fault, now_s, now_s))
            raise

    def _run(self, invocation: Invocation) -> Outcome:
        context = Context(self._name, invocation.timeout_s)
        context.aws_request_id = invocation.request_id
        started_s = time.perf_counter()
        body, fault = b"", None
        try:
            result = call(self._function, json.loads(invocation.event), context)
            body = json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")
        except FunctionFailed as error:
            frames = own_frames(error.cause)
            traceback.print_exception(type(error.cause), error.cause, frames)
            trace = tuple(traceback.format_tb(frames))
            fault = Fault(error.error_type, error.message, trace)
        return Outcome(body, "application/json", fault, started_s, time.perf_counter())


def serve_inline(target: str, options: Options, sockets: Sequence[socket], console: Console) -> int:
    """Serve until Ctrl-C; the exit code. Raises `WrongUse`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    logging.basicConfig(format="[%(levelname)s] %(name)s: %(message)s")
    if options.record is not None:
        options = replace(options, record=options.record.resolve())
    memory = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(options.memory_mb)}
    os.environ |= variables(options.function, "", memory | environ(options, sockets))
    os.chdir(options.function.folder)
    try:
        function = load(target, str(options.function.folder))
    except Exception as error:
        if isinstance(error, WrongUse):
            raise
        traceback.print_exception(type(error), error, own_frames(error))
        return RAISED
    jobs: Jobs = queue.SimpleQueue()
    inline = Inline(function, options.function.name, jobs)
    server = _Server(replace(options, concurrency=1, warm=0, make=lambda number: inline), jobs)
    try:
        server.start(sockets, console)
        while (job := jobs.get()) is not None:
            job()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
    return ENDED


class _Server:
    """The gateway, in a thread of its own."""

    def __init__(self, options: Options, jobs: Jobs) -> None:
        self._options = options
        self._jobs = jobs
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def start(self, sockets: Sequence[socket], console: Console) -> None:
        self._sockets = sockets
        self._console = console
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(
                run(self._options, self._sockets, self._console, self._stop)
            )
        finally:
            self._jobs.put(None)
            self._loop.close()
