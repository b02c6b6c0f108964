"""An event of a WebSocket API, as the two modes serve it, and what they answer."""

from __future__ import annotations

import logging

from mangum.protocols.websockets import WebSocketCycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from mangum.types import ASGI, Response, Scope
    from mangum.websockets.connection import Connection
    from mangum.websockets.engine import Engine

__all__ = ["Event", "answer", "log_late"]

logger = logging.getLogger("mangum.websocket")

_DEFAULT_TIME_S = 29.0  # API Gateway waits no longer for an answer
_MARGIN_S = 0.5


class Event:
    """An event, with what it takes to call the application."""

    __slots__ = ("app", "connection_id", "engine", "event", "given", "handler", "until")

    def __init__(self, handler: Any, app: ASGI, given: Scope, engine: Engine) -> None:
        self.handler = handler
        self.app = app
        self.given = given
        self.event = handler.event
        self.engine = engine
        self.connection_id: str = handler.connection_id
        self.until: float = engine.loop.time() + _time_s(handler.context)

    def make_cycle(self, scope: Scope, connection: Connection) -> WebSocketCycle:
        """A connection for the application: the stored scope, and what belongs to this event."""
        scope["aws.event"] = self.handler.event
        scope["aws.context"] = self.handler.context
        scope.update(self.given)
        if self.handler.is_session:
            scope.update(self.engine.session_scope(self.connection_id))
            scope["headers"] = [(name, value) for name, value in scope["headers"]]
        return WebSocketCycle(scope, connection)


def _time_s(context: Any) -> float:
    """How long the application may take: all of the invocation's time but a margin."""
    try:
        left_s = float(context.get_remaining_time_in_millis()) / 1000
    except (AttributeError, TypeError, ValueError):
        left_s = _DEFAULT_TIME_S
    return max(left_s - _MARGIN_S, left_s / 2, 0.0)


def answer(status: int, headers: Iterable[Any] = ()) -> Response:
    """An answer without a body."""
    return {"status": status, "headers": [*headers], "body": b""}


def log_late(what_follows: str) -> None:
    """Tell of an application that has used up the invocation's time."""
    logger.warning(
        "The application was still at work when the invocation's time was nearly over; %s.",
        what_follows,
    )
