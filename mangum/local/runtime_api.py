"""The Runtime API of an execution environment, on 127.0.0.1. Knows no processes and no sources.

Whoever runs a function's processes puts invocations in and awaits their outcomes; a runtime client,
such as awslambdaric, fetches and answers them. One API serves one process after another, or several
at once: each takes the next invocation that waits.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any

__all__ = ["Fault", "InitFailed", "Invocation", "Outcome", "RuntimeAPI"]

HOST = "127.0.0.1"
ROOT = "/2018-06-01/runtime/"
MAX_RESULT_BYTES = 6 * 1024 * 1024 + 100
MAX_HEAD_BYTES = 2 * 1024 * 1024  # the runtime sends the cause for X-Ray, up to 1 MiB, as a header
MAX_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Invocation:
    """What a process gets for one `next`."""

    event: bytes
    function_arn: str
    timeout_s: float  # from the moment that a process takes it
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = field(default_factory=lambda: _trace_id())
    headers: Mapping[str, str] = field(default_factory=dict)
    """More of them: `{"Lambda-Runtime-Client-Context": …}`."""


@dataclass(frozen=True)
class Fault:
    """An error as the runtime reports it."""

    error_type: str
    message: str
    stack_trace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of an invocation. Times are those of `time.perf_counter`."""

    body: bytes  # as it was posted: the result, or the report of the fault
    content_type: str
    fault: Fault | None
    taken_s: float  # a process was given the invocation
    answered_s: float  # its answer had arrived


