"""One logical request as each event source of Lambda encodes it, and the results read back.

Paths are given percent-encoded, as the client sent them; query pairs are given decoded.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

Event = dict[str, Any]
Pairs = Sequence[tuple[str, str]]

ACCOUNT_ID = "123456789012"
CLIENT_IP = "203.0.113.10"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
TRACE_ID = "Root=1-6a5145a8-536f3e792f6be9b44c1f46fa"
API_HOST = "5h7pqvr9u4.execute-api.us-west-2.amazonaws.com"
URL_HOST = "2cxn22odiwguak4feg4jtt7cwm0ziblr.lambda-url.us-west-2.on.aws"
ALB_HOST = "lambda-846800462.us-east-2.elb.amazonaws.com"
EDGE_HOST = "d111111abcdef8.cloudfront.net"
LATTICE_HOST = "demo-service-057f55fd2927517c9.7d67968.vpc-lattice-svcs.us-west-2.on.aws"
TIME_EPOCH_MS = 1783711144836
CONNECTION_ID = "ATfSdcRDvHcCEmA="


@dataclass
class LambdaContext:
    """What the Python runtime passes as context."""

    function_name: str = "function"
    function_version: str = "$LATEST"
    invoked_function_arn: str = f"arn:aws:lambda:us-west-2:{ACCOUNT_ID}:function:function"
    memory_limit_in_mb: Any = "1769"  # a text, although the documentation speaks of a number
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    log_group_name: str = "/aws/lambda/function"
    log_stream_name: str = "2026/07/10/[$LATEST]0123456789abcdef0123456789abcdef"
    identity: Any = None
    client_context: Any = None
    remaining_time_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_time_ms


def lambda_context(**fields: Any) -> LambdaContext:
    return LambdaContext(**fields)


# --- API Gateway ------------------------------------------------------------------------------


def rest_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
    stage: str = "prod",
    prefix: str | None = None,
) -> Event:
    """A REST API's event; `prefix` is what the client's URL has before `path`: the stage, or
    what a custom domain maps ("" for the whole domain)."""
    sent = _proxied_headers(API_HOST, headers, cookies, body)
    prefix = f"/{stage}" if prefix is None else prefix
    return {
        "resource": "/{proxy+}" if path.strip("/") else "/",
        "path": path,
        "httpMethod": method,
        "headers": dict(sent) or None,
        "multiValueHeaders": _lists(sent) or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "pathParameters": {"proxy": path.lstrip("/")} if path.strip("/") else None,
        "stageVariables": None,
        "requestContext": _v1_context(
            method=method, path=prefix + path, stage=stage, resource="/{proxy+}", headers=sent
        ),
        **_body_or_none(body, binary),
    }


def http_v1_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
    stage: str = "$default",
) -> Event:
    """An HTTP API's event in payload format 1.0; a named stage stands in the path."""
    sent = _proxied_headers(API_HOST, headers, cookies, body)
    path = _below_stage(stage, path)
    return {
        "version": "1.0",
        "resource": "$default",
        "path": path,
        "httpMethod": method,
        "headers": dict(sent),
        "multiValueHeaders": _lists(sent),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "requestContext": _v1_context(
            method=method, path=unquote(path), stage=stage, resource="$default", headers=sent
        ),
        "pathParameters": None,
        "stageVariables": None,
        **_body_or_none(body, binary),
    }


def http_v2_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
    stage: str = "$default",
) -> Event:
    """An HTTP API's event in payload format 2.0: its `rawPath` arrives decoded."""
    path = unquote(_below_stage(stage, path))
    return {
        **_v2_event(
            method=method,
            raw_path=path,
            path=path,
            query=query,
            headers=_proxied_headers(API_HOST, headers, (), body),
            cookies=cookies,
            host=API_HOST,
            stage=stage,
        ),
        **_body_or_absent(body, binary),
    }


def function_url_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
) -> Event:
    """A function URL's event: `rawPath` arrives encoded, and cookies arrive twice."""
    return {
        **_v2_event(
            method=method,
            raw_path=path,
            path=unquote(path),
            query=query,
            headers=_proxied_headers(URL_HOST, headers, cookies, body),
            cookies=cookies,
            host=URL_HOST,
            stage="$default",
        ),
        **_body_or_absent(body, binary),
    }


def _v1_context(
    *, method: str, path: str, stage: str, resource: str, headers: Pairs
) -> dict[str, Any]:
    sent = dict(_lower(headers))
    return {
        "accountId": ACCOUNT_ID,
        "apiId": "5h7pqvr9u4",
        "domainName": sent.get("host", API_HOST),
        "domainPrefix": sent.get("host", API_HOST).partition(".")[0],
        "extendedRequestId": "ATfSdF7nPHcErRA=",
        "httpMethod": method,
        "identity": {
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": CLIENT_IP,
            "user": None,
            "userAgent": sent.get("user-agent"),
            "userArn": None,
        },
        "path": path,
        "protocol": "HTTP/1.1",
        "requestId": REQUEST_ID,
        "requestTime": "10/Jul/2026:19:19:04 +0000",
        "requestTimeEpoch": TIME_EPOCH_MS,
        "resourceId": "al6gqb",
        "resourcePath": resource,
        "stage": stage,
    }


