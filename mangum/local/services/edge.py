"""CloudFront, through Lambda@Edge: an origin request, with its body.

Sources:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html,
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-generating-http-responses.html,
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
"""

from __future__ import annotations

import base64
from typing import Any

from mangum.handlers.lambda_at_edge import (
    DISALLOWED_HEADERS,
    DISALLOWED_PREFIXES,
    MAX_RESULT_BYTES,
    READ_ONLY_HEADERS,
    READ_ONLY_IN_ANSWERS,
)
from mangum.local.messages import Answer, BadAnswer, Deployment, Event, Pairs, Request, Trouble
from mangum.local.services import _request as piece
from mangum.local.services import _result as result_of

MAX_REQUEST_BYTES = 100 * 1024**2  # CloudFront takes 50 GB: a machine does not
MAX_BYTES = 1_048_576
"""How much of a body the function is shown, and how large its result may be."""

TIMEOUT_S = 30.0
EVENT_TYPE = "origin-request"

_DOMAIN = "d111111abcdef8.cloudfront.net"
_ORIGIN = {
    "customHeaders": {},
    "domainName": "origin.example.org",
    "keepaliveTimeout": 5,
    "path": "",
    "port": 443,
    "protocol": "https",
    "readTimeout": 30,
    "sslProtocols": ["TLSv1.2"],
}


def encode(request: Request, deployment: Deployment) -> Event:
    """CloudFront's event: path and query as sent, and all values of a header."""
    sent: Event = {
        "clientIp": request.client[0],
        "headers": {},
        "method": request.method,
        "origin": {"custom": dict(_ORIGIN)},
        "querystring": piece.ascii_url(request.query),
        "uri": piece.path_of(request),
    }
    for name, value in _headers(request):
        sent["headers"].setdefault(name, []).append({"key": piece.title(name), "value": value})
    if request.body:
        sent["body"] = {
            "action": "read-only",
            "data": base64.b64encode(request.body[:MAX_BYTES]).decode("ascii"),
            "encoding": "base64",
            "inputTruncated": len(request.body) > MAX_BYTES,
        }
    config = {
        "distributionDomainName": _DOMAIN,
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": EVENT_TYPE,
        "requestId": base64.urlsafe_b64encode(piece.token(request) * 3).decode("ascii"),
    }
    return {"Records": [{"cf": {"config": config, "request": sent}}]}


def _headers(request: Request) -> Pairs:
    """The client's headers, as an origin request policy passes all of them on."""
    others = ("x-amzn-trace-id", "x-forwarded-port", "x-forwarded-proto")
    sent = [pair for pair in piece.passed_headers(request) if pair[0] not in others]
    version = request.http_version
    return [
        *sent,
        ("cloudfront-forwarded-proto", request.scheme),
        ("via", f"{version} {piece.token(request).hex()}.cloudfront.net (CloudFront)"),
    ]


# Results


def decode(
    result: bytes,
    request: Request,
    deployment: Deployment,
    event_type: str | None = EVENT_TYPE,
) -> Answer:
    """What CloudFront answers. Raises `BadAnswer`."""
    shape = result_of.parse_object(result, MAX_RESULT_BYTES.get(event_type or "", MAX_BYTES))
    if "status" not in shape:
        raise BadAnswer(
            "it has no `status`, so CloudFront would go on to the origin, and there is none here:"
            " return an answer with a `status`"
        )
    status = result_of.read_status(shape, "status")
    if status == 204 and "body" in shape:
        raise BadAnswer("it has a `body`, which CloudFront refuses beside the `status` 204")
    encoding = shape.get("bodyEncoding", "text")
    if encoding not in ("text", "base64"):
        raise BadAnswer("its `bodyEncoding` is neither text nor base64")
    read_only = READ_ONLY_HEADERS.get(event_type or "", READ_ONLY_IN_ANSWERS)
    pairs = _read_headers(shape, read_only)
    return result_of.make_answer(status, pairs, result_of.read_body(shape, encoding == "base64"))


def _read_headers(shape: dict[str, Any], read_only: frozenset[str]) -> Pairs:
    pairs: Pairs = []
    for name, entries in result_of.read_map(shape, "headers").items():
        lower = name.lower()
        if lower in DISALLOWED_HEADERS | read_only or lower.startswith(DISALLOWED_PREFIXES):
            raise BadAnswer(
                f"it has the header `{result_of.shown(name)}`, which CloudFront forbids:"
                " leave it out"
            )
        try:
            pairs += [(name, str(entry["value"])) for entry in entries]
        except (LookupError, TypeError):
            raise BadAnswer("its headers are not an object of texts") from None
    return pairs


def _page(status: int, x_cache: str, reason: str) -> Answer:
    html = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN"'
        ' "http://www.w3.org/TR/html4/loose.dtd">\n<HTML><HEAD>'
        "<TITLE>ERROR: The request could not be satisfied</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{status} ERROR</H1>\n<H2>The request could not be satisfied.</H2>\n"
        f'<HR noshade size="1px">\n{reason}\n</BODY></HTML>'
    )
    headers = (("server", "CloudFront"), ("x-cache", f"{x_cache} from cloudfront"))
    return result_of.plain(status, "text/html", html, *headers)


_FAILED = _page(503, "LambdaExecutionError", "The Lambda function returned an error.")

REFUSALS = {
    Trouble.NOT_FOUND: _page(404, "Error", "There is nothing at this path."),
    Trouble.REQUEST_TOO_LARGE: _page(413, "Error", "The request is too large."),
    Trouble.FUNCTION_ERROR: _FAILED,
    Trouble.FUNCTION_TIMEOUT: _FAILED,
    Trouble.GATEWAY_TIMEOUT: _page(504, "Error", "The function took too long."),
    Trouble.BAD_RESULT: _page(
        502, "LambdaValidationError", "The Lambda function result failed validation."
    ),
}
