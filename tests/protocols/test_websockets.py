"""One ASGI `websocket` connection: what the application gets, and what becomes of what it sends."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import Any

import pytest

from mangum.exceptions import ConnectionGone, MessageRefused, UnexpectedMessage
from mangum.protocols import WebSocketCycle
from mangum.protocols.idle import current
from mangum.types import ASGI, Message, Receive, Scope, Send
from tests.protocols.driving import LOOPS, FarEnd, LoopFactory, run_websocket

ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
CONNECT: Message = {"type": "websocket.connect"}
DENIAL: Message = {"type": "websocket.http.response.start", "status": 401}
MOMENT_S = 0.02
LONG_S = 5.0
PAIRS = [[b"a", b"1"], [b"b", b"2"]]


def text(value: str) -> Message:
    return {"type": "websocket.send", "text": value}


def said(value: str) -> Message:
    return {"type": "websocket.receive", "text": value}


def left(code: int, reason: str = "") -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


def make_cycle(client: FarEnd | None = None) -> WebSocketCycle:
    return WebSocketCycle({"type": "websocket"}, client or FarEnd())


def after(*messages: Message) -> WebSocketCycle:
    """The cycle of an application that has sent the messages, and ended."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(message)

    run_websocket(cycle := make_cycle(), app)
    return cycle


def refusal_of(*messages: Message) -> str:
    """What is said of the last message."""
    cycle = after(*messages)
    assert type(cycle.error) is UnexpectedMessage
    return str(cycle.error)


# --- what it may send -----------------------------------------------------------------------------


@pytest.mark.parametrize("subprotocol", [b"chat", 1, ["chat"]], ids=repr)
def test_subprotocol_must_be_a_text(subprotocol: Any) -> None:
    assert "`subprotocol`" in refusal_of({**ACCEPT, "subprotocol": subprotocol})


@pytest.mark.parametrize("subprotocol", ["chat\r\nset-cookie: a=b", "a\nb", "a\0b", "a\ud800"])
def test_subprotocol_must_be_fit_for_a_header(subprotocol: str) -> None:
    assert "websocket.accept" in refusal_of({**ACCEPT, "subprotocol": subprotocol})


@pytest.mark.parametrize("subprotocol", ["chat", "", None])
def test_subprotocol_is_kept(subprotocol: Any) -> None:
    cycle = after({**ACCEPT, "subprotocol": subprotocol})
    assert (cycle.error, cycle.subprotocol) == (None, subprotocol)


@pytest.mark.parametrize("message", [ACCEPT, DENIAL], ids=["accept", "denial"])
@pytest.mark.parametrize(
    "headers",
    [
        [("a", "1")],
        [(b"a", "1")],
        [(b"a",)],
        [(b"a", b"1", b"2")],
        [b"ab"],
        {b"a": b"1"},
        b"a",
        "a",
        [None],
        1,
        [(b"a", b"1\r\nb: 2")],
        [(b"a\n", b"1")],
        [(b"a", b"\0")],
    ],
    ids=repr,
)
def test_malformed_headers_are_refused(message: Message, headers: Any) -> None:
    said = refusal_of({**message, "headers": headers})
    assert message["type"] in said
    assert "header" in said


@pytest.mark.parametrize(
    "headers",
    [
        [(b"a", b"1"), (b"b", b"2")],
        ((b"a", b"1"), (b"b", b"2")),
        {b"a": b"1", b"b": b"2"}.items(),
        [(bytearray(b"a"), memoryview(b"1")), [b"b", b"2"]],
    ],
    ids=["tuples", "tuple", "items", "buffers"],
)
def test_headers_may_be_any_iterable_of_pairs(headers: Any) -> None:
    accepted = after({**ACCEPT, "headers": headers})
    denied = after({**DENIAL, "headers": headers})
    assert [[*pair] for pair in accepted.accept_headers] == PAIRS
    assert denied.denial is not None
    assert [[*pair] for pair in denied.denial["headers"]] == PAIRS


@pytest.mark.parametrize("status", [None, "401", 401.0, b"401"], ids=repr)
def test_status_of_a_denial_must_be_an_integer(status: Any) -> None:
    assert "`status`" in refusal_of({**DENIAL, "status": status})


@pytest.mark.parametrize("body", ["no", [1], {"a": 1}, 5], ids=repr)
@pytest.mark.parametrize("more_body", [True, False])
def test_body_of_a_denial_must_be_bytes(body: Any, more_body: bool) -> None:
    message = {"type": "websocket.http.response.body", "body": body, "more_body": more_body}
    assert "`body`" in refusal_of(DENIAL, message)


