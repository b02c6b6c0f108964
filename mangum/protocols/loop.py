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
from _thread import get_ident
from asyncio import events
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from mangum._speedups import COMPILED, drive
from mangum._speedups.constants import EAGER
from mangum.exceptions import EventLoopRunning

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_get_running_loop, _set_running_loop = events._get_running_loop, events._set_running_loop
_modules = sys.modules
_main_ident = threading.main_thread().ident
_ROUNDS_BY_HAND = 16  # then the loop takes over, which looks at timers and sockets too
_ROUNDS_AFTER = 2  # what a task left behind, or a callback, may need to come to rest
_ROUNDS_TO_CANCEL = 5
ANYIO_BACKEND = "anyio._backends._asyncio"


class _Loops(threading.local):
    """The thread's loop, its loops by the factories that made them, those that are out of use but
    may have an application on them."""

    def __init__(self) -> None:
        self.kept: _Kept | None = None
        self.made: WeakKeyDictionary[LoopFactory, _Kept] = WeakKeyDictionary()
        self.held: dict[int, tuple[LoopFactory, _Kept]] = {}
        self.retired: list[_Kept] = []


class _Kept:
    """A loop that outlives the calls. One that was made here is closed with its thread; an adopted
    one is its owner's."""

    __slots__ = ("is_plain", "loop", "made", "parts", "postponed", "stop_workers", "watched")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, made: bool, is_current: bool = True
    ) -> None:
        self.loop: Any = loop
        self.made = made
        self.postponed: list[Callable[[], None]] = []  # what waits for the end of `run`
        self.stop_workers: Callable[[], None] | None = None
        self.is_plain = (
            isinstance(loop, BaseSelectorEventLoop)
            and type(loop).create_task is asyncio.BaseEventLoop.create_task
        )
        self.watched: Any = ()  # the sockets that the loop watches
        self.parts = self._take_apart(is_current) if self.is_plain else ()

    def _take_apart(self, is_current: bool) -> tuple[Any, ...]:
        """What `drive` needs; `is_current` says whether it must be asyncio's current loop."""
        loop = self.loop
        self.watched = getattr(loop._selector, "_fd_to_key", None)  # its public view is slow
        if self.watched is None:
            self.watched = loop._selector.get_map() or ()
        # where asyncio's policy keeps this thread's current loop, as thread-locals are slow to read
        local: Any = getattr(_get_policy(), "_local", None) if is_current else None
        return (
            asyncio.Task,
            loop,
            vars(loop) if COMPILED else None,  # which would slow down what Python reads there
            {"loop": loop, "eager_start": True} if EAGER else {"loop": loop},
            (loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook),
            self.watched,
            self.postponed,
            vars(events) if is_current else {"_event_loop_policy": None},
            local,
            getattr(local, "__dict__", {}) if is_current else {"_loop": loop},
            _get_running_loop,
            _set_running_loop,
            get_ident(),
            asyncio.Task.done,
            asyncio.Task.cancelled,
            asyncio.Task.result,
        )

    def close(self) -> None:
        stop_workers, self.stop_workers = self.stop_workers, None
        if stop_workers is not None:
            stop_workers()
        if self.made and not self.loop.is_running() and not self.loop.is_closed():
            self.loop.close()
            _silence(self.loop)

    __del__ = close


_loops = _Loops()
_main: _Kept | None = None  # the main thread's, which is the one that Lambda calls


@atexit.register
def _close_loops() -> None:
    for kept in (*_in_use(), *_loops.retired):
        kept.close()


def _in_use() -> list[_Kept]:
    kept = [] if _loops.kept is None else [_loops.kept]
    return [*kept, *_loops.made.values(), *(it for _, it in _loops.held.values())]


def get_loop(factory: LoopFactory | None = None) -> asyncio.AbstractEventLoop:
    """The thread's loop: without a factory asyncio's current one, else the one used before, else a
    new one, which becomes asyncio's current one.

    A loop that is closed, or runs in another thread, is of no use.
    """
    loop: asyncio.AbstractEventLoop = _get_kept(factory).loop
    return loop


def _get_kept(factory: LoopFactory | None) -> _Kept:
    if factory is not None:
        try:
            kept = _loops.made.get(factory)
        except TypeError:  # it has no hash, or takes no weak reference
            kept = _loops.held[id(factory)][1] if id(factory) in _loops.held else None
        if kept is None or not _is_usable(kept.loop):
            kept = _Kept(factory(), made=True, is_current=False)
            try:
                _loops.made[factory] = kept
            except TypeError:
                _loops.held[id(factory)] = factory, kept
        return kept
    kept = _loops.kept
    current = _current_loop()
    if kept is not None and kept.loop is current and _is_usable(current):
        return kept
    if current is not None and _is_usable(current):
        return _keep(_Kept(current, made=False))
    if kept is not None and _is_usable(kept.loop):
        return kept
    kept = _keep(_Kept(asyncio.new_event_loop(), made=True))
    asyncio.set_event_loop(kept.loop)
    return kept


def _keep(kept: _Kept) -> _Kept:
    global _main
    former, _loops.kept = _loops.kept, kept
    if get_ident() == _main_ident:
        _main = kept
    if former is not None and former.made and not former.loop.is_closed():
        _loops.retired.append(former)
    return kept


