"""REST APIs, and HTTP APIs with payload 1.0, whose events are nearly the same.

Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from mangum._speedups.constants import LIMITS
from mangum.local.messages import Answer, BadAnswer, Deployment, Event, Pairs, Request, Trouble
from mangum.local.services import _request as piece
from mangum.local.services import _result as result_of

MAX_REQUEST_BYTES = 10_485_760
TIMEOUT_S = 29.0

KEYS = ("statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded")
"""What a REST API takes; for any other key it answers 502."""

REMAPPED = frozenset(("connection", "content-length", "date", "server", "www-authenticate"))
"""Headers of a result that a REST API gives back as `x-amzn-Remapped-…`.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

_IDENTITY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
)


def encode_rest(request: Request, deployment: Deployment) -> Event:
    """A REST API's event: a path without the stage, and query values decoded.

    Slashes at the beginning of the path, and behind the stage, become one. Raises `NotRouted`.
    """
    whole = "/" + piece.path_of(request).lstrip("/")
    inner = "/" + piece.below(whole, prefix_of(deployment)).lstrip("/")
    proxy = inner.strip("/")
    resource = "/{proxy+}" if proxy else "/"
    headers = [
        (piece.title(name), value)
        for name, value in piece.passed_headers(request, piece.HOP_BY_HOP | {"content-length"})
    ]
    as_text = not matches(piece.media_type_of(request), deployment.binary_media_types)
    return {
        "resource": resource,
        "path": inner if deployment.stage is not None else whole,
        "httpMethod": request.method,
        **_maps(request, headers),
        "pathParameters": {"proxy": proxy} if proxy else None,
        "stageVariables": None,
        "requestContext": {
            **_context(request, deployment, whole, deployment.stage or "prod"),
            "accountId": piece.account_of(deployment),
            "deploymentId": "abcdef",
            "identity": _identity(request, piece.user_agent_of(request) or None),
            "requestId": request.request_id,
            "resourceId": "abc123",
            "resourcePath": resource,
        },
        **_body(request, as_text),
    }


def encode_http(request: Request, deployment: Deployment) -> Event:
    """An HTTP API's event in payload 1.0: the path is the client's. Raises `NotRouted`."""
    path = piece.path_of(request)
    inner = path_in(deployment, path)
    headers = piece.with_length(piece.passed_headers(request), request)
    return {
        "version": "1.0",
        "resource": "$default",
        "path": path,
        "httpMethod": request.method,
        **_maps(request, [(piece.title(name), value) for name, value in headers]),
        "requestContext": {
            **_context(
                request,
                deployment,
                unquote(inner, errors="replace"),
                deployment.stage or "$default",
            ),
            "accountId": piece.account_of(deployment),
            "identity": _identity(request, piece.user_agent_of(request)),
            "requestId": piece.short_id(request),
            "resourceId": "$default",
            "resourcePath": "$default",
        },
        "pathParameters": None,
        "stageVariables": None,
        **_body(request, piece.is_text(request) and not request.header("content-encoding")),
    }


def prefix_of(deployment: Deployment) -> str:
    """What every path begins with: the stage, or what a domain of one's own maps to the API."""
    if deployment.stage is None:
        return deployment.base_path
    return "" if deployment.stage == "$default" else f"/{deployment.stage}"


def path_in(deployment: Deployment, path: str) -> str:
    """The path as an HTTP API has it, with the stage but without a base path. Raises
    `NotRouted`."""
    below = piece.below(path, prefix_of(deployment))
    return below or "/" if deployment.stage is None else path


def domain_of(request: Request, deployment: Deployment) -> str:
    """The API's own domain, where paths begin with the stage, or else that of the client's URL."""
    if deployment.stage is not None:
        return f"{piece.API_ID}.execute-api.{deployment.region}.amazonaws.com"
    return piece.host_of(request)


def matches(media_type: str, patterns: Iterable[str]) -> bool:
    """Whether a media type is among those of a list such as `("image/*", "application/pdf")`."""
    kinds = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return any(pattern.strip().lower() in kinds for pattern in patterns)


