"""Application Load Balancers, with multi-value headers or without.

Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from mangum._speedups import (
    decode_path,
    encode_alb_query_string,
    encode_headers,
    encode_multi_value_headers,
    fold_headers,
    group_headers,
    split_host,
)
from mangum.exceptions import ResponseError
from mangum.handlers._base import OBJECT, PROXY_FIELDS, Handler
from mangum.handlers._request import build_scope, last
from mangum.handlers._response import read_response

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


MAX_RESULT_BYTES = 1_048_576


class ALB(Handler):
    """An Application Load Balancer. The result is in the mode of the event, as the load balancer
    ignores the other one."""

    source = "an Application Load Balancer"
    fields = (
        *PROXY_FIELDS,
        ("requestContext.elb", OBJECT),
    )
    required = ("httpMethod",)

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        request_context = event.get("requestContext")
        return isinstance(request_context, dict) and request_context.get("elb") is not None

    @property
    def max_result_bytes(self) -> int:
        return MAX_RESULT_BYTES

    def read_scope(self) -> Scope:
        event = self.event
        multi_value_headers = event.get("multiValueHeaders")
        if multi_value_headers is None:
            headers, texts = encode_headers(event.get("headers"), None)
        else:
            headers, texts = encode_multi_value_headers(None, multi_value_headers, split=True)
        path = event.get("path") or "/"
        return build_scope(
            event,
            self.context,
            self.config,
            method=event["httpMethod"],
            headers=headers,
            texts=texts,
            path=decode_path(path),
            raw_path=path,
            query_string=encode_alb_query_string(
                event.get("multiValueQueryStringParameters") or event.get("queryStringParameters"),
                as_sent=self.modern,
            ),
            client_ip=client_of(texts.get("x-forwarded-for")),
            tls_headers=True,
        )

    def write_result(self, response: Response) -> dict[str, Any]:
        texts, body, is_base64 = read_response(response, self.config)
        result: dict[str, Any] = {
            "statusCode": response["status"],
            "body": body,
            "isBase64Encoded": is_base64,
        }
        if self.modern:
            from mangum.handlers._reasons import reason

            result["statusDescription"] = f"{response['status']} {reason(response['status'])}"
        if self.event.get("multiValueHeaders") is None:
            headers, cookies = fold_headers(texts)
            result["headers"] = {**headers, **_cased("set-cookie", cookies)}
        else:
            result["multiValueHeaders"] = group_headers(texts)
        return result


def client_of(forwarded_for: str | None) -> str | None:
    """The peer of the load balancer, which it appends to `x-forwarded-for`; its port, if that is
    sent too, is left out."""
    client = last(forwarded_for)
    return split_host(client)[0] if client else None


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
