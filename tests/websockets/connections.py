"""The @connections service of API Gateway, over real HTTP on 127.0.0.1, for the messages that a
function sends.

It stands for what the real one answers to a signed request; it does not check signatures.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple
from urllib.parse import unquote

MAX_MESSAGE_BYTES = 128 * 1024

ERRORS = {
    400: "BadRequestException",
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
    500: "InternalServerErrorException",
}


class Request(NamedTuple):
    """One request as it came: `path` is not decoded, the names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connections:
    """The service, in a thread with a loop of its own, so that a handler which drives its own loop
    can talk to it. `with Connections() as service: ...`

    Attributes may be set and read at any time while it serves.
    """

    def __init__(self, *, path: str = "/prod") -> None:
        self.path = path
        self.url = ""
        """The endpoint, `http://127.0.0.1:PORT/prod`; without `/@connections`."""
        self.posts: list[tuple[str, bytes]] = []
        """The messages that were delivered, as `(connection_id, data)`."""
        self.deleted: list[str] = []
        self.gone: set[str] = set()
        """Answered with 410. A connection that is deleted belongs to them."""
        self.statuses: dict[str, int | list[int]] = {}
        """What to answer to a POST to these, instead of 200; a list is used up, one each time."""
        self.delays_s: dict[str, float] = {}
        self.delay_s = 0.0
        """Before each answer, unless `delays_s` names the connection."""
        self.held: set[str] = set()
        """Not answered as long as they are in here."""
        self.requests: list[Request] = []
        """All that came, refused ones too."""
        self.sockets = 0
        """How many were ever opened."""
        self.most_at_once = 0
        """How many requests were ever being answered at the same time."""
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)

    def __enter__(self) -> Connections:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def texts(self, connection_id: str) -> list[str]:
        """The messages that one connection got."""
        return [data.decode() for to, data in self.posts if to == connection_id]

    def drop_sockets(self) -> None:
        """Close every socket that is open now, as the service does with idle ones."""

        async def drop() -> None:
            for writer in self._writers.values():
                writer.close()

        asyncio.run_coroutine_threadsafe(drop(), self._loop).result()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{self.path}"
        self._started.set()
        await self._stopped.wait()
        server.close()
        tasks = list(self._writers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sockets += 1
        task = self._loop.create_task(self._converse(reader, writer))
        self._writers[task] = writer
        task.add_done_callback(self._writers.pop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                self.requests.append(request)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    status = await self._answer(request)
                finally:
                    self._at_once -= 1
                _write(writer, status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request) -> int:
        prefix = f"{self.path}/@connections/"
        path = request.path.replace("%40", "@", 1)
        if not path.startswith(prefix) or "/" in path[len(prefix) :]:
            return 403  # as API Gateway answers to a path that it does not know
        connection_id = unquote(path[len(prefix) :])
        delay_s = self.delays_s.get(connection_id, self.delay_s)
        if delay_s:
            await asyncio.sleep(delay_s)
        while connection_id in self.held:  # noqa: ASYNC110 - another thread takes it out
            await asyncio.sleep(0.001)
        if request.method == "POST":
            return self._post(connection_id, request.body)
        if connection_id in self.gone:
            return 410
        if request.method == "DELETE":
            self.deleted.append(connection_id)
            self.gone.add(connection_id)
            return 204
        return 200 if request.method == "GET" else 403

    def _post(self, connection_id: str, data: bytes) -> int:
        if connection_id in self.gone:
            return 410
        if len(data) > MAX_MESSAGE_BYTES:
            return 413
        status = self.statuses.get(connection_id, 200)
        if isinstance(status, list):
            status = status.pop(0) if status else 200
        if status == 200:
            self.posts.append((connection_id, data))
        return status


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = start.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def _write(writer: asyncio.StreamWriter, status: int) -> None:
    phrase = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {phrase}", "Content-Type: application/json"]
    body = b""
    if status >= 400:
        body = json.dumps({"message": phrase}).encode()
        lines.append(f"x-amzn-ErrorType: {ERRORS.get(status, 'UnknownException')}")
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body)
