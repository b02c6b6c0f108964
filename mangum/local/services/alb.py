"""Application Load Balancers, with multi-value headers or without.

Sources:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

from __future__ import annotations

from functools import partial

from mangum._speedups.constants import LIMITS
from mangum.handlers._reasons import reason
from mangum.local.messages import Answer, BadAnswer, Deployment, Event, Pairs, Request, Trouble
from mangum.local.services import _request as piece
from mangum.local.services import _result as result_of

MAX_REQUEST_BYTES = 1_048_576

_DROPPED = piece.HOP_BY_HOP - {"connection"}  # which a load balancer shows


def _encode(request: Request, deployment: Deployment, *, multi_value: bool) -> Event:
    """A load balancer's event: path, keys and values of the query as the client sent them."""
    group = f"{piece.account_of(deployment)}:targetgroup/function/6d0ecf831eec9f09"
    headers = piece.passed_headers(request, _DROPPED)
    query = piece.raw_query_pairs(request)
    if multi_value:
        maps: Event = {
            "multiValueQueryStringParameters": piece.lists(query),
            "multiValueHeaders": piece.lists(_split_hops(headers)),
        }
    else:
        maps = {"queryStringParameters": dict(query), "headers": dict(headers)}
    as_text = piece.is_text(request) and not request.header("content-encoding")
    text, is_base64 = piece.encode_body(request, as_text)
    return {
        "requestContext": {
            "elb": {
                "targetGroupArn": f"arn:aws:elasticloadbalancing:{deployment.region}:{group}",
            }
        },
        "httpMethod": request.method,
        "path": piece.path_of(request),
        **maps,
        "body": text,
        "isBase64Encoded": is_base64,
    }


encode_single = partial(_encode, multi_value=False)
encode_multi = partial(_encode, multi_value=True)


def _split_hops(pairs: Pairs) -> Pairs:
    """Each address of `x-forwarded-for` is a value of its own."""
    split: Pairs = []
    for name, value in pairs:
        values = value.split(",") if name == "x-forwarded-for" else [value]
        split += [(name, one.strip()) for one in values] if len(values) > 1 else [(name, value)]
    return split


# Results


def decode_single(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What a load balancer answers without multi-value headers. Raises `BadAnswer`."""
    shape = result_of.parse_object(result, LIMITS["ALB"][0])
    headers = _mode(shape, "headers", "multiValueHeaders")
    pairs = [(name, result_of.read_value(name, value)) for name, value in headers.items()]
    return _answer(shape, pairs)


def decode_multi(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What a load balancer answers with multi-value headers. Raises `BadAnswer`."""
    shape = result_of.parse_object(result, LIMITS["ALB"][0])
    headers = _mode(shape, "multiValueHeaders", "headers")
    pairs = [
        (name, text)
        for name, values in headers.items()
        for text in result_of.read_values(name, values)
    ]
    return _answer(shape, pairs)


def _mode(shape: Event, read: str, other: str) -> Event:
    """The map that the target group's mode reads. The other one is not looked at, but alone it
    means that the function takes the group to be in the other mode."""
    headers = result_of.read_map(shape, read)
    if not headers and result_of.read_map(shape, other):
        raise BadAnswer(f"it has `{other}`, while the target group takes `{read}`: return those")
    return headers


def _answer(shape: Event, pairs: Pairs) -> Answer:
    status = result_of.read_status(shape)
    description = shape.get("statusDescription")
    if not isinstance(description, str | None):
        kind = type(description).__name__
        raise BadAnswer(f"its `statusDescription` is not a text but a {kind}")
    body = result_of.read_body(shape, shape.get("isBase64Encoded") is True)
    return result_of.make_answer(status, pairs, body)


def _page(status: int) -> Answer:
    phrase = {413: "Request Entity Too Large", 504: "Gateway Time-out"}.get(status, reason(status))
    line = f"{status} {phrase}"
    html = (
        f"<html>\r\n<head><title>{line}</title></head>\r\n<body>\r\n"
        f"<center><h1>{line}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return result_of.plain(status, "text/html", html, ("server", "awselb/2.0"))


REFUSALS = {
    Trouble.NOT_FOUND: _page(404),
    Trouble.REQUEST_TOO_LARGE: _page(413),
    Trouble.FUNCTION_ERROR: _page(502),
    Trouble.FUNCTION_TIMEOUT: _page(502),
    Trouble.GATEWAY_TIMEOUT: _page(504),
    Trouble.BAD_RESULT: _page(502),
}
