"""The types of events, contexts, ASGI callables and handlers. Imported by users and by type
checkers; never on the hot path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

LambdaEvent: TypeAlias = dict[str, Any]
QueryParams: TypeAlias = MutableMapping[str, str | Sequence[str]]


class LambdaCognitoIdentity(Protocol):
    """The Amazon Cognito identity that authorised an invocation from a mobile application."""

    cognito_identity_id: str
    cognito_identity_pool_id: str


class LambdaMobileClient(Protocol):
    """The mobile application that invoked the function."""

    installation_id: str
    app_title: str
    app_version_name: str
    app_version_code: str
    app_package_name: str


class LambdaMobileClientContext(Protocol):
    """What the AWS Mobile SDK tells of the client: the application, custom values and its
    environment."""

    client: LambdaMobileClient
    custom: dict[str, Any]
    env: dict[str, Any]


class LambdaContext(Protocol):
    """The context object that Lambda passes beside the event.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    identity: LambdaCognitoIdentity | None
    client_context: LambdaMobileClientContext | None

    def get_remaining_time_in_millis(self) -> int:
        """The time left before Lambda ends the invocation, in milliseconds."""
        ...


Headers: TypeAlias = list[list[bytes]]
"""`[[b"host", b"example.org"], ...]`, names in lower case."""

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class ASGI(Protocol):
    """An ASGI 3 application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


Edition: TypeAlias = Literal["classic", "2026"]
LifespanMode: TypeAlias = Literal["auto", "on", "off"]
LifespanScope: TypeAlias = Literal["invocation", "environment"]
WebSocketMode: TypeAlias = Literal["message", "session"]
WebSocketBinary: TypeAlias = Literal["error", "base64"]
WebSocketReplay: TypeAlias = Literal["connect", "messages"]


class Response(TypedDict):
    """What the application answered: between the HTTP cycle and a handler."""

    status: int
    headers: Headers
    body: bytes


class _SharedConfig(TypedDict):
    api_gateway_base_path: str
    text_mime_types: list[str]
    exclude_headers: list[str]


class LambdaConfig(_SharedConfig, total=False):
    """What a handler knows of the adapter's options. The first three keys are always there."""

    edition: Edition
    forwarded_host: str | None
    root_path: str | None
    events_path: str | None
    websocket_mode: WebSocketMode
    websocket_path: str | Callable[[LambdaEvent], str] | None


class LambdaHandler(Protocol):
    """One event source: says whether an event is its own, reads it, and writes the result that
    Lambda returns."""

    def __init__(self, *args: Any) -> None: ...

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool: ...

    @property
    def body(self) -> bytes: ...

    @property
    def scope(self) -> Scope: ...

    def __call__(self, response: Response) -> Any: ...
