"""Sessions that go on by themselves: GraphQL subscriptions, and messages among the sessions of one
process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from mangum.types import ASGI, Receive, Scope, Send
from tests.websockets.harness import API, MOMENT_S, Client, text

OK = {"statusCode": 200}
PROTOCOL = [("Sec-WebSocket-Protocol", "graphql-transport-ws")]


def graphql() -> ASGI:
    strawberry = pytest.importorskip("strawberry")
    from strawberry.asgi import GraphQL

    class Query:
        hello: str = strawberry.field(resolver=lambda: "world")

    class Subscription:
        async def count(self, to: int) -> AsyncGenerator[int, None]:
            for number in range(to):
                await asyncio.sleep(MOMENT_S)
                yield number

    Query.__annotations__ = {"hello": str}
    Subscription.count.__annotations__ = {"to": int, "return": AsyncGenerator[int, None]}
    Subscription.count = strawberry.subscription(Subscription.count)  # type: ignore[method-assign]
    schema = strawberry.Schema(
        query=strawberry.type(Query), subscription=strawberry.type(Subscription)
    )
    app: ASGI = GraphQL(schema)
    return app


def said(client: Client) -> list[Any]:
    """What it has got since it was last asked."""
    messages = [json.loads(it) for it in client.texts]
    client.api.service.posts.clear()
    return messages


def tell(client: Client, **message: Any) -> list[Any]:
    assert client.say(json.dumps(message)) == OK
    return said(client)


def count(to: int) -> dict[str, str]:
    return {"query": f"subscription {{ count(to: {to}) }}"}


@pytest.mark.parametrize("environments", [1, 2])
def test_a_subscription_is_served_to_its_end(
    api: API, caplog: pytest.LogCaptureFixture, environments: int
) -> None:
    handlers = [
        api.serve(graphql(), edition="2026", websocket_replay="messages")
        for _ in range(environments)
    ]
    client = api.client(*handlers)
    result = client.connect(headers=PROTOCOL)
    assert result["statusCode"] == 200
    assert [*result["headers"].values()] == ["graphql-transport-ws"]
    assert tell(client, type="connection_init") == [{"type": "connection_ack"}]
    for name in ("one", "two"):
        assert tell(client, type="subscribe", id=name, payload=count(3)) == [
            *(
                {"id": name, "type": "next", "payload": {"data": {"count": number}}}
                for number in range(3)
            ),
            {"id": name, "type": "complete"},
        ]
    assert tell(client, type="ping") == [{"type": "pong"}]
    hello = {"query": "{ hello }"}
    assert tell(client, type="subscribe", id="three", payload=hello) == [
        {"id": "three", "type": "next", "payload": {"data": {"hello": "world"}}},
        {"id": "three", "type": "complete"},
    ]
    assert client.leave(1000) == OK
    assert "at work" not in caplog.text


def test_a_subscription_before_the_handshake_of_graphql_is_refused(api: API) -> None:
    handler = api.serve(graphql(), edition="2026")
    client = api.client(handler)
    assert client.connect(headers=PROTOCOL)["statusCode"] == 200
    assert tell(client, type="subscribe", id="one", payload=count(1)) == []
    assert client.is_deleted


class Bus:
    """A queue for each session of the process, by whose task it is emptied into the socket."""

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.queues.add(queue)

        async def forward() -> None:
            while True:
                await send(text(await queue.get()))

        forwarding = asyncio.ensure_future(forward())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                for other in self.queues:
                    other.put_nowait(message["text"])
        finally:
            self.queues.discard(queue)
            forwarding.cancel()


def test_sessions_of_one_process_can_talk_by_queues(
    api: API, caplog: pytest.LogCaptureFixture
) -> None:
    handler = api.serve(Bus())
    one, two = (api.client(handler, connection_id=it) for it in ("one=", "two="))
    assert [it.connect() for it in (one, two)] == [OK, OK]
    assert one.say("hello") == OK
    assert one.texts == ["hello"]
    assert two.say("you, too") == OK
    assert one.texts == two.texts == ["hello", "you, too"]
    assert [it.leave() for it in (one, two)] == [OK, OK]
    assert "at work" not in caplog.text


async def relay(scope: Scope, receive: Receive, send: Send) -> None:
    """One child receives, the other one works and sends, and a stream is between them."""
    await receive()
    await send({"type": "websocket.accept"})
    put, get = anyio.create_memory_object_stream[str](10)

    async def listen() -> None:
        async with put:
            while (message := await receive())["type"] == "websocket.receive":
                await put.send(message["text"])

    async def answer() -> None:
        async with get:
            async for word in get:
                await asyncio.sleep(MOMENT_S)
                await send(text(word.upper()))

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        group.start_soon(answer)


@pytest.mark.parametrize("environments", [1, 2])
@pytest.mark.parametrize("replay", ["connect", "messages"])
def test_a_receiver_and_a_sender_may_be_children_of_a_group(
    api: API, caplog: pytest.LogCaptureFixture, environments: int, replay: str
) -> None:
    client = api.client(*(api.serve(relay, websocket_replay=replay) for _ in range(environments)))
    assert client.connect() == OK
    for number in (1, 2, 3):
        assert client.say(f"hello {number}") == OK
        assert client.texts[-1] == f"HELLO {number}"
    assert len(client.texts) == 3
    assert client.leave() == OK
    assert "at work" not in caplog.text
