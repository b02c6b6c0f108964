"""One ASGI `http` connection: a request in, the application's answer out. Knows no AWS."""

from __future__ import annotations

import logging
import re

from mangum.exceptions import HTTPError, UnexpectedMessage
from mangum.protocols.states import (
    HTTP,
    MORE_BODY,
    RESPONSE_BODY,
    RESPONSE_START,
    HTTPCycleState,
    type_of,
    unexpected,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future

    from mangum.types import ASGI, Headers, Message, Response, Scope

__all__ = ["HTTPCycle", "HTTPCycleState"]

logger = logging.getLogger("mangum.http")

_FORBIDDEN_IN_HEADERS = re.compile(rb"[\0\r\n]").search


class HTTPCycle:
    """Runs an application for one request and collects its answer.

    Called with the application, it drives the event loop itself and returns the response,
    `{"status": 200, "headers": [[b"content-type", b"text/plain"], ...], "body": b"..."}`. Inside a
    running loop `await cycle.run(app)` does the same, and `cycle.response` holds the answer.

    An `Exception` of the application becomes a 500; with `raise_exceptions` it is raised, unless
    the client has a complete answer with a status below 500 already. What is no `Exception`
    (`SystemExit`, `CancelledError`, …) is always raised.
    """

    def __init__(self, scope: Scope, body: bytes, raise_exceptions: bool = False) -> None:
        self.scope = scope
        self.raise_exceptions = raise_exceptions
        self.state = HTTPCycleState.REQUEST
        self.status = 500
        self.headers: Headers = []
        self.body = b""
        self._moves = HTTP[HTTPCycleState.REQUEST]
        self._chunks: list[bytes] = []
        self._request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._disconnected = False
        self._waiters: list[Future[None]] = []

    def __call__(self, app: ASGI) -> Response:
        from mangum.protocols.loop import run

        run(self.run(app))
        return self.response

    @property
    def response(self) -> Response:
        """The answer, once `run` is over."""
        return {"status": self.status, "headers": self.headers, "body": self.body}

    async def run(self, app: ASGI) -> None:
        """Call the application and see it through to its end, background work included."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            if self.raise_exceptions and (
                self.state is not HTTPCycleState.COMPLETE or self.status >= 500
            ):
                raise
            logger.exception("An error occurred running the application.")
            if self.state is not HTTPCycleState.COMPLETE:
                self._answer_500()
        else:
            if self.state is not HTTPCycleState.COMPLETE:
                missing = (
                    "a response"
                    if self.state is HTTPCycleState.REQUEST
                    else f"the last '{RESPONSE_BODY}'"
                )
                logger.error("The application returned without sending %s.", missing)
                self._answer_500()
        finally:
            self._disconnect()

    async def receive(self) -> Message:
        """The request, then, once the answer is complete, `http.disconnect` as often as it is asked
        for."""
        request = self._request
        if request is not None:
            self._request = None
            return request
        if not self._disconnected:
            await self._disconnection()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the answer. Raises `UnexpectedMessage`, and keeps its state, for one that
        is not allowed."""
        message_type = type_of(message)
        if message_type == RESPONSE_BODY:
            target = self._moves.get(MORE_BODY if message.get("more_body") else RESPONSE_BODY)
        else:
            target = self._moves.get(RESPONSE_START) if message_type == RESPONSE_START else None
        if target is None:
            raise UnexpectedMessage(unexpected(message_type, self.state, self._moves))
        if message_type == RESPONSE_BODY:
            self._chunks.append(_chunk(message))
        else:
            self.status, self.headers = _status(message), _headers(message)
        self.state = target
        self._moves = HTTP[target]
        if target is HTTPCycleState.COMPLETE:
            chunks = self._chunks
            self.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._disconnect()
            if logger.isEnabledFor(logging.INFO):
                path = str(self.scope.get("path"))
                shown = path if path.isprintable() else ascii(path)  # one line, whoever wrote it
                logger.info("%s %s %s", self.scope.get("method"), shown, self.status)

    async def _disconnection(self) -> None:
        from asyncio import get_running_loop

        waiter = get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _disconnect(self) -> None:
        self._disconnected = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def _answer_500(self) -> None:
        response = HTTPError(500, "Internal Server Error").response
        self.status, self.headers, self.body = (
            response["status"],
            response["headers"],
            response["body"],
        )
        self.state = HTTPCycleState.COMPLETE
        self._moves = HTTP[HTTPCycleState.COMPLETE]


def _status(message: Message) -> int:
    try:
        return int(message["status"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UnexpectedMessage(
            f"'{RESPONSE_START}' needs a `status` that is an integer."
        ) from None


def _headers(message: Message) -> Headers:
    """A copy, so that what the application does to its own list afterwards changes nothing."""
    try:
        headers = [[_bytes(name), _bytes(value)] for name, value in message.get("headers") or ()]
    except (TypeError, ValueError):
        raise UnexpectedMessage(
            f"'{RESPONSE_START}' needs `headers` that are pairs of bytes."
        ) from None
    if _FORBIDDEN_IN_HEADERS(b"".join([part for header in headers for part in header])):
        raise UnexpectedMessage(f"'{RESPONSE_START}' has a line break or a zero byte in a header.")
    return headers


def _chunk(message: Message) -> bytes:
    try:
        return _bytes(message.get("body") or b"")
    except TypeError:
        raise UnexpectedMessage(f"'{RESPONSE_BODY}' needs a `body` that is bytes.") from None


def _bytes(value: bytes | bytearray | memoryview) -> bytes:
    return value if type(value) is bytes else bytes(memoryview(value))
