"""The response side that all sources share: the pieces of a result, and the limits of their
sizes."""

from __future__ import annotations

from mangum._speedups import decode_headers, encode_body
from mangum.exceptions import ResponseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, Response

# Runtimes whose client writes non-ASCII characters as they are; all others escape them. Source:
# https://github.com/aws/aws-lambda-python-runtime-interface-client, lambda_runtime_marshaller.py
UNESCAPED_RUNTIMES = tuple(f"AWS_Lambda_python3.{minor}" for minor in range(12, 16))

# What JSON makes of an answer at most: six bytes of one (`\u0000`), a header's name twice, and the
# marks around each header and around it all. Only what may be too large is measured exactly.
_MAX_EXPANSION = 6
_MAX_NAMES = 2
_HEADER_BYTES = 8
_ENVELOPE_BYTES = 100


def read_response(
    response: Response, config: LambdaConfig, default_content_type: str = ""
) -> tuple[list[tuple[str, str]], str, bool]:
    """The headers as lower-case text without the excluded ones, the body as text, and whether that
    is base64.

    `default_content_type` is put where the application names none and there is a body.
    """
    texts, content_type, content_encoding = decode_headers(
        response["headers"], config["exclude_headers"]
    )
    body = response["body"]
    if default_content_type and body and not content_type:
        content_type = default_content_type
        if "content-type" not in config["exclude_headers"]:
            texts.append(("content-type", content_type))
    text, is_base64 = encode_body(body, content_type, content_encoding, config["text_mime_types"])
    return texts, text, is_base64


def check_size(
    result: dict[str, Any], response: Response, max_result_bytes: int, max_header_bytes: int | None
) -> None:
    """Raise `ResponseError`, "7000000 bytes, 6291556 are allowed", for a result that is over a
    limit."""
    headers = response["headers"]
    sent = sum([len(name) + len(value) for name, value in headers])
    if max_header_bytes is not None and sent > max_header_bytes:
        size = _header_size(result)
        if size > max_header_bytes:
            raise ResponseError(f"{size} bytes of headers, {max_header_bytes} are allowed")
    at_most = len(response["body"]) + _MAX_NAMES * sent + _HEADER_BYTES * len(headers)
    if _MAX_EXPANSION * (at_most + _ENVELOPE_BYTES) > max_result_bytes:
        size = _json_size(result)
        if size > max_result_bytes:
            raise ResponseError(f"{size} bytes, {max_result_bytes} are allowed")


def _header_size(result: dict[str, Any]) -> int:
    """The bytes of the headers that are left after exclusion, names and values."""
    pairs = [*result.get("headers", {}).items()]
    pairs += [("set-cookie", cookie) for cookie in result.get("cookies", ())]
    for name, values in result.get("multiValueHeaders", {}).items():
        pairs += [(name, value) for value in values]
    return sum(len(name) + len(value) for name, value in pairs)


def _json_size(result: dict[str, Any]) -> int:
    """The bytes that the runtime client will write."""
    import json
    import os

    body = result.get("body") or ""
    is_base64 = result.get("isBase64Encoded") or result.get("bodyEncoding") == "base64"
    if is_base64:  # plain ASCII, and too long to be written twice
        result = {**result, "body": ""}
    ascii_only = os.environ.get("AWS_EXECUTION_ENV") not in UNESCAPED_RUNTIMES
    text = json.dumps(result, ensure_ascii=ascii_only)
    return len(text if ascii_only else text.encode("utf-8", "surrogatepass")) + (
        len(body) if is_base64 else 0
    )
