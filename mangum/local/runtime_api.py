"""The Runtime API of an execution environment, on 127.0.0.1. Knows no processes and no sources.

Whoever runs a function's processes puts invocations in and awaits their outcomes; a runtime client,
such as awslambdaric, fetches and answers them. One API serves one process after another, or several
at once: each takes the next invocation that waits.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any

from mangum.local.invocations import Fault, InitFailed, Invocation, Outcome, Stream
from mangum.local.wire import (
    MAX_HEAD_BYTES,
    BadRequest,
    Reply,
    Request,
    close,
    read_pieces,
    read_request,
    write_reply,
)

__all__ = ["Pending", "RuntimeAPI"]

HOST = "127.0.0.1"
ROOT = "/2018-06-01/runtime/"
MAX_RESULT_BYTES = 6 * 1024 * 1024 + 100
MAX_STREAM_BYTES = 200 * 1024 * 1024


@dataclass(eq=False)
class _Waiter:
    """A process that has asked for an invocation."""

    asked_s: float
    given: asyncio.Future[Pending]


class Pending:
    """An invocation that was handed in."""

    def __init__(self, invocation: Invocation) -> None:
        loop = asyncio.get_running_loop()
        self.invocation = invocation
        self.taken: asyncio.Future[float] = loop.create_future()
        """When a process was given it."""
        self.outcome: asyncio.Future[Outcome] = loop.create_future()


class RuntimeAPI:
    """An asynchronous context manager; `address` is for AWS_LAMBDA_RUNTIME_API."""

    def __init__(self, max_result_bytes: int = MAX_RESULT_BYTES) -> None:
        self.max_result_bytes = max_result_bytes
        self.address = ""
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._waiters: deque[_Waiter] = deque()  # at least one of these two is empty
        self._queue: deque[Pending] = deque()
        self._running: dict[str, Pending] = {}  # by request id
        self._readers: list[asyncio.Future[float]] = []  # those in `ready`
        self._init_fault: Fault | None = None  # one that nobody has been told of

    async def __aenter__(self) -> RuntimeAPI:
        self._server = await asyncio.start_server(self._connect, HOST, 0, limit=MAX_HEAD_BYTES)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection; who still waits for an outcome is cancelled."""
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(0)  # connections that were accepted already become known
        connections = dict(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for writer in connections.values():
            writer.transport.abort()  # whatever the client has not read by now
            await close(writer)
        await self._server.wait_closed()
        for pending in [*self._queue, *self._running.values()]:
            pending.outcome.cancel()
        for reader in self._readers:
            reader.cancel()

    async def ready(self) -> float:
        """When a process began to wait for an invocation; waits until one does.

        Raises `InitFailed` if one reports that instead.
        """
        if self._waiters:
            return self._waiters[0].asked_s
        if self._init_fault:
            fault, self._init_fault = self._init_fault, None
            raise InitFailed(fault)
        reader: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._readers.append(reader)
        try:
            return await reader
        finally:
            self._readers.remove(reader)

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Give the invocation to a process as soon as one asks, and return what it answers.

        A process that dies with it answers nothing: whoever runs the process cancels this.
        """
        pending = self.submit(invocation)
        try:
            return await pending.outcome
        finally:
            self.withdraw(pending)

    def submit(self, invocation: Invocation) -> Pending:
        """The same without waiting. What is not to be awaited any more must be withdrawn."""
        pending = Pending(invocation)
        self._queue.append(pending)
        self._hand_out()
        return pending

    def withdraw(self, pending: Pending) -> None:
        """Forget it: an answer to it is refused, and no process gets it that has not yet."""
        self._running.pop(pending.invocation.request_id, None)
        with contextlib.suppress(ValueError):
            self._queue.remove(pending)

    async def disconnected(self, timeout_s: float) -> None:
        """Wait until every client has gone, and all that it had sent is read."""
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=timeout_s)

    def _hand_out(self) -> None:
        while self._queue and self._waiters:
            self._waiters.popleft().given.set_result(self._queue.popleft())

    # --- connections ------------------------------------------------------------------------------

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await read_request(reader, writer, self.max_result_bytes):
                reply = await self._answer(request, reader)
                if reply is None:
                    break
                write_reply(writer, reply, request.keep_alive)
                await writer.drain()
                if not request.keep_alive:
                    break
        except BadRequest as error:
            write_reply(writer, _refusal(HTTPStatus.BAD_REQUEST, "BadRequest", str(error)), False)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process has gone
        finally:
            await asyncio.shield(close(writer))  # another one may wait for the same

    async def _answer(self, request: Request, reader: asyncio.StreamReader) -> Reply | None:
        """The reply; `None` if the process goes away while it waits for an invocation."""
        if self._is_from_a_page(request):
            request.keep_alive = False
            return _refusal(HTTPStatus.FORBIDDEN, "Forbidden", "this is for runtime clients")
        for method, pattern, action in ROUTES:
            matched = _match(pattern, request.path)
            if matched is not None and method == request.method:
                return await action(self, request, matched, reader)
        if request.is_streamed:
            request.keep_alive = False  # nobody has read its body
        message = f"there is no {request.method} {request.path}"
        return _refusal(HTTPStatus.NOT_FOUND, "NotFound", message)

    def _is_from_a_page(self, request: Request) -> bool:
        """Whether a browser sends it: for the page of another site, or because somebody's name
        server says that his site is here."""
        headers = request.headers
        return (
            headers.get("host", self.address) != self.address
            or "origin" in headers
            or "sec-fetch-site" in headers
        )

    # --- what a process may ask -------------------------------------------------------------------

    async def _next(
        self, request: Request, request_id: str, reader: asyncio.StreamReader
    ) -> Reply | None:
        if self._queue:
            return self._take(self._queue.popleft())
        waiter = _Waiter(time.perf_counter(), asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        for ready in self._readers:
            if not ready.done():
                ready.set_result(waiter.asked_s)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            events: set[asyncio.Future[Any]] = {waiter.given, gone}
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                return self._take(waiter.given.result())
            if waiter.given.done():
                self._queue.appendleft(waiter.given.result())
                self._hand_out()
            return None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            if not gone.done():
                gone.cancel()
                await asyncio.wait({gone})

    def _take(self, pending: Pending) -> Reply:
        invocation = pending.invocation
        self._running[invocation.request_id] = pending
        deadline_ms = int((time.time() + invocation.timeout_s) * 1000)
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            **invocation.headers,
        }
        if not pending.taken.done():
            pending.taken.set_result(time.perf_counter())
        return Reply(HTTPStatus.OK, invocation.event, headers)

    async def _response(
        self, request: Request, request_id: str, reader: asyncio.StreamReader
    ) -> Reply:
        if request.is_streamed:
            return await self._stream(request, request_id, reader)
        if request.body is None:
            fault = _too_large(self.max_result_bytes)
            self._finish(request, request_id, fault)
            return _refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", fault.message
            )
        fault_type = request.headers.get("lambda-runtime-function-error-type")
        if fault_type:
            return self._finish(request, request_id, Fault(fault_type, ""))
        return self._finish(request, request_id, None)

    async def _stream(
        self, request: Request, request_id: str, reader: asyncio.StreamReader
    ) -> Reply:
        """Pass the chunks on as they come. A fault stands in the trailers.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
        """
        pending = self._running.pop(request_id, None)
        stream = Stream()
        if pending is None or pending.outcome.done():
            stream.close()
        else:
            content_type = request.headers.get("content-type", "application/octet-stream")
            taken_s = pending.taken.result()
            outcome = Outcome(b"", content_type, None, taken_s, time.perf_counter(), stream)
            pending.outcome.set_result(outcome)
        fault: Fault | None = Fault("Runtime.ExitError", "The process went away in mid-answer")
        total = 0
        try:
            async for piece in read_pieces(reader, request.headers):
                total += len(piece)
                if total <= MAX_STREAM_BYTES:
                    await stream.put(piece)
            fault = _read_trailing_fault(request.headers)
            if total > MAX_STREAM_BYTES:
                fault = _too_large(MAX_STREAM_BYTES)
        finally:
            stream.end(fault)
        return ACCEPTED if pending else _unknown_id()

    async def _error(
        self, request: Request, request_id: str, reader: asyncio.StreamReader
    ) -> Reply:
        return self._finish(request, request_id, _read_fault(request))

    async def _init_error(
        self, request: Request, request_id: str, reader: asyncio.StreamReader
    ) -> Reply:
        fault = _read_fault(request)
        told = [ready for ready in self._readers if not ready.done()]
        for ready in told:
            ready.set_exception(InitFailed(fault))
        self._init_fault = None if told else fault
        now_s = time.perf_counter()
        while self._queue:
            pending = self._queue.popleft()
            if not pending.outcome.done():
                outcome = Outcome(request.body or b"", "application/json", fault, now_s, now_s)
                pending.outcome.set_result(outcome)
        return ACCEPTED

    async def _restore(
        self, request: Request, request_id: str, reader: asyncio.StreamReader
    ) -> Reply:
        """A function with SnapStart asks when it was restored: here nothing comes in between."""
        return Reply(HTTPStatus.OK, b"")

    def _finish(self, request: Request, request_id: str, fault: Fault | None) -> Reply:
        pending = self._running.pop(request_id, None)
        if pending is None:
            return _unknown_id()
        content_type = request.headers.get("content-type", "application/octet-stream")
        outcome = Outcome(
            request.body or b"", content_type, fault, pending.taken.result(), time.perf_counter()
        )
        if not pending.outcome.done():
            pending.outcome.set_result(outcome)
        return ACCEPTED


_Action = Callable[[RuntimeAPI, Request, str, asyncio.StreamReader], Awaitable["Reply | None"]]

ROUTES: tuple[tuple[str, str, _Action], ...] = (
    ("GET", "invocation/next", RuntimeAPI._next),
    ("POST", "invocation/*/response", RuntimeAPI._response),
    ("POST", "invocation/*/error", RuntimeAPI._error),
    ("POST", "init/error", RuntimeAPI._init_error),
    ("GET", "restore/next", RuntimeAPI._restore),
    ("POST", "restore/error", RuntimeAPI._init_error),
)
"""Method, path below `ROOT` with a star for the request id, and what answers."""

ACCEPTED = Reply(HTTPStatus.ACCEPTED, b'{"status":"OK"}\n', {"Content-Type": "application/json"})


def _match(pattern: str, path: str) -> str | None:
    """The request id, `""` for a pattern without one; `None` for another path."""
    if not path.startswith(ROOT):
        return None
    before, star, after = pattern.partition("*")
    rest = path[len(ROOT) :]
    if not star:
        return "" if rest == pattern else None
    request_id = rest[len(before) : len(rest) - len(after)]
    matches = request_id and "/" not in request_id and rest == before + request_id + after
    return request_id if matches else None


def _refusal(status: HTTPStatus, error_type: str, message: str) -> Reply:
    report = {"errorMessage": message, "errorType": error_type}
    return Reply(status, json.dumps(report).encode(), {"Content-Type": "application/json"})


def _unknown_id() -> Reply:
    return _refusal(HTTPStatus.BAD_REQUEST, "InvalidRequestID", "Invalid request ID")


def _too_large(limit_bytes: int) -> Fault:
    return Fault(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes).",
    )


def _read_trailing_fault(trailers: Mapping[str, str]) -> Fault | None:
    """What stands below the chunks if the function failed on its way; the report is base64."""
    fault_type = trailers.get("lambda-runtime-function-error-type")
    if not fault_type:
        return None
    report: Any = None
    with contextlib.suppress(ValueError):
        report = json.loads(
            base64.b64decode(trailers.get("lambda-runtime-function-error-body", ""))
        )
    report = report if isinstance(report, dict) else {}
    return _fault_in(report, fault_type)


def _read_fault(request: Request) -> Fault:
    """The reported error; its header alone counts where the body is no report."""
    report: Any = None
    with contextlib.suppress(ValueError):
        report = json.loads(request.body or b"")
    if not isinstance(report, dict):
        report = {}
    return _fault_in(report, request.headers.get("lambda-runtime-function-error-type", ""))


def _fault_in(report: dict[str, Any], fault_type: str) -> Fault:
    trace = report.get("stackTrace")
    return Fault(
        str(report.get("errorType") or fault_type or "Unknown"),
        str(report.get("errorMessage") or ""),
        tuple(map(str, trace)) if isinstance(trace, list) else (),
    )
