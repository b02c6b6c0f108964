"""What the parser makes of an answer, however it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.profiles  # noqa: F401
from mangum.aws.replies import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_INTERIM,
    MAX_LINE_BYTES,
    Malformed,
    Reply,
    ReplyParser,
)

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"


def parse(data: bytes, method: str = "GET", piece: int = 0) -> ReplyParser:
    """The parser after all of the data, in pieces of a size."""
    parser = ReplyParser(method)
    complete = False
    for start in range(0, len(data), piece or len(data)):
        assert not complete
        complete = parser.feed(data[start : start + (piece or len(data))])
    parser_is_done = complete or parser.end()
    assert parser_is_done, "the answer is incomplete"
    return parser


@pytest.mark.parametrize("piece", [0, 1, 2, 7])
@pytest.mark.parametrize(
    ("data", "expected", "is_reusable"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  1 \r\nx-a:\t2\r\n\r\nhello",
            Reply(200, {"content-length": "5", "x-a": "1, 2"}, b"hello"),
            True,
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, {}, b""), True),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            Reply(304, {"content-length": "5"}, b""),
            True,
        ),
        (
            b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
            Reply(200, {"content-length": "0"}, b""),
            True,
        ),
        (
            INTERIM + b"HTTP/1.1 410 Gone\r\ncontent-length: 1\r\n\r\nx",
            Reply(410, {"content-length": "1"}, b"x"),
            True,
        ),
        (
            CHUNKED + b"3\r\nabc\r\n0A;ext=1\r\n0123456789\r\n0\r\n\r\n",
            Reply(200, {"transfer-encoding": "Chunked"}, b"abc0123456789"),
            True,
        ),
        (
            CHUNKED + b"1 \r\na\r\n000\r\nx-checksum: 1\r\n\r\n",
            Reply(200, {"transfer-encoding": "Chunked"}, b"a"),
            True,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Reply(200, {}, b"until the end"), False),
        (b"HTTP/1.1 200 OK\r\n\r\n", Reply(200, {}, b""), False),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: foo, Close\r\n\r\nx",
            Reply(200, {"content-length": "1", "connection": "foo, Close"}, b"x"),
            False,
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
            Reply(200, {"content-length": "1"}, b"x"),
            False,
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx",
            Reply(200, {"content-length": "1", "connection": "keep-alive"}, b"x"),
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Reply(200, {"content-length": "9", "transfer-encoding": "chunked"}, b""),
            False,
        ),
    ],
)
def test_answer_is_read_in_pieces_of_any_size(
    data: bytes, expected: Reply, is_reusable: bool, piece: int
) -> None:
    parser = parse(data, piece=piece)
    assert (parser.reply, parser.is_reusable) == (expected, is_reusable)


def test_answer_to_head_has_no_body() -> None:
    parser = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method="HEAD")
    assert (parser.reply.body, parser.is_reusable) == (b"", True)


def test_what_follows_the_answer_unasked_ends_the_connection() -> None:
    parser = parse(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert (parser.reply, parser.is_reusable) == (Reply(204, {}, b""), False)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname: value\r\n folded: here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname: a\nb: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname: \0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"0x1\r\n",
        CHUNKED + b"1_0\r\n",
        CHUNKED + b"%x\r\n" % (MAX_BODY_BYTES + 1),
        CHUNKED + b"f" * 20 + b"\r\n",
        CHUNKED + b"1\r\nabc\r\n",
        CHUNKED + b"1" * MAX_LINE_BYTES,
        CHUNKED + b"0\r\n" + b"a: b\r\n" * (MAX_INTERIM + 1),
        b"HTTP/1.1 200 OK\r\nname: " + b"x" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nname: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1),
    ],
    ids=lambda data: repr(data[:60]),
)
def test_malformed_answer_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        CHUNKED + b"5\r\nhell",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"0\r\n",
    ],
)
def test_answer_that_breaks_off_is_incomplete(data: bytes) -> None:
    parser = ReplyParser("GET")
    assert not parser.feed(data)
    assert not parser.end()


@given(st.binary() | st.lists(st.sampled_from(
    [b"HTTP/1.1 200 OK", b"\r\n", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"3", b"abc",
     b"0", b"\n", b" ", b":", b"HTTP/1.1 100 C", b"\xff"])).map(b"".join))  # fmt: skip
def test_any_bytes_are_an_answer_or_refused_in_one_piece_as_in_many(data: bytes) -> None:
    def outcome(piece: int) -> object:
        parser = ReplyParser("GET")
        try:
            for start in range(0, len(data), piece):
                if parser.feed(data[start : start + piece]):
                    return parser.reply
        except Malformed as exc:
            return type(exc)
        return parser.reply if parser.end() else None

    assert outcome(1) == outcome(max(1, len(data)))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 60))
def test_chunks_come_back_as_they_were_sent(chunks: list[bytes], piece: int) -> None:
    body = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    parser = parse(CHUNKED + body, piece=piece)
    assert (parser.reply.body, parser.is_reusable) == (b"".join(chunks), True)
