"""What goes to a process of a function and what comes back, streamed answers among them."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Fault", "InitFailed", "Invocation", "Outcome", "Stream"]

MAX_CHUNKS = 16  # of a stream, that wait for their reader


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
    answered_s: float  # its answer had arrived; of a streamed one, its head
    stream: Stream | None = None  # of a streamed answer all there is, and `body` is empty


class Stream:
    """The body of a streamed answer, chunk by chunk. To be read to its end, or closed.

    The process is held up by a reader that is slower than it.
    """

    def __init__(self) -> None:
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        """When the last chunk had arrived."""
        self.fault: Fault | None = None
        """Why it broke off, once it has ended."""
        self._chunks: deque[bytes] = deque()
        self._closed = False
        self._news = asyncio.Event()  # something for the reader
        self._room = asyncio.Event()  # something for the process

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._closed or self.ended.done():
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._room.set()
        return self._chunks.popleft()

    def close(self) -> None:
        """Read no more of it; what comes is thrown away, and the process goes on."""
        self._closed = True
        self._chunks.clear()
        self._news.set()
        self._room.set()

    async def put(self, chunk: bytes) -> None:
        """Waits for the reader, if there is one and enough waits for it already."""
        while len(self._chunks) >= MAX_CHUNKS and not self.ended.done():
            self._room.clear()
            await self._room.wait()
        if not self._closed and not self.ended.done():
            self._chunks.append(chunk)
            self._news.set()

    def end(self, fault: Fault | None) -> None:
        """To be called when no more will come; the first call counts."""
        if not self.ended.done():
            self.fault = fault
            self.ended.set_result(time.perf_counter())
            self._news.set()
            self._room.set()


class InitFailed(Exception):
    """A process has reported that it could not initialise."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.error_type}: {fault.message}")
        self.fault = fault


def _trace_id() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"
