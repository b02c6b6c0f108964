"""The layer for Channels: groups of consumers, in one environment and in several."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mangum import Mangum
from mangum.exceptions import ConfigurationError
from mangum.protocols.loop import get_loop
from mangum.types import ASGI, Receive, Scope, Send
from tests.builders import decode_result, http_v2_event, lambda_context
from tests.processes import output_of
from tests.websockets.connections import Connections
from tests.websockets.framework_apps import set_up_django
from tests.websockets.harness import API, Client, parked

pytest.importorskip("channels")
set_up_django()

from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async  # noqa: E402
from channels.exceptions import ChannelFull  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer  # noqa: E402
from channels.layers import channel_layers, get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402

from mangum.websockets.channels import ChannelLayer  # noqa: E402

OK = {"statusCode": 200}
ROOM = "room"
AWKWARD_IDS = ["ATfSdcRDvHcCEmA=", "a+b/c==", "with space", "ünï", "x" * 40, "a!b", "a.b"]

handler: Mangum | None = None  # what the layer's option `handler` names


@pytest.fixture
def layer() -> Iterator[Any]:
    """A new one, which the option leads to this module's handler."""
    former = channel_layers.set("default", ChannelLayer(handler=f"{__name__}.handler"))
    yield get_channel_layer()
    channel_layers.set("default", former)


@pytest.fixture(autouse=True)
def _no_handler() -> Iterator[None]:
    yield
    globals()["handler"] = None


def say(text: str) -> dict[str, str]:
    return {"type": "room.said", "text": text}