def test_body_of_a_denial_may_come_in_parts_of_any_buffer() -> None:
    cycle = after(
        DENIAL,
        {"type": "websocket.http.response.body", "body": bytearray(b"n"), "more_body": True},
        {"type": "websocket.http.response.body", "more_body": True},
        {"type": "websocket.http.response.body", "body": memoryview(b"o")},
    )
    assert cycle.denial == {"status": 401, "headers": [], "body": b"no"}


@pytest.mark.parametrize("content", [{}, {"text": None}, {"text": None, "bytes": None}], ids=repr)
def test_message_without_content_is_refused(content: Any) -> None:
    assert "`text` or `bytes`" in refusal_of(ACCEPT, {"type": "websocket.send", **content})


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({**ACCEPT, "subprotocol": 1}, ACCEPT),
        ({**DENIAL, "status": "401"}, DENIAL),
        ({**ACCEPT, "headers": 1}, CLOSE),
    ],
)
def test_refused_message_leaves_no_trace(bad: Message, good: Message) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(UnexpectedMessage):
            await send(bad)
        assert cycle.state.name == "HANDSHAKE"
        await send(good)

    run_websocket(cycle := make_cycle(), app)
    assert cycle.error is None
    assert [*cycle.accept_headers] == []


def test_what_it_changes_after_sending_changes_nothing() -> None:
    value = bytearray(b"1")
    headers = [(b"a", value)]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({**ACCEPT, "headers": headers})
        value[:] = b"2"
        headers.clear()

    run_websocket(cycle := make_cycle(), app)
    assert [[*pair] for pair in cycle.accept_headers] == [[b"a", b"1"]]


def test_messages_reach_the_client_in_order() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        for number in range(10):
            await send(text(str(number)))
        await send({**CLOSE, "code": 4000, "reason": "enough"})

    run_websocket(make_cycle(client := FarEnd()), app)
    assert client.got == [*(text(str(number)) for number in range(10)), (4000, "enough")]