# the public name warns from Python 3.14 on, where the policies are on their way out
_get_policy = getattr(events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy


def _current_loop() -> asyncio.AbstractEventLoop | None:
    """asyncio's current loop; get_event_loop() would warn, or make one, where there is none."""
    policy: Any = _get_policy()
    loop: asyncio.AbstractEventLoop | None
    try:
        loop = policy._local._loop
    except AttributeError:  # a policy of the application's own
        try:
            loop = policy.get_event_loop()
        except RuntimeError:
            return None
    return loop


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
    for kept in _in_use():
        if kept.loop.is_running():
            kept.postponed.append(callback)
            return True
    return False


def start(coroutine: Coroutine[Any, Any, T], loop: Any) -> asyncio.Task[T]:
    """A task on the running loop that has taken its first step, where that is possible."""
    task: asyncio.Task[T]
    if _is_simple(loop):
        make: Any = asyncio.Task
        task = make(coroutine, loop=loop, eager_start=True)
    else:
        task = loop.create_task(coroutine)
    return task


def wake(waiter: asyncio.Future[None], loop: Any) -> None:
    """Resolve what a task waits for, and have it take its next step at once, where that is
    possible."""
    ready = loop._ready if _is_simple(loop) else None
    is_first = not ready
    waiter.set_result(None)
    if ready and is_first and len(ready) == 1:
        # as an eager task does: the running one stands back until the other one suspends
        current = _swap_current_task(loop, None)
        try:
            ready.popleft()._run()
        finally:
            _swap_current_task(loop, current)


def _is_simple(loop: Any) -> bool:
    """Whether tasks can be started and stepped on it from within another one."""
    kept = _main
    if kept is None or kept.loop is not loop:
        kept = _loops.kept
    return (
        EAGER
        and kept is not None
        and kept.loop is loop
        and kept.is_plain
        and loop._task_factory is None
        and not loop._debug
    )


_swap_current_task: Any = getattr(asyncio.tasks, "_swap_current_task", None)  # new in Python 3.12


def run(coroutine: Coroutine[Any, Any, Any], factory: LoopFactory | None = None) -> Any:
    """Run a coroutine to its end on the thread's loop, and return what it returns. Raises
    `EventLoopRunning` where a loop runs already."""
    # Most requests never suspend, or only for callbacks that are ready, and a round of the loop (a
    # `select`, two callbacks) costs more than the rest of the adapter.
    kept: _Kept | None = None
    task: Any = None
    if factory is None:
        kept = _main  # `drive` tells another thread
        if kept is not None and (ANYIO_BACKEND not in _modules or kept.stop_workers is not None):
            task = drive(kept.parts, coroutine)
    if kept is None or task is None:
        kept = _prepare(coroutine, factory)
        task = drive(kept.parts, coroutine)
    if task is True:
        return None
    if task is None:
        return _finish(kept, kept.loop.create_task(coroutine), by_hand=False)
    return _finish(kept, task, by_hand=True)


def _prepare(coroutine: Coroutine[Any, Any, Any], factory: LoopFactory | None) -> _Kept:
    """The loop to run it on, made or adopted if need be."""
    if _get_running_loop() is not None:
        coroutine.close()
        raise EventLoopRunning(
            "The handler was called while an event loop is running in this thread. "
            "Use `await handler.asgi(event, context)` there."
        )
    kept = _get_kept(factory)
    if kept.stop_workers is None and ANYIO_BACKEND in _modules:
        from mangum.protocols.anyio_threads import keep_workers

        kept.stop_workers = keep_workers(kept.loop)
    return kept


def _finish(kept: _Kept, task: asyncio.Task[Any], by_hand: bool) -> Any:
    """See a task through to its end; `by_hand` says that it has taken its first step."""
    loop = kept.loop
    try:
        if by_hand and loop._ready:
            _run_ready(kept, task)
        if not by_hand or not task.done():
            return loop.run_until_complete(task)
        if loop._scheduled or len(kept.watched) > 1:
            _look_around(kept)
        loop._stopping = False  # whatever the application stopped, it is not the next call
        return task.result()
    except (KeyboardInterrupt, SystemExit):
        _abandon(task, loop)
        raise
    finally:
        while kept.postponed:
            kept.postponed.pop(0)()


def _run_ready(kept: _Kept, task: asyncio.Task[Any]) -> None:
    """Rounds of the loop without its `select`."""
    loop = kept.loop
    ready = loop._ready
    rounds = _ROUNDS_BY_HAND
    former = sys.get_asyncgen_hooks()
    try:  # whatever comes in between, as out of a signal's handler, the loop must not seem to run
        loop._thread_id = get_ident()
        _set_running_loop(loop)
        sys.set_asyncgen_hooks(loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook)
        while ready and rounds and not loop._stopping:
            if task.done():
                rounds = min(rounds, _ROUNDS_AFTER)
            rounds -= 1
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
    finally:
        _set_running_loop(None)
        loop._thread_id = None
        sys.set_asyncgen_hooks(*former)


def _look_around(kept: _Kept) -> None:
    """One round of the loop, if something that an application left on it may wait for one: a timer
    that is due, or a socket besides the one by which the loop wakes itself."""
    loop = kept.loop
    timers = loop._scheduled
    if (timers and timers[0]._when <= loop.time()) or len(kept.watched) > 1:
        _run_one_round(loop)


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
