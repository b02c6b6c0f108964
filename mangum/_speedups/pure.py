"""The hot path in plain Python: events to ASGI scopes, and an application's answer to a result.

It is the specification of the compiled half and its fallback. Functions take values and return
values: no I/O, no application. Whatever has the wrong type raises a built-in error (`TypeError`,
`LookupError`, `AttributeError`, `ValueError`) that the caller turns into a message; a fast path for
well-formed input stands above each careful one.
"""

from __future__ import annotations

import sys
from _thread import get_ident

from mangum._speedups.constants import (
    AWAITED,
    COMPLETE,
    EAGER,
    ENVELOPE_BYTES,
    HEADER_BYTES,
    HTTP_VERSIONS,
    LIMITS,
    LONG_ESCAPES,
    MAX_ASCII_EXPANSION,
    MAX_EXPANSION,
    MAX_JSON_DEPTH,
    MAX_NAMES,
    MAX_TEXT_EXPANSION,
    NOT_TAKEN,
    TAKEN,
)
from mangum._speedups.text import *

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeVar

    from mangum._speedups.text import Pairs, Texts

    Config = Mapping[str, Any]
    """The adapter's options that a scope or a result depends on, by their names."""

    ExchangeT = TypeVar("ExchangeT", bound="Exchange")


# The two ends of an invocation


def read_request(
    event: Any,
    context: Any,
    config: Config,
    exchange_type: type[ExchangeT],
    raise_exceptions: bool = False,
) -> ExchangeT | None:
    """The exchange that an event of one of the common shapes begins.

    `None` if it takes the event's handler to read it, or to say what is wrong with it.
    """
    source = recognise(event) if isinstance(event, dict) else None
    if source is None or event.get("version") == "1.0" or config.get("events_path"):
        return None
    try:
        scope = SCOPES[source](event, context, config)
        body = decode_body(event.get("body"), bool(event.get("isBase64Encoded")))
        if is_modern(config) and _has_tls(source, event, scope):
            return None
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
        return None
    exchange = exchange_type(scope, body, raise_exceptions)
    exchange.source = source
    return exchange


def write_result(
    event: dict[str, Any], exchange: Exchange, config: Config
) -> dict[str, Any] | None:
    """The result for an event that `read_request` has read; `None` if it takes the handler to write
    it, as where it may be over a limit."""
    source: str = exchange.source
    if _may_exceed(exchange.headers, exchange.body, *LIMITS[source]):
        return None
    exclude, types = config["exclude_headers"], config["text_mime_types"]
    response = {"status": exchange.status, "headers": exchange.headers, "body": exchange.body}
    if source == "HTTPGateway":
        return http_result(
            response, exclude, types, "" if is_modern(config) else "application/json"
        )
    if source == "APIGateway":
        return rest_result(response, exclude, types)
    if is_modern(config) or event.get("multiValueHeaders") is None:
        return None
    return alb_result(response, exclude, types)


class Exchange:
    """A request, and what the application has sent in answer to it. `stage` says how far that is:
    0 for nothing yet, 1 for the headers, 2 for all; `source` names the event's handler, if
    `read_request` made it."""

    __slots__ = (
        "body",
        "chunks",
        "headers",
        "is_disconnected",
        "raise_exceptions",
        "request_body",
        "scope",
        "source",
        "stage",
        "status",
        "waiters",
    )

    def __init__(self, scope: Any, body: bytes, raise_exceptions: bool = False) -> None:
        self.scope = scope
        self.source: Any = None
        self.raise_exceptions = raise_exceptions
        self.request_body: bytes | None = body  # until the application has it
        self.stage = 0
        self.status = 500
        self.headers: Any = ()
        self.body = b""
        self.chunks: list[bytes] | None = None  # those before the last one, if there are several
        self.is_disconnected = False
        self.waiters: Any = None  # for the disconnect

    def take(self, message: Any) -> int:
        """Take a message of the usual shape, in its turn: `TAKEN`, `COMPLETE` or `AWAITED`. For any
        other `NOT_TAKEN`, and nothing changes."""
        if type(message) is not dict:
            return NOT_TAKEN
        message_type = message.get("type")
        if message_type == "http.response.start" and self.stage == 0:
            status = message.get("status")
            if type(status) is not int:
                return NOT_TAKEN
            try:
                self.headers = copy_headers(message.get("headers"))
            except (TypeError, ValueError):
                return NOT_TAKEN
            self.status = status
            self.stage = 1
            return TAKEN
        if message_type == "http.response.body" and self.stage == 1:
            chunk = message.get("body", b"")
            if type(chunk) is not bytes:
                return NOT_TAKEN
            return self.add(chunk, bool(message.get("more_body")))
        return NOT_TAKEN

    def add(self, chunk: bytes, more_body: bool) -> int:
        """Add to the body; without `more_body` the answer is complete, and the client gone."""
        if more_body:
            if self.chunks is None:
                self.chunks = []
            self.chunks.append(chunk)
            return TAKEN
        self.body = chunk if self.chunks is None else b"".join([*self.chunks, chunk])
        self.chunks = None
        self.stage = 2
        self.is_disconnected = True
        return COMPLETE if self.waiters is None else AWAITED

    def is_over(self) -> bool:
        """Whether the answer is complete and nobody waits for the disconnect."""
        return self.stage == 2 and self.waiters is None


