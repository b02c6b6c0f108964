"""The response side that all sources share: the limits of a result's size."""

from __future__ import annotations

from mangum.exceptions import ResponseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Runtimes whose client writes non-ASCII characters as they are; all others escape them. Source:
# https://github.com/aws/aws-lambda-python-runtime-interface-client, lambda_runtime_marshaller.py
UNESCAPED_RUNTIMES = tuple(f"AWS_Lambda_python3.{minor}" for minor in range(12, 16))


def check_size(result: dict[str, Any], max_result_bytes: int, max_header_bytes: int | None) -> None:
    """Raise `ResponseError`, "7000000 bytes, 6291556 are allowed", for a result that is over a
    limit."""
    if max_header_bytes is not None:
        size = _header_size(result)
        if size > max_header_bytes:
            raise ResponseError(f"{size} bytes of headers, {max_header_bytes} are allowed")
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
