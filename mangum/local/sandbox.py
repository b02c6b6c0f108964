"""An execution environment as Lambda has it: a process, with a Runtime API of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from mangum.local.environment import RUNTIME, End, Function, Process, variables
from mangum.local.guard import Guard
from mangum.local.invocations import Fault, InitFailed, Invocation, Outcome
from mangum.local.journal import Entry
from mangum.local.output import Output
from mangum.local.pool import Untouched
from mangum.local.runtime_api import Pending, RuntimeAPI

__all__ = ["INIT_TIMEOUT_S", "Sandbox", "Settings"]

INIT_TIMEOUT_S = 10.0
"""What Lambda grants an initialisation; it then begins again, on the time of the invocation."""

LAST_WORDS_S = 1.0  # for what a process that has ended had sent
MEMORY_AGE_S = 0.1  # how old the figure may be: to ask takes the system a while


@dataclass(frozen=True)
class Settings:
    """What all environments of a function have in common."""

    function: Function
    environ: Mapping[str, str]  # of the function: Lambda's own variables are added
    timeout_s: float = 30.0
    memory_mb: int = 128
    enforce_memory: bool = False


class _Died(Exception):
    """The process ended in the middle of an invocation."""


class _TimedOut(Exception):
    """The invocation took too long."""


class _Deadline:
    """Fails an invocation that takes too long, counted from when it was taken."""

    def __init__(self, pending: Pending, timeout_s: float) -> None:
        self._pending = pending
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(timeout_s, self._check)

    def cancel(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        taken = self._pending.taken
        left_s = self._timeout_s - (time.perf_counter() - taken.result()) if taken.done() else 0.0
        if left_s > 0:  # it took a while to ask for the invocation
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            _fail(self._pending, _TimedOut())


class Sandbox:
    """One process that runs the function with awslambdaric. Implements `pool.Environment`."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        guard: Guard,
        on_output: Callable[[Sandbox, str], None],
        on_end: Callable[[Sandbox, int], None],
    ) -> None:
        """`on_output` gets whole lines that it printed; `on_end` the exit code, if it ended by
        itself while nobody used it."""
        self.number = number
        self.state = "starting"
        self.started_s = time.time()
        self.invocations = 0
        self.pid: int | None = None
        self.memory_bytes: int | None = None
        self._settings = settings
        self._guard = guard
        self._on_end = on_end
        self._api = RuntimeAPI()
        self._process: Process | None = None
        self._init_s: float | None = None  # until an invocation has been told
        self._fault: Fault | None = None  # of the initialisation
        self._current: Pending | None = None
        self._burial: asyncio.Task[None] | None = None
        self._memory_read_s = 0.0
        self._output = Output(lambda text: on_output(self, text))

    async def start(self) -> None:
        try:
            await self._api.__aenter__()
            if self.state == "ended":
                await self._give_up("it was ended before it had started")
                return
            self._process = self._spawn()
        except OSError as error:  # its folder is gone, or there are too many processes
            await self._give_up(f"it can't be started: {error.strerror or error}")
            return
        self.pid = self._process.pid
        self._guard.watch(self.pid)
        self._process.ended.add_done_callback(self._ended)
        await self._initialise(self._process)
        if self._fault is not None:
            self.state = "ended"
        elif self.state == "starting":
            self.state = "idle"

    async def invoke(self, invocation: Invocation, entry: Entry) -> Outcome:
        if self.state == "starting":
            await self.start()
        entry.environment = self.number
        entry.init_s, self._init_s = self._init_s, None
        if self._fault is not None:
            return self._refused(self._fault, entry)
        if self._process is None or self.state == "ended" or self._process.has_ended():
            self.state = "ended"  # perhaps the loop was not told yet
            raise Untouched
        self.state = "busy"
        pending = self._current = self._api.submit(invocation)
        try:
            outcome = await self._outcome(pending, invocation)
        finally:
            self._current = None
            self._api.withdraw(pending)
        self.invocations += 1
        if outcome.stream is not None:
            entry.rest = asyncio.ensure_future(self._finish_stream(outcome, entry))
        else:
            self._finish(entry, outcome.answered_s - outcome.taken_s)
        return outcome

    async def end(self) -> None:
        self.state = "ended"
        if self._process is None:
            return
        await self._process.end()
        self._guard.forget(self._process.pid)
        self._output.close()
        await self._api.__aexit__(None, None, None)

    async def _give_up(self, reason: str) -> None:
        self.state = "ended"
        self._fault = Fault("Sandbox.StartFailed", reason)
        self._output.close()
        if self._api.address:
            await self._api.__aexit__(None, None, None)

    # --- its life ---------------------------------------------------------------------------------

    def _spawn(self) -> Process:
        settings = self._settings
        base = {
            "PYTHONUNBUFFERED": "1",
            **settings.environ,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
        }
        environ = variables(settings.function, self._api.address, base)
        with self._output.open() as output:
            process = self._popen(environ, output)
        if settings.enforce_memory:
            limit_memory(process.pid, settings.memory_mb * 2**20)
        return process

    def _popen(self, environ: Mapping[str, str], output: IO[bytes]) -> Process:
        function = self._settings.function
        command = [sys.executable, "-m", RUNTIME, function.handler]
        return Process(command, function.folder, environ, output, output)

    async def _initialise(self, process: Process) -> None:
        """Wait until it asks for an invocation, or set the fault that the first one gets."""
        ready = asyncio.ensure_future(self._api.ready())
        limit_s = INIT_TIMEOUT_S + self._settings.timeout_s
        try:
            ends: set[asyncio.Future[Any]] = {ready, process.ended}
            await asyncio.wait(ends, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                self._init_s = ready.result() - process.started_s
            elif process.ended.done():
                self._fault = _exit_fault(process.ended.result().exit_code)
            else:
                message = f"Initialisation took longer than {limit_s:.2f} seconds"
                self._fault = Fault("Sandbox.Timedout", message)
        except InitFailed as error:
            self._fault = error.fault
        finally:
            ready.cancel()
        if self._fault is not None:
            self._init_s = time.perf_counter() - process.started_s
            await process.end()

    def _ended(self, future: asyncio.Future[End]) -> None:
        """The process is gone, for whatever reason."""
        was_idle = self.state == "idle"
        if self.state != "starting":
            self.state = "ended"
        if self._current is not None:
            self._burial = asyncio.ensure_future(self._bury(self._current))
        elif was_idle and self._process is not None:
            self._on_end(self, self._process.ended.result().exit_code)

    # --- one invocation ---------------------------------------------------------------------------

    async def _outcome(self, pending: Pending, invocation: Invocation) -> Outcome:
        assert self._process is not None
        deadline = _Deadline(pending, invocation.timeout_s)
        try:
            return await pending.outcome
        except (_Died, _TimedOut) as error:
            end = await self._process.end()
            if not pending.taken.done():
                raise Untouched from None
            if isinstance(error, _TimedOut):
                fault = _timeout_fault(invocation.request_id, invocation.timeout_s)
            else:
                fault = _exit_fault(end.exit_code, invocation.request_id)
            taken_s = pending.taken.result()
            return Outcome(b"", "application/json", fault, taken_s, time.perf_counter())
        finally:
            deadline.cancel()

    def _refused(self, fault: Fault, entry: Entry) -> Outcome:
        """What the first invocation gets where the initialisation failed."""
        now_s = time.perf_counter()
        if self._process is not None:
            self._finish(entry, 0.0)
        return Outcome(b"", "application/json", fault, now_s, now_s)

    async def _bury(self, pending: Pending) -> None:
        """Fail what the process died with, unless its answer is on the way."""
        await self._api.disconnected(LAST_WORDS_S)
        _fail(pending, _Died())

    async def _finish_stream(self, outcome: Outcome, entry: Entry) -> None:
        """The rest of a streamed answer, which the end of the process ends too. The time limit
        holds for it."""
        stream, process = outcome.stream, self._process
        assert stream is not None
        assert process is not None
        timeout_s = self._settings.timeout_s
        left_s = timeout_s - (time.perf_counter() - outcome.taken_s)
        await asyncio.wait({stream.ended}, timeout=max(left_s, 0))
        if not stream.ended.done():
            stream.end(_timeout_fault(entry.request_id, timeout_s))
            await process.end()
        self._finish(entry, stream.ended.result() - outcome.taken_s)

    def _finish(self, entry: Entry, duration_s: float) -> None:
        assert self._process is not None
        if self.state == "busy":
            self.state = "idle"
        now_s = time.perf_counter()
        if now_s - self._memory_read_s > MEMORY_AGE_S:
            self._memory_read_s = now_s
            self.memory_bytes = self._process.peak_memory_bytes() or self.memory_bytes
        entry.duration_s = duration_s
        entry.memory_bytes = self.memory_bytes
        entry.log = self._output.take_log()


def limit_memory(pid: int, limit_bytes: int) -> None:
    """What it writes to, not what it maps: libraries and reserved addresses are not counted."""
    import resource

    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def _fail(pending: Pending, error: Exception) -> None:
    if not pending.outcome.done():
        pending.outcome.set_exception(error)


def _timeout_fault(request_id: str, timeout_s: float) -> Fault:
    message = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
    return Fault("Sandbox.Timedout", message)


def _exit_fault(exit_code: int, request_id: str = "") -> Fault:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""
    how = f"exit status {exit_code}" if exit_code >= 0 else f"signal: {_signal_name(-exit_code)}"
    before = f"RequestId: {request_id} Error: " if request_id else ""
    return Fault("Runtime.ExitError", f"{before}Runtime exited with error: {how}")


def _signal_name(number: int) -> str:
    """As Go writes it: `"killed"`."""
    import signal

    return (signal.strsignal(number) or str(number)).lower()
