"""The results of functions as the client would see them: read, and written for a human."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mangum.cli.events import Source
from mangum.cli.terminal import Painter, plain
from mangum.handlers._reasons import REASONS

MAX_DUMP_BYTES = 64

_CONTROLS = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\U0010ffff]")
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class BadAnswer(Exception):
    """Why the source would not take the result as an answer."""


@dataclass(frozen=True)
class Answer:
    """What the client gets; cookies are among the headers."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first header of a name, `""` if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def read_answer(result: Any, source: Source) -> Answer | None:
    """The answer in a function's result; `None` if the source asks for none. Raises `BadAnswer`."""
    shape = result if isinstance(result, dict) else {}
    if source.name == "edge":
        if "status" not in shape:
            return None  # CloudFront goes on with the request
        return _read(shape, shape["status"], "status")
    if "statusCode" in shape:
        return _read(shape, shape["statusCode"], "statusCode")
    if source.infers_answers:
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return Answer(200, [("content-type", "application/json")], _encode(text))
    if source.name in (None, "event", "websocket"):
        return None
    raise BadAnswer("it has no `statusCode`")


def write_answer(answer: Answer, paint: Painter = plain) -> str:
    """Status, headers and body, without a newline at the end."""
    style = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}.get(answer.status // 100, "bold")
    status = f"{answer.status} {REASONS.get(answer.status, '')}".rstrip()
    lines = [paint(style, status)]
    lines += [f"{paint('dim', f'{name}:')} {_printable(value)}" for name, value in answer.headers]
    if answer.body:
        lines += ["", _write_body(answer, paint)]
    return "\n".join(lines)


def write_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON to read, non-ASCII characters as they are unless they can't be written."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return text if _is_utf8(text) else json.dumps(value, indent=indent)


def _read(shape: Mapping[str, Any], status: Any, key: str) -> Answer:
    body = shape.get("body")
    if not isinstance(body, str | None):
        raise BadAnswer(f"its `body` is not a text but a {type(body).__name__}")
    data = _encode(body or "")
    if shape.get("isBase64Encoded") is True or shape.get("bodyEncoding") == "base64":
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            raise BadAnswer("its `body` is not the base64 that it claims to be") from None
    try:
        return Answer(_status(status), list(_headers(shape)), data)
    except (OverflowError, TypeError, ValueError):
        raise BadAnswer(f"its `{key}` is not a number from 100 to 599") from None
    except (AttributeError, LookupError):
        raise BadAnswer("its headers are not an object of texts") from None


def _status(value: Any) -> int:
    status = int(value)
    if isinstance(value, bool) or not 100 <= status <= 599:
        raise ValueError
    return status


def _headers(shape: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every header, once for each value; of a name in both maps the multi-value one counts."""
    several = shape.get("multiValueHeaders") or {}
    names = {name.lower() for name in several}
    for name, value in [*(shape.get("headers") or {}).items(), *several.items()]:
        if name.lower() not in names or name in several:
            yield from ((name, text) for text in _values(value))
    yield from (("set-cookie", str(cookie)) for cookie in shape.get("cookies") or ())


def _values(value: Any) -> list[str]:
    """A text, a list of them, or Lambda@Edge's list of `{"key": …, "value": …}`."""
    values = value if isinstance(value, list) else [value]
    return [str(item["value"]) if isinstance(item, dict) else str(item) for item in values]


def _write_body(answer: Answer, paint: Painter) -> str:
    media_type = answer.header("content-type").partition(";")[0].strip().lower()
    encoding = answer.header("content-encoding").strip().lower()
    body, note = answer.body, ""
    if encoding in _DECODERS:
        try:
            body = _DECODERS[encoding](body)
            note = paint("dim", f"[{len(answer.body):,} bytes of {encoding}]\n")
        except (OSError, EOFError, zlib.error):
            pass
    text = body.decode("utf-8", "replace")
    if _CONTROLS.search(text) or "\ufffd" in text or (encoding and not note):
        what = " ".join(filter(None, (encoding, media_type))) or "unknown type"
        size = f"[{len(body):,} {'byte' if len(body) == 1 else 'bytes'} of {what}]"
        return note + paint("dim", size) + "\n" + _dump(body)
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            return note + write_json(json.loads(text))
        except (ValueError, RecursionError):
            pass
    return note + text.rstrip("\n")


def _dump(data: bytes) -> str:
    """The first bytes in hexadecimal, and as text where they are ASCII."""
    lines = []
    for start in range(0, min(len(data), MAX_DUMP_BYTES), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<47}  {text}")
    if len(data) > MAX_DUMP_BYTES:
        lines.append(f"… {len(data) - MAX_DUMP_BYTES:,} more")
    return "\n".join(lines)


def _printable(text: str) -> str:
    return _CONTROLS.sub("�", text)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
