"""The results of functions as the client would see them: read as the event's source reads them, and
written for a human."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from mangum.cli.events import Source
from mangum.cli.terminal import Painter, plain
from mangum.handlers._reasons import REASONS
from mangum.local.messages import Answer, Deployment, Request
from mangum.local.services import edge
from mangum.local.services._result import make_answer, read_body, read_status
from mangum.local.services.rest import read_maps
from mangum.local.sources import SOURCES

MAX_DUMP_BYTES = 64

_CONTROLS = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\U0010ffff]")
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}

Decoder = Callable[[bytes, Request, Deployment], Answer]

_ANY_TYPE = Deployment(binary_media_types=("*/*",))  # which types an API takes no event tells


def read_answer(result: Any, source: Source, event: Any = None) -> Answer | None:
    """The answer in a function's result; `None` if the source asks for none. Raises `BadAnswer`.

    The event tells what its source reads of a result, as far as the source alone does not.
    """
    shape = result if isinstance(result, dict) else {}
    if source.name == "edge" and "status" not in shape:
        return None  # CloudFront goes on with the request
    decode = _decoder(source, event, shape)
    if decode is None:
        return _read(shape) if "statusCode" in shape else None
    return decode(write_json(result, indent=None).encode(), Request("GET", "/"), _ANY_TYPE)


def _decoder(source: Source, event: Any, shape: dict[str, Any]) -> Decoder | None:
    name = source.name or ""
    if name == "edge":
        config = event["Records"][0]["cf"].get("config") if event else None
        return partial(edge.decode, event_type=(config or {}).get("eventType"))
    if name == "http" and not source.infers_answers:
        name = "http-1"
    elif name == "alb" and (event or shape).get("multiValueHeaders") is not None:
        name = "alb-multi"
    return SOURCES[name].decode if name in SOURCES else None


def _read(shape: dict[str, Any]) -> Answer:
    """What looks like an answer, whoever reads it."""
    status, headers = read_status(shape), read_maps(shape)
    return make_answer(status, headers, read_body(shape, shape.get("isBase64Encoded") is True))


def write_answer(answer: Answer, paint: Painter = plain) -> str:
    """Status, headers and body, without a newline at the end."""
    style = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}.get(answer.status // 100, "bold")
    status = f"{answer.status} {REASONS.get(answer.status, '')}".rstrip()
    lines = [paint(style, status)]
    lines += [f"{paint('dim', f'{name}:')} {_printable(value)}" for name, value in answer.headers]
    if answer.body:
        lines += ["", write_body(answer, paint)]
    return "\n".join(lines)


def write_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON to read, non-ASCII characters as they are unless they can't be written."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return text if _is_utf8(text) else json.dumps(value, indent=indent)


def write_body(answer: Answer, paint: Painter) -> str:
    """Decompressed, JSON indented, and what is no text as a dump of its first bytes."""
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


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
