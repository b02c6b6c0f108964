"""The `@connections` calls, by which a function speaks to the clients of a WebSocket API.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from mangum.local.connections import CLOSED_BY_CALL, Busy, Connection, Gone
from mangum.local.messages import Answer, Request
from mangum.local.signatures import BadSignature, verify
from mangum.local.websocket_events import identity_of
from mangum.websockets.gateway import MAX_MESSAGE_BYTES

__all__ = ["Management", "is_management"]

SEGMENT = "@connections"

ERRORS = {
    "ForbiddenException": (403, "Forbidden"),
    "GoneException": (410, "The connection with the provided id no longer exists."),
    "PayloadTooLargeException": (413, "The data has exceeded the maximum size allowed."),
    "LimitExceededException": (429, "The WebSocket client side buffer is full."),
}
"""Status and message of each. The types and when they come are AWS's; how it words them is not
known."""


def is_management(path: str) -> bool:
    """Whether a path, percent-encoded or not, is one of `@connections`, below a stage or not."""
    segments = unquote(path).split("/")
    return SEGMENT in segments[1:3]


class Management:
    """Answers the calls for the connections that there are, by their ids.

    A client that does not read makes a POST wait, for as long as the options say, and then be
    refused with 429. With credentials, secrets by the ids of their keys, each call has to be signed
    by one of them.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        stage: str,
        region: str,
        credentials: Mapping[str, str] | None,
    ) -> None:
        self.connections = connections
        self.stage = stage
        self.region = region
        self.credentials = credentials

    async def manage(self, request: Request) -> Answer:
        if self.credentials is not None:
            try:
                verify(request, self.credentials, region=self.region)
            except BadSignature as error:
                return _answer(403, {"message": str(error)}, error.error_type)
        action = _ACTIONS.get(request.method)
        segments = [unquote(it) for it in request.path.split("/")]
        if action is None or segments[:-1] != ["", self.stage, SEGMENT] or not segments[-1]:
            return _error("ForbiddenException")
        try:
            return await action(self._find(segments[-1]), request.body)
        except Gone:
            return _error("GoneException")
        except Busy:
            return _error("LimitExceededException")

    def _find(self, connection_id: str) -> Connection:
        connection = self.connections.get(connection_id)
        if connection is None or connection.state != "open":
            raise Gone
        return connection


async def _post(connection: Connection, data: bytes) -> Answer:
    if len(data) > MAX_MESSAGE_BYTES:
        return _error("PayloadTooLargeException")
    await connection.deliver(_decode(data))
    return _answer(200)


async def _get(connection: Connection, data: bytes) -> Answer:
    body = {
        "connectedAt": _date(connection.connected_at),
        "identity": {"userAgent": "", **identity_of(connection.handshake)},
        "lastActiveAt": _date(connection.last_active_at),
    }
    return _answer(200, body)


async def _delete(connection: Connection, data: bytes) -> Answer:
    await connection.close(CLOSED_BY_CALL)
    return _answer(204)


_ACTIONS: dict[str, Callable[[Connection, bytes], Awaitable[Answer]]] = {
    "POST": _post,
    "GET": _get,
    "DELETE": _delete,
}


def _decode(data: bytes) -> str:
    """Clients get text frames only. What AWS does to other bytes than UTF-8 is not known; this
    shows that something was lost."""
    return data.decode(errors="replace")


def _date(time_s: float) -> str:
    """`"2026-11-21T03:04:05.678Z"`."""
    moment = datetime.datetime.fromtimestamp(time_s, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(error_type: str) -> Answer:
    status, message = ERRORS[error_type]
    return _answer(status, {"message": message}, error_type)


def _answer(status: int, body: Any = None, error_type: str = "") -> Answer:
    headers = [("x-amzn-requestid", str(uuid.uuid4()))]
    if error_type:
        headers.append(("x-amzn-ErrorType", error_type))
    if body is None:
        return Answer(status, headers)
    headers.append(("content-type", "application/json"))
    return Answer(status, headers, json.dumps(body).encode())
