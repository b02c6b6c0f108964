"""The custom handler of `MangumWS`: an event of a WebSocket API as a `POST` to an internal route.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
"""

from __future__ import annotations

from mangum.exceptions import MalformedEvent, RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import Headers, LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

__all__ = ["ARRIVAL", "PATH_PREFIX", "Arrival", "WebSocketHandler"]

PATH_PREFIX = "/internal/websocket"

ARRIVAL = "mangum.websocket"
"""The key of the scope under which the routes look for an `Arrival`."""

KINDS = {"CONNECT": "connect", "MESSAGE": "sendmessage", "DISCONNECT": "disconnect"}
"""The route of each type of event."""

ROUTES = {"$connect": "connect", "$disconnect": "disconnect"}
"""The same by route key, where an event names no type; all other keys are messages."""


class Arrival:
    """Proof that a request is an event which came through the handler: no client can put an object
    into a scope."""

    __slots__ = ("connection_id", "kind")

    def __init__(self, kind: str, connection_id: str) -> None:
        self.kind = kind
        self.connection_id = connection_id


class WebSocketHandler:
    """CONNECT, MESSAGE and DISCONNECT as `POST /internal/websocket/ROUTE_KEY/CONNECTION_ID`."""

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return _kind_of(event) is not None

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self.event = event
        self.context = context
        self.config = config

    @property
    def body(self) -> bytes:
        """The message. Raises `RequestError` for invalid base64, `MalformedEvent`."""
        body = self.event.get("body")
        if isinstance(body, str):
            return _decode(body) if self.event.get("isBase64Encoded") else _encode(body)
        if body is None:
            return b""
        if isinstance(body, dict):  # as tools send it, API Gateway does not
            from json import dumps

            try:
                return dumps(body).encode()
            except (TypeError, ValueError, RecursionError):
                pass
        raise MalformedEvent(
            "This looks like an event of a WebSocket API, but `body` does not hold a text but a "
            f"{type(body).__name__}."
        )

    @property
    def scope(self) -> Scope:
        """The `http` scope of the request. Raises `MalformedEvent`."""
        try:
            return self._read_scope()
        except (TypeError, ValueError, LookupError, AttributeError) as exc:
            fault = type(exc).__name__
        # outside the except clause, so that no traceback shows the values of the event
        raise MalformedEvent(
            "This looks like an event of a WebSocket API, but a field has an unexpected shape "
            f"({fault})."
        )

    def __call__(self, response: Response) -> dict[str, Any]:
        """The result. A disconnect has happened, so it is answered with 200 whatever came of it."""
        status = response["status"]
        if _kind_of(self.event) == "disconnect" and not 200 <= status < 300:
            status = 200
        excluded = self.config.get("exclude_headers") or ()
        headers: dict[str, str] = {}
        multi_value_headers: dict[str, list[str]] = {}
        for raw_name, raw_value in response["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name in excluded:
                continue
            if name in multi_value_headers:
                multi_value_headers[name].append(value)
            elif name in headers:
                multi_value_headers[name] = [headers.pop(name), value]
            else:
                headers[name] = value
        body, is_base64 = _write_body(response["body"])
        return {
            "statusCode": status,
            "headers": headers,
            "multiValueHeaders": multi_value_headers,
            "body": body,
            "isBase64Encoded": is_base64,
        }

    def _read_scope(self) -> Scope:
        event = self.event
        request_context = event["requestContext"]
        kind = _kind_of(event)
        assert kind is not None  # `infer` saw to it
        connection_id: str = request_context["connectionId"]
        route_key = (request_context.get("routeKey") or kind).replace("$", "")
        domain = request_context.get("domainName")
        headers = _read_headers(event)
        if domain and all(name != b"host" for name, _ in headers):
            headers.append([b"host", _encode(domain)])  # a message comes without headers
        client_ip = (request_context.get("identity") or {}).get("sourceIp")
        return {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "headers": headers,
            "path": f"{PATH_PREFIX}/{route_key}/{connection_id}",
            "raw_path": None,
            "root_path": "",
            "scheme": "https",
            "query_string": _read_query(event),
            "server": (domain, 443) if domain else None,
            "client": (client_ip, 0) if client_ip else None,
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "aws.event": event,
            "aws.context": self.context,
            ARRIVAL: Arrival(kind, connection_id),
        }


def _kind_of(event: Any) -> str | None:
    """The last but one part of the event's internal route; `None` if it is none of a WebSocket
    API's. An authorizer's event has the connection's fields too, but is no request."""
    if not isinstance(event, dict) or "methodArn" in event or "routeArn" in event:
        return None
    request_context = event.get("requestContext")
    if not isinstance(request_context, dict):
        return None
    connection_id = request_context.get("connectionId")
    if not isinstance(connection_id, str) or not connection_id:
        return None
    event_type, route_key = request_context.get("eventType"), request_context.get("routeKey")
    if event_type is not None:
        return KINDS.get(event_type) if isinstance(event_type, str) else None
    return ROUTES.get(route_key, "sendmessage") if isinstance(route_key, str) else None


def _read_headers(event: LambdaEvent) -> Headers:
    values: dict[str, Any] = event.get("multiValueHeaders") or {}
    if not values:
        values = {name: [value] for name, value in (event.get("headers") or {}).items()}
    return [
        [_encode(name.lower()), _encode(value)]
        for name, listed in values.items()
        for value in ([listed] if isinstance(listed, str) else listed or ())
        if value is not None
    ]


def _read_query(event: LambdaEvent) -> bytes:
    parameters = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    if not parameters:
        return b""
    from urllib.parse import urlencode

    given = [(name, "" if value is None else value) for name, value in parameters.items()]
    return urlencode(given, doseq=True, errors="replace").encode()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _decode(body: str) -> bytes:
    from binascii import a2b_base64

    try:
        return a2b_base64(body)
    except ValueError:
        pass
    raise RequestError(400, "Bad Request: the body is not valid base64")


def _write_body(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        from binascii import b2a_base64

        return b2a_base64(body, newline=False).decode(), True
