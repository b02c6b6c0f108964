"""Amazon VPC Lattice, both versions of its event.

Whether Lattice decodes the query string, and how it takes several cookies, is not documented:
`_query_string` and `_fold_cookies` are the places that decide it.

Source: https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
"""

from __future__ import annotations

from mangum._speedups import (
    decode_path,
    decode_response,
    encode_multi_value_headers,
    encode_query_string,
    fold_headers,
)
from mangum._speedups.pure import build_scope, last
from mangum.handlers import is_lattice, is_lattice_v1
from mangum.handlers._base import MAP, OBJECT, TEXT, Handler, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

__all__ = ["VPCLattice", "VPCLatticeV1"]


class VPCLattice(Handler):
    """Version 2 of the event."""

    source = "VPC Lattice"
    fields: tuple[tuple[str, str], ...] = (
        ("method", TEXT),
        ("path", TEXT),
        ("headers", MAP),
        ("queryStringParameters", MAP),
        ("body", TEXT),
        ("requestContext", OBJECT),
    )
    required = ("method",)
    path_key, query_key = "path", "queryStringParameters"

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_lattice(event)

    def read_scope(self) -> Scope:
        event = self.event
        path, question_mark, query = (event.get(self.path_key) or "/").partition("?")
        headers, texts = encode_multi_value_headers(None, event.get("headers"), split=True)
        return build_scope(
            event,
            self.context,
            self.config,
            method=event["method"],
            headers=headers,
            texts=texts,
            path=decode_path(path),
            raw_path=path,
            query_string=_query_string(query if question_mark else None, event.get(self.query_key)),
            client_ip=last(texts.get("x-forwarded-for")),
        )

    def write_result(self, response: Response) -> dict[str, Any]:
        from mangum.handlers._reasons import reason

        config = self.config
        texts, body, is_base64 = decode_response(
            response, config["exclude_headers"], config["text_mime_types"]
        )
        headers, cookies = fold_headers(texts)
        return {
            "statusCode": response["status"],
            "statusDescription": f"{response['status']} {reason(response['status'])}",
            "headers": {**headers, **_fold_cookies(cookies)},
            "body": body,
            "isBase64Encoded": is_base64,
        }


class VPCLatticeV1(VPCLattice):
    """Version 1 of the event, the same in other words."""

    fields = (
        ("method", TEXT),
        ("raw_path", TEXT),
        ("headers", MAP),
        ("query_string_parameters", MAP),
        ("body", TEXT),
    )
    path_key, query_key = "raw_path", "query_string_parameters"

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_lattice_v1(event)

    def read_body(self) -> bytes:
        return decode(self.event.get("body"), bool(self.event.get("is_base64_encoded")))


def _query_string(sent: str | None, parameters: Any) -> bytes:
    """The query string of the path, which is as the client sent it, else that of the parameters,
    taken as decoded."""
    return encode_query_string(parameters) if sent is None else sent.encode("utf-8", "replace")


def _fold_cookies(cookies: list[str]) -> dict[str, str | list[str]]:
    """One cookie as text, several as a list."""
    if not cookies:
        return {}
    return {"set-cookie": cookies[0] if len(cookies) == 1 else cookies}
