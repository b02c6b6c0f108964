"""Every error that Mangum raises on purpose. Messages name keys and types of an event, never its
values."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
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


class WebSocketError(MangumError):
    """A WebSocket connection is unknown, or the backend or the gateway failed to serve it."""


class UnknownConnection(WebSocketError):
    """There is no record of a WebSocket connection: it has ended, or another backend has it."""


class WebSocketClosed(MangumError):
    """The application closed a WebSocket connection instead of accepting it."""


class ConnectionGone(WebSocketError, ConnectionError):
    """The client of a WebSocket connection is not there any more.

    An `OSError`, as the ASGI specification asks of `send()`; frameworks turn it into a disconnect.
    """


class MessageRefused(WebSocketError, ValueError):
    """A WebSocket message that API Gateway would refuse or corrupt: nothing of it was sent."""


class AWSError(MangumError):
    """A call of an AWS service failed: it can't be reached, or refuses the request."""


class CredentialsError(AWSError):
    """There are no AWS credentials, or they can't be loaded."""
