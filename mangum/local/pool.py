"""The execution environments of a function: started on demand, each busy with one invocation."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from mangum.local.invocations import Fault, Invocation, Outcome
from mangum.local.journal import Entry

__all__ = ["Environment", "Pool", "Untouched"]

WAIT_S = 5.0
HINT_S = 60.0  # between one call of `on_wait` and the next


class Untouched(Exception):
    """The environment ended before it took the invocation: another one may have it."""


class _Closed(Exception):
    """There are no environments any more."""


class Environment(Protocol):
    """A place where the function runs."""

    number: int
    state: str  # `"starting"`, `"idle"`, `"busy"` or `"ended"`
    started_s: float  # since 1970
    invocations: int
    pid: int | None
    memory_bytes: int | None  # its peak

    async def start(self) -> None:
        """Have it ready for an invocation; a failure is told by the first one."""

    async def invoke(self, invocation: Invocation, entry: Entry) -> Outcome:
        """Run it, and write into the entry what is known of it. Raises `Untouched`.

        A streamed outcome comes when it begins; the environment is busy until the entry's `rest` is
        done.
        """

    async def end(self) -> None:
        """Kill it, whatever it does."""


class Pool:
    """As many environments as are needed at once, up to a limit; invocations beyond it wait."""

    def __init__(
        self,
        make: Callable[[int], Environment],
        concurrency: int = 4,
        on_wait: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_wait` is called when an invocation has waited for `WAIT_S`, now and then."""
        self.environments: list[Environment] = []  # all that have not ended, by their age
        self.concurrency = concurrency
        self._make = make
        self._on_wait = on_wait
        self._told_s = -HINT_S
        self._count = 0
        self._idle: list[Environment] = []  # the last one was busy last
        self._warming = 0  # those that start although nobody has asked yet
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._stale: set[Environment] = set()  # to be ended when they are through
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def warm(self, count: int) -> None:
        """Have environments start before anybody asks; waits until they are ready."""
        new = [self._new() for _ in range(min(count, self.concurrency) - len(self.environments))]
        await asyncio.gather(*[self._warm(environment) for environment in new])

    async def invoke(self, invocation: Invocation, entry: Entry) -> Outcome:
        """What comes of it: once the pool is closed, a fault."""
        while True:
            try:
                environment = await self._acquire()
            except _Closed:
                now_s = time.perf_counter()
                fault = Fault("Sandbox.Ended", "the gateway ends")
                return Outcome(b"", "application/json", fault, now_s, now_s)
            try:
                outcome = await environment.invoke(invocation, entry)
            except Untouched:
                self._release(environment)
                continue
            except BaseException:
                self._stale.add(environment)
                self._release(environment)
                raise
            if entry.rest is None:
                self._release(environment)
            else:
                self._spawn(self._release_later(environment, entry.rest))
            return outcome

    async def renew(self) -> None:
        """End those that are idle, and the others as soon as they are through."""
        self._stale |= set(self.environments)
        idle, self._idle = self._idle, []
        await asyncio.gather(*[self._end(environment) for environment in idle])

    async def close(self) -> None:
        """End all of them; who waits is told."""
        self._closed = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(_Closed())
        await asyncio.gather(*[environment.end() for environment in self.environments])
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks)
            self._tasks -= done
        self.environments.clear()

    def ended(self, environment: Environment) -> None:
        """To be called for one that has ended by itself while nobody used it."""
        if environment in self._idle:
            self._idle.remove(environment)
            self._spawn(self._end(environment))

    async def _warm(self, environment: Environment) -> None:
        self._warming += 1
        try:
            await environment.start()
        except BaseException:
            self._stale.add(environment)
            raise
        finally:
            self._warming -= 1
            self._release(environment)

    async def _acquire(self) -> Environment:
        """Raises `_Closed`."""
        if self._closed:
            raise _Closed
        if self._idle:
            return self._idle.pop()
        if self._warming <= len(self._waiting) and len(self.environments) < self.concurrency:
            return self._new()
        waiter: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        hint = asyncio.get_running_loop().call_later(WAIT_S, self._tell)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._release(waiter.result())  # it came too late
            raise
        finally:
            hint.cancel()

    def _tell(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._told_s + HINT_S:  # once for all that wait
            self._told_s = now_s
            self._on_wait()

    def _new(self) -> Environment:
        self._count += 1
        environment = self._make(self._count)
        self.environments.append(environment)
        return environment

    def _release(self, environment: Environment) -> None:
        if environment.state == "ended" or environment in self._stale or self._closed:
            self._spawn(self._end(environment))
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(environment)
                return
        self._idle.append(environment)

    async def _release_later(self, environment: Environment, rest: asyncio.Future[None]) -> None:
        await asyncio.wait({rest})
        self._release(environment)

    async def _end(self, environment: Environment) -> None:
        await environment.end()
        self._forget(environment)

    def _forget(self, environment: Environment) -> None:
        """It is gone: who waits may have another one in its place."""
        self._stale.discard(environment)
        if environment in self.environments:
            self.environments.remove(environment)
        while self._waiting and len(self.environments) < self.concurrency and not self._closed:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(self._new())

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
