"""API Gateway's WebSocket APIs: the events CONNECT, MESSAGE and DISCONNECT of a connection.

Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connections.html
"""

from __future__ import annotations

from mangum._speedups import (
    encode_multi_value_headers,
    encode_path,
    encode_query_string,
    rest_result,
)
from mangum.exceptions import MalformedEvent
from mangum.handlers import is_websocket
from mangum.handlers._base import MAP, OBJECT, TEXT, Handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Message, Response, Scope

SUBPROTOCOL = "Sec-WebSocket-Protocol"  # as API Gateway's documentation spells it
_NO_STATUS = 1005  # RFC 6455: the client gave no code


class WebSocketGateway(Handler):
    """A WebSocket API. `scope` is that of a CONNECT event; the other events carry no headers."""

    source = "a WebSocket API"
    protocol = "websocket"
    fields = (
        ("requestContext.connectionId", TEXT),
        ("requestContext.domainName", TEXT),
        ("requestContext.stage", TEXT),
        ("requestContext.identity", OBJECT),
        ("requestContext.identity.sourceIp", TEXT),
        ("headers", MAP),
        ("multiValueHeaders", MAP),
        ("queryStringParameters", MAP),
        ("multiValueQueryStringParameters", MAP),
        ("body", TEXT),
    )
    required = ("requestContext.connectionId",)

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_websocket(event)

    @property
    def event_type(self) -> str:
        """CONNECT, MESSAGE or DISCONNECT."""
        event_type: str = self.event["requestContext"]["eventType"]
        return event_type

    @property
    def connection_id(self) -> str:
        """The connection's id, `"d4NsecoByQ0CH-Q="`. Raises `MalformedEvent` if it is no text."""
        connection_id = self.event["requestContext"]["connectionId"]
        if not isinstance(connection_id, str) or not connection_id:
            raise MalformedEvent(
                f"This looks like an event of {self.source}, but `requestContext.connectionId` "
                f"does not hold a text but a {type(connection_id).__name__}."
            )
        return connection_id

    @property
    def message(self) -> Message:
        """The `websocket.receive` of a MESSAGE event: text, or bytes where it is base64 of what is
        no text. Raises `RequestError` for invalid base64."""
        body = self.body
        # servers name one of the two only, and some frameworks rely on it; mangum 0.12 named both
        message: Message = {"type": "websocket.receive"}
        if not self._is_server_like:
            message.update(bytes=None, text=None)
        try:
            message["text"] = body.decode()
        except UnicodeDecodeError:
            message["bytes"] = body
        return message

    @property
    def disconnection(self) -> tuple[int, str]:
        """The code and the reason of a DISCONNECT event."""
        request_context = self.event["requestContext"]
        code, reason = (
            request_context.get("disconnectStatusCode"),
            request_context.get("disconnectReason"),
        )
        return (
            code if isinstance(code, int) and code else _NO_STATUS,
            reason if isinstance(reason, str) else "",
        )

    @property
    def is_session(self) -> bool:
        """Whether the application sees one connection rather than one for each message."""
        return self.config.get("websocket_mode") == "session"

    @property
    def _is_server_like(self) -> bool:
        """Whether the application sees what it would on a server, or what mangum 0.12 gave it."""
        return self.is_session or self.modern

    def read_scope(self) -> Scope:
        from mangum._speedups.text import server_of  # of which only CONNECT has a use

        event = self.event
        request_context = event["requestContext"]
        modern = self._is_server_like
        headers, texts = encode_multi_value_headers(
            event.get("headers"), event.get("multiValueHeaders"), True
        )
        path = self._path()
        scheme = texts.get("x-forwarded-proto", "wss")
        if modern:
            scheme = "ws" if scheme.partition(",")[0].strip().lower() in ("http", "ws") else "wss"
        scope: Scope = {
            "type": "websocket",
            "http_version": "1.1",
            "headers": headers,
            "path": path,
            "raw_path": encode_path(path) if modern else None,
            "root_path": (self.config.get("root_path") or "") if modern else "",
            "scheme": scheme,
            "query_string": encode_query_string(
                event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            ),
            "server": server_of(texts, 443 if modern and scheme == "wss" else 80),
            "client": ((request_context.get("identity") or {}).get("sourceIp"), 0),
            "asgi": {"version": "3.0"},
            "subprotocols": [],
            "aws.eventType": "AWS_WS_GATEWAY",
        }
        if modern:
            scope["asgi"]["spec_version"] = "2.5"
            if scope["client"][0] is None:
                scope["client"] = None
        if self.is_session:
            offered = texts.get("sec-websocket-protocol", "").split(",")
            scope["subprotocols"] = [name.strip() for name in offered if name.strip()]
        else:
            # an application that sees it may answer with one, when the handshake is long over
            scope["headers"] = [it for it in headers if it[0] != b"sec-websocket-protocol"]
        return scope

    def write_result(self, response: Response) -> dict[str, Any]:
        config = self.config
        result = rest_result(response, config["exclude_headers"], config["text_mime_types"])
        subprotocol = result["headers"].pop("sec-websocket-protocol", None)
        if subprotocol is not None:
            result["headers"][SUBPROTOCOL] = subprotocol
        # most have nothing but a status
        return {key: value for key, value in result.items() if value or key == "statusCode"}

    def _path(self) -> str:
        """No event carries a path, so the option names it."""
        path = self.config.get("websocket_path") or "/"
        if callable(path):
            path = path(self.event)
            if not isinstance(path, str):
                raise MalformedEvent(
                    "`websocket_path` returned a "
                    f"{type(path).__name__}; a text such as '/ws' is needed."
                )
        return path if path.startswith("/") else f"/{path}"