def _v2_event(
    *,
    method: str,
    raw_path: str,
    path: str,
    query: Pairs,
    headers: Pairs,
    cookies: Sequence[str],
    host: str,
    stage: str,
) -> Event:
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": urlencode(query),
        "headers": _joined(_lower(headers), ","),
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": host.partition(".")[0],
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": CLIENT_IP,
                "userAgent": USER_AGENT,
            },
            "requestId": REQUEST_ID,
            "routeKey": "$default",
            "stage": stage,
            "time": "10/Jul/2026:19:19:04 +0000",
            "timeEpoch": TIME_EPOCH_MS,
        },
    }
    if query:
        event["queryStringParameters"] = _joined(query, ",")
    if cookies:
        event["cookies"] = list(cookies)
    return event


def _below_stage(stage: str, path: str) -> str:
    return path if stage == "$default" else f"/{stage}{path}"


# --- Application Load Balancer ----------------------------------------------------------------


def alb_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
    multi_value: bool = False,
) -> Event:
    """A load balancer's event: query keys and values arrive encoded; without `multi_value` the
    last value of a repeated key or header is all there is."""
    sent = _lower(_proxied_headers(ALB_HOST, headers, cookies, body))
    encoded = [_encoded_pair(pair) for pair in query]
    maps: Event = (
        {"multiValueQueryStringParameters": _lists(encoded), "multiValueHeaders": _lists(sent)}
        if multi_value
        else {"queryStringParameters": dict(encoded), "headers": dict(sent)}
    )
    text, is_base64 = _text_body(body, binary)
    return {
        "requestContext": {
            "elb": {
                "targetGroupArn": f"arn:aws:elasticloadbalancing:us-east-2:{ACCOUNT_ID}"
                ":targetgroup/function/6d0ecf831eec9f09"
            }
        },
        "httpMethod": method,
        "path": path,
        **maps,
        "body": text,
        "isBase64Encoded": is_base64,
    }


def _encoded_pair(pair: tuple[str, str]) -> tuple[str, str]:
    key, _, value = urlencode([pair]).partition("=")
    return key, value


# --- Lambda@Edge ------------------------------------------------------------------------------


def edge_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    event_type: str = "origin-request",
) -> Event:
    """CloudFront's event, from a behaviour that includes the body."""
    sent = _with_defaults({"Host": EDGE_HOST, "User-Agent": USER_AGENT}, headers, cookies, body)
    request: Event = {
        "clientIp": CLIENT_IP,
        "headers": {},
        "method": method,
        "querystring": urlencode(query),
        "uri": path,
    }
    for name, value in sent:
        request["headers"].setdefault(name.lower(), []).append({"key": name, "value": value})
    if body:
        request["body"] = {
            "action": "read-only",
            "data": base64.b64encode(body).decode(),
            "encoding": "base64",
            "inputTruncated": False,
        }
    if event_type.startswith("origin"):
        request["origin"] = {
            "custom": {
                "customHeaders": {},
                "domainName": "origin.example.org",
                "keepaliveTimeout": 5,
                "path": "",
                "port": 443,
                "protocol": "https",
                "readTimeout": 30,
                "sslProtocols": ["TLSv1.2"],
            }
        }
    config = {
        "distributionDomainName": EDGE_HOST,
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": event_type,
        "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==",
    }
    return {"Records": [{"cf": {"config": config, "request": request}}]}


# --- VPC Lattice ------------------------------------------------------------------------------


def lattice_v1_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
) -> Event:
    """VPC Lattice's first format: the last value of a repeated query key is all there is."""
    text, is_base64 = _text_body(body, binary)
    return {
        "raw_path": path,
        "method": method,
        "headers": _joined(_lattice_headers(headers, cookies, body), ", "),
        "query_string_parameters": dict(query),
        "body": text,
        "is_base64_encoded": is_base64,
    }


def lattice_v2_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    cookies: Sequence[str] = (),
    body: bytes = b"",
    binary: bool = False,
) -> Event:
    service = f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT_ID}"
    return {
        "version": "2.0",
        "path": path,
        "method": method,
        "headers": _lists(_lattice_headers(headers, cookies, body)),
        "queryStringParameters": _lists(query),
        "requestContext": {
            "serviceNetworkArn": f"{service}:servicenetwork/sn-0bcd972d368921a67",
            "serviceArn": f"{service}:service/svc-057f55fd2927517c9",
            "targetGroupArn": f"{service}:targetgroup/tg-0c8666d87e4ebad20",
            "identity": {
                "sourceVpcArn": f"arn:aws:ec2:us-west-2:{ACCOUNT_ID}:vpc/vpc-05417e632a7302cb7"
            },
            "region": "us-west-2",
            "timeEpoch": f"{TIME_EPOCH_MS}000",
        },
        **_body_or_absent(body, binary),
    }


