"""What the WebSocket API of API Gateway sends to a function: CONNECT, MESSAGE and DISCONNECT.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

from mangum.local.messages import Event, Request
from mangum.local.selection import CONNECT, DISCONNECT
from mangum.local.services import _request as piece

__all__ = [
    "connect_event",
    "connection_context",
    "disconnect_event",
    "identity_of",
    "message_event",
    "read_handshake",
]


def read_handshake(scope: Any) -> Request:
    """The request that opens a connection, of an ASGI scope."""
    headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]]
    host, port = scope.get("server") or ("127.0.0.1", 80)
    return Request(
        method="GET",
        path=(scope.get("raw_path") or b"/").decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(key.lower(), value) for key, value in headers],
        client=tuple(scope.get("client") or ("127.0.0.1", 0)),
        server=(host, port or 80),
        scheme="https" if scope.get("scheme") in ("wss", "https") else "http",
    )


def identity_of(handshake: Request) -> dict[str, str]:
    """`{"userAgent": …, "sourceIp": …}`; of a client that does not name itself only the IP."""
    user_agent = piece.user_agent_of(handshake)
    named = {"userAgent": user_agent} if user_agent else {}
    return {**named, "sourceIp": handshake.client[0]}


def connection_context(handshake: Request, stage: str) -> dict[str, Any]:
    """What all of a connection's events have in common.

    The domain is the host that the client asks for, with the port: AWS's own names would lead a
    function that makes a URL of them to somebody's API.
    """
    return {
        "stage": stage,
        "connectedAt": piece.epoch_ms(handshake),
        "identity": identity_of(handshake),
        "domainName": _host(handshake),
        "connectionId": piece.short_id(handshake),
        "apiId": piece.API_ID,
    }


def connect_event(context: dict[str, Any], handshake: Request) -> Event:
    headers = [(_spelled(name), value) for name, value in piece.passed_headers(handshake)]
    query = piece.query_pairs(handshake)
    event: Event = {"headers": dict(headers), "multiValueHeaders": piece.lists(headers)}
    if query:
        event["queryStringParameters"] = dict(query)
        event["multiValueQueryStringParameters"] = piece.lists(query)
    return {**event, **_rest(handshake, context, CONNECT, "CONNECT")}


def message_event(context: dict[str, Any], handshake: Request, route: str, body: str) -> Event:
    message_id = piece.short_id(_now(handshake))
    event = _rest(_now(handshake), context, route, "MESSAGE", messageId=message_id)
    return {**event, "body": body}


def disconnect_event(context: dict[str, Any], handshake: Request, code: int, reason: str) -> Event:
    names = ("x-api-key", "X-Forwarded-For", "x-restapi")  # without values, as seen on AWS
    headers = {"Host": _host(handshake), **dict.fromkeys(names, "")}
    ending = {"disconnectStatusCode": code, "disconnectReason": reason}
    return {
        "headers": headers,
        "multiValueHeaders": piece.lists(headers.items()),
        **_rest(_now(handshake), context, DISCONNECT, "DISCONNECT", **ending),
    }


def _rest(
    moment: Request, context: dict[str, Any], route: str, event_type: str, **fields: Any
) -> Event:
    """What is in every event; `moment` has its time and its id."""
    request_id = piece.short_id(replace(moment, request_id=f"{moment.request_id} event"))
    return {
        "requestContext": {
            "routeKey": route,
            "eventType": event_type,
            "extendedRequestId": request_id,
            "requestTime": piece.clock_time(moment),
            "messageDirection": "IN",
            "requestTimeEpoch": piece.epoch_ms(moment),
            "requestId": request_id,
            **context,
            **fields,
        },
        "isBase64Encoded": False,
    }


def _now(handshake: Request) -> Request:
    """A moment of the connection."""
    return replace(handshake, time_s=time.time(), request_id=str(uuid.uuid4()))


def _host(handshake: Request) -> str:
    host, port = handshake.server
    return piece.read_text(handshake.header("host")) or f"{host}:{port}"


def _spelled(name: str) -> str:
    """`Sec-WebSocket-Protocol`, as clients and API Gateway spell it."""
    return piece.title(name).replace("Websocket", "WebSocket")
