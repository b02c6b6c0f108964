"""Reads the answer to one HTTP/1.1 request. Knows no sockets.

Source: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

from operator import itemgetter

from mangum.exceptions import AWSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Reply(NamedTuple):
        """What a service answered; the headers' names are in lower case."""

        status: int
        headers: dict[str, str]
        body: bytes

else:  # to make a namedtuple takes longer than all that is done with it

    class Reply(tuple):
        __slots__ = ()

        def __new__(cls, status, headers, body):
            return tuple.__new__(cls, (status, headers, body))

        status = property(itemgetter(0))
        headers = property(itemgetter(1))
        body = property(itemgetter(2))


__all__ = ["Malformed", "Reply", "ReplyParser"]

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024  # DynamoDB answers 16 MiB at most
MAX_LINE_BYTES = 1024  # of a chunk's size
MAX_INTERIM = 16

HEX = frozenset(b"0123456789abcdefABCDEF")


class Malformed(AWSError):
    """The answer is not HTTP/1.1, or larger than this client takes."""


class State:  # whose numbers an Enum takes longer to make than a request to send
    HEAD = 1
    LENGTH = 2  # so many bytes
    SIZE = 3  # the line before a chunk
    CHUNK = 4
    TRAILER = 5
    CLOSE = 6  # until the connection's end
    DONE = 7


class ReplyParser:
    """Feed it what arrives until it says that the answer is complete."""

    def __init__(self, method: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_reusable = False  # once complete: whether another request may follow
        self._is_head = method == "HEAD"
        self._state = State.HEAD
        self._buffer = bytearray()
        self._missing = 0  # bytes of the body, or of the chunk
        self._parts: list[bytes] = []  # the body's
        self._length = 0  # of them
        self._interim = 0

    @property
    def reply(self) -> Reply:
        return Reply(self.status, self.headers, b"".join(self._parts))

    def feed(self, data: bytes) -> bool:
        """Whether the answer is complete. Raises `Malformed`."""
        self._buffer += data
        while self._state is not State.DONE:
            if not _STEPS[self._state](self):
                return False
        if self._buffer:  # nobody asked for that
            self.is_reusable = False
        return True

    def end(self) -> bool:
        """The connection has ended: whether the answer is complete."""
        return self._state is State.CLOSE

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD_BYTES:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise Malformed("The head of the answer is too large")
            return False
        head = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        line, *fields = head.split("\r\n")
        if "\n" in head.replace("\r\n", "") or "\0" in head:
            raise Malformed("The head of the answer holds bare line breaks")
        self.status = _status_of(line)
        if self.status < 200:
            self._interim += 1
            if self.status == 101 or self._interim > MAX_INTERIM:
                raise Malformed(f"The answer has the status {self.status}")
            return True
        self.headers = _headers_of(fields)
        self._state = self._frame(is_new=line.startswith("HTTP/1.1"))
        return True

    def _frame(self, *, is_new: bool) -> int:
        """How the body is told from what follows it."""
        headers = self.headers
        options = headers.get("connection", "").lower().replace(" ", "").split(",")
        self.is_reusable = "close" not in options and (is_new or "keep-alive" in options)
        if self._is_head or self.status in (204, 304):
            return State.DONE
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if coding is not None:
            if coding.lower() != "chunked":
                raise Malformed("The answer has an unknown transfer coding")
            if length is not None:  # RFC 9112, 6.3: perhaps an attempt at smuggling
                self.is_reusable = False
            return State.SIZE
        if length is None:
            self.is_reusable = False
            return State.CLOSE
        if not (length.isascii() and length.isdecimal()) or len(length) > 18:
            raise Malformed("The answer has a wrong content-length")
        self._missing = int(length)
        self._limit(self._missing)
        return State.LENGTH if self._missing else State.DONE

    def _read_length(self) -> bool:
        if not self._take():
            return False
        self._state = State.DONE
        return True

    def _read_close(self) -> bool:
        self._limit(len(self._buffer))
        self._parts.append(bytes(self._buffer))
        self._buffer.clear()
        return False

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = line.partition(b";")[0].strip(b" \t")
        if not size or len(size) > 15 or not HEX.issuperset(size):
            raise Malformed("The answer has a chunk of unknown size")
        self._missing = int(size, 16)
        self._limit(self._missing)
        self._state = State.CHUNK if self._missing else State.TRAILER
        return True

    def _read_chunk(self) -> bool:
        if self._missing and not self._take():
            return False
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise Malformed("The answer has a chunk that is longer than it says")
        del self._buffer[:2]
        self._state = State.SIZE
        return True

    def _read_trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise Malformed("The answer has too many trailers")
        if not line:
            self._state = State.DONE
        return True

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, MAX_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_LINE_BYTES:
                raise Malformed("The answer has a line that is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self) -> bool:
        """Move what there is of the missing bytes into the body; whether that was all."""
        part = bytes(self._buffer[: self._missing])
        del self._buffer[: self._missing]
        if part:
            self._parts.append(part)
        self._missing -= len(part)
        return not self._missing

    def _limit(self, more: int) -> None:
        self._length += more
        if self._length > MAX_BODY_BYTES:
            raise Malformed(f"The answer is larger than {MAX_BODY_BYTES} bytes")


_STEPS = {
    State.HEAD: ReplyParser._read_head,
    State.LENGTH: ReplyParser._read_length,
    State.SIZE: ReplyParser._read_size,
    State.CHUNK: ReplyParser._read_chunk,
    State.TRAILER: ReplyParser._read_trailer,
    State.CLOSE: ReplyParser._read_close,
}
"""Each returns whether the next step can be taken; not, if more must arrive."""


def _status_of(line: str) -> int:
    version, _, rest = line.partition(" ")
    code, separator = rest[:3], rest[3:4]
    is_code = len(code) == 3 and code.isascii() and code.isdecimal() and code >= "100"
    if version not in ("HTTP/1.1", "HTTP/1.0") or not is_code or separator not in ("", " "):
        raise Malformed("The answer is not HTTP/1.1")
    return int(code)


def _headers_of(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator or not name or name.strip() != name or "\r" in line:
            raise Malformed("The answer has a malformed header")
        name = name.lower()
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
