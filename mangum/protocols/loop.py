"""The event loop of the process, and the cheapest correct way to run a coroutine on it.

A loop is made at the first need and kept: clients and pools that the application caches live on it.
It belongs to its thread, as asyncio's current loop does. Whoever imports this module imports
asyncio.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import sys
import threading
from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from mangum.exceptions import EventLoopRunning

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_EAGER = sys.version_info >= (3, 12)
_ROUNDS_TO_CANCEL = 5
ANYIO_BACKEND = "anyio._backends._asyncio"


class _Loops(threading.local):
    """The thread's loop, its loops by the factories that made them, those that are out of use but
    may have an application on them, and what waits for the end of `run`."""

    def __init__(self) -> None:
        self.kept: _Kept | None = None
        self.made: WeakKeyDictionary[LoopFactory, _Kept] = WeakKeyDictionary()
        self.retired: list[_Kept] = []
        self.driving = False
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
            _silence(self.loop)

    __del__ = close


_loops = _Loops()


@atexit.register
def _close_loops() -> None:
    for kept in (_loops.kept, *_loops.made.values(), *_loops.retired):
        if kept is not None:
            kept.close()


def get_loop(factory: LoopFactory | None = None) -> asyncio.AbstractEventLoop:
    """The thread's loop: without a factory asyncio's current one, else the one used before, else a
    new one, which becomes asyncio's current one.

    A loop that is closed, or runs in another thread, is of no use.
    """
    return _get_kept(factory).loop


def _get_kept(factory: LoopFactory | None) -> _Kept:
    if factory is not None:
        kept = _loops.made.get(factory)
        if kept is None or not _is_usable(kept.loop):
            kept = _loops.made[factory] = _Kept(factory(), made=True)
        return kept
    kept = _loops.kept
    current = _current_loop()
    if current is not None and (kept is None or current is not kept.loop):
        return _keep(_Kept(current, made=False))
    if kept is None or not _is_usable(kept.loop):
        kept = _keep(_Kept(asyncio.new_event_loop(), made=True))
        asyncio.set_event_loop(kept.loop)
    return kept


def _keep(kept: _Kept) -> _Kept:
    former, _loops.kept = _loops.kept, kept
    if former is not None and former.made and not former.loop.is_closed():
        _loops.retired.append(former)
    return kept


def _current_loop() -> asyncio.AbstractEventLoop | None:
    """asyncio's current loop if it is usable; asks without making one and without a warning."""
    if sys.version_info >= (3, 14):
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:
            return None
    else:
        # get_event_loop() would warn, or make a loop, where there is none
        loop = getattr(getattr(asyncio.get_event_loop_policy(), "_local", None), "_loop", None)
    return loop if loop is not None and _is_usable(loop) else None


def _is_usable(loop: asyncio.AbstractEventLoop) -> bool:
    return not loop.is_closed() and not loop.is_running()


def provide_in_thread() -> None:
    """Give a thread other than the main one a current loop, as mangum 0.22 does; the main one gets
    it when it needs it."""
    if (
        threading.current_thread() is not threading.main_thread()
        and events._get_running_loop() is None
    ):
        get_loop()


def _silence(loop: asyncio.AbstractEventLoop) -> None:
    """Drop the tasks that wait on a closed loop, while Python can still do it without noise."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        coroutine: Any = task.get_coro()
        with contextlib.suppress(BaseException):  # what it does when it is dropped
            coroutine.close()


def postpone(callback: Callable[[], None]) -> bool:
    """Have it called at the end of `run`, if that is under way in this thread; `False` if not."""
    if _loops.driving:
        _loops.postponed.append(callback)
    return _loops.driving


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
    if kept.stop_workers is None and ANYIO_BACKEND in sys.modules:
        from mangum.protocols.anyio_threads import keep_workers

        kept.stop_workers = keep_workers(loop)
    loops = _loops
    loops.driving = True
    try:
        return _drive(loop, coroutine)
    finally:
        loops.driving = False
        while loops.postponed:
            loops.postponed.pop(0)()


def _drive(loop: Any, coroutine: Coroutine[Any, Any, T]) -> T:
    """As `loop.run_until_complete`, but, where that is possible, without a round of the loop.

    Most requests never suspend, and a round (a `select`, two callbacks) costs more than the rest of
    the adapter.
    """
    if (
        isinstance(loop, asyncio.BaseEventLoop)
        and type(loop).create_task is asyncio.BaseEventLoop.create_task
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
        if loop._ready or _has_work(loop):
            _run_one_round(loop)
            if loop._ready:
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


def _has_work(loop: Any) -> bool:
    """Whether something that an application left on the loop may wait for a round: a timer that is
    due, or a socket besides the one by which the loop wakes itself."""
    timers = loop._scheduled
    if timers and timers[0]._when <= loop.time():
        return True
    get_map = getattr(getattr(loop, "_selector", None), "get_map", None)
    return get_map is not None and len(get_map() or ()) > 1


def _run_one_round(loop: asyncio.AbstractEventLoop) -> None:
    stop = loop.call_soon(loop.stop)
    try:
        loop.run_forever()
    finally:
        stop.cancel()  # an exit in this round must not leave it for the next run


def _abandon(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
    """See that a task which is not waited for any more neither goes on with the next call nor has
    its exception reported as unseen."""
    for _ in range(_ROUNDS_TO_CANCEL):
        done = task.done()
        task.cancel()
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # on its way to the caller already
            _run_until_stopped(loop)
        if done:
            break
    if task.done() and not task.cancelled():
        task.exception()


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    """Two rounds of the loop, or what it takes until a stop that an exit has left over is used up:
    that would end the next call too early."""
    handles: list[asyncio.Handle] = []
    handles.append(loop.call_soon(lambda: handles.append(loop.call_soon(loop.stop))))
    try:
        loop.run_forever()
    finally:
        for handle in handles:
            handle.cancel()
