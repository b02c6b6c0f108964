"""Handlers of one's own, as they were written for mangum 0.22, and one that is published."""

from __future__ import annotations

import base64
import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import InferenceError
from mangum.handlers.utils import (
    get_server_and_port,
    handle_base64_response_body,
    handle_exclude_headers,
    handle_multi_value_headers,
    maybe_encode_body,
    strip_api_gateway_path,
)
from mangum.types import (
    ASGI,
    Edition,
    LambdaConfig,
    LambdaContext,
    LambdaEvent,
    LambdaHandler,
    Response,
    Scope,
)
from tests.apps import Diary, Recorder
from tests.builders import lambda_context, rest_event, websocket_event

EDITIONS: tuple[Edition, ...] = ("classic", "2026")

either_edition = pytest.mark.parametrize("edition", EDITIONS)


class Telegram:
    """The least that a handler needs."""

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return "telegram" in event

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self.event = event
        self.context = context
        self.config = config

    @property
    def body(self) -> bytes:
        return self.event["telegram"].encode()  # type: ignore[no-any-return]

    @property
    def scope(self) -> Scope:
        return {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "headers": [[b"host", b"telegraph"]],
            "path": "/telegrams",
            "raw_path": None,
            "root_path": "",
            "scheme": "https",
            "query_string": b"",
            "server": ("telegraph", 443),
            "client": None,
            "asgi": {"version": "3.0", "spec_version": "2.0"},
        }

    def __call__(self, response: Response) -> dict[str, Any]:
        return {"stop": response["body"].decode(), "status": response["status"]}


class Letter:
    """Uses the types and the helpers that mangum 0.22 has for handlers."""

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return "letter" in event

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self.letter = event["letter"]
        self.config = config

    @property
    def body(self) -> bytes:
        return maybe_encode_body(self.letter["body"], is_base64=self.letter["sealed"])

    @property
    def scope(self) -> Scope:
        headers: dict[str, str] = self.letter["headers"]
        return {
            "type": "http",
            "method": "PUT",
            "headers": [[name.encode(), value.encode()] for name, value in headers.items()],
            "path": strip_api_gateway_path(
                self.letter["path"], api_gateway_base_path=self.config["api_gateway_base_path"]
            ),
            "query_string": b"",
            "server": get_server_and_port(headers),
        }

    def __call__(self, response: Response) -> dict[str, Any]:
        headers, multi_value_headers = handle_multi_value_headers(response["headers"])
        body, is_base64 = handle_base64_response_body(
            response["body"], headers, self.config["text_mime_types"]
        )
        return {
            "headers": handle_exclude_headers(headers, self.config),
            "many": handle_exclude_headers(multi_value_headers, self.config),
            "body": body,
            "sealed": is_base64,
        }


def adapter(app: ASGI, *handlers: type[LambdaHandler], **options: Any) -> Mangum:
    return Mangum(app, **{"lifespan": "off", "custom_handlers": [*handlers], **options})


@either_edition
def test_its_scope_and_body_reach_the_application_and_its_result_is_the_function_s(
    edition: Edition,
) -> None:
    app, event = Recorder(status=201, body=b"received"), {"telegram": "arriving"}
    handler = adapter(app, Telegram, edition=edition)
    assert handler(event, lambda_context()) == {"stop": "received", "status": 201}
    expected = Telegram(event, lambda_context(), handler.config).scope
    assert (app.scopes, app.bodies) == ([expected], [b"arriving"])


def test_it_gets_the_event_the_context_and_the_options() -> None:
    event, context = {"telegram": "arriving"}, lambda_context()
    adapted = adapter(
        Recorder(), Telegram, api_gateway_base_path="/api", exclude_headers=["X-Secret"]
    )
    handler: Any = adapted.infer(event, context)
    assert type(handler) is Telegram
    assert handler.event is event
    assert handler.context is context
    assert handler.config["api_gateway_base_path"] == "/api"
    assert handler.config["exclude_headers"] == ["x-secret"]
    assert handler.config["text_mime_types"]


@either_edition
def test_the_helpers_of_mangum_0_22_serve_it(edition: Edition) -> None:
    app = Recorder(
        headers=[
            (b"Content-Type", b"application/json"),
            (b"X-Secret", b"1"),
            (b"Set-Cookie", b"a=1"),
            (b"Set-Cookie", b"b=2"),
        ],
        body=b"{}",
    )
    event = {
        "letter": {
            "path": "/api/caf%C3%A9",
            "headers": {"host": "post:8080"},
            "body": "aGk=",
            "sealed": True,
        }
    }
    options: dict[str, Any] = {"api_gateway_base_path": "/api", "exclude_headers": ["x-secret"]}
    handler = adapter(app, Letter, edition=edition, **options)
    assert handler(event, lambda_context()) == {
        "headers": {"content-type": "application/json"},
        "many": {"set-cookie": ["a=1", "b=2"]},
        "body": "{}",
        "sealed": False,
    }
    [scope] = app.scopes
    assert (scope["path"], scope["server"], app.bodies) == ("/café", ("post", 8080), [b"hi"])