def _lattice_headers(headers: Pairs, cookies: Sequence[str], body: bytes) -> Pairs:
    defaults = {"Host": LATTICE_HOST, "User-Agent": USER_AGENT, "X-Forwarded-For": CLIENT_IP}
    return _lower(_with_defaults(defaults, headers, cookies, body))


# --- What is no request -----------------------------------------------------------------------


def queue_event(*, body: str = "hello") -> Event:
    """A batch of one message of an SQS queue."""
    return {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-west-2:{ACCOUNT_ID}:queue",
                "awsRegion": "us-west-2",
            }
        ]
    }


def schedule_event(*, source: str = "aws.events") -> Event:
    """An event of EventBridge; `source` is what its sender calls itself."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": source,
        "account": ACCOUNT_ID,
        "time": "2026-07-10T19:19:04Z",
        "region": "us-west-2",
        "resources": [f"arn:aws:events:us-west-2:{ACCOUNT_ID}:rule/nightly"],
        "detail": {},
    }


def agent_event(*, method: str = "GET", path: str = "/") -> Event:
    """A call of a Bedrock agent's action group: it has a method and a path, but no client."""
    return {
        "messageVersion": "1.0",
        "agent": {"name": "agent", "id": "AGENTID", "alias": "ALIAS", "version": "1"},
        "inputText": "hello",
        "sessionId": "123456789012345",
        "actionGroup": "group",
        "apiPath": path,
        "httpMethod": method,
        "parameters": [],
        "sessionAttributes": {},
        "promptSessionAttributes": {},
    }