def is_modern(config: Config) -> bool:
    """Whether the edition is newer than the classic one."""
    edition: str = config.get("edition", "classic")
    return edition != "classic"


def _has_tls(source: str, event: dict[str, Any], scope: dict[str, Any]) -> bool:
    """Whether the event may tell of the TLS connection, which is the handler's to read."""
    request_context = event["requestContext"]
    if source == "APIGateway":
        return bool((request_context.get("identity") or {}).get("clientCert"))
    if (request_context.get("authentication") or {}).get("clientCert"):
        return True
    return any(name[:11] == b"x-amzn-tls-" for name, _ in scope["headers"])


# Which event is it?


def recognise(event: dict[str, Any]) -> str | None:
    """The handler of an event of one of the common shapes; `None` if it takes a closer look.

    A short cut through the table in `mangum.handlers`, with which it always agrees.
    """
    if "Records" in event or "type" in event:
        return None
    request_context = event.get("requestContext")
    if not isinstance(request_context, dict):
        return None
    if "elb" in request_context:
        return "ALB" if request_context["elb"] is not None else None
    if (
        "connectionId" in request_context
        or "serviceArn" in request_context
        or "serviceNetworkArn" in request_context
        or "raw_path" in event
    ):
        return None
    version = event.get("version")
    if version == "2.0":
        return "HTTPGateway" if isinstance(request_context.get("http"), dict) else None
    if event.get("httpMethod"):
        return "HTTPGateway" if version == "1.0" else "APIGateway"
    return None


# Request side: the scope of a source


def rest_scope(event: dict[str, Any], context: Any, config: Config) -> dict[str, Any]:
    """The scope of a REST API's event, and of an HTTP API's payload 1.0."""
    request_context = event["requestContext"]
    identity = request_context.get("identity") or {}
    path = event.get("path") or "/"
    stage = ""
    modern = is_modern(config)
    if modern and event.get("version") == "1.0":
        stage, path = _split_http_stage(path, request_context)
    elif modern:
        stage = _rest_stage(path, request_context)
    headers, texts = _read_multi_value_headers(
        event.get("headers"), event.get("multiValueHeaders"), modern, config
    )
    return build_scope(
        event,
        context,
        config,
        event["httpMethod"],
        headers,
        texts,
        decode_path(path),
        path,
        encode_query_string(
            event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
        ),
        identity.get("sourceIp"),
        stage,
        request_context.get("protocol"),
    )


def http_scope(event: dict[str, Any], context: Any, config: Config) -> dict[str, Any]:
    """The scope of an HTTP API's payload 2.0, and of a function URL's event."""
    request_context = event["requestContext"]
    http = request_context["http"]
    stage = ""
    raw_path = None
    path = event.get("rawPath")
    if path is None:
        path = http.get("path") or "/"
    elif ".lambda-url." in (request_context.get("domainName") or ""):
        raw_path = path
        path = decode_path(path)
    else:
        path = path if path.isascii() else path.encode("utf-8", "replace").decode()
        if is_modern(config):
            stage, path = _split_http_stage(path, request_context)
    headers, texts = _read_headers(event.get("headers"), event.get("cookies"), config)
    return build_scope(
        event,
        context,
        config,
        http["method"],
        headers,
        texts,
        path,
        raw_path,
        (event.get("rawQueryString") or "").encode("utf-8", "replace"),
        http.get("sourceIp"),
        stage,
        http.get("protocol"),
    )


def alb_scope(event: dict[str, Any], context: Any, config: Config) -> dict[str, Any]:
    """The scope of a load balancer's event, in either mode of its headers."""
    multi_value_headers = event.get("multiValueHeaders")
    if multi_value_headers is None:
        headers, texts = _read_headers(event.get("headers"), None, config)
    else:
        headers, texts = _read_multi_value_headers(None, multi_value_headers, True, config)
    path = event.get("path") or "/"
    client = last(texts.get("x-forwarded-for"))
    return build_scope(
        event,
        context,
        config,
        event["httpMethod"],
        headers,
        texts,
        decode_path(path),
        path,
        encode_alb_query_string(
            event.get("multiValueQueryStringParameters") or event.get("queryStringParameters"),
            is_modern(config),
        ),
        split_host(client)[0] if client else None,  # the port, if it is sent, is left out
    )