def test_failure_to_send_is_the_applications() -> None:
    client = FarEnd(MessageRefused("too long"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        with pytest.raises(MessageRefused, match="too long"):
            await send(text("x"))
        client.error = None
        await send(text("y"))

    run_websocket(cycle := make_cycle(client), app)
    assert (cycle.error, client.got) == (None, [text("y")])


def test_client_that_has_gone_is_a_disconnect() -> None:
    client = FarEnd(ConnectionGone("gone"))
    got = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        for _ in range(2):
            with pytest.raises(ConnectionGone):
                await send(text("x"))
        client.error = None
        got.append(await receive())
        await send(CLOSE)

    run_websocket(cycle := make_cycle(client), app)
    assert (cycle.error, got, client.got) == (None, [left(1006)], [])


# --- what it gets ---------------------------------------------------------------------------------


def test_connect_comes_first_and_messages_once_it_has_accepted() -> None:
    got = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(await receive())
        early = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert not early.done()
        await send(ACCEPT)
        got.append(await early)
        got.append(await receive())

    async def main() -> None:
        cycle = make_cycle()
        cycle.start(app)
        cycle.deliver(said("a"))
        cycle.deliver(said("b"))
        assert await cycle.proceed(asyncio.get_running_loop().time() + LONG_S)
        assert cycle.error is None

    asyncio.run(main())
    assert got == [CONNECT, said("a"), said("b")]


def test_disconnect_comes_as_often_as_it_is_asked_for_each_a_message_of_its_own() -> None:
    got: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        cycle.disconnect(1001, "Going away")
        cycle.disconnect(1006)  # too late to change anything
        for _ in range(3):
            got.append(await receive())
            got[-1]["seen"] = len(got)

    run_websocket(cycle := make_cycle(), app)
    assert got == [{**left(1001, "Going away"), "seen": number} for number in (1, 2, 3)]


def test_message_that_came_before_the_disconnect_is_delivered_before_it() -> None:
    got: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        cycle.deliver(said("a"))
        cycle.disconnect(1000)
        got.extend([await receive(), await receive()])

    run_websocket(cycle := make_cycle(), app)
    assert got == [said("a"), left(1000)]


def test_each_message_goes_to_one_of_those_that_wait() -> None:
    got: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)

        async def take() -> None:
            while (message := await receive())["type"] == "websocket.receive":
                got.append(message["text"])

        await asyncio.gather(*(take() for _ in range(3)))

    run_websocket(make_cycle(), app, *"abcdef")
    assert got == [*"abcdef"]


@pytest.mark.parametrize("delivered", [False, True], ids=["before", "while it is delivered"])
def test_receive_that_is_cancelled_takes_no_message(delivered: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        if delivered:
            cycle.deliver(said("a"))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            got.append(await task)
        if not delivered:
            cycle.deliver(said("a"))
        if not got:
            got.append(await receive())

    got: list[Any] = []
    run_websocket(cycle := make_cycle(), app)
    assert (got, cycle.error) == ([said("a")], None)


def test_receive_that_times_out_takes_no_message() -> None:
    timeouts = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal timeouts
        await receive()
        await send(ACCEPT)
        while True:
            try:
                got.append(await asyncio.wait_for(receive(), MOMENT_S))
            except asyncio.TimeoutError:
                timeouts += 1

    async def main() -> None:
        cycle.start(app)
        loop = asyncio.get_running_loop()
        for value in "abc":
            assert await cycle.proceed(loop.time() + LONG_S)
            await asyncio.sleep(2 * MOMENT_S)
            cycle.deliver(said(value))
        assert await cycle.proceed(loop.time() + LONG_S)
        await cycle.end()

    got: list[Any] = []
    cycle = make_cycle()
    asyncio.run(main())
    assert got == [said("a"), said("b"), said("c")]
    assert timeouts > 0


# --- how it runs ----------------------------------------------------------------------------------


def test_application_that_raises_is_over_with_its_error() -> None:
    error = RuntimeError("broken")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    run_websocket(cycle := make_cycle(), app)
    assert (cycle.error, cycle.is_over, cycle.is_open) == (error, True, False)


def test_what_is_dropped_while_it_is_muted_is_not_missed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send(text("dropped"))
        while True:
            await send(text((await receive())["text"]))

    (cycle := make_cycle(client := FarEnd())).muted = True
    run_websocket(cycle, app, "sent")
    assert client.got == [text("sent")]


def test_muted_application_says_nothing_while_it_ends() -> None:
    """Its connection goes on elsewhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        try:
            await receive()
        finally:
            await send(text("good-bye"))
            await send(CLOSE)
            ended.append(True)

    async def main() -> None:
        cycle.start(app)
        await cycle.proceed(asyncio.get_running_loop().time() + LONG_S)
        cycle.muted = True
        await cycle.end()

    ended: list[bool] = []
    cycle = make_cycle(client := FarEnd())
    asyncio.run(main())
    assert (ended, client.got, cycle.error) == ([True], [], None)


def test_message_that_cannot_be_sent_is_refused_while_it_is_muted_too() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.send"})

    (cycle := make_cycle()).muted = True
    run_websocket(cycle, app)
    assert type(cycle.error) is UnexpectedMessage


def test_context_of_the_application_is_its_own() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(variable.get())
        variable.set("the application's")
        await receive()
        await send(ACCEPT)
        await receive()
        seen.append(variable.get())

    async def main() -> None:
        variable.set("outside")
        cycle.start(app)
        until = asyncio.get_running_loop().time() + LONG_S
        await cycle.proceed(until)
        assert (variable.get(), current.get()) == ("outside", None)
        variable.set("changed")
        cycle.deliver(said("a"))
        await cycle.proceed(until)

    cycle = make_cycle()
    asyncio.run(main())
    assert seen == ["outside", "the application's"]


def test_application_ends_where_it_waits() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        try:
            await receive()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("finally")

    run_websocket(cycle := make_cycle(), app)
    assert (seen, cycle.is_over, cycle.error) == (["cancelled", "finally"], True, None)


def test_application_that_catches_its_end_is_ended_nevertheless() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await receive()

    run_websocket(cycle := make_cycle(), app)
    assert (cycle.is_over, cycle.error) == (True, None)


def test_error_of_an_application_that_is_ended_is_nobodys() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        try:
            await receive()
        finally:
            raise RuntimeError("while it ends")

    run_websocket(cycle := make_cycle(), app)
    assert (cycle.is_over, cycle.error) == (True, None)


def test_end_may_come_before_the_beginning() -> None:
    calls = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append("called")

    async def main() -> None:
        cycle = make_cycle()
        await cycle.end()
        cycle.start(app)
        await cycle.end()
        await cycle.end()
        assert cycle.is_over

    asyncio.run(main())
    assert calls in ([], ["called"])


def test_application_that_is_at_work_is_left_when_the_time_is_over() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await asyncio.sleep(LONG_S)

    async def main() -> None:
        cycle.start(app)
        loop = asyncio.get_running_loop()
        assert not await cycle.proceed(loop.time() + MOMENT_S)
        assert not await cycle.proceed(loop.time())
        assert cycle.is_open
        await cycle.end()

    cycle = make_cycle()
    asyncio.run(main())


def test_application_that_only_computes_is_at_rest_afterwards() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        while True:
            await receive()
            for _ in range(1000):
                await asyncio.sleep(0)
            done.append(True)

    done: list[bool] = []
    run_websocket(make_cycle(), app, "a", "b")
    assert done == [True, True]


def test_task_that_fails_ends_nothing_else() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)

        async def fail() -> None:
            raise RuntimeError("in the background")

        task = asyncio.ensure_future(fail())
        got.append(await receive())
        assert isinstance(task.exception(), RuntimeError)

    got: list[Any] = []
    run_websocket(cycle := make_cycle(), app, "a")
    assert (got, cycle.error) == ([said("a")], None)


def test_many_tasks_are_seen_to_their_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)

        async def work(number: int) -> None:
            await asyncio.sleep(number % 7 / 1000)
            done.append(number)

        tasks = [asyncio.ensure_future(work(number)) for number in range(300)]
        await receive()
        assert all(task.done() for task in tasks)

    done: list[int] = []
    run_websocket(cycle := make_cycle(), app, "a")
    assert (len(done), cycle.error) == (300, None)


@pytest.mark.parametrize("factory", LOOPS, ids=lambda factory: factory.__name__)
def test_every_kind_of_loop_serves_and_keeps_its_task_factory(factory: LoopFactory) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            await asyncio.ensure_future(send(text(message["text"])))
        await send(CLOSE)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        until = loop.time() + LONG_S
        cycle.start(app)
        assert await cycle.proceed(until)
        for value in "ab":
            cycle.deliver(said(value))
            assert await cycle.proceed(until)
        cycle.disconnect(1000)
        assert await cycle.proceed(until)
        assert loop.get_task_factory() is before
        assert cycle.is_over
        assert [task for task in cycle.tasks if not task.done()] == []

    cycle = make_cycle(client := FarEnd())
    loop = factory()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert client.got == [text("a"), text("b")]


def test_task_factory_that_the_application_sets_stays() -> None:
    def own(loop: Any, coroutine: Any, **options: Any) -> Any:
        return asyncio.Task(coroutine, loop=loop, **options)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().set_task_factory(own)
        await receive()
        await send(ACCEPT)
        await receive()

    async def main() -> None:
        cycle.start(app)
        loop = asyncio.get_running_loop()
        await cycle.proceed(loop.time() + LONG_S)
        assert loop.get_task_factory() is own
        await cycle.end()

    cycle = make_cycle()
    asyncio.run(main())
    assert cycle.error is None


def test_connections_that_run_at_once_know_their_own_tasks() -> None:
    def working(moments: int) -> ASGI:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(ACCEPT)

            async def work() -> None:
                for _ in range(moments):
                    await asyncio.sleep(MOMENT_S)
                await send(text("done"))

            task = asyncio.ensure_future(work())
            await receive()
            await task

        return app

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended: list[int] = []

        async def proceed(number: int, moments: int) -> None:
            cycles[number].start(working(moments))
            assert await cycles[number].proceed(loop.time() + LONG_S)
            ended.append(number)

        await asyncio.gather(proceed(0, 5), proceed(1, 0), proceed(2, 2))
        assert ended == [1, 2, 0]
        assert loop.get_task_factory() is None
        for cycle in cycles:
            await cycle.end()

    clients = [FarEnd() for _ in range(3)]
    cycles = [make_cycle(client) for client in clients]
    asyncio.run(main())
    assert [client.got for client in clients] == [[text("done")]] * 3


def test_application_that_makes_another_connection_wait_is_not_held_to_it() -> None:
    """What it sends to another session is that one's work."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        sends.append(send)
        await receive()
        await sends[0](text("from the other"))
        await receive()

    async def main() -> None:
        until = asyncio.get_running_loop().time() + LONG_S
        for cycle in cycles:
            cycle.start(app)
            assert await cycle.proceed(until)
        cycles[1].deliver(said("a"))
        assert await cycles[1].proceed(until)
        for cycle in cycles:
            await cycle.end()

    sends: list[Send] = []
    clients = [FarEnd(), FarEnd()]
    cycles = [make_cycle(client) for client in clients]
    asyncio.run(main())
    assert [client.got for client in clients] == [[text("from the other")], []]
