"""The helpers of mangum 0.22 for handlers of one's own, with the same names, parameters and
results."""

from __future__ import annotations

from mangum._speedups import decode_body, decode_headers, decode_path, encode_body, split_headers
from mangum._speedups.pure import clean_prefix, server_of, strip_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import Headers, LambdaConfig

__all__ = [
    "get_server_and_port",
    "handle_base64_response_body",
    "handle_exclude_headers",
    "handle_multi_value_headers",
    "maybe_encode_body",
    "strip_api_gateway_path",
]


def maybe_encode_body(body: str | bytes, *, is_base64: bool) -> bytes:
    """The bytes of a request's body. Raises `ValueError` for invalid base64."""
    return decode_body(body, is_base64)


def get_server_and_port(headers: dict[str, Any]) -> tuple[str, int]:
    """Name and port of the server, from `host` and `x-forwarded-port`; port 80 if there is none."""
    return server_of({name: str(value) for name, value in headers.items()}, 80)


def strip_api_gateway_path(path: str, *, api_gateway_base_path: str) -> str:
    """A decoded path without the base path; never empty."""
    path = decode_path(path)
    rest = strip_prefix(path, clean_prefix(api_gateway_base_path))
    return (path if rest is None else rest) or "/"


def handle_multi_value_headers(
    response_headers: Headers,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The headers that occur once, and those that occur more often."""
    texts, _, _ = decode_headers(response_headers, ())
    return split_headers(texts)


def handle_base64_response_body(
    body: bytes, headers: dict[str, str], text_mime_types: list[str]
) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    return encode_body(
        body, headers.get("content-type", ""), headers.get("content-encoding", ""), text_mime_types
    )


def handle_exclude_headers(headers: dict[str, Any], config: LambdaConfig) -> dict[str, Any]:
    """The headers less the excluded ones; names are in lower case."""
    return {name: value for name, value in headers.items() if name not in config["exclude_headers"]}
