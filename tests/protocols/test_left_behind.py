"""What an application leaves on the loop goes on with each invocation, though none suspends."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from mangum import Mangum
from mangum.types import Receive, Scope, Send
from tests.apps import respond
from tests.builders import http_v2_event, lambda_context


class LeavesBehind:
    """Starts a task with its first request, and never suspends a request."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self.work())
        await respond(send)

    async def work(self) -> None:
        raise NotImplementedError


class Ticks(LeavesBehind):
    async def work(self) -> None:
        for number in range(3):
            await asyncio.sleep(0.001)
            self.notes.append(f"tick {number}")


class Listens(LeavesBehind):
    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)

    async def work(self) -> None:
        self.notes.append((await asyncio.get_running_loop().sock_recv(self.near, 10)).decode())


def _invoke(handler: Mangum, times: int) -> None:
    for _ in range(times):
        handler(http_v2_event(), lambda_context())
        time.sleep(0.002)  # as between two invocations of an environment


@pytest.fixture(autouse=True)
def loop() -> asyncio.AbstractEventLoop:
    """A loop without what other tests left on theirs."""
    return asyncio.new_event_loop()


def test_timer_left_behind_fires_with_a_later_invocation(loop: asyncio.AbstractEventLoop) -> None:
    app = Ticks()
    _invoke(Mangum(app, lifespan="off", loop_factory=lambda: loop), 8)
    assert app.notes == ["tick 0", "tick 1", "tick 2"]
    loop.close()


def test_socket_left_behind_is_read_with_a_later_invocation(
    loop: asyncio.AbstractEventLoop,
) -> None:
    app = Listens()
    handler = Mangum(app, lifespan="off", loop_factory=lambda: loop)
    _invoke(handler, 2)
    app.far.send(b"hello")
    _invoke(handler, 3)
    assert app.notes == ["hello"]
    loop.close()
    app.near.close()
    app.far.close()