def _read_headers(headers: Any, cookies: Any, config: Config) -> tuple[Pairs, Texts]:
    quick = None if config.get("forwarded_host") else quick_headers(headers, cookies)
    return encode_headers(headers, cookies) if quick is None else quick


def _read_multi_value_headers(
    headers: Any, multi_value_headers: Any, split: bool, config: Config
) -> tuple[Pairs, Texts]:
    quick = None
    if not config.get("forwarded_host"):
        quick = quick_multi_value_headers(headers, multi_value_headers, split)
    if quick is None:
        return encode_multi_value_headers(headers, multi_value_headers, split)
    return quick


SCOPES = {"APIGateway": rest_scope, "HTTPGateway": http_scope, "ALB": alb_scope}


def build_scope(
    event: Any,
    context: Any,
    config: Config,
    method: Any,
    headers: Pairs,
    texts: Texts,
    path: str,
    raw_path: str | None,
    query_string: bytes,
    client_ip: Any,
    stage: str = "",
    protocol: Any = None,
    scheme: str | None = None,
) -> dict[str, Any]:
    """The scope of one request.

    `headers` and `texts` are the two results of an `encode_…headers` function; `path` is decoded
    and `raw_path` is it as it arrived, if that was encoded; `stage` is the prefix that the client
    sees and `path` lacks, if any.
    """
    if type(method) is not str or (client_ip is not None and type(client_ip) is not str):
        raise TypeError("method and client are texts")
    modern = is_modern(config)
    base_path, root_path = config["api_gateway_base_path"], config.get("root_path")
    forwarded_host = config.get("forwarded_host")
    if forwarded_host:
        host = first(texts.get(forwarded_host.lower(), ""))
        if host:
            headers = _with_host(headers, texts, host)
    if scheme is None:
        scheme = scheme_of(texts.get("x-forwarded-proto"))
    if base_path == "/" and root_path is None and not stage and path[:1] == "/":
        prefix, full_path = "", path
    else:
        prefix, full_path = _locate(path, stage, base_path, root_path, modern)
    if not modern:
        return {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "headers": headers,
            "path": full_path,
            "raw_path": None,
            "root_path": prefix,
            "scheme": scheme,
            "query_string": query_string,
            "server": server_of(texts, 80),
            "client": (client_ip or None, 0),
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "aws.event": event,
            "aws.context": context,
        }
    return {
        "type": "http",
        "method": method,
        "http_version": HTTP_VERSIONS.get(protocol, "1.1") if type(protocol) is str else "1.1",
        "headers": headers,
        "path": full_path,
        "raw_path": _raw_path(full_path, path, raw_path),
        "root_path": prefix,
        "scheme": scheme,
        "query_string": query_string,
        "server": server_of(texts, 443 if scheme == "https" else 80),
        "client": (client_ip, 0) if client_ip else None,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "aws.event": event,
        "aws.context": context,
    }


def _rest_stage(path: str, request_context: dict[str, Any]) -> str:
    """A REST API's stage, if the client's path begins with it: `/prod` for `/items` that the client
    calls `/prod/items`. On a domain of one's own it does not."""
    client_path = request_context.get("path") or ""
    if client_path == path:
        return ""
    stage = f"/{request_context.get('stage')}"
    return "" if strip_prefix(client_path, stage) is None else stage


def _split_http_stage(path: str, request_context: dict[str, Any]) -> tuple[str, str]:
    """The stage that the client sees, and the path behind it; `("", path)` if it has none.

    An HTTP API puts a named stage before the path. On its default domain the client sees it too; on
    a domain of one's own, where a mapping adds it, the client does not.
    """
    stage = f"/{request_context.get('stage') or '$default'}"
    rest = strip_prefix(path, stage)
    if rest is None:
        return "", path
    domain = request_context.get("domainName") or ""
    return (stage, rest) if not domain or ".execute-api." in domain else ("", rest or "/")


def _locate(
    path: str, stage: str, base_path: str, root_path: str | None, modern: bool
) -> tuple[str, str]:
    """`root_path` and `path`. The classic edition strips the base path; the other leaves the whole
    prefix in `path` and names it. An explicit `root_path` is in `path` in both."""
    if path and not path.startswith("/"):
        path = f"/{path}"
    prefix, path = _split_base(path, stage, base_path)
    if root_path is not None:
        prefix = clean_prefix(root_path)
        rest = strip_prefix(path, prefix)
        path = path if rest is None else rest
    elif not modern:
        prefix = ""
    return prefix, prefix + path or "/"


