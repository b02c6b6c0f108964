"""Every error that Mangum raises on purpose. Messages name keys and types of an event, never its
values."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.exceptions.websocket import AWSError as AWSError
    from mangum.exceptions.websocket import ConnectionGone as ConnectionGone
    from mangum.exceptions.websocket import CredentialsError as CredentialsError
    from mangum.exceptions.websocket import MessageRefused as MessageRefused
    from mangum.exceptions.websocket import UnknownConnection as UnknownConnection
    from mangum.exceptions.websocket import WebSocketClosed as WebSocketClosed
    from mangum.exceptions.websocket import WebSocketError as WebSocketError
    from mangum.types import Response


class MangumError(Exception):
    """The base of all the errors below."""


class ConfigurationError(MangumError):
    """An option of the adapter has a wrong value, or does not exist."""


class InferenceError(MangumError, RuntimeError):
    """The event is not a request of a source that the adapter serves."""


class MalformedEvent(MangumError, ValueError):
    """The event's source is known, but a field of it has a shape that the source never sends."""


class HTTPError(MangumError):
    """An answer of the adapter's own: `status`, with `reason` as a plain text."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    @property
    def response(self) -> Response:
        """The answer, as the application would have given it."""
        headers = [[b"content-type", b"text/plain; charset=utf-8"]]
        return {"status": self.status, "headers": headers, "body": self.reason.encode()}


class RequestError(HTTPError):
    """The client's request can't be handed to the application, so the adapter answers.

    A handler may raise it from `scope` or `body`.
    """


class ResponseError(HTTPError):
    """The application's answer can't be written as a result: the client gets a 500."""

    def __init__(self, reason: str) -> None:
        super().__init__(500, reason)


class EventError(MangumError):
    """The application refused an event that is not a request, so the invocation fails and AWS may
    retry it."""


class EventLoopRunning(MangumError, RuntimeError):
    """The adapter was called where an event loop is already running; `await handler.asgi(event,
    context)` there."""


class UnexpectedMessage(MangumError):
    """The application sent a message that its protocol does not allow in this state."""


class LifespanFailure(MangumError):
    """The application's startup or shutdown failed."""


class LifespanUnsupported(MangumError):
    """Raised inside an application that sends a message before it has asked for
    `lifespan.startup`."""


_LAZY = (
    "AWSError",
    "ConnectionGone",
    "CredentialsError",
    "MessageRefused",
    "UnknownConnection",
    "WebSocketClosed",
    "WebSocketError",
)
"""The errors of WebSockets and AWS, made at their first use: most functions never need them."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mangum.exceptions import websocket

    return getattr(websocket, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