def _maps(request: Request, headers: Pairs) -> Event:
    query = piece.query_pairs(request)
    return {
        "headers": dict(headers),
        "multiValueHeaders": piece.lists(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": piece.lists(query) or None,
    }


def _context(request: Request, deployment: Deployment, path: str, stage: str) -> Event:
    domain = domain_of(request, deployment)
    return {
        "apiId": piece.API_ID,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": piece.short_id(request),
        "httpMethod": request.method,
        "path": path,
        "protocol": piece.protocol_of(request),
        "requestTime": piece.clock_time(request),
        "requestTimeEpoch": piece.epoch_ms(request),
        "stage": stage,
    }


def _identity(request: Request, user_agent: str | None) -> Event:
    known = {"sourceIp": request.client[0], "userAgent": user_agent}
    return {key: known.get(key) for key in _IDENTITY}


def _body(request: Request, as_text: bool) -> Event:
    text, is_base64 = piece.encode_body(request, as_text)
    return {"body": text or None, "isBase64Encoded": is_base64}


# Results


def decode_rest(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What a REST API answers. Raises `BadAnswer`."""
    shape = result_of.parse_object(result, LIMITS["APIGateway"][0])
    if not shape:
        raise BadAnswer("it is an empty object: return one with a `statusCode`")
    status = result_of.read_status(shape) if "statusCode" in shape else 200
    for key in shape:
        if key not in KEYS:
            raise BadAnswer(
                f"it has the key `{result_of.shown(key)}`, which a REST API does not know:"
                f" leave it out; the keys are {', '.join(KEYS)}"
            )
    headers = _rest_headers(shape)
    accepted = request.header("accept").partition(",")[0].partition(";")[0].strip().lower()
    is_binary = matches(accepted, deployment.binary_media_types)
    body = result_of.read_body(shape, shape.get("isBase64Encoded") is True and is_binary)
    return result_of.make_answer(
        status, result_of.with_default_type(headers, "application/json"), body
    )


def _rest_headers(shape: dict[str, Any]) -> Pairs:
    """Both maps of headers; values of `multiValueHeaders` come first."""
    for name, value in result_of.read_map(shape, "headers").items():
        if not isinstance(value, str | bool):
            kind = "null" if value is None else f"a {type(value).__name__}"
            raise BadAnswer(
                f"its header `{result_of.shown(name)}` is not a text but {kind}: write it as one"
            )
    single, multiple = _read_maps(shape)
    return [(_remapped(name), value) for name, value in _spelled(multiple + single)]


def _remapped(name: str) -> str:
    return f"x-amzn-Remapped-{piece.title(name)}" if name.lower() in REMAPPED else name


def decode_http(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What an HTTP API answers for a result of payload 1.0. Raises `BadAnswer`."""
    max_result_bytes, max_header_bytes = LIMITS["HTTPGateway"]
    shape = result_of.parse_object(result, max_result_bytes)
    status = result_of.read_status(shape)
    pairs = read_maps(shape)
    check_headers(pairs, max_header_bytes)
    body = result_of.read_body(shape, shape.get("isBase64Encoded") is True)
    headers = result_of.with_default_type(pairs, "text/plain; charset=utf-8")
    return result_of.make_answer(status, headers, body)


def read_maps(shape: dict[str, Any]) -> Pairs:
    """Both maps of headers; values of `multiValueHeaders` come last."""
    single, multiple = _read_maps(shape)
    return _spelled(single + multiple)


def _read_maps(shape: dict[str, Any]) -> tuple[Pairs, Pairs]:
    """The pairs of `headers` that are not in the other map, and those of `multiValueHeaders`."""
    multiple = [
        (name, text)
        for name, value in result_of.read_map(shape, "multiValueHeaders").items()
        for text in result_of.read_values(name, value)
    ]
    known = {(name.lower(), value) for name, value in multiple}
    single = [
        (name, result_of.read_value(name, value))
        for name, value in result_of.read_map(shape, "headers").items()
    ]
    return [pair for pair in single if (pair[0].lower(), pair[1]) not in known], multiple


def _spelled(pairs: Pairs) -> Pairs:
    """Each name in its first spelling."""
    spellings: dict[str, str] = {}
    for name, _ in pairs:
        spellings.setdefault(name.lower(), name)
    return [(spellings[name.lower()], value) for name, value in pairs]


def check_headers(pairs: Pairs, max_bytes: int | None) -> None:
    """Raise `BadAnswer` for more bytes of names and values than an HTTP API takes."""
    size = sum(len(name) + len(value) for name, value in pairs)
    if max_bytes is not None and size > max_bytes:
        raise BadAnswer(f"it has {size:,} bytes of headers, and {max_bytes:,} are allowed")


def _error(status: int, message: str, error_type: str) -> Answer:
    return result_of.plain(
        status, "application/json", f'{{"message":{message}}}', ("x-amzn-ErrorType", error_type)
    )


_FAILED = _error(502, ' "Internal server error"', "InternalServerErrorException")

REFUSALS = {
    Trouble.NOT_FOUND: _error(403, '"Forbidden"', "ForbiddenException"),
    Trouble.REQUEST_TOO_LARGE: _error(413, '"Request Too Long"', "RequestTooLargeException"),
    Trouble.FUNCTION_ERROR: _FAILED,
    Trouble.FUNCTION_TIMEOUT: _FAILED,
    Trouble.GATEWAY_TIMEOUT: _error(
        504, ' "Endpoint request timed out"', "InternalServerErrorException"
    ),
    Trouble.BAD_RESULT: _FAILED,
}
"""Outside the stage and the base path there is no API, which is what `Forbidden` says; a path that
the API does not have would get `Missing Authentication Token`."""
