"""Every error that Mangum raises on purpose. Messages name keys and types of an event, never its
values."""

from __future__ import annotations


class MangumError(Exception):
    """The base of all the errors below."""


class ConfigurationError(MangumError):
    """An option of the adapter has a wrong value, or does not exist."""


class InferenceError(MangumError, RuntimeError):
    """The event is not a request of a source that the adapter serves."""


class MalformedEvent(MangumError, ValueError):
    """The event's source is known, but a field of it has a shape that the source never sends."""


class RequestError(MangumError):
    """The client's request can't be handed to the application; it is answered with `status` and
    `reason`.

    A handler may raise it from `scope` or `body`.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


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
