"""HTTP APIs with payload 2.0, and function URLs.

Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from mangum._speedups.constants import LIMITS
from mangum.local.messages import Answer, BadAnswer, Deployment, Event, Pairs, Request, Trouble
from mangum.local.services import _request as piece
from mangum.local.services import _result as result_of
from mangum.local.services.rest import check_headers, domain_of, path_in

MAX_REQUEST_BYTES = 10_485_760
MAX_URL_REQUEST_BYTES = 6_291_456
TIMEOUT_S = 30.0

URL_ID = "abcdefghijklmnopqrstuvwxyz012345"


def encode_http(request: Request, deployment: Deployment) -> Event:
    """An HTTP API's event: the path decoded, with the stage but without a mapping's base path; the
    cookies apart from the headers. Raises `NotRouted`."""
    path = unquote(path_in(deployment, piece.path_of(request)), errors="replace")
    headers = piece.with_length(piece.passed_headers(request), request)
    domain = domain_of(request, deployment)
    return _event(
        request,
        raw_path=path,
        path=path,
        headers=[pair for pair in headers if pair[0] != "cookie"],
        account_id=piece.account_of(deployment),
        api_id=piece.API_ID,
        domain=domain,
        request_id=piece.short_id(request),
        stage=deployment.stage or "$default",
    )


def encode_url(request: Request, deployment: Deployment) -> Event:
    """A function URL's event: `rawPath` as the client sent it, and the cookies twice."""
    path = piece.path_of(request)
    headers = piece.passed_headers(request)
    if request.body:
        headers = piece.with_length(headers, request)
    if request.scheme == "https":
        headers += [
            ("x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256"),
            ("x-amzn-tls-version", "TLSv1.3"),
        ]
    others = [pair for pair in headers if pair[0] != "cookie"]
    cookies = [value for name, value in headers if name == "cookie"]
    return _event(
        request,
        raw_path=path,
        path=unquote(path, errors="replace"),
        headers=[*others, ("cookie", "; ".join(cookies))] if cookies else others,
        account_id="anonymous",
        api_id=URL_ID,
        domain=f"{URL_ID}.lambda-url.{deployment.region}.on.aws",
        request_id=request.request_id,
        stage="$default",
    )


def _event(
    request: Request,
    *,
    raw_path: str,
    path: str,
    headers: Pairs,
    account_id: str,
    api_id: str,
    domain: str,
    request_id: str,
    stage: str,
) -> Event:
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": piece.ascii_url(request.query),
    }
    cookies = _cookies(request)
    if cookies:
        event["cookies"] = cookies
    event["headers"] = piece.joined(headers, ",")
    query = piece.query_pairs(request)
    if query:
        event["queryStringParameters"] = piece.joined(query, ",")
    event["requestContext"] = {
        "accountId": account_id,
        "apiId": api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": _http(request, path),
        "requestId": request_id,
        "routeKey": "$default",
        "stage": stage,
        "time": piece.clock_time(request),
        "timeEpoch": piece.epoch_ms(request),
    }
    event.update(_body(request))
    return event


def _http(request: Request, path: str) -> Event:
    return {
        "method": request.method,
        "path": path,
        "protocol": piece.protocol_of(request),
        "sourceIp": request.client[0],
        "userAgent": piece.user_agent_of(request),
    }


def _body(request: Request) -> Event:
    as_text = piece.is_text(request) and not request.header("content-encoding")
    text, is_base64 = piece.encode_body(request, as_text)
    return {**({"body": text} if text else {}), "isBase64Encoded": is_base64}


def _cookies(request: Request) -> list[str]:
    sent = [piece.read_text(value) for name, value in request.headers if name.lower() == "cookie"]
    cookies = (cookie.strip() for value in sent for cookie in value.split(";"))
    return [cookie for cookie in cookies if cookie]


# Results


def decode_http(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What an HTTP API answers. Raises `BadAnswer`."""
    return _decode(result, "text/plain; charset=utf-8", LIMITS["HTTPGateway"][1])


def decode_url(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What a function URL answers. Raises `BadAnswer`."""
    return _decode(result, "application/json", None)


def _decode(result: bytes, default_type: str, max_header_bytes: int | None) -> Answer:
    result_of.check_size(result, LIMITS["HTTPGateway"][0])
    try:
        value = result_of.parse(result)
    except BadAnswer:  # is a body, too
        return _inferred(result)
    if not isinstance(value, dict) or "statusCode" not in value:
        return _inferred(result_of.encode_text(value) if isinstance(value, str) else result)
    status = result_of.read_status(value)
    headers = _headers(value)
    check_headers(headers, max_header_bytes)
    body = result_of.read_body(value, value.get("isBase64Encoded") is True)
    return result_of.make_answer(status, result_of.with_default_type(headers, default_type), body)


def _headers(shape: dict[str, Any]) -> Pairs:
    """The headers, with the `cookies` before a cookie among them; `multiValueHeaders` mean nothing
    in payload 2.0."""
    pairs = [
        (name, result_of.read_value(name, value))
        for name, value in result_of.read_map(shape, "headers").items()
    ]
    return [
        *(pair for pair in pairs if pair[0].lower() != "set-cookie"),
        *result_of.read_cookies(shape),
        *(pair for pair in pairs if pair[0].lower() == "set-cookie"),
    ]


def _inferred(body: bytes) -> Answer:
    """A result that does not say what it is, is the body."""
    return Answer(200, [("content-type", "application/json")], body)


def _error(status: int, message: str) -> Answer:
    return result_of.plain(status, "application/json", f'{{"message":"{message}"}}')


_FAILED = _error(500, "Internal Server Error")

REFUSALS = {
    Trouble.NOT_FOUND: _error(404, "Not Found"),
    Trouble.REQUEST_TOO_LARGE: _error(413, "Request Entity Too Large"),
    Trouble.FUNCTION_ERROR: _FAILED,
    Trouble.FUNCTION_TIMEOUT: _FAILED,
    Trouble.GATEWAY_TIMEOUT: _error(503, "Service Unavailable"),
    Trouble.BAD_RESULT: _FAILED,
}

_URL_FAILED = result_of.plain(502, "application/json", "Internal Server Error")

URL_REFUSALS = {
    Trouble.NOT_FOUND: result_of.plain(404, "application/json", '{"Message":null}'),
    Trouble.REQUEST_TOO_LARGE: result_of.plain(
        413,
        "application/json",
        f'{{"message":"Request must be smaller than {MAX_URL_REQUEST_BYTES} bytes'
        ' for the InvokeFunction operation"}',
    ),
    Trouble.FUNCTION_ERROR: _URL_FAILED,
    Trouble.FUNCTION_TIMEOUT: _URL_FAILED,
    Trouble.GATEWAY_TIMEOUT: _URL_FAILED,
    Trouble.BAD_RESULT: _URL_FAILED,
}
