"""The event loop of the process, and the cheapest correct way to run a coroutine on it.

A loop is made at the first need and kept: clients and pools that the application caches live on it.
It belongs to its thread, as asyncio's current loop does. Whoever imports this module imports
asyncio.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mangum.exceptions import EventLoopRunning

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_EAGER = sys.version_info >= (3, 12)
_ROUNDS_TO_CANCEL = 5
_ANYIO_BACKEND = "anyio._backends._asyncio"


class _Loops(threading.local):
    """The thread's loops by the factory that made them (`None`: the default one), and what waits
    for the end of `run`."""

    def __init__(self) -> None:
        self.kept: dict[LoopFactory | None, _Kept] = {}
        self.postponed: list[Callable[[], None]] = []


class _Kept:
    """A loop that outlives the calls. One that was made here is closed with its thread; an adopted
    one is its owner's."""

    __slots__ = ("loop", "made", "stop_workers")

    def __init__(self, loop: asyncio.AbstractEventLoop, made: bool) -> None:
        self.loop = loop
        self.made = made
        self.stop_workers: Callable[[], None] | None = None

    def close(self) -> None:
        stop_workers, self.stop_workers = self.stop_workers, None
        if stop_workers is not None:
            stop_workers()
        if self.made and not self.loop.is_running() and not self.loop.is_closed():
            self.loop.close()

    __del__ = close


_loops = _Loops()


@atexit.register
def _close_loops() -> None:
    for kept in _loops.kept.values():
        kept.close()


def get_loop(factory: LoopFactory | None = None) -> asyncio.AbstractEventLoop:
    """The thread's loop: the one used before, else (without a factory) asyncio's current one, else
    a new one.

    A closed loop is replaced. A loop made without a factory becomes asyncio's current one.
    """
    return _get_kept(factory).loop


def _get_kept(factory: LoopFactory | None) -> _Kept:
    kept = _loops.kept.get(factory)
    if kept is None or kept.loop.is_closed():
        current = None if factory else _current_loop()
        loop = current or (factory or asyncio.new_event_loop)()
        kept = _loops.kept[factory] = _Kept(loop, made=current is None)
        if kept.made and factory is None:
            asyncio.set_event_loop(loop)
    return kept


def _current_loop() -> asyncio.AbstractEventLoop | None:
    """asyncio's current loop if there is a usable one; asks without making one and without a
    warning."""
    if sys.version_info >= (3, 14):
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:
            return None
    else:
        # get_event_loop() would warn, or make a loop, where there is none
        loop = getattr(getattr(asyncio.get_event_loop_policy(), "_local", None), "_loop", None)
    return None if loop is None or loop.is_closed() else loop


def provide_in_thread() -> None:
    """Give a thread other than the main one a current loop, as mangum 0.22 does; the main one gets
    it when it needs it."""
    if (
        threading.current_thread() is not threading.main_thread()
        and events._get_running_loop() is None
    ):
        get_loop()


def when_idle(callback: Callable[[], None]) -> None:
    """Call back now, or, if `run` is under way in this thread, when it is over."""
    if events._get_running_loop() is None:
        callback()
    else:
        _loops.postponed.append(callback)


def run(coroutine: Coroutine[Any, Any, T], factory: LoopFactory | None = None) -> T:
    """Run a coroutine to its end on the thread's loop. Raises `EventLoopRunning` where a loop runs
    already."""
    if events._get_running_loop() is not None:
        coroutine.close()
        raise EventLoopRunning(
            "The handler was called while an event loop is running in this thread. "
            "Use `await handler.asgi(event, context)` there."
        )
    kept = _get_kept(factory)
    loop = kept.loop
    if kept.stop_workers is None and _ANYIO_BACKEND in sys.modules:
        from mangum.protocols.anyio_threads import keep_workers

        kept.stop_workers = keep_workers(loop)
    try:
        return _drive(loop, coroutine)
    finally:
        while _loops.postponed:
            _loops.postponed.pop(0)()


def _drive(loop: Any, coroutine: Coroutine[Any, Any, T]) -> T:
    """As `loop.run_until_complete`, but, where that is possible, without a round of the loop.

    Most requests never suspend, and a round (a `select`, two callbacks) costs more than the rest of
    the adapter.
    """
    if (
        isinstance(loop, asyncio.BaseEventLoop)
        and loop.get_task_factory() is None
        and not loop.get_debug()
    ):
        task: asyncio.Task[T] = asyncio.Task.__new__(asyncio.Task)
        begin = _take_first_step
    else:
        task = loop.create_task(coroutine)
        begin = None
    try:
        if begin is not None:
            begin(task, loop, coroutine)
        if begin is None or not task.done():
            return loop.run_until_complete(task)  # type: ignore[no-any-return]
        if loop._ready:
            # children left behind get the step that a round would have given them
            _run_one_round(loop)
    except (KeyboardInterrupt, SystemExit):
        _abandon(task, loop)
        raise
    return task.result()


def _take_first_step(task: Any, loop: Any, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run the task up to its first suspension.

    asyncio starts a task eagerly only while its loop runs, which is what the private attribute
    says; before Python 3.12 the task's first step is taken from the queue by hand.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(
        firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
    )
    loop._thread_id = threading.get_ident()
    events._set_running_loop(loop)
    try:
        if _EAGER:
            task.__init__(coroutine, loop=loop, eager_start=True)
        else:
            task.__init__(coroutine, loop=loop)
            loop._ready.pop()._run()
    finally:
        loop._thread_id = None
        events._set_running_loop(None)
        sys.set_asyncgen_hooks(*hooks)


def _run_one_round(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def _abandon(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
    """See that a task which is not waited for any more neither goes on with the next call nor has
    its exception reported as unseen."""
    for _ in range(_ROUNDS_TO_CANCEL):
        if task.done():
            break
        task.cancel()
        _run_one_round(loop)
    if task.done() and not task.cancelled():
        task.exception()