def websocket_event(
    *,
    event_type: str = "MESSAGE",
    connection_id: str = CONNECTION_ID,
    body: str | bytes | None = "hello",
    headers: Pairs = (),
    query: Pairs = (),
    code: int | None = None,
    reason: str | None = None,
) -> Event:
    """A WebSocket API's event. A CONNECT is the client's HTTP request, too: it has headers and a
    query; a MESSAGE has a body, as base64 if it is bytes; a DISCONNECT a code and a reason."""
    route = {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}.get(event_type, "$default")
    event: Event = {
        "requestContext": {
            "routeKey": route,
            "eventType": event_type,
            "extendedRequestId": "ATfSdF7nPHcErRA=",
            "requestTime": "10/Jul/2026:19:19:04 +0000",
            "messageDirection": "IN",
            "stage": "prod",
            "connectedAt": TIME_EPOCH_MS,
            "requestTimeEpoch": TIME_EPOCH_MS,
            "identity": {"sourceIp": CLIENT_IP, "userAgent": USER_AGENT},
            "requestId": REQUEST_ID,
            "domainName": API_HOST,
            "connectionId": connection_id,
            "apiId": "5h7pqvr9u4",
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if event_type == "CONNECT":
        sent = _proxied_headers(API_HOST, headers, (), b"")
        event.update(headers=dict(sent), multiValueHeaders=_lists(sent))
        if query:
            event.update(
                queryStringParameters=dict(query), multiValueQueryStringParameters=_lists(query)
            )
    if event_type == "MESSAGE" and body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if code is not None:
        event["requestContext"]["disconnectStatusCode"] = code
    if reason is not None:
        event["requestContext"]["disconnectReason"] = reason
    return event


def authorizer_event(*, kind: str = "REST") -> Event:
    """The event of a Lambda authorizer: of a `"REST"`, `"HTTP 1.0"`, `"HTTP 2.0"` or `"WebSocket"`
    API, or of a REST API's `"TOKEN"`."""
    arn = f"arn:aws:execute-api:us-west-2:{ACCOUNT_ID}:5h7pqvr9u4/prod/GET/"
    if kind == "TOKEN":
        return {"type": "TOKEN", "authorizationToken": "allow", "methodArn": arn}
    if kind == "HTTP 2.0":
        return {
            **http_v2_event(),
            "type": "REQUEST",
            "routeArn": arn,
            "identitySource": ["allow"],
        }
    request = {
        "REST": rest_event,
        "HTTP 1.0": http_v1_event,
        "WebSocket": lambda: websocket_event(event_type="CONNECT"),
    }[kind]()
    return {**request, "type": "REQUEST", "methodArn": arn}


# --- Every source -----------------------------------------------------------------------------

SOURCES: dict[str, Callable[..., Event]] = {
    "REST API": rest_event,
    "HTTP API 1.0": http_v1_event,
    "HTTP API 2.0": http_v2_event,
    "function URL": function_url_event,
    "ALB": alb_event,
    "ALB multi-value": lambda **fields: alb_event(multi_value=True, **fields),
    "Lambda@Edge": edge_event,
    "VPC Lattice v1": lattice_v1_event,
    "VPC Lattice v2": lattice_v2_event,
}

Keys = tuple[str | int, ...]


def replaced(event: Event, keys: Keys, value: Any) -> Event:
    """A copy of the event with another value at `("requestContext", "http", "path")`."""
    changed = copy.deepcopy(event)
    _parent(changed, keys)[keys[-1]] = value
    return changed


def without(event: Event, keys: Keys) -> Event:
    """A copy of the event that lacks a key."""
    changed = copy.deepcopy(event)
    _parent(changed, keys).pop(keys[-1], None)
    return changed


def _parent(event: Any, keys: Keys) -> Any:
    for key in keys[:-1]:
        event = event[key]
    return event


def http_scope(event: Event, *, edition: str = "classic", **fields: Any) -> dict[str, Any]:
    """The ASGI scope of a plain request, less what `fields` say: names and values of the scope."""
    modern = edition != "classic"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5" if modern else "2.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/",
        "raw_path": b"/" if modern else None,
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "server": ("mangum", 443 if modern else 80),
        "client": (CLIENT_IP, 0),
        "aws.event": event,
        "aws.context": lambda_context(),
        **fields,
    }


# --- Pieces -----------------------------------------------------------------------------------


def _proxied_headers(host: str, headers: Pairs, cookies: Sequence[str], body: bytes) -> Pairs:
    defaults = {
        "Host": host,
        "User-Agent": USER_AGENT,
        "X-Amzn-Trace-Id": TRACE_ID,
        "X-Forwarded-For": CLIENT_IP,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "accept": "*/*",
    }
    return _with_defaults(defaults, headers, cookies, body)


def _with_defaults(
    defaults: Mapping[str, str], headers: Pairs, cookies: Sequence[str], body: bytes
) -> Pairs:
    """The client's headers after those of the way here that it does not name itself."""
    extra = {**defaults, "Content-Length": str(len(body))} if body else defaults
    given = {name.lower() for name, _ in headers}
    sent = [(name, value) for name, value in extra.items() if name.lower() not in given]
    sent += headers
    if cookies:
        sent.append(("cookie", "; ".join(cookies)))
    return sent


def _lists(pairs: Pairs) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _joined(pairs: Pairs, separator: str) -> dict[str, str]:
    return {name: separator.join(values) for name, values in _lists(pairs).items()}


def _lower(pairs: Pairs) -> Pairs:
    return [(name.lower(), value) for name, value in pairs]


def _text_body(body: bytes, binary: bool) -> tuple[str, bool]:
    """The body as text, and whether that text is base64."""
    if not binary:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _body_or_none(body: bytes, binary: bool) -> Event:
    text, is_base64 = _text_body(body, binary)
    return {"body": text or None, "isBase64Encoded": is_base64}


def _body_or_absent(body: bytes, binary: bool) -> Event:
    text, is_base64 = _text_body(body, binary)
    return {**({"body": text} if text else {}), "isBase64Encoded": is_base64}


# --- Results ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What the client sees: names in lower case, `set-cookie` apart from the other headers."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The only value of a header; KeyError if it is absent or repeated."""
        values = [value for key, value in self.headers if key == name]
        if len(values) != 1:
            raise KeyError(f"{name!r}: {values}")
        return values[0]


def decode_result(result: Mapping[str, Any]) -> Answer:
    """Reads what a handler returned, whichever source it was for."""
    pairs = [(name.lower(), value) for name, value in _result_headers(result)]
    cookies = [value for name, value in pairs if name == "set-cookie"]
    return Answer(
        status=int(result["status"] if "status" in result else result["statusCode"]),
        headers=[(name, value) for name, value in pairs if name != "set-cookie"],
        cookies=cookies + list(result.get("cookies") or ()),
        body=_result_body(result),
    )


def _result_headers(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in (result.get("headers") or {}).items():
        yield from ((name, one) for one in _values(value))
    for name, values in (result.get("multiValueHeaders") or {}).items():
        yield from ((name, one) for one in values)


def _values(value: str | Iterable[str | Mapping[str, str]]) -> list[str]:
    """A text, a list of texts, or Lambda@Edge's list of `{"key": …, "value": …}`."""
    if isinstance(value, str):
        return [value]
    return [one if isinstance(one, str) else one["value"] for one in value]


def _result_body(result: Mapping[str, Any]) -> bytes:
    body: str = result.get("body") or ""
    if result.get("isBase64Encoded") or result.get("bodyEncoding") == "base64":
        return base64.b64decode(body, validate=True)
    return body.encode()