class Member(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Joins when it connects, leaves when it disconnects, and tells the room what it hears."""

    names: ClassVar[list[str]] = []

    async def connect(self) -> None:
        Member.names.append(self.channel_name)
        await self.channel_layer.group_add(ROOM, self.channel_name)
        await self.greet()
        await self.accept()

    async def greet(self) -> None:
        """Nothing, with most."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "whisper":
            await self.channel_layer.send(self.channel_name, say("to myself"))
        elif text_data == "twice":
            for text in ("first", "second"):
                await self.channel_layer.group_send(ROOM, say(text))
        elif text_data == "at once":
            await asyncio.gather(
                *[self.channel_layer.group_send(ROOM, say(text)) for text in ("first", "second")]
            )
        elif text_data == "mine first":
            message = {"type": "room.said", "text": "before"}
            await self.channel_layer.group_send(ROOM, message)
            message["text"] = "after"
            await self.send(text_data="mine")
        elif text_data == "leave":
            await self.channel_layer.group_discard(ROOM, self.channel_name)
        else:
            await self.channel_layer.group_send(ROOM, say(text_data or ""))

    async def room_said(self, event: Any) -> None:
        await self.send(text_data=event["text"])

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(ROOM, self.channel_name)
        await self.channel_layer.group_send(ROOM, say(f"one less: {code}"))


class Greeter(Member):
    async def greet(self) -> None:
        await self.channel_layer.group_send(ROOM, say("one more"))


class Echo(Member):
    """What it hears from the group it tells the group again, a few times."""

    async def room_said(self, event: Any) -> None:
        await self.send(text_data=event["text"])
        if len(event["text"]) < 3:
            await self.channel_layer.group_send(ROOM, say(event["text"] + "!"))


class SyncMember(WebsocketConsumer):  # type: ignore[misc]
    def connect(self) -> None:
        async_to_sync(self.channel_layer.group_add)(ROOM, self.channel_name)
        self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        async_to_sync(self.channel_layer.group_send)(ROOM, say(text_data or ""))

    def room_said(self, event: Any) -> None:
        self.send(text_data=event["text"])


CONSUMERS = {"async": Member, "sync": SyncMember}


def serve(api: API, consumer: Any = Member, http: ASGI | None = None) -> Mangum:
    parts: dict[str, Any] = {"websocket": consumer.as_asgi()}
    if http is not None:
        parts["http"] = http
    return api.serve(ProtocolTypeRouter(parts))


def members(api: API, handler: Mangum, group: str = ROOM) -> list[str]:
    """The channels in the group, as another environment finds them."""

    async def read() -> list[str]:
        from mangum.backends import make_backend

        async with make_backend(api.dsn) as backend:
            return await backend.group_members(f"channels:{group}")

    found: list[str] = get_loop().run_until_complete(read())
    return found


def run(call: Callable[[], Awaitable[Any]]) -> Any:
    return get_loop().run_until_complete(call())


def join(client: Client) -> Client:
    assert client.connect() == OK
    return client


def leave(client: Client, code: int = 1001) -> None:
    """As a client does: API Gateway knows it no longer."""
    client.api.service.gone.add(client.connection_id)
    assert client.leave(code) == OK


# --- groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("environments", [1, 2, 3])
def test_a_message_to_a_group_reaches_consumers_in_every_environment(
    api: API, layer: Any, consumer: str, environments: int
) -> None:
    handlers = [serve(api, CONSUMERS[consumer]) for _ in range(environments)]
    clients = [
        join(api.client(handlers[number % environments], connection_id=f"c{number}="))
        for number in range(3)
    ]
    for client in clients:
        client.environments = (handlers[0],)
        client.api.service.posts.clear()
        assert client.say("hello") == OK
        assert [it.texts for it in clients] == [["hello"]] * 3


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_consumer_whose_events_change_environments_stays_in_its_group(
    api: API, layer: Any, consumer: str
) -> None:
    handlers = [serve(api, CONSUMERS[consumer]) for _ in range(2)]
    one = join(api.client(*handlers, connection_id="one="))
    two = join(api.client(*reversed(handlers), connection_id="two="))
    api.service.posts.clear()
    for number, client in enumerate((one, two, two, one, one, two)):
        assert client.say(str(number)) == OK
    assert one.texts == two.texts == list("012345")


def test_what_a_consumer_sends_to_its_group_when_it_connects_is_sent_once(
    api: API, layer: Any
) -> None:
    first, second = serve(api, Greeter), serve(api, Greeter)
    one = join(api.client(first, connection_id="one="))
    assert one.texts == []  # it is held until the client's first message
    two = join(api.client(first, second, connection_id="two="))
    assert one.texts.count("one more") == 2  # its own and the other's
    for text in ("hello", "again"):  # in the other environment, which brings both up, and back
        assert two.say(text) == OK
    assert one.texts[2:] == ["hello", "again"]
    assert two.texts == ["one more", "hello", "again"]


def test_consumers_that_answer_to_their_group_come_to_an_end(api: API, layer: Any) -> None:
    handler = serve(api, Echo)
    one, two = (join(api.client(handler, connection_id=it)) for it in ("one=", "two="))
    assert one.say("a") == OK
    assert sorted(one.texts) == sorted(two.texts) == ["a"] + ["a!"] * 2 + ["a!!"] * 4


def test_who_leaves_a_group_in_disconnect_is_in_it_no_more(api: API, layer: Any) -> None:
    handler = serve(api)
    one, two = (join(api.client(handler, connection_id=it)) for it in ("one=", "two="))
    leave(two, 4001)
    assert len(members(api, handler)) == 1
    assert one.texts[-1] == "one less: 4001"
    assert one.say("leave") == OK
    assert members(api, handler) == []
    assert one.say("hello") == OK
    assert "hello" not in one.texts


def test_a_consumer_that_has_ended_is_taken_out_of_the_group(api: API, layer: Any) -> None:
    handler = serve(api, SyncMember)  # which does not leave
    one, two = (join(api.client(handler, connection_id=it)) for it in ("one=", "two="))
    leave(two)
    assert len(members(api, handler)) == 2
    assert one.say("hello") == OK
    assert len(members(api, handler)) == 1
    assert one.texts == ["hello"]
    assert two.texts == []


def test_a_client_that_has_vanished_does_not_keep_others_from_the_message(
    api: API, layer: Any
) -> None:
    handler = serve(api)
    one, two, three = (join(api.client(handler, connection_id=f"{it}=")) for it in range(3))
    api.service.gone.add(two.connection_id)
    assert one.say("hello") == OK
    assert one.say("again") == OK
    assert one.texts[-2:] == three.texts[-2:] == ["hello", "again"]


@pytest.mark.parametrize("message", ["twice", "at once"])
def test_two_messages_to_a_group_arrive_in_order(api: API, layer: Any, message: str) -> None:
    first, second = serve(api), serve(api)
    one = join(api.client(first, connection_id="one="))
    two = join(api.client(second, connection_id="two="))
    three = join(api.client(first, connection_id="three="))
    api.service.posts.clear()
    assert one.say(message) == OK
    assert one.texts == two.texts == three.texts == ["first", "second"]


def test_a_message_is_what_it_was_when_it_was_sent_and_the_sender_goes_on(
    api: API, layer: Any
) -> None:
    handler = serve(api)
    one = join(api.client(handler, connection_id="one="))
    two = join(api.client(handler, connection_id="two="))
    api.service.posts.clear()
    assert one.say("mine first") == OK
    assert sorted(one.texts) == ["before", "mine"]
    assert two.texts == ["before"]


def test_a_consumer_can_send_to_its_own_channel(api: API, layer: Any) -> None:
    handler = serve(api)
    one = join(api.client(handler, connection_id="one="))
    api.service.posts.clear()
    assert one.say("whisper") == OK
    assert one.texts == ["to myself"]


# --- from outside a session -----------------------------------------------------------------------


def telling(tell: Callable[[], Awaitable[Any]]) -> ASGI:
    async def http(scope: Scope, receive: Receive, send: Send) -> None:
        await tell()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return http


async def tell_group() -> None:
    await channel_layers["default"].group_send(ROOM, say("from a view"))


async def tell_group_from_a_thread() -> None:
    """As a synchronous view of Django's does: each request has a thread of its own."""
    async with ThreadSensitiveContext():
        await sync_to_async(lambda: async_to_sync(tell_group)())()


async def tell_one() -> None:
    await channel_layers["default"].send(Member.names[0], say("from a view"))


SENDERS = {"group": tell_group, "thread": tell_group_from_a_thread, "channel": tell_one}


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("environment", ["same", "another"])
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_view_reaches_consumers(
    api: API, layer: Any, sender: str, environment: str, consumer: str
) -> None:
    if (sender, consumer) == ("channel", "sync"):
        pytest.skip("the name of its channel is not kept")
    Member.names.clear()
    telling_handler = serve(api, CONSUMERS[consumer], telling(SENDERS[sender]))
    other = telling_handler if environment == "same" else serve(api, CONSUMERS[consumer])
    globals()["handler"] = telling_handler
    one = join(api.client(other, connection_id="one="))
    api.service.posts.clear()
    for _ in range(2):
        result = telling_handler(http_v2_event(path="/tell"), lambda_context())
        assert decode_result(result).status == 202
    assert one.texts == ["from a view"] * 2


def test_two_messages_at_once_from_outside_reach_a_consumer(api: API, layer: Any) -> None:
    async def tell() -> None:
        await asyncio.gather(*[tell_group() for _ in range(5)])

    handler = serve(api, Member, telling(tell))
    globals()["handler"] = handler
    one = join(api.client(handler, connection_id="one="))
    api.service.posts.clear()
    handler(http_v2_event(path="/tell"), lambda_context())
    assert one.texts == ["from a view"] * 5


def test_the_only_adapter_of_a_process_need_not_be_named(
    tmp_path: Path, service: Connections
) -> None:
    source = f"""
        from django.conf import settings
        settings.configure(CHANNEL_LAYERS={{"default": {{
            "BACKEND": "mangum.websockets.channels.ChannelLayer"}}}})
        import django
        django.setup()
        from channels.layers import get_channel_layer
        from mangum import Mangum
        from tests.builders import lambda_context, websocket_event
        from tests.websockets.test_channels import get_loop, SyncMember

        handler = Mangum(SyncMember.as_asgi(), lifespan="off", edition="2026",
            dsn="sqlite:///{tmp_path}/own.db", api_gateway_endpoint_url="{service.url}")
        print(handler(websocket_event(event_type="CONNECT"), lambda_context()))

        async def tell():
            await get_channel_layer().group_send("room", {{"type": "room.said", "text": "hello"}})

        get_loop().run_until_complete(tell())
        handler.shutdown()
    """
    assert output_of(source) == ["{'statusCode': 200}"]
    assert [data for _, data in service.posts] == [b"hello"]


def test_a_wrong_name_of_the_handler_is_an_error_that_says_so() -> None:
    layer = ChannelLayer(handler="json.dumps")
    with pytest.raises(ConfigurationError, match=r"'json\.dumps', which is no Mangum"):
        run(lambda: layer.group_send("room", say("hello")))


# --- what any layer does --------------------------------------------------------------------------


@pytest.mark.parametrize("connection_id", AWKWARD_IDS)
def test_the_name_of_a_channel_is_one_that_channels_takes(
    api: API, layer: Any, connection_id: str
) -> None:
    Member.names.clear()
    handlers = serve(api), serve(api)
    one = join(api.client(*handlers, connection_id=connection_id))
    assert one.say("hello") == OK
    assert one.texts[-1] == "hello"
    assert len(set(Member.names)) == 1  # the same in both environments
    assert layer.require_valid_channel_name(Member.names[0])


def test_the_layer_has_groups_and_can_be_flushed(layer: Any) -> None:
    assert set(layer.extensions) >= {"groups", "flush"}
    run(lambda: layer.send("work", {"type": "job"}))
    run(layer.flush)
    with pytest.raises(asyncio.TimeoutError):
        run(lambda: asyncio.wait_for(layer.receive("work"), 0.01))


def test_a_channel_of_the_process_is_a_queue(layer: Any) -> None:
    async def talk() -> list[Any]:
        name = await layer.new_channel()
        assert layer.require_valid_channel_name(name)
        assert name != await layer.new_channel()
        message = {"type": "job", "numbers": [1]}
        await layer.send(name, message)
        message["numbers"] = [2]  # too late
        await layer.send("work", {"type": "other"})
        return [await layer.receive(name), await layer.receive("work")]

    assert run(talk) == [{"type": "job", "numbers": [1]}, {"type": "other"}]


def test_two_may_wait_for_one_channel(layer: Any) -> None:
    async def talk() -> list[Any]:
        waiting = [asyncio.ensure_future(layer.receive("work")) for _ in range(2)]
        await asyncio.sleep(0)
        await layer.send("work", {"type": "1"})
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await layer.send("work", {"type": "2"})
        return [await it for it in waiting]

    assert sorted(it["type"] for it in run(talk)) == ["1", "2"]


def test_a_channel_has_a_capacity() -> None:
    layer = ChannelLayer(capacity=2, channel_capacity={"wide.*": 3})

    async def fill(channel: str) -> int:
        for number in range(10):
            try:
                await layer.send(channel, {"type": "job"})
            except ChannelFull:
                return number
        return 10

    assert run(lambda: fill("work")) == 2
    assert run(lambda: fill("wide.work")) == 3


def test_a_full_channel_is_left_out_of_a_group(api: API) -> None:
    former = channel_layers.set("default", ChannelLayer(capacity=0))
    try:
        handler = serve(api)
        one = join(api.client(handler, connection_id="one="))
        assert one.say("hello") == OK
        assert one.texts == []
    finally:
        channel_layers.set("default", former)


@pytest.mark.parametrize("name", ["", "with space", "ü", "x" * 100, "a!b!c", None, 7])
def test_a_name_that_channels_does_not_take_is_refused(layer: Any, name: Any) -> None:
    for call in (
        lambda: layer.send(name, say("hello")),
        lambda: layer.group_add(name, "channel"),
        lambda: layer.group_add(ROOM, name),
        lambda: layer.group_discard(name, "channel"),
        lambda: layer.group_send(name, say("hello")),
    ):
        with pytest.raises(TypeError):
            run(call)


def test_a_message_to_a_channel_of_a_connection_that_there_is_not_is_dropped(
    api: API, layer: Any
) -> None:
    Member.names.clear()
    handler = serve(api)
    globals()["handler"] = handler
    one = join(api.client(handler, connection_id="one="))
    leave(one)
    run(lambda: layer.send(Member.names[0], say("hello")))
    assert "hello" not in one.texts
    assert parked(handler) == []
    json.dumps(api.records())
    assert api.records() == []
