"""Amazon VPC Lattice, both versions of its event.

Whether Lattice decodes the query string, and what it answers by itself, is not documented:
`_query` and `REFUSALS` are the places that decide it.

Source: https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
"""

from __future__ import annotations

from mangum._speedups.constants import LIMITS
from mangum.handlers._reasons import reason
from mangum.local.messages import Answer, Deployment, Event, Pairs, Request, Trouble
from mangum.local.services import _request as piece
from mangum.local.services import _result as result_of

MAX_REQUEST_BYTES = 6_291_456
TIMEOUT_S = 60.0


def encode_v1(request: Request, deployment: Deployment) -> Event:
    """Version 1: values of a header are joined, and of a query's key the last one is sent."""
    text, is_base64 = piece.encode_body(request, piece.is_text(request))
    return {
        "raw_path": piece.path_of(request),
        "method": request.method,
        "headers": piece.joined(_headers(request), ", "),
        "query_string_parameters": dict(_query(request)),
        "body": text,
        "is_base64_encoded": is_base64,
    }


def encode_v2(request: Request, deployment: Deployment) -> Event:
    """Version 2: every value is sent, in lists."""
    arn = f"arn:aws:vpc-lattice:{deployment.region}:{piece.account_of(deployment)}"
    vpc = f"{deployment.region}:{piece.account_of(deployment)}:vpc/vpc-0b8276c84697e7339"
    text, is_base64 = piece.encode_body(request, piece.is_text(request))
    event: Event = {
        "version": "2.0",
        "path": piece.path_of(request),
        "method": request.method,
        "headers": piece.lists(_headers(request)),
        "queryStringParameters": piece.lists(_query(request)),
        "requestContext": {
            "serviceNetworkArn": f"{arn}:servicenetwork/sn-0bf3f2882e9cc805a",
            "serviceArn": f"{arn}:service/svc-0a40eebed65f8d69c",
            "targetGroupArn": f"{arn}:targetgroup/tg-6d0ecf831eec9f09",
            "identity": {"sourceVpcArn": f"arn:aws:ec2:{vpc}"},
            "region": deployment.region,
            "timeEpoch": f"{int(request.time_s * 1_000_000)}",
        },
    }
    if text:
        event["body"] = text
    if is_base64:
        event["isBase64Encoded"] = True
    return event


def _headers(request: Request) -> Pairs:
    """Documented is `x-forwarded-for` alone. Without the scheme, links of an application would lead
    a client on this machine to https, so the other two are sent as well."""
    return piece.passed_headers(request)


def _query(request: Request) -> Pairs:
    return piece.query_pairs(request)


# Results


def decode(result: bytes, request: Request, deployment: Deployment) -> Answer:
    """What Lattice answers to either version. Raises `BadAnswer`."""
    shape = result_of.parse_object(result, LIMITS["APIGateway"][0])
    status = result_of.read_status(shape)
    pairs: Pairs = []
    for name, value in result_of.read_map(shape, "headers").items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, text) for text in result_of.read_values(name, values)]
    body = result_of.read_body(shape, shape.get("isBase64Encoded") is True)
    return result_of.make_answer(status, pairs, body)


def _error(status: int) -> Answer:
    return result_of.plain(status, "text/plain", reason(status))


REFUSALS = {
    Trouble.NOT_FOUND: _error(404),
    Trouble.REQUEST_TOO_LARGE: _error(413),
    Trouble.FUNCTION_ERROR: _error(502),
    Trouble.FUNCTION_TIMEOUT: _error(502),
    Trouble.GATEWAY_TIMEOUT: _error(504),
    Trouble.BAD_RESULT: _error(502),
}
