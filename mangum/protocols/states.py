"""Every state of the ASGI cycles and every move between them, as data. Knows no asyncio and no I/O.

A table maps each state to the inputs that are allowed in it, and each input to the state that
follows. Inputs are the types of the application's messages, and `RECEIVE` where asking for a
message is itself a move.
"""

from __future__ import annotations

import enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class HTTPCycleState(enum.Enum):
    """The state of an ASGI `http` connection."""

    REQUEST = enum.auto()
    """The application runs and has not begun to answer."""
    RESPONSE = enum.auto()
    """`http.response.start` has come; chunks of the body may follow."""
    COMPLETE = enum.auto()
    """The last chunk has come; the application may still run, but can't add to the answer."""

    __hash__ = (
        object.__hash__
    )  # by identity: Enum's own, in Python, is slow for a table that each message consults


RESPONSE_START = "http.response.start"
RESPONSE_BODY = "http.response.body"
MORE_BODY = "http.response.body (more_body)"
"""`http.response.body` with a true `more_body`."""

HTTP: dict[HTTPCycleState, dict[str, HTTPCycleState]] = {
    HTTPCycleState.REQUEST: {RESPONSE_START: HTTPCycleState.RESPONSE},
    HTTPCycleState.RESPONSE: {
        MORE_BODY: HTTPCycleState.RESPONSE,
        RESPONSE_BODY: HTTPCycleState.COMPLETE,
    },
    HTTPCycleState.COMPLETE: {},
}


HTTP_STAGES = (HTTPCycleState.REQUEST, HTTPCycleState.RESPONSE, HTTPCycleState.COMPLETE)
"""The states by the numbers that the hot path has for them."""


class LifespanCycleState(enum.Enum):
    """The state of an ASGI `lifespan` connection."""

    CONNECTING = enum.auto()
    """The application has been called and has not asked for a message yet."""
    STARTUP = enum.auto()
    """`lifespan.startup` has been delivered."""
    READY = enum.auto()
    """The application has started."""
    SHUTDOWN = enum.auto()
    """`lifespan.shutdown` has been delivered."""
    COMPLETE = enum.auto()
    """The application has shut down; its code after that message may still run."""
    FAILED = enum.auto()
    """The application reported a failure, or sent what this protocol does not know."""
    UNSUPPORTED = enum.auto()
    """The application sent a message or raised before it asked for one, or returned without an
    answer."""

    __hash__ = object.__hash__


RECEIVE = "receive()"
STARTUP_COMPLETE = "lifespan.startup.complete"
STARTUP_FAILED = "lifespan.startup.failed"
SHUTDOWN_COMPLETE = "lifespan.shutdown.complete"
SHUTDOWN_FAILED = "lifespan.shutdown.failed"

LIFESPAN: dict[LifespanCycleState, dict[str, LifespanCycleState]] = {
    LifespanCycleState.CONNECTING: {RECEIVE: LifespanCycleState.STARTUP},
    LifespanCycleState.STARTUP: {
        STARTUP_COMPLETE: LifespanCycleState.READY,
        STARTUP_FAILED: LifespanCycleState.FAILED,
    },
    LifespanCycleState.READY: {RECEIVE: LifespanCycleState.SHUTDOWN},
    LifespanCycleState.SHUTDOWN: {
        SHUTDOWN_COMPLETE: LifespanCycleState.COMPLETE,
        SHUTDOWN_FAILED: LifespanCycleState.FAILED,
    },
    LifespanCycleState.COMPLETE: {},
    LifespanCycleState.FAILED: {},
    LifespanCycleState.UNSUPPORTED: {},
}


class WebSocketCycleState(enum.Enum):
    """The state of an ASGI `websocket` connection."""

    CONNECTING = enum.auto()
    """The application has been called and has not asked for a message yet."""
    HANDSHAKE = enum.auto()
    """`websocket.connect` has been delivered."""
    DENIAL = enum.auto()
    """The application answers the handshake with a response of its own; chunks of its body may
    follow."""
    RESPONSE = enum.auto()
    """The application has accepted."""
    DISCONNECTING = enum.auto()
    """The client has left, and `websocket.disconnect` has been delivered."""
    CLOSED = enum.auto()
    """The application has closed or refused the connection."""

    __hash__ = object.__hash__


ACCEPT = "websocket.accept"
SEND = "websocket.send"
CLOSE = "websocket.close"
DENIAL_START = "websocket.http.response.start"
DENIAL_BODY = "websocket.http.response.body"
MORE_DENIAL = "websocket.http.response.body (more_body)"
"""`websocket.http.response.body` with a true `more_body`."""

_ANSWERS = {
    ACCEPT: WebSocketCycleState.RESPONSE,
    CLOSE: WebSocketCycleState.CLOSED,
    DENIAL_START: WebSocketCycleState.DENIAL,
}

WEBSOCKET: dict[WebSocketCycleState, dict[str, WebSocketCycleState]] = {
    WebSocketCycleState.CONNECTING: {RECEIVE: WebSocketCycleState.HANDSHAKE, **_ANSWERS},
    WebSocketCycleState.HANDSHAKE: _ANSWERS,
    WebSocketCycleState.DENIAL: {
        MORE_DENIAL: WebSocketCycleState.DENIAL,
        DENIAL_BODY: WebSocketCycleState.CLOSED,
    },
    WebSocketCycleState.RESPONSE: {
        SEND: WebSocketCycleState.RESPONSE,
        CLOSE: WebSocketCycleState.CLOSED,
    },
    WebSocketCycleState.DISCONNECTING: {
        SEND: WebSocketCycleState.DISCONNECTING,  # which raises `ConnectionGone`
        CLOSE: WebSocketCycleState.CLOSED,  # there is nothing left to close
    },
    WebSocketCycleState.CLOSED: {},
}


def type_of(message: Any) -> Any:
    """The type of a message, for an error too, so whatever was sent."""
    return message.get("type") if hasattr(message, "get") else type(message).__name__


def unexpected(message_type: object, state: enum.Enum, allowed: Iterable[str]) -> str:
    """What to say of a message that the table does not allow."""
    choices = ", ".join(f"'{name}'" for name in allowed if name != RECEIVE) or "none"
    return f"Unexpected '{message_type}' in state {state.name}; allowed: {choices}."
