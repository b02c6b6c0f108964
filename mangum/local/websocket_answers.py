"""What a WebSocket API makes of a function's result, and what it says itself. Knows no sockets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

from mangum._speedups.constants import LIMITS
from mangum.handlers.websocket_gateway import SUBPROTOCOL
from mangum.local.messages import Answer, BadAnswer, Event, Trouble
from mangum.local.services._result import make_answer, parse_object, plain, read_status
from mangum.local.services.rest import read_maps
from mangum.types import Scope, Send

__all__ = ["read_result", "refusal_of", "refuse_handshake", "subprotocol_of"]

REFUSALS = {
    Trouble.NOT_FOUND: (403, "Forbidden"),
    Trouble.REQUEST_TOO_LARGE: (413, "Request Too Long"),
    Trouble.FUNCTION_ERROR: (502, "Internal server error"),
    Trouble.FUNCTION_TIMEOUT: (502, "Internal server error"),
    Trouble.GATEWAY_TIMEOUT: (504, "Endpoint request timed out"),
    Trouble.BAD_RESULT: (502, "Internal server error"),
}
"""What a client gets in place of a handshake, or as an answer to a message."""


def read_result(result: bytes) -> Answer:
    """The status and the subprotocol. API Gateway passes nothing else of a result on to a client,
    no body and no other header. Raises `BadAnswer`."""
    shape = parse_object(result, LIMITS["APIGateway"][0])
    status = read_status(shape)
    if status < 200:
        raise BadAnswer("its `statusCode` is below 200, which ends no handshake")
    answer = make_answer(status, read_maps(shape), b"")
    passed = [pair for pair in answer.headers if pair[0].lower() == SUBPROTOCOL.lower()]
    return Answer(status, passed[:1])


def refusal_of(event: Event) -> Callable[[Trouble], Answer]:
    """What the client of the event gets where there is no result."""
    context = event["requestContext"]

    def refuse(trouble: Trouble) -> Answer:
        status, message = REFUSALS[trouble]
        told = {
            "message": message,
            "connectionId": context["connectionId"],
            "requestId": context["requestId"],
        }
        return plain(status, "application/json", json.dumps(told))

    return refuse


def subprotocol_of(answer: Answer, scope: Scope) -> str | None:
    """The one that the function has chosen, if the client offers it."""
    chosen = answer.header(SUBPROTOCOL.lower())
    return chosen if chosen in (scope.get("subprotocols") or ()) else None


async def refuse_handshake(scope: Scope, send: Send, answer: Answer) -> None:
    """Give the answer in place of a handshake; a server that can't gives its own 403."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    with contextlib.suppress(OSError):  # the client has not waited
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close"})
            return
        start = {"status": answer.status, "headers": headers}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": answer.body})
