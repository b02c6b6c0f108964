"""One ASGI `http` connection: a request in, the application's answer out. Knows no AWS."""

from __future__ import annotations

import logging
from asyncio import get_running_loop

from mangum._speedups import Exchange, copy_headers
from mangum._speedups.constants import AWAITED, NOT_TAKEN, TAKEN
from mangum.exceptions import HTTPError, UnexpectedMessage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.protocols.states import HTTPCycleState
    from mangum.types import ASGI, Headers, Message, Response

__all__ = ["HTTPCycle", "HTTPCycleState"]

logger = logging.getLogger("mangum.http")

_LAST_STAGE = 2
INFO = logging.INFO
_levels: dict[int, bool] = getattr(logger, "_cache", {})  # which are on, as asking takes a while


def __getattr__(name: str) -> Any:
    if name != "HTTPCycleState":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mangum.protocols.states import HTTPCycleState

    return HTTPCycleState


class HTTPCycle(Exchange):
    """Runs an application for one request and collects its answer.

    Called with the application, it drives the event loop itself and returns the response,
    `{"status": 200, "headers": [[b"content-type", b"text/plain"], ...], "body": b"..."}`. Inside a
    running loop `await cycle.run(app)` does the same, and `cycle.response` holds the answer.

    An `Exception` of the application becomes a 500; with `raise_exceptions` it is raised, unless
    the client has a complete answer with a status below 500 already. What is no `Exception`
    (`SystemExit`, `CancelledError`, …) is always raised.
    """

    __slots__ = ()

    outlives_event = False
    """Whether the application goes on after the event, so that its lifespan must too."""

    def __call__(self, app: ASGI) -> Response:
        from mangum.protocols.loop import run

        run(self.run(app))
        return self.response

    @property
    def state(self) -> HTTPCycleState:
        """How far the answer is."""
        from mangum.protocols.states import HTTP_STAGES

        return HTTP_STAGES[self.stage]

    @property
    def response(self) -> Response:
        """The answer, once `run` is over."""
        return {"status": self.status, "headers": self.headers, "body": self.body}

    async def run(self, app: ASGI) -> None:
        """Call the application and see it through to its end, background work included."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as exc:
            self._disconnect()
            if not isinstance(exc, Exception):
                raise
            if self.raise_exceptions and (self.stage != _LAST_STAGE or self.status >= 500):
                raise
            logger.exception("An error occurred running the application.")
            if self.stage != _LAST_STAGE:
                self._answer_500()
        else:
            if not self.is_over():
                self._disconnect()
                if self.stage != _LAST_STAGE:
                    missing = "the last 'http.response.body'" if self.stage else "a response"
                    logger.error("The application returned without sending %s.", missing)
                    self._answer_500()

    async def receive(self) -> Message:
        """The request, then, once the answer is complete, `http.disconnect` as often as it is asked
        for."""
        body = self.request_body
        if body is not None:
            self.request_body = None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self.is_disconnected:
            await self._disconnection()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the answer. Raises `UnexpectedMessage`, and keeps its state, for one that
        is not allowed."""
        taken = self.take(message)
        if taken == NOT_TAKEN:
            taken = self._take(message)
        if taken != TAKEN:
            if taken == AWAITED:
                self._wake()
            if _levels.get(INFO) is not False and logger.isEnabledFor(INFO):
                self._log()

    def _take(self, message: Message) -> int:
        """Take a message of an unusual shape, or say why not."""
        from mangum.protocols.states import (
            HTTP,
            HTTP_STAGES,
            RESPONSE_BODY,
            RESPONSE_START,
            type_of,
            unexpected,
        )

        message_type = type_of(message)
        moves = HTTP[self.state]
        if message_type == RESPONSE_START and RESPONSE_START in moves:
            status, headers = _status(message), _headers(message)
            self.status, self.headers = status, headers
            self.stage = HTTP_STAGES.index(moves[RESPONSE_START])
            return TAKEN
        if message_type == RESPONSE_BODY and RESPONSE_BODY in moves:
            return self.add(_chunk(message), bool(message.get("more_body")))
        raise UnexpectedMessage(unexpected(message_type, self.state, moves))

    def _log(self) -> None:
        path = str(self.scope.get("path"))
        shown = path if path.isprintable() else ascii(path)  # one line, whoever wrote it
        logger.info("%s %s %s", self.scope.get("method"), shown, self.status)

    async def _disconnection(self) -> None:
        waiter = get_running_loop().create_future()
        if self.waiters is None:
            self.waiters = []
        self.waiters.append(waiter)
        await waiter

    def _disconnect(self) -> None:
        self.is_disconnected = True
        self._wake()

    def _wake(self) -> None:
        waiters, self.waiters = self.waiters or (), None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _answer_500(self) -> None:
        response = HTTPError(500, "Internal Server Error").response
        self.status, self.headers, self.body = (
            response["status"],
            response["headers"],
            response["body"],
        )
        self.stage = _LAST_STAGE


def _status(message: Message) -> int:
    try:
        return int(message["status"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UnexpectedMessage(
            "'http.response.start' needs a `status` that is an integer."
        ) from None


def _headers(message: Message) -> Headers:
    try:
        headers: Headers = copy_headers(message.get("headers"))
        return headers
    except TypeError:
        fault = "needs `headers` that are pairs of bytes"
    except ValueError:
        fault = "has a line break or a zero byte in a header"
    raise UnexpectedMessage(f"'http.response.start' {fault}.")


def _chunk(message: Message) -> bytes:
    try:
        return bytes(memoryview(message.get("body") or b""))
    except TypeError:
        raise UnexpectedMessage("'http.response.body' needs a `body` that is bytes.") from None
