"""The errors of WebSockets and of calls to AWS; `mangum.exceptions` has them too."""

from __future__ import annotations

from mangum.exceptions import MangumError


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
