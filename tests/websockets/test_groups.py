"""Messages: what they are on the wire, and to many connections at once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mangum.aws.connections import MAX_SOCKETS
from mangum.backends import make_backend
from mangum.exceptions import ConnectionGone, MessageRefused, WebSocketError
from mangum.websockets.gateway import MAX_MESSAGE_BYTES, ConnectionGateway
from mangum.websockets.groups import MAX_POSTS, Groups, post_all
from mangum.websockets.messages import encode_message
from tests.websockets.connections import Connections

NOT_UTF8 = b"\xff\xfe"
LARGEST = "x" * MAX_MESSAGE_BYTES


@pytest.fixture
def service() -> Iterator[Connections]:
    with Connections() as service:
        yield service


@asynccontextmanager
async def gateway_to(service: Connections) -> AsyncIterator[ConnectionGateway]:
    gateway = ConnectionGateway(service.url)
    try:
        yield gateway
    finally:
        await gateway.close()


class Room:
    """A group of a backend in a file, and its members."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups

    async def add(self, *members: str, group: str = "room") -> None:
        for member in members:
            await self.groups.backend.group_add(group, member)

    async def members(self, group: str = "room") -> set[str]:
        return set(await self.groups.backend.group_members(group))


@asynccontextmanager
async def room_in(
    path: Path, service: Connections, *members: str, binary: str = "error"
) -> AsyncIterator[Room]:
    async with make_backend(f"sqlite:///{path}/groups.db") as backend, gateway_to(service) as to:
        room = Room(Groups(backend, to, binary))
        await room.add(*members)
        yield room


# --- what a message is on the wire --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "data", "expected"),
    [
        ("hello", None, b"hello"),
        ("", None, b""),
        ("Zürich \U0001f680 \x00", None, "Zürich \U0001f680 \x00".encode()),
        (None, b"hello", b"hello"),
        (None, b"", b""),
        (None, "Zürich".encode(), "Zürich".encode()),
        (None, bytearray(b"hello"), b"hello"),
        (None, memoryview(b"hello"), b"hello"),
        (LARGEST, None, LARGEST.encode()),
    ],
    ids=repr,
)
@pytest.mark.parametrize("binary", ["error", "base64"])
def test_text_and_bytes_that_are_text_are_sent_as_they_are(
    text: str | None, data: bytes | None, expected: bytes, binary: str
) -> None:
    encoded = encode_message(text, data, binary)
    assert (type(encoded), encoded) == (bytes, expected)


def test_other_bytes_are_refused_with_the_option_that_would_send_them() -> None:
    with pytest.raises(MessageRefused, match=r'not UTF-8.*websocket_binary="base64"') as caught:
        encode_message(None, NOT_UTF8)
    assert caught.value.__context__ is None  # which would show the bytes


@pytest.mark.parametrize("data", [NOT_UTF8, bytearray(NOT_UTF8), memoryview(NOT_UTF8)], ids=repr)
def test_other_bytes_are_sent_as_base64_by_choice(data: bytes) -> None:
    assert encode_message(None, data, "base64") == base64.b64encode(NOT_UTF8)


