"""HTTP/1.1 as far as runtime clients use it, on asyncio's streams. Knows nothing of Lambda's paths.

A body is read whole before its request is answered, except where the client streams an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

__all__ = [
    "MAX_HEAD_BYTES",
    "BadRequest",
    "Reply",
    "Request",
    "close",
    "read_pieces",
    "read_request",
    "write_reply",
]

MAX_HEAD_BYTES = 2 * 1024 * 1024  # the runtime sends the cause for X-Ray, up to 1 MiB, as a header
MAX_CHUNK_BYTES = 64 * 1024


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes | None  # `None` if it was too large, or is streamed and not read yet
    keep_alive: bool

    @property
    def is_streamed(self) -> bool:
        mode = self.headers.get("lambda-runtime-function-response-mode", "")
        return self.method == "POST" and mode.lower() == "streaming"


@dataclass(frozen=True)
class Reply:
    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class BadRequest(Exception):
    """What came is not HTTP as it is understood here; the connection can't be used any more."""


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_body_bytes: int
) -> Request | None:
    """The next request; `None` at the end of the connection. Raises `BadRequest`."""
    head = await _read_head(reader)
    if head is None:
        return None
    start, *lines = head.split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest("the request line is not METHOD PATH HTTP/1.1")
    headers = _parse_headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    keep_alive = words[2] != "HTTP/1.0" and headers.get("connection", "").lower() != "close"
    request = Request(words[0], words[1], headers, None, keep_alive)
    if request.is_streamed:
        return request
    if _is_chunked(headers):
        request.body = await _read_chunks(reader, headers, max_body_bytes)
    else:
        length = _length(headers.get("content-length", "0"))
        request.body = await _read_sized(reader, length, max_body_bytes)
    return request


def _is_chunked(headers: Mapping[str, str]) -> bool:
    return headers.get("transfer-encoding", "").lower() == "chunked"


async def _read_head(reader: asyncio.StreamReader) -> str | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(f"the head is larger than {MAX_HEAD_BYTES} bytes") from None
    return head[:-4].decode("latin-1")


async def _read_line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
    except asyncio.LimitOverrunError:
        raise BadRequest(f"a line is longer than {MAX_HEAD_BYTES} bytes") from None


def _parse_headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest("a header is not NAME: VALUE")
        headers[name.lower()] = value.strip()
    return headers


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest("content-length is not a number")
    return int(text)


async def _read_sized(reader: asyncio.StreamReader, size: int, limit: int) -> bytes | None:
    if size <= limit:
        return await reader.readexactly(size)
    while size:  # read to its end, for the client reads no reply before that
        size -= len(await reader.readexactly(min(size, MAX_CHUNK_BYTES)))
    return None


async def _read_chunks(
    reader: asyncio.StreamReader, headers: dict[str, str], limit: int
) -> bytes | None:
    """The body; its trailers are added to the headers."""
    pieces: list[bytes] = []
    total = 0
    async for piece in read_pieces(reader, headers):
        total += len(piece)
        if total <= limit:
            pieces.append(piece)
    return b"".join(pieces) if total <= limit else None


async def read_pieces(
    reader: asyncio.StreamReader, headers: dict[str, str]
) -> AsyncIterator[bytes]:
    """A body in pieces as they arrive; the trailers are added to the headers."""
    if not _is_chunked(headers):
        size = _length(headers.get("content-length", "0"))
        while size:
            piece = await _read_some(reader, size)
            size -= len(piece)
            yield piece
        return
    while size := await _read_chunk_size(reader):
        while size:
            piece = await _read_some(reader, size)
            size -= len(piece)
            yield piece
        if await reader.readexactly(2) != b"\r\n":
            raise BadRequest("a chunk is longer than it says")
    trailers = []
    while line := await _read_line(reader):
        trailers.append(line)
    headers.update(_parse_headers(trailers))


async def _read_chunk_size(reader: asyncio.StreamReader) -> int:
    line = (await _read_line(reader)).partition(";")[0].strip()
    if not re.fullmatch("[0-9a-fA-F]{1,15}", line):
        raise BadRequest("the size of a chunk is not a hexadecimal number")
    return int(line, 16)


async def _read_some(reader: asyncio.StreamReader, size: int) -> bytes:
    """What has arrived, up to a size; waits for a first byte."""
    piece = await reader.read(min(size, MAX_CHUNK_BYTES))
    if not piece:
        raise asyncio.IncompleteReadError(piece, size)
    return piece


def write_reply(writer: asyncio.StreamWriter, reply: Reply, keep_alive: bool) -> None:
    lines = [f"HTTP/1.1 {reply.status.value} {reply.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    head = "".join(f"{line}\r\n" for line in lines)
    writer.write(head.encode("latin-1") + b"\r\n" + reply.body)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