class InitFailed(Exception):
    """A process has reported that it could not initialise."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.error_type}: {fault.message}")
        self.fault = fault


@dataclass(eq=False)
class _Waiter:
    """A process that has asked for an invocation."""

    asked_s: float
    given: asyncio.Future[_Pending]


@dataclass(eq=False)
class _Pending:
    invocation: Invocation
    outcome: asyncio.Future[Outcome]
    taken_s: float = 0.0


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes | None  # `None` if it was too large
    keep_alive: bool


@dataclass(frozen=True)
class _Reply:
    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _BadRequest(Exception):
    pass


class RuntimeAPI:
    """An asynchronous context manager; `address` is for AWS_LAMBDA_RUNTIME_API."""

    def __init__(self, max_result_bytes: int = MAX_RESULT_BYTES) -> None:
        self.max_result_bytes = max_result_bytes
        self.address = ""
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._waiters: deque[_Waiter] = deque()  # at least one of these two is empty
        self._queue: deque[_Pending] = deque()
        self._running: dict[str, _Pending] = {}  # by request id
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
            await _close(writer)
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
        pending = _Pending(invocation, asyncio.get_running_loop().create_future())
        self._queue.append(pending)
        self._hand_out()
        try:
            return await pending.outcome
        finally:
            self._running.pop(invocation.request_id, None)
            if pending in self._queue:
                self._queue.remove(pending)

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
            while request := await _read(reader, writer, self.max_result_bytes):
                reply = await self._answer(request, reader)
                if reply is None:
                    break
                _write(writer, reply, request.keep_alive)
                await writer.drain()
                if not request.keep_alive:
                    break
        except _BadRequest as error:
            _write(writer, _refusal(HTTPStatus.BAD_REQUEST, "BadRequest", str(error)), False)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process has gone
        finally:
            await asyncio.shield(_close(writer))  # another one may wait for the same

    async def _answer(self, request: _Request, reader: asyncio.StreamReader) -> _Reply | None:
        """The reply; `None` if the process goes away while it waits for an invocation."""
        for method, pattern, action in ROUTES:
            matched = _match(pattern, request.path)
            if matched is not None and method == request.method:
                return await action(self, request, matched, reader)
        message = f"there is no {request.method} {request.path}"
        return _refusal(HTTPStatus.NOT_FOUND, "NotFound", message)

    # --- what a process may ask -------------------------------------------------------------------

    async def _next(
        self, request: _Request, request_id: str, reader: asyncio.StreamReader
    ) -> _Reply | None:
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

    def _take(self, pending: _Pending) -> _Reply:
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
        pending.taken_s = time.perf_counter()
        return _Reply(HTTPStatus.OK, invocation.event, headers)

    async def _response(
        self, request: _Request, request_id: str, reader: asyncio.StreamReader
    ) -> _Reply:
        if request.body is None:
            fault = Fault(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size"
                f" ({self.max_result_bytes} bytes).",
            )
            self._finish(request, request_id, fault)
            return _refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", fault.message
            )
        fault_type = request.headers.get("lambda-runtime-function-error-type")
        if fault_type:  # a trailer of a streamed response that broke
            return self._finish(request, request_id, Fault(fault_type, ""))
        return self._finish(request, request_id, None)

    async def _error(
        self, request: _Request, request_id: str, reader: asyncio.StreamReader
    ) -> _Reply:
        return self._finish(request, request_id, _read_fault(request))

    async def _init_error(
        self, request: _Request, request_id: str, reader: asyncio.StreamReader
    ) -> _Reply:
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

    def _finish(self, request: _Request, request_id: str, fault: Fault | None) -> _Reply:
        pending = self._running.pop(request_id, None)
        if pending is None:
            return _refusal(HTTPStatus.BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        content_type = request.headers.get("content-type", "application/octet-stream")
        outcome = Outcome(
            request.body or b"", content_type, fault, pending.taken_s, time.perf_counter()
        )
        if not pending.outcome.done():
            pending.outcome.set_result(outcome)
        return ACCEPTED


_Action = Callable[[RuntimeAPI, _Request, str, asyncio.StreamReader], Awaitable["_Reply | None"]]

ROUTES: tuple[tuple[str, str, _Action], ...] = (
    ("GET", "invocation/next", RuntimeAPI._next),
    ("POST", "invocation/*/response", RuntimeAPI._response),
    ("POST", "invocation/*/error", RuntimeAPI._error),
    ("POST", "init/error", RuntimeAPI._init_error),
)
"""Method, path below `ROOT` with a star for the request id, and what answers."""

ACCEPTED = _Reply(HTTPStatus.ACCEPTED, b'{"status":"OK"}\n', {"Content-Type": "application/json"})


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


def _refusal(status: HTTPStatus, error_type: str, message: str) -> _Reply:
    report = {"errorMessage": message, "errorType": error_type}
    return _Reply(status, json.dumps(report).encode(), {"Content-Type": "application/json"})


def _read_fault(request: _Request) -> Fault:
    """The reported error; its header alone counts where the body is no report."""
    report: Any = None
    with contextlib.suppress(ValueError):
        report = json.loads(request.body or b"")
    if not isinstance(report, dict):
        report = {}
    trace = report.get("stackTrace")
    return Fault(
        str(
            report.get("errorType")
            or request.headers.get("lambda-runtime-function-error-type")
            or "Unknown"
        ),
        str(report.get("errorMessage") or ""),
        tuple(map(str, trace)) if isinstance(trace, list) else (),
    )


def _trace_id() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


# --- HTTP/1.1, as far as runtime clients use it ---------------------------------------------------


async def _read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_body_bytes: int
) -> _Request | None:
    """The next request; `None` at the end of the connection. Raises `_BadRequest`."""
    head = await _read_head(reader)
    if head is None:
        return None
    start, *lines = head.split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _BadRequest("the request line is not METHOD PATH HTTP/1.1")
    headers = _parse_headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader, headers, max_body_bytes)
    else:
        body = await _read_sized(reader, headers.get("content-length", "0"), max_body_bytes)
    keep_alive = words[2] != "HTTP/1.0" and headers.get("connection", "").lower() != "close"
    return _Request(words[0], words[1], headers, body, keep_alive)


async def _read_head(reader: asyncio.StreamReader) -> str | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    except asyncio.LimitOverrunError:
        raise _BadRequest(f"the head is larger than {MAX_HEAD_BYTES} bytes") from None
    return head[:-4].decode("latin-1")


async def _read_line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
    except asyncio.LimitOverrunError:
        raise _BadRequest(f"a line is longer than {MAX_HEAD_BYTES} bytes") from None


def _parse_headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _BadRequest("a header is not NAME: VALUE")
        headers[name.lower()] = value.strip()
    return headers


async def _read_sized(reader: asyncio.StreamReader, length: str, limit: int) -> bytes | None:
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        raise _BadRequest("content-length is not a number")
    size = int(length)
    if size <= limit:
        return await reader.readexactly(size)
    while size:  # read to its end, for the client reads no reply before that
        size -= len(await reader.readexactly(min(size, MAX_CHUNK_BYTES)))
    return None


async def _read_chunks(
    reader: asyncio.StreamReader, headers: dict[str, str], limit: int
) -> bytes | None:
    """The body; its trailers are added to the headers."""
    pieces: list[bytes] = []
    total = 0
    while True:
        line = (await _read_line(reader)).partition(";")[0].strip()
        if not re.fullmatch("[0-9a-fA-F]{1,15}", line):
            raise _BadRequest("the size of a chunk is not a hexadecimal number")
        size = int(line, 16)
        if size == 0:
            break
        total += size
        piece = await _read_sized(reader, str(size), limit)
        if piece is not None and total <= limit:
            pieces.append(piece)
        if await reader.readexactly(2) != b"\r\n":
            raise _BadRequest("a chunk is longer than it says")
    trailers = []
    while line := await _read_line(reader):
        trailers.append(line)
    headers.update(_parse_headers(trailers))
    return b"".join(pieces) if total <= limit else None


def _write(writer: asyncio.StreamWriter, reply: _Reply, keep_alive: bool) -> None:
    lines = [f"HTTP/1.1 {reply.status.value} {reply.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    head = "".join(f"{line}\r\n" for line in lines)
    writer.write(head.encode("latin-1") + b"\r\n" + reply.body)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