class Everything(Telegram):
    """Takes what the sources would take."""

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return True


@pytest.mark.parametrize("event", [rest_event(), websocket_event(), {"Records": []}, [], "text"])
def test_it_is_asked_before_every_source(event: Any) -> None:
    assert type(adapter(Recorder(), Everything).infer(event, lambda_context())) is Everything


def test_the_first_of_several_that_takes_the_event_gets_it() -> None:
    context = lambda_context()
    event = {"telegram": "arriving"}
    assert type(adapter(Recorder(), Telegram, Everything).infer(event, context)) is Telegram
    assert type(adapter(Recorder(), Everything, Telegram).infer(event, context)) is Everything
    assert type(adapter(Recorder(), Letter, Everything).infer(event, context)) is Everything


def test_events_that_it_does_not_take_go_to_the_sources() -> None:
    app = Recorder()
    assert adapter(app, Telegram)(rest_event(path="/items"), lambda_context())["statusCode"] == 200
    assert app.scopes[0]["path"] == "/items"
    with pytest.raises(InferenceError):
        adapter(app, Telegram)({"letter": {}}, lambda_context())


@either_edition
def test_it_is_served_within_the_lifespan_and_beside_events_path(edition: Edition) -> None:
    app = Diary()
    handler = Mangum(
        app, edition=edition, custom_handlers=[Telegram], events_path="/events", lifespan="on"
    )
    result = handler({"telegram": "arriving"}, lambda_context())
    assert result == {"stop": "served", "status": 200}
    handler.shutdown()
    assert app.events == ["lifespan.startup", "request", "lifespan.shutdown"]


# --- mangum-ws --------------------------------------------------------------------------------

REQUIREMENTS = Path(__file__).with_name("requirements-nodeps.txt")


@pytest.fixture
def mangum_ws() -> ModuleType:
    """The published package for WebSocket APIs, which is a custom handler and a FastAPI router."""
    try:
        return import_module("mangum_ws")
    except ImportError as error:
        command = f"pip install --no-deps -r tests/{REQUIREMENTS.name}"
        pytest.fail(f"{error}. Install FastAPI, and run `{command}`.")


@either_edition
@pytest.mark.parametrize(
    ("event_type", "body", "noted"),
    [
        ("CONNECT", "", ("connect", "ATfSdcRDvHcCEmA=")),
        ("MESSAGE", '{"text": "hëllo"}', ("message", "ATfSdcRDvHcCEmA=", {"text": "hëllo"})),
        ("DISCONNECT", "", ("disconnect", "ATfSdcRDvHcCEmA=")),
    ],
)
def test_mangum_ws_runs_on_it(
    mangum_ws: ModuleType, edition: Edition, event_type: str, body: str, noted: tuple[Any, ...]
) -> None:
    notes: list[tuple[Any, ...]] = []
    ws = mangum_ws.MangumWS()

    @ws.on_connect  # type: ignore[untyped-decorator, unused-ignore]
    async def connect(connection_id: str) -> None:
        notes.append(("connect", connection_id))

    @ws.on_message  # type: ignore[untyped-decorator, unused-ignore]
    async def message(connection_id: str, data: dict[str, Any]) -> None:
        notes.append(("message", connection_id, data))

    @ws.on_disconnect  # type: ignore[untyped-decorator, unused-ignore]
    async def disconnect(connection_id: str) -> None:
        notes.append(("disconnect", connection_id))

    app = import_module("fastapi").FastAPI()
    app.include_router(ws.router)
    event = websocket_event(event_type=event_type, body=body)
    if event_type == "MESSAGE":
        event["requestContext"]["routeKey"] = "sendmessage"
    handler = Mangum(app, edition=edition, custom_handlers=[ws.handler])
    result = handler(event, lambda_context())
    handler.shutdown()
    assert notes == [noted]
    status = {"connect": "connected", "message": "received", "disconnect": "disconnected"}
    assert result["statusCode"] == 200
    assert result["headers"]["content-type"] == "application/json"
    assert result["isBase64Encoded"] is True  # it names no text types
    assert json.loads(base64.b64decode(result["body"])) == {"status": status[noted[0]]}


def test_mangum_ws_leaves_requests_to_the_sources(mangum_ws: ModuleType) -> None:
    ws, app = mangum_ws.MangumWS(), Recorder()
    handler = Mangum(app, lifespan="off", custom_handlers=[ws.handler])
    assert handler(rest_event(path="/items"), lambda_context())["statusCode"] == 200
    assert app.scopes[0]["path"] == "/items"
