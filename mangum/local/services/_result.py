"""The response side that all services share: reading the pieces of a result.

Whatever is wrong raises `BadAnswer`, which names keys and types and never a value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mangum.local.messages import Answer, BadAnswer, Pairs
from mangum.local.services._request import HOP_BY_HOP

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def parse(result: bytes) -> Any:
    try:
        return json.loads(result)
    except (ValueError, RecursionError):
        raise BadAnswer("it is not JSON") from None


def parse_object(result: bytes, max_bytes: int) -> dict[str, Any]:
    check_size(result, max_bytes)
    value = parse(result)
    if not isinstance(value, dict):
        raise BadAnswer(f"it is not an object but {_kind(value)}: return one with a `statusCode`")
    return value


def check_size(result: bytes, max_bytes: int) -> None:
    if len(result) > max_bytes:
        raise BadAnswer(f"it has {len(result):,} bytes as JSON, and {max_bytes:,} are allowed")


def read_status(shape: Mapping[str, Any], key: str = "statusCode") -> int:
    """A status below 200 ends no answer: what follows would be taken for another one."""
    if key not in shape:
        raise BadAnswer(f"it has no `{key}`")
    value = shape[key]
    try:
        status = int(value)
    except (OverflowError, TypeError, ValueError):
        status = 0
    if isinstance(value, bool) or not 200 <= status <= 599:
        raise BadAnswer(f"its `{key}` is not a number from 200 to 599")
    return status


def read_body(shape: Mapping[str, Any], is_base64: bool) -> bytes:
    body = shape.get("body")
    if not isinstance(body, str | None):
        raise BadAnswer(f"its `body` is not a text but a {type(body).__name__}")
    data = encode_text(body or "")
    if is_base64:
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error:
            raise BadAnswer("its `body` is not the base64 that it claims to be") from None
    return data


def read_map(shape: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object of headers, empty if there is none."""
    value = shape.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadAnswer("its headers are not an object of texts")
    return value


def read_value(name: str, value: Any) -> str:
    """A header's value: a text, or a number or truth as JSON writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise BadAnswer(f"its header `{shown(name)}` is not a text but {_kind(value)}")


def read_values(name: str, value: Any) -> list[str]:
    """A list of a header's values."""
    if not isinstance(value, list):
        raise BadAnswer(f"its header `{shown(name)}` is not a list of texts but {_kind(value)}")
    return [read_value(name, item) for item in value]


def read_cookies(shape: Mapping[str, Any]) -> Pairs:
    cookies = shape.get("cookies")
    if cookies is None:
        return []
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        raise BadAnswer("its `cookies` are not a list of texts")
    return [("set-cookie", cookie) for cookie in cookies]


def make_answer(status: int, pairs: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """The answer without the headers that are the connection's, and the length, which is written
    anew."""
    headers = []
    for name, value in pairs:
        if not _NAME.fullmatch(name):
            raise BadAnswer(f"its header {name!r} has characters that no header's name has")
        if _CONTROLS.search(value):
            raise BadAnswer(
                f"its header `{shown(name)}` has a control character, such as a line break"
            )
        if name.lower() not in HOP_BY_HOP and name.lower() != "content-length":
            headers.append((name, to_latin(value.strip(" \t"))))
    return Answer(status, headers, body)


def with_default_type(pairs: Pairs, content_type: str) -> Pairs:
    if any(name.lower() == "content-type" for name, _ in pairs):
        return pairs
    return [*pairs, ("content-type", content_type)]


def to_latin(value: str) -> str:
    """A header's value as it goes out: as it is if it can be, else as UTF-8."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("latin-1")
    return value


def encode_text(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def plain(status: int, content_type: str, body: str, *headers: tuple[str, str]) -> Answer:
    """An answer of the service's own."""
    return Answer(status, [("content-type", content_type), *headers], body.encode())


def shown(key: str) -> str:
    """A key of a result in a message, on one line whatever it holds."""
    return key.encode("unicode_escape").decode("ascii")


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
