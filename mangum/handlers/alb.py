"""Application Load Balancers, with multi-value headers or without.

Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from mangum._speedups import (
    alb_result,
    alb_scope,
    decode_response,
    encode_alb_query_string,
    encode_headers,
    encode_multi_value_headers,
    fold_headers,
)
from mangum._speedups.constants import LIMITS
from mangum.exceptions import ResponseError
from mangum.handlers import is_alb
from mangum.handlers._base import OBJECT, PROXY_FIELDS, Handler
from mangum.handlers._request import add_tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from mangum.types import (
        Headers,
        LambdaConfig,
        LambdaContext,
        LambdaEvent,
        QueryParams,
        Response,
        Scope,
    )

__all__ = [
    "ALB",
    "all_casings",
    "case_mutated_headers",
    "encode_query_string_for_alb",
    "transform_headers",
]


class ALB(Handler):
    """An Application Load Balancer. The result is in the mode of the event, as the load balancer
    ignores the other one."""

    source = "an Application Load Balancer"
    fields = (
        *PROXY_FIELDS,
        ("requestContext.elb", OBJECT),
    )
    required = ("httpMethod",)
    max_result_bytes = LIMITS["ALB"][0]

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_alb(event)

    def read_scope(self) -> Scope:
        scope = alb_scope(self.event, self.context, self.config)
        if self.modern:
            add_tls(scope, None, has_tls_headers=True)
        return scope

    def write_result(self, response: Response) -> dict[str, Any]:
        exclude, types = self.config["exclude_headers"], self.config["text_mime_types"]
        if self.event.get("multiValueHeaders") is not None:
            result = alb_result(response, exclude, types)
        else:
            texts, body, is_base64 = decode_response(response, exclude, types)
            headers, cookies = fold_headers(texts)
            result = {
                "statusCode": response["status"],
                "body": body,
                "isBase64Encoded": is_base64,
                "headers": {**headers, **_cased("set-cookie", cookies)} if cookies else headers,
            }
        if self.modern:
            from mangum.handlers._reasons import reason

            result["statusDescription"] = f"{response['status']} {reason(response['status'])}"
        return result


def _cased(name: str, values: list[str]) -> dict[str, str]:
    """One key for each value, all the same name to HTTP. Raises `ResponseError` if there are more
    values than spellings."""
    cased = dict(zip(all_casings(name), values, strict=False))
    if len(cased) < len(values):
        raise ResponseError(f"{len(values)} `{name}` headers, {len(cased)} are allowed")
    return cased


# Helpers that mangum 0.22 has here


def all_casings(input_string: str) -> Iterator[str]:
    """Every spelling of a text in upper and lower case; the first letters change fastest."""
    letters = [index for index, char in enumerate(input_string) if char.lower() != char.upper()]
    for number in range(1 << len(letters)):
        chars = list(input_string.lower())
        for bit, index in enumerate(letters):
            if number >> bit & 1:
                chars[index] = chars[index].upper()
        yield "".join(chars)


def case_mutated_headers(multi_value_headers: dict[str, list[str]]) -> dict[str, str]:
    """One key for each value, repeated names in different spellings."""
    headers: dict[str, str] = {}
    for name, values in multi_value_headers.items():
        headers.update(_cased(name, values))
    return headers


def encode_query_string_for_alb(params: QueryParams) -> bytes:
    """The query string of parameters that arrived encoded."""
    return encode_alb_query_string(params, as_sent=False)


def transform_headers(event: LambdaEvent) -> list[tuple[bytes, bytes]]:
    """The headers of an event of either mode, names in lower case."""
    headers: Iterable[Any] | Headers
    if "multiValueHeaders" in event:
        headers, _ = encode_multi_value_headers(None, event["multiValueHeaders"], split=True)
    else:
        headers, _ = encode_headers(event["headers"], None)
    return [(name, value) for name, value in headers]