@pytest.mark.parametrize(
    ("text", "data", "binary", "size"),
    [
        (LARGEST + "x", None, "error", 131073),
        ("ü" + LARGEST[1:], None, "error", 131073),  # as many letters as bytes are allowed
        (None, LARGEST.encode() + b"x", "error", 131073),
        (None, NOT_UTF8 * (MAX_MESSAGE_BYTES // 2), "base64", 174764),
    ],
    ids=["text", "text that is longer as UTF-8", "bytes", "bytes that are longer as base64"],
)
def test_message_over_the_limit_is_refused_with_both_sizes(
    text: str | None, data: bytes | None, binary: str, size: int
) -> None:
    with pytest.raises(MessageRefused, match=rf"{size} bytes, 131072 are allowed"):
        encode_message(text, data, binary)


def test_surrogate_is_refused() -> None:
    with pytest.raises(MessageRefused, match="surrogate"):
        encode_message("\ud800")


@pytest.mark.parametrize(("text", "data"), [(None, None), ("a", b"a")], ids=["none", "both"])
def test_message_without_content_or_with_two_is_refused(
    text: str | None, data: bytes | None
) -> None:
    with pytest.raises(MessageRefused, match="`text`"):
        encode_message(text, data)


# --- to many at once ----------------------------------------------------------------------------


def post(service: Connections, connection_ids: Collection[str], data: bytes = b"hi") -> set[str]:
    async def main() -> set[str]:
        async with gateway_to(service) as gateway:
            return await post_all(gateway, connection_ids, data)

    return asyncio.run(main())


@asynccontextmanager
async def sending(
    gateway: ConnectionGateway, connection_ids: Collection[str]
) -> AsyncIterator[None]:
    """Is left when all is sent."""
    task = asyncio.create_task(post_all(gateway, connection_ids, b"hi"))
    yield
    await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - of the service, which is in another thread
        await asyncio.sleep(0.001)


def test_every_connection_gets_the_message_once(service: Connections) -> None:
    everybody = {f"c{number}" for number in range(500)}
    assert post(service, everybody) == set()
    assert sorted(service.posts) == sorted((member, b"hi") for member in everybody)


@pytest.mark.parametrize("count", [0, 1, 2, MAX_POSTS, MAX_POSTS + 1])
def test_any_number_of_connections_is_served(service: Connections, count: int) -> None:
    everybody = [f"c{number}" for number in range(count)]
    assert post(service, everybody) == set()
    assert sorted(to for to, _ in service.posts) == sorted(everybody)


def test_messages_are_under_way_at_once_but_not_all_of_them(service: Connections) -> None:
    everybody = [f"c{number}" for number in range(4 * MAX_POSTS)]
    at_once = min(MAX_POSTS, MAX_SOCKETS)
    service.held = set(everybody)

    async def main() -> None:
        async with gateway_to(service) as gateway, sending(gateway, everybody):
            await until(lambda: service.most_at_once == at_once)
            service.held = set()

    asyncio.run(main())
    assert service.most_at_once == service.sockets == at_once
    assert len(service.posts) == len(everybody)


def test_slow_connection_does_not_hold_up_the_others(service: Connections) -> None:
    everybody = [f"c{number}" for number in range(2 * MAX_POSTS)]
    service.held = {"c0"}

    async def main() -> None:
        async with gateway_to(service) as gateway, sending(gateway, everybody):
            await until(lambda: len(service.posts) == len(everybody) - 1)
            service.held = set()

    asyncio.run(main())
    assert service.posts[-1][0] == "c0"


def test_ids_of_connections_that_are_gone_are_returned(service: Connections) -> None:
    service.gone = {"b=", "d"}
    assert post(service, ["a", "b=", "c/x y", "d"]) == {"b=", "d"}
    assert {to for to, _ in service.posts} == {"a", "c/x y"}


def test_throttled_message_is_sent_again(service: Connections) -> None:
    service.statuses["b"] = [429]
    assert post(service, ["a", "b", "c"]) == set()
    assert sorted(service.posts) == [("a", b"hi"), ("b", b"hi"), ("c", b"hi")]


def test_all_are_tried_before_a_failure_is_raised(service: Connections) -> None:
    everybody = [f"c{number}" for number in range(100)]
    service.statuses = {"c0": 500, "c7": 403}
    service.gone = {"c1"}
    with pytest.raises(WebSocketError, match="2 of 100 messages could not be sent") as caught:
        post(service, everybody)
    assert not isinstance(caught.value, ConnectionGone)
    assert isinstance(caught.value.__cause__, WebSocketError)
    assert str(caught.value.__cause__) in str(caught.value)
    assert {to for to, _ in service.posts} == {*everybody} - {"c0", "c1", "c7"}


def test_failure_of_the_only_message_is_raised_alike(service: Connections) -> None:
    service.statuses["a"] = 500
    with pytest.raises(WebSocketError, match="1 of 1 messages"):
        post(service, ["a"])


def test_text_is_no_collection_of_ids(service: Connections) -> None:
    with pytest.raises(TypeError, match="connection_ids"):
        post(service, "abc")
    assert service.requests == []


def test_set_of_the_application_may_change_while_messages_are_sent(service: Connections) -> None:
    members = {f"c{number}" for number in range(200)}

    async def main() -> None:
        async with gateway_to(service) as gateway, sending(gateway, members):
            await until(lambda: bool(service.posts))
            members.clear()

    asyncio.run(main())
    assert len(service.posts) == 200


def test_cancelled_call_leaves_no_task_behind(service: Connections) -> None:
    service.held = {"a", "b", "c"}

    async def main() -> None:
        async with gateway_to(service) as gateway:
            task = asyncio.create_task(post_all(gateway, ["a", "b", "c"], b"hi"))
            await until(lambda: len(service.requests) == 3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert service.posts == []


# --- groups -------------------------------------------------------------------------------------


def test_members_get_what_is_sent_to_the_group(service: Connections, tmp_path: Path) -> None:
    async def main() -> None:
        async with room_in(tmp_path, service, "a", "b") as room:
            await room.add("b", "c", group="other room")
            assert await room.groups.group_send("room", "one") == set()
            await room.groups.backend.group_discard("room", ("b",))
            await room.groups.group_send("room", "two")
            await room.groups.group_send("other room", "three")

    asyncio.run(main())
    assert {member: service.texts(member) for member in "abc"} == {
        "a": ["one", "two"],
        "b": ["one", "three"],
        "c": ["three"],
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"text": "Zürich"}, "Zürich".encode()),
        ({"bytes": b"bytes"}, b"bytes"),
        ({"json": {"a": [1, "ü"]}}, '{"a":[1,"ü"]}'.encode()),
        ({"json": None}, b"null"),
        ({"json": "text"}, b'"text"'),
        ({"text": ""}, b""),
    ],
    ids=repr,
)
def test_message_is_a_text_bytes_or_json(
    service: Connections, tmp_path: Path, content: dict[str, Any], expected: bytes
) -> None:
    async def main() -> None:
        async with room_in(tmp_path, service, "a") as room:
            await room.groups.group_send("room", **content)

    asyncio.run(main())
    assert service.posts == [("a", expected)]