def _split_base(path: str, stage: str, base_path: str) -> tuple[str, str]:
    """The stage and the base path, which may begin with the stage, and the path behind them."""
    base = clean_prefix(base_path)
    if base:
        rest = strip_prefix(stage + path, base)
        if rest is not None:
            return base, rest
        rest = strip_prefix(path, base)
        if rest is not None:
            return stage + base, rest
    return stage, path


def _raw_path(full_path: str, path: str, raw_path: str | None) -> bytes:
    if raw_path and raw_path.isascii():
        if full_path == path:
            return raw_path.encode()
        if path and full_path.endswith(path):
            return encode_path(full_path[: -len(path)]) + raw_path.encode()
    return encode_path(full_path)


def _with_host(headers: Pairs, texts: Texts, host: str) -> Pairs:
    texts["host"] = host
    pair = [b"host", host.encode("utf-8", "replace")]
    if any(name == b"host" for name, _ in headers):
        return [pair if name == b"host" else [name, value] for name, value in headers]
    return [pair, *headers]


# Response side: the result of a source


def rest_result(
    response: Mapping[str, Any], exclude: Iterable[str], text_mime_types: Iterable[str]
) -> dict[str, Any]:
    """What a REST API takes: `headers` for the names that occur once, and `multiValueHeaders`."""
    headers = None if exclude else _decode_distinct(response["headers"])
    multi_value_headers: dict[str, list[str]] = {}
    if headers is None:
        texts, body, is_base64 = decode_response(response, exclude, text_mime_types)
        headers, multi_value_headers = split_headers(texts)
    else:
        body, is_base64 = _encode_body(response, headers, text_mime_types)
    return {
        "statusCode": response["status"],
        "headers": headers,
        "multiValueHeaders": multi_value_headers,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def http_result(
    response: Mapping[str, Any],
    exclude: Iterable[str],
    text_mime_types: Iterable[str],
    default_content_type: str,
) -> dict[str, Any]:
    """What an HTTP API and a function URL take: joined `headers`, and `cookies`, where there are
    any."""
    headers = None if exclude else _decode_distinct(response["headers"])
    if headers is None or not headers.get("content-type"):
        texts, body, is_base64 = decode_response(
            response, exclude, text_mime_types, default_content_type
        )
        headers, cookies = fold_headers(texts)
    else:
        body, is_base64 = _encode_body(response, headers, text_mime_types)
        cookies = [headers.pop("set-cookie")] if "set-cookie" in headers else []
    result: dict[str, Any] = {
        "statusCode": response["status"],
        "body": body,
        "isBase64Encoded": is_base64,
    }
    if headers:
        result["headers"] = headers
    if cookies:
        result["cookies"] = cookies
    return result


def alb_result(
    response: Mapping[str, Any], exclude: Iterable[str], text_mime_types: Iterable[str]
) -> dict[str, Any]:
    """What a load balancer takes in the mode of multi-value headers."""
    headers = None if exclude else _decode_distinct(response["headers"])
    if headers is None:
        texts, body, is_base64 = decode_response(response, exclude, text_mime_types)
        groups = group_headers(texts)
    else:
        body, is_base64 = _encode_body(response, headers, text_mime_types)
        groups = {name: [value] for name, value in headers.items()}
    return {
        "statusCode": response["status"],
        "body": body,
        "isBase64Encoded": is_base64,
        "multiValueHeaders": groups,
    }


def _decode_distinct(headers: Any) -> dict[str, str] | None:
    """The headers as text; `None` if a name occurs twice, or it takes a closer look."""
    texts: dict[str, str] = {}
    try:
        for name, value in headers:
            texts[lower_name(name)] = value.decode("latin-1")
        return texts if len(texts) == len(headers) else None
    except (AttributeError, TypeError, ValueError):
        return None


def _encode_body(
    response: Mapping[str, Any], headers: dict[str, str], text_mime_types: Iterable[str]
) -> tuple[str, bool]:
    content_type, content_encoding = headers.get("content-type"), headers.get("content-encoding")
    return encode_body(
        response["body"], content_type or "", content_encoding or "", text_mime_types
    )


def decode_response(
    response: Mapping[str, Any],
    exclude: Iterable[str],
    text_mime_types: Iterable[str],
    default_content_type: str = "",
) -> tuple[list[tuple[str, str]], str, bool]:
    """The headers as lower-case text without the excluded ones, the body as text, and whether that
    is base64.

    `default_content_type` is put where the application names none and there is a body.
    """
    texts, content_type, content_encoding = decode_headers(response["headers"], exclude)
    body = response["body"]
    if default_content_type and body and not content_type:
        content_type = default_content_type
        if "content-type" not in exclude:
            texts.append(("content-type", content_type))
    text, is_base64 = encode_body(body, content_type, content_encoding, text_mime_types)
    return texts, text, is_base64


def may_exceed(
    response: Mapping[str, Any], max_result_bytes: int, max_header_bytes: int | None
) -> bool:
    """Whether a result may be over a limit, so that it has to be measured: a bound that is quick to
    find, and that most answers are far below."""
    return _may_exceed(response["headers"], response["body"], max_result_bytes, max_header_bytes)


def _may_exceed(
    headers: Any, body: bytes, max_result_bytes: int, max_header_bytes: int | None
) -> bool:
    sent = 0
    for name, value in headers:
        sent += len(name) + len(value)
    if max_header_bytes is not None and sent > max_header_bytes:
        return True
    frame = MAX_NAMES * sent + HEADER_BYTES * len(headers) + ENVELOPE_BYTES
    return _may_be_longer(body, max_result_bytes - MAX_EXPANSION * frame)


def _may_be_longer(body: bytes, room: int) -> bool:
    """Whether a body may take more bytes than that as JSON."""
    size = len(body)
    excess = MAX_EXPANSION * size - room
    if excess <= 0:
        return False
    expansion = MAX_ASCII_EXPANSION if body.isascii() else MAX_TEXT_EXPANSION
    if expansion * size > room:
        return True
    # so many bytes without a control character make up for the longest escapes in all others
    enough = -(-excess // (MAX_EXPANSION - expansion))
    return any(body.find(control, 0, enough) >= 0 for control in LONG_ESCAPES)


# JSON


def find_floats(value: Any) -> list[float] | None:
    """The floats in a tree of exact built-in types; `None` if it holds any other, or is too deep.

    Of subclasses, dataclasses, UUIDs and enums orjson writes some, and simplejson others.
    """
    floats: list[float] = []
    level: list[Iterable[Any]] = [(value,)]
    for _ in range(MAX_JSON_DEPTH):
        below: list[Iterable[Any]] = []
        for items in level:
            for item in items:
                kind = type(item)
                if kind is str or kind is int or kind is bool or item is None:
                    continue
                if kind is float:
                    floats.append(item)
                elif kind is dict:
                    below.append(item.values())  # orjson takes no keys but exact strings
                elif kind is list or kind is tuple:
                    below.append(item)
                else:
                    return None
        if not below:
            return floats
        level = below
    return None


# The loop


def drive(parts: tuple[Any, ...], coroutine: Any) -> Any:
    """Make a task of the coroutine and run it up to its first suspension.

    Returns `True` if it has ended with `None` and left nothing to do, else the task. `None`, and
    nothing has happened, if the loop needs a closer look: it is not this thread's current one any
    more, closed, running, in debug mode, or has a task factory; `()` for `parts` says so too.

    asyncio starts a task eagerly only while its loop runs, which is what the private attribute
    says. Before Python 3.12 the first step is taken from the loop's queue.
    """
    if not parts:
        return None
    (
        task_type,
        loop,
        _,
        arguments,
        hooks,
        watched,
        postponed,
        policies,
        local,
        current,
        get_running_loop,
        set_running_loop,
        ident,
        *_,
    ) = parts
    if (
        get_ident() != ident
        or current.get("_loop") is not loop
        or getattr(policies["_event_loop_policy"], "_local", None) is not local
        or loop._thread_id is not None
        or loop._closed
        or loop._task_factory is not None
        or loop._debug
        or get_running_loop() is not None
    ):
        return None
    task = task_type.__new__(task_type)
    former = sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(*hooks)
        loop._thread_id = ident
        set_running_loop(loop)
        task.__init__(coroutine, **arguments)
        if not EAGER:
            loop._ready.pop()._run()
    except (KeyboardInterrupt, SystemExit):
        if not task.done():
            task.cancel()
            raise
        return task  # it will raise that again
    finally:
        set_running_loop(None)
        loop._thread_id = None
        sys.set_asyncgen_hooks(*former)
    if (
        loop._ready
        or loop._scheduled
        or len(watched) > 1
        or postponed
        or not task.done()
        or task.cancelled()
        or task.exception() is not None
        or task.result() is not None
    ):
        return task
    loop._stopping = False  # whatever the application stopped, it is not the next call
    return True
