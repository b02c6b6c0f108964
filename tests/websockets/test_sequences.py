"""Any sequence of events, clients and environments: no message is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum.types import Message, Receive, Scope, Send
from mangum.websockets import engine
from tests.profiles import draws
from tests.websockets.connections import Connections
from tests.websockets.harness import (
    ACCEPT,
    API,
    CLOSE,
    DISCONNECTED,
    Client,
    status_of,
    text,
    waiting_tasks,
)

CLIENTS, ENVIRONMENTS = 3, 3


class Step(NamedTuple):
    """What one client does, and the environment that serves it."""

    client: int
    environment: int
    action: str
    """What the application does with the message, or `leave`, `vanish`, `shutdown`."""
    size: int


ACTIONS = [
    "send",
    "send",
    "send",
    "later",
    "child",
    "nothing",
    "close",
    "leave",
    "vanish",
    "shutdown",
]

steps = st.lists(
    st.builds(
        Step,
        st.integers(0, CLIENTS - 1),
        st.integers(0, ENVIRONMENTS - 1),
        st.sampled_from(ACTIONS),
        st.integers(0, 3),
    ),
    max_size=15,
)


async def obey(scope: Scope, receive: Receive, send: Send) -> None:
    """Greets as often as the query says, and does with each message what it says. All that it sends
    has the number of the message in the session."""
    await receive()
    await send(ACCEPT)
    for number in range(int(scope["query_string"].partition(b"=")[2])):
        await send(text(f"0 greeting {number}"))
    seen, tasks = 0, set()

    async def answer(name: str, count: int) -> None:
        number = seen
        for each in range(count):
            await asyncio.sleep(0)
            await send(text(f"{number} {name} {each}"))

    while (message := await receive())["type"] != DISCONNECTED:
        seen += 1
        name, action, count = message["text"].split()
        if action == "send":
            await answer(name, int(count))
        elif action == "later":
            tasks.add(task := asyncio.ensure_future(answer(name, int(count))))
            task.add_done_callback(tasks.discard)
        elif action == "child":
            await asyncio.wait_for(answer(name, int(count)), 60)
        elif action == "close":
            await answer(name, int(count))
            await send(CLOSE)
            return


class Expected:
    """What one client is to see."""

    def __init__(self, greetings: int) -> None:
        self.waiting = [f"0 greeting {number}" for number in range(greetings)]
        self.texts: list[str] = []
        self.said = 0
        self.is_connected = True
        self.has_vanished = False

    def say(self, name: str, step: Step) -> int:
        """The status of the answer."""
        if not self.is_connected:
            return 410
        self.said += 1
        answers = [f"{self.said} {name} {number}" for number in range(step.size)]
        if step.action == "nothing":
            answers = []
        if self.has_vanished:
            if self.waiting or answers or step.action == "close":
                self.is_connected = False
            return 200
        self.texts += [*self.waiting, *answers]
        self.waiting = []
        if step.action == "close":
            self.is_connected = False
        return 200


def numbers_left_out(texts: list[str]) -> list[str]:
    """They begin anew where a session is replayed without its messages."""
    return [it.partition(" ")[2] for it in texts]


@pytest.mark.parametrize("replay", ["connect", "messages"])
@draws(share=0.5)  # each is a whole conversation
@given(steps, st.lists(st.integers(0, 3), min_size=CLIENTS, max_size=CLIENTS))
def test_no_message_is_lost_doubled_or_out_of_order(
    replay: str, taken: list[Step], greetings: list[int]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Connections() as service,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(engine, "MAX_PARKED", 2)
        api = API(Path(folder), service)
        handlers = [api.serve(quiet, websocket_replay=replay) for _ in range(ENVIRONMENTS)]
        clients = [api.client(*handlers, connection_id=f"c{it}") for it in range(CLIENTS)]
        expected = [Expected(count) for count in greetings]
        for client, count in zip(clients, greetings, strict=True):
            assert status_of(client.connect(query=[("greetings", str(count))])) == 200
        for number, step in enumerate(taken):
            _take(f"m{number}", step, clients[step.client], expected[step.client])
        for client, seen in zip(clients, expected, strict=True):
            if replay == "messages":
                assert client.texts == seen.texts
            else:
                assert numbers_left_out(client.texts) == numbers_left_out(seen.texts)
            status = status_of(client.leave(1000))
            assert (status, client.has_record) == (200, False)
        assert api.records() == []
        api.close()
        assert waiting_tasks() == []


def _take(name: str, step: Step, client: Client, expected: Expected) -> None:
    client.turn = step.environment
    if step.action == "leave":
        assert status_of(client.leave(1000)) == 200
        expected.is_connected = False
    elif step.action == "vanish":
        client.api.service.gone.add(client.connection_id)
        expected.has_vanished = True
    elif step.action == "shutdown":
        client.environments[step.environment].shutdown()
    else:
        status = status_of(client.say(f"{name} {step.action} {step.size}"))
        assert status == expected.say(name, step)


async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
    """As a framework does, takes a client that has left for the end of the connection."""
    messages: list[Message] = []

    async def careful(message: Any) -> None:
        try:
            await send(message)
        except OSError:
            messages.append(message)

    await obey(scope, receive, careful)
