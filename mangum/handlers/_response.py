"""The response side that all sources share: the pieces of a result, and the limits of their
sizes."""

from __future__ import annotations

from mangum._speedups import decode_headers, encode_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, Response

# Runtimes whose client writes non-ASCII characters as they are; all others escape them. Source:
# https://github.com/aws/aws-lambda-python-runtime-interface-client, lambda_runtime_marshaller.py
UNESCAPED_RUNTIMES = tuple(f"AWS_Lambda_python3.{minor}" for minor in range(12, 16))

# One byte of a body takes at most six of JSON (`\u0000`).
_MAX_EXPANSION = 6
_MAX_ENVELOPE_BYTES = 100


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
) -> str | None:
    """What is over a limit, as `"7000000 bytes, 6291556 are allowed"`; `None` if nothing is."""
    header_bytes = sum([len(name) + len(value) for name, value in response["headers"]])
    if max_header_bytes is not None and header_bytes > max_header_bytes:
        return f"{header_bytes} bytes of headers, {max_header_bytes} are allowed"
    if (
        len(response["body"]) + header_bytes + _MAX_ENVELOPE_BYTES
    ) * _MAX_EXPANSION <= max_result_bytes:
        return None
    size = _json_size(result)
    return f"{size} bytes, {max_result_bytes} are allowed" if size > max_result_bytes else None


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
