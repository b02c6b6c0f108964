"""The pool's book-keeping, with environments that are no processes, in any order of events."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import pytest

from mangum.local.invocations import Fault, Invocation, Outcome
from mangum.local.journal import Entry
from mangum.local.pool import Pool, Untouched

HANG_S = 20
STEPS = 60


class World:
    """A pool, and all environments that it ever had."""

    def __init__(self, seed: int, *, can_fail: bool) -> None:
        self.random = random.Random(seed)
        self.can_fail = can_fail
        self.concurrency = self.random.randint(1, 3)
        self.all: list[Fake] = []
        self.pool = Pool(lambda number: Fake(number, self), self.concurrency)


class Fake:
    """Stands for `Sandbox`: the same states, without a process."""

    pid: int | None = None
    memory_bytes: int | None = None
    started_s = 0.0
    invocations = 0

    def __init__(self, number: int, world: World) -> None:
        self.number = number
        self.state = "starting"
        self.world = world
        self.lives = False  # its process
        self.was_ended = False
        self.uses = 0
        self.done: asyncio.Future[None] | None = None
        self.rest: asyncio.Future[None] | None = None
        world.all.append(self)

    async def start(self) -> None:
        draw = self.world.random
        for _ in range(draw.randint(1, 3)):
            await asyncio.sleep(0)
        if self.world.can_fail and draw.random() < 0.1:
            raise OSError("no process")
        self.lives = not self.was_ended and draw.random() > 0.1
        self.state = "idle" if self.lives else "ended"

    async def invoke(self, invocation: Invocation, entry: Entry) -> Outcome:
        assert self.uses == 0, "two invocations at once"
        self.uses += 1
        try:
            return await self._invoke(entry)
        finally:
            self.uses -= 1

    async def _invoke(self, entry: Entry) -> Outcome:
        if self.state == "starting":
            await self.start()
        if self.state == "ended":
            raise Untouched
        self.state = "busy"
        loop = asyncio.get_running_loop()
        self.done = loop.create_future()
        timer = loop.call_later(self.world.random.random() * 0.002, _settle, self.done)
        try:
            await self.done
        except ConnectionError:
            self.state = "ended"
            if self.world.random.random() < 0.5:
                raise Untouched from None
            return Outcome(b"", "", Fault("Died", ""), 0, 0)
        finally:
            timer.cancel()
        if self.world.random.random() < 0.2:
            entry.rest = self.rest = loop.create_future()
            loop.call_later(0.001, self._finish)
        else:
            self._finish()
        return Outcome(b"", "", None, 0, 0)

    def _finish(self) -> None:
        if self.state == "busy":
            self.state = "idle"
        if self.rest is not None:
            _settle(self.rest)

    def die(self) -> None:
        """As a process does that somebody kills."""
        if not self.lives:
            return
        self.lives = False
        if self.state == "idle":
            self.state = "ended"
            self.world.pool.ended(self)
        elif self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError())

    async def end(self) -> None:
        self.was_ended = True
        self.state = "ended"
        self.lives = False
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError())
        if self.rest is not None:
            _settle(self.rest)
        await asyncio.sleep(0)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Blank:
    """Of an entry the pool looks at this alone."""

    rest: asyncio.Future[None] | None = None


async def live(world: World, *, cancels: bool) -> None:
    """Whatever may happen, in a drawn order; then the end, with everybody answered."""
    draw, pool = world.random, world.pool
    invocation = Invocation(b"", "arn", 1)
    asked: list[asyncio.Future[Any]] = []
    for _ in range(STEPS):
        match draw.choice(["invoke"] * 4 + ["warm", "renew", "die", "die", "cancel", "wait"]):
            case "invoke":
                asked.append(asyncio.ensure_future(pool.invoke(invocation, cast(Entry, Blank()))))
            case "warm":
                asked.append(asyncio.ensure_future(pool.warm(draw.randint(1, 3))))
            case "renew":
                asked.append(asyncio.ensure_future(pool.renew()))
            case "die" if pool.environments:
                cast(Fake, draw.choice(pool.environments)).die()
            case "cancel" if cancels and asked:
                draw.choice(asked).cancel()
            case _:
                await asyncio.sleep(draw.random() * 0.002)
        assert len(pool.environments) <= world.concurrency
        assert sum(it.lives for it in world.all) <= world.concurrency
    if draw.random() < 0.5:
        await asyncio.gather(*asked, return_exceptions=True)
    await pool.close()
    await asyncio.gather(*asked, return_exceptions=True)
    late = await pool.invoke(invocation, cast(Entry, Blank()))
    assert late.fault is not None
    assert not [it.number for it in world.all if it.lives]
    assert pool.environments == []


@pytest.mark.parametrize("can_fail", [False, True], ids=["", "starts fail"])
@pytest.mark.parametrize("cancels", [False, True], ids=["", "with cancellation"])
def test_nobody_waits_for_ever_and_nothing_is_left(cancels: bool, can_fail: bool) -> None:
    async def main(seed: int) -> None:
        await asyncio.wait_for(live(World(seed, can_fail=can_fail), cancels=cancels), HANG_S)

    for seed in range(40):
        asyncio.run(main(seed))


def test_an_invocation_that_waits_long_is_hinted_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mangum.local.pool.WAIT_S", 0.0)

    async def main() -> list[str]:
        world = World(1, can_fail=False)
        hints: list[str] = []
        pool = world.pool = Pool(lambda number: Fake(number, world), 1, lambda: hints.append("!"))
        invocation = Invocation(b"", "arn", 1)
        calls = [pool.invoke(invocation, cast(Entry, Blank())) for _ in range(3)]
        await asyncio.gather(*calls)
        await pool.close()
        return hints

    assert "!" in asyncio.run(main())
