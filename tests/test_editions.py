"""What the editions differ in: one table, each row held in both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from mangum import Mangum
from mangum.exceptions import LifespanFailure
from mangum.types import Receive, Scope, Send
from tests.apps import TEXT, Diary, Recorder, hello, respond, result_of, scope_of
from tests.builders import (
    ALB_HOST,
    CLIENT_IP,
    Event,
    alb_event,
    decode_result,
    edge_event,
    function_url_event,
    http_v1_event,
    http_v2_event,
    lambda_context,
    lattice_v2_event,
    replaced,
    rest_event,
    without,
)

STARTUP, REQUEST, SHUTDOWN = "lifespan.startup", "request", "lifespan.shutdown"
ABSENT = "absent"


class Row(NamedTuple):
    what: str
    look: Callable[[str], Any]
    """From an edition to what is seen in it."""
    classic: Any
    modern: Any


def scope(key: str, event: Event, **options: Any) -> Callable[[str], Any]:
    """A key of the scope that the application sees."""
    return lambda edition: scope_of(event, edition=edition, **options).get(key, ABSENT)


def places(event: Event, **options: Any) -> Callable[[str], Any]:
    """Where the application stands, and what it is asked for."""

    def look(edition: str) -> Any:
        seen = scope_of(event, edition=edition, **options)
        return seen["path"], seen["root_path"], seen["raw_path"]

    return look


def header(name: bytes, event: Event) -> Callable[[str], Any]:
    """The values of a request header."""
    return lambda edition: [
        value for key, value in scope_of(event, edition=edition)["headers"] if key == name
    ]


def result(event: Event, **answer: Any) -> Callable[[str], Any]:
    """The whole result of an answer."""
    return lambda edition: result_of(event, edition=edition, **answer)


def is_text(kind: bytes, **options: Any) -> Callable[[str], Any]:
    """Whether a body of a content type is sent as text."""
    answer = result(rest_event(), headers=[(b"content-type", kind)], **options)
    return lambda edition: not answer(edition)["isBase64Encoded"]


def life(**options: Any) -> Callable[[str], Any]:
    """What happens to an application in two requests and a shutdown by hand."""

    def look(edition: Any) -> list[str]:
        app = Diary()
        handler = Mangum(app, edition=edition, **options)
        handler(rest_event(), lambda_context())
        handler(rest_event(), lambda_context())
        handler.shutdown()
        return app.events

    return look


def prepared_life(edition: Any) -> list[str]:
    """What happens to an application that is started by hand before its first request."""
    app = Diary()
    handler = Mangum(app, edition=edition, lifespan_scope="environment")
    handler.startup()
    handler(rest_event(), lambda_context())
    handler.shutdown()
    return app.events


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """An application whose startup raises."""
    if scope["type"] == "lifespan":
        await receive()
        raise ZeroDivisionError("no database")
    await respond(send, b"served")


class Failing(Diary):
    """An application whose shutdown fails."""

    async def stop(self, scope: Scope, send: Send) -> None:
        await send({"type": "lifespan.shutdown.failed", "message": "no disk"})


def outcome(app: Callable[[], Any], **options: Any) -> Callable[[str], Any]:
    """What an invocation gives: the body or "raised", and whether the reason was told."""

    def look(edition: Any) -> tuple[str, bool]:
        told = _Told()
        logger = logging.getLogger("mangum")
        logger.addHandler(told)
        try:
            answer = Mangum(app(), edition=edition, **options)(rest_event(), lambda_context())
        except LifespanFailure as exc:
            return "raised", bool(str(exc))
        finally:
            logger.removeHandler(told)
        return decode_result(answer).body.decode(), told.errors == 1

    return look


class _Told(logging.Handler):
    """Counts what is logged as an error."""

    errors = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.errors += record.levelno >= logging.ERROR


FORWARDED_PORT = ("headers", "x-forwarded-port")
HTTP_ALONE = without(alb_event(headers=[("x-forwarded-proto", "http")]), FORWARDED_PORT)
HTTP_2 = replaced(http_v2_event(), ("requestContext", "http", "protocol"), "HTTP/2.0")
REST_HTTP_2 = replaced(rest_event(), ("requestContext", "protocol"), "HTTP/2.0")
URL_HTTP_1_0 = replaced(function_url_event(), ("requestContext", "http", "protocol"), "HTTP/1.0")
TLS = alb_event(
    headers=[
        ("x-amzn-tls-version", "TLSv1.2"),
        ("x-amzn-tls-cipher-suite", "ECDHE-RSA-AES128-GCM-SHA256"),
    ]
)
TLS_EXTENSION: dict[str, Any] = {
    "tls": {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0303,
        "cipher_suite": 0xC02F,
    }
}
REPEATED = [("x-many", "a"), ("x-many", "b")]
ALB_QUERY = {**alb_event(), "queryStringParameters": {"q": "a%20b%FF", "%6B": "~"}}
OK = {"statusCode": 200, "body": "ok", "isBase64Encoded": False}
EDGE_HEADERS = {"content-type": [{"key": "content-type", "value": "text/plain"}]}
EACH_TIME = [STARTUP, REQUEST, SHUTDOWN]
ONCE = [STARTUP, REQUEST, REQUEST, SHUTDOWN]

TABLE = [
    Row("lifespan", life(), EACH_TIME * 2, ONCE),
    Row("lifespan, insisted on", life(lifespan="on"), EACH_TIME * 2, ONCE),
    Row("lifespan, off", life(lifespan="off"), [REQUEST] * 2, [REQUEST] * 2),
    Row("lifespan of the invocation", life(lifespan_scope="invocation"), *[EACH_TIME * 2] * 2),
    Row("lifespan of the environment", life(lifespan_scope="environment"), ONCE, ONCE),
    Row("lifespan, started by hand", prepared_life, EACH_TIME, EACH_TIME),
    Row(
        "lifespan on, and the app has none",
        outcome(lambda: hello, lifespan="on"),
        ("hello", True),
        ("raised", True),
    ),
    Row(
        "lifespan on, and the app fails",
        outcome(lambda: broken, lifespan="on"),
        ("served", True),
        ("raised", True),
    ),
    Row(
        "lifespan.shutdown.failed",
        outcome(Failing, lifespan_scope="invocation"),
        ("raised", True),
        ("served", True),
    ),
    Row("raw_path, as sent", scope("raw_path", alb_event(path="/%c3%a9")), None, b"/%c3%a9"),
    Row(
        "raw_path of a REST API",
        scope("raw_path", rest_event(path="/%c3%a9", prefix="")),
        None,
        b"/%c3%a9",
    ),
    Row(
        "raw_path of a function URL",
        scope("raw_path", function_url_event(path="/%c3%a9")),
        None,
        b"/%c3%a9",
    ),
    Row("raw_path of Lambda@Edge", scope("raw_path", edge_event(path="/%7e")), None, b"/%7e"),
    Row("raw_path of Lattice", scope("raw_path", lattice_v2_event(path="/%7e")), None, b"/%7e"),
    Row(
        "raw_path, re-quoted for an HTTP API",
        scope("raw_path", http_v2_event(path="/%c3%a9%7e+")),
        None,
        b"/%C3%A9~+",
    ),
    Row(
        "asgi.spec_version",
        scope("asgi", rest_event()),
        {"version": "3.0", "spec_version": "2.0"},
        {"version": "3.0", "spec_version": "2.5"},
    ),
    Row(
        "the stage of a REST API",
        places(rest_event(path="/items")),
        ("/items", "", None),
        ("/prod/items", "/prod", b"/prod/items"),
    ),
    Row(
        "the stage of an HTTP API",
        places(http_v2_event(path="/items", stage="dev")),
        ("/dev/items", "", None),
        ("/dev/items", "/dev", b"/dev/items"),
    ),
    Row(
        "the stage of an HTTP API 1.0",
        places(http_v1_event(path="/items", stage="dev")),
        ("/dev/items", "", None),
        ("/dev/items", "/dev", b"/dev/items"),
    ),
    Row(
        "the base path",
        places(http_v2_event(path="/api/items"), api_gateway_base_path="/api"),
        ("/items", "", None),
        ("/api/items", "/api", b"/api/items"),
    ),
    Row("http_version of an HTTP API", scope("http_version", HTTP_2), "1.1", "2"),
    Row("http_version of a REST API", scope("http_version", REST_HTTP_2), "1.1", "2"),
    Row("http_version of a function URL", scope("http_version", URL_HTTP_1_0), "1.1", "1.0"),
    Row("http_version, untold", scope("http_version", alb_event()), "1.1", "1.1"),
    Row("extensions", scope("extensions", TLS), ABSENT, TLS_EXTENSION),
    Row("extensions, untold", scope("extensions", alb_event()), ABSENT, ABSENT),
    Row(
        "port without a forwarded port, https",
        scope("server", without(alb_event(), FORWARDED_PORT)),
        (ALB_HOST, 80),
        (ALB_HOST, 443),
    ),
    Row(
        "port without a forwarded port, http",
        scope("server", HTTP_ALONE),
        (ALB_HOST, 80),
        (ALB_HOST, 80),
    ),
    Row(
        "repeated request headers of a REST API",
        header(b"x-many", rest_event(headers=REPEATED)),
        [b"a, b"],
        [b"a", b"b"],
    ),
    Row(
        "repeated request headers of an ALB",
        header(b"x-many", alb_event(headers=REPEATED, multi_value=True)),
        [b"a", b"b"],
        [b"a", b"b"],
    ),
    Row("client", scope("client", rest_event()), (CLIENT_IP, 0), (CLIENT_IP, 0)),
    Row(
        "client when unknown to a REST API",
        scope("client", without(rest_event(), ("requestContext", "identity"))),
        (None, 0),
        None,
    ),
    Row(
        "client when unknown to an HTTP API",
        scope("client", without(http_v2_event(), ("requestContext", "http", "sourceIp"))),
        (None, 0),
        None,
    ),
    Row(
        "client when unknown to an ALB",
        scope("client", without(alb_event(), ("headers", "x-forwarded-for"))),
        (None, 0),
        None,
    ),
    Row(
        "client when unknown to Lattice",
        scope("client", without(lattice_v2_event(), ("headers", "x-forwarded-for"))),
        (None, 0),
        None,
    ),
    Row("ALB query", scope("query_string", ALB_QUERY), b"q=a+b%FF&k=~", b"q=a%20b%FF&%6B=~"),
    Row(
        "ALB statusDescription",
        result(alb_event()),
        {**OK, "headers": {"content-type": "text/plain"}},
        {**OK, "headers": {"content-type": "text/plain"}, "statusDescription": "200 OK"},
    ),
    Row(
        "Lambda@Edge answer",
        result(edge_event(), status=404),
        {"status": 404, "headers": EDGE_HEADERS, "body": "ok", "isBase64Encoded": False},
        {
            "status": "404",
            "statusDescription": "Not Found",
            "headers": EDGE_HEADERS,
            "body": "ok",
            "bodyEncoding": "text",
        },
    ),
    *(
        Row(f"text types: {kind.decode()}", is_text(kind), True, True)
        for kind in (
            b"text/csv",
            b"application/json",
            b"application/javascript",
            b"application/xml",
            b"application/vnd.api+json",
            b"application/vnd.oai.openapi",
            b"application/problem+json",
            b"image/svg+xml",
        )
    ),
    *(
        Row(f"text types: {kind.decode()}", is_text(kind), False, True)
        for kind in (
            b"application/yaml",
            b"application/x-yaml",
            b"application/toml",
            b"application/x-www-form-urlencoded",
            b"application/csv",
            b"application/graphql",
        )
    ),
    Row("text types: none", is_text(b"application/octet-stream"), False, False),
    Row(
        "v2 without content-type",
        result(http_v2_event(), headers=()),
        {**OK, "headers": {"content-type": "application/json"}},
        {"statusCode": 200, "body": "b2s=", "isBase64Encoded": True},
    ),
    Row(
        "v2 without content-type and without body",
        result(function_url_event(), headers=(), body=b""),
        {"statusCode": 200, "body": "", "isBase64Encoded": False},
        {"statusCode": 200, "body": "", "isBase64Encoded": False},
    ),
    Row("text_mime_types=, its own", is_text(b"x/y", text_mime_types=["x/"]), True, True),
    Row(
        "text_mime_types=, the defaults",
        is_text(b"application/json", text_mime_types=["x/"]),
        False,
        True,
    ),
    Row(
        "text_mime_types=, the suffixes",
        is_text(b"application/problem+json", text_mime_types=["x/"]),
        False,
        True,
    ),
    Row("extra_text_mime_types=", is_text(b"x/y", extra_text_mime_types=["x/"]), True, True),
    Row(
        "extra_text_mime_types=, the defaults",
        is_text(b"application/json", extra_text_mime_types=["x/"]),
        True,
        True,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row.what for row in TABLE])
def test_classic_edition(row: Row) -> None:
    assert row.look("classic") == row.classic


@pytest.mark.parametrize("row", TABLE, ids=[row.what for row in TABLE])
def test_2026_edition(row: Row) -> None:
    assert row.look("2026") == row.modern


def test_classic_is_the_default() -> None:
    assert Mangum(Recorder()).config["edition"] == "classic"
    assert scope_of(rest_event()) == scope_of(rest_event(), edition="classic")


def test_handler_of_a_config_without_edition_is_classic() -> None:
    app = Recorder()
    handler = Mangum(app, edition="2026", lifespan="off")
    del handler.config["edition"]
    handler(edge_event(), lambda_context())
    assert app.scopes[0]["asgi"]["spec_version"] == "2.0"
    assert result_of(edge_event(), headers=TEXT)["status"] == 200


def test_failed_shutdown_of_the_environment_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    app = Failing()
    handler = Mangum(app, edition="2026")
    handler(rest_event(), lambda_context())
    handler.shutdown()
    assert app.events == [STARTUP, REQUEST, SHUTDOWN]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "no disk" in caplog.text