def test_excluded_members_get_nothing(service: Connections, tmp_path: Path) -> None:
    async def main() -> None:
        async with room_in(tmp_path, service, "a", "b", "c") as room:
            await room.groups.group_send("room", "hi", exclude={"a", "stranger"})
            await room.groups.group_send("room", "ho", exclude=["b", "c"])

    asyncio.run(main())
    assert sorted(service.posts) == [("a", b"ho"), ("b", b"hi"), ("c", b"hi")]


def test_members_that_are_gone_are_members_no_more(service: Connections, tmp_path: Path) -> None:
    service.gone = {"b", "c"}

    async def main() -> None:
        async with room_in(tmp_path, service, "a", "b", "c", "d") as room:
            assert await room.groups.group_send("room", "hi") == {"b", "c"}
            assert await room.members() == {"a", "d"}

    asyncio.run(main())


def test_members_that_are_gone_are_pruned_although_others_fail(
    service: Connections, tmp_path: Path
) -> None:
    service.gone, service.statuses = {"a"}, {"b": 500}

    async def main() -> None:
        async with room_in(tmp_path, service, "a", "b", "c") as room:
            with pytest.raises(WebSocketError, match="1 of 3 messages"):
                await room.groups.group_send("room", "hi")
            assert await room.members() == {"b", "c"}

    asyncio.run(main())
    assert service.posts == [("c", b"hi")]


def test_group_without_members_gets_nothing(service: Connections, tmp_path: Path) -> None:
    async def main() -> set[str]:
        async with room_in(tmp_path, service) as room:
            return await room.groups.group_send("room", "hi")

    assert asyncio.run(main()) == set()
    assert service.requests == []


REFUSED: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "too large": ({"text": LARGEST + "x"}, MessageRefused),
    "too large as JSON": ({"json": LARGEST}, MessageRefused),
    "not UTF-8": ({"bytes": NOT_UTF8}, MessageRefused),
    "a surrogate": ({"json": "\ud800"}, MessageRefused),
    "not a JSON number": ({"json": float("nan")}, ValueError),
    "nothing": ({}, TypeError),
    "two": ({"text": "a", "json": "a"}, TypeError),
    "a text as exclude": ({"text": "a", "exclude": "abc"}, TypeError),
}


@pytest.mark.parametrize(("content", "error"), REFUSED.values(), ids=REFUSED)
def test_refused_message_is_sent_to_nobody(
    service: Connections, tmp_path: Path, content: dict[str, Any], error: type[Exception]
) -> None:
    async def main() -> None:
        async with room_in(tmp_path, service, "a", "b") as room:
            with pytest.raises(error):
                await room.groups.group_send("room", **content)

    asyncio.run(main())
    assert service.requests == []


def test_group_sends_other_bytes_as_base64_by_choice(service: Connections, tmp_path: Path) -> None:
    async def main() -> None:
        async with room_in(tmp_path, service, "a", binary="base64") as room:
            await room.groups.group_send("room", bytes=NOT_UTF8)

    asyncio.run(main())
    assert service.posts == [("a", base64.b64encode(NOT_UTF8))]
