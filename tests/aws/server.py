"""A small HTTP server on 127.0.0.1 that answers as it is told, badly too."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable, Coroutine
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Any, NamedTuple

HOST = "127.0.0.1"
HANG_S = 20


class Request(NamedTuple):
    connection: int  # the first one is 1
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What to do once a request has arrived, in this order."""

    data: bytes = b""
    pause_s: float = 0.0
    rest: bytes = b""
    then: str = "keep"  # or "close", "reset", "stall"


class Server:
    """Answers request after request with `answers`, and whatever comes then with a 200.

    An asynchronous context manager. `tls` makes it speak https.
    """

    def __init__(
        self, *answers: Answer | bytes, tls: ssl.SSLContext | None = None, host: str = HOST
    ) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.accepted = 0
        self.most = 0  # connections open at once
        self.port = 0
        self._host = host
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def authority(self) -> str:
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.authority}"

    @property
    def open(self) -> int:
        return len(self._writers)

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(
            self._connect, self._host, self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.drop()
        await self._server.wait_closed()

    async def drop(self) -> None:
        """Close every connection."""
        tasks = dict(self._writers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def is_deserted(self) -> None:
        """Wait until no connection is open."""
        await until(lambda: not self._writers)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers[task] = writer
        self.accepted += 1
        self.most = max(self.most, len(self._writers))
        try:
            await self._serve(self.accepted, reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass  # the client has gone
        except asyncio.CancelledError:  # the server is closed, or drops its connections
            writer.transport.abort()  # at once: TLS would wait for the client's consent
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._writers[task]

    async def _serve(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            self.requests.append(await read_request(number, reader))
            answer = self.answers.pop(0) if self.answers else reply()
            if isinstance(answer, bytes):
                answer = Answer(answer)
            writer.write(answer.data)
            await writer.drain()
            if answer.pause_s:
                await asyncio.sleep(answer.pause_s)
            writer.write(answer.rest)
            await writer.drain()
            if answer.then == "stall":
                await reader.read(1)
            elif answer.then == "reset":
                socket = writer.get_extra_info("socket")
                socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            if answer.then != "keep":
                return


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def read_request(number: int, reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = dict(field.split(": ", 1) for field in fields)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(number, method, target, headers, body)


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed answer; a header's underscores are written as hyphens."""
    fields = {"content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Reason", *lines, "", ""]).encode() + body


CLOSE = Answer(then="close")
RESET = Answer(then="reset")
STALL = Answer(then="stall")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test to its end, which no task outlives."""

    async def whole() -> None:
        before = asyncio.all_tasks()
        await asyncio.wait_for(main, HANG_S)
        for _ in range(100):  # a server's task may learn late that its client has gone
            if asyncio.all_tasks() != before:
                await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == before

    asyncio.run(whole())
