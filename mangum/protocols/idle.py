"""When has an application finished with a message?

On a server nobody asks: the process goes on. Where it is frozen as soon as an event is answered,
the answer must wait until the application rests: until one of its tasks asks for the next message
and every other one waits for something that only its own tasks can bring about, as a queue that the
first one fills. A task that waits for anything else (a timer, a socket, a thread) is at work.

asyncio does not tell what a task waits for, so this looks at the innermost function that each task
is suspended in. What is not known counts as work, so the error is to wait too long, never to answer
too early.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Collection, Iterator, Set
from contextlib import contextmanager
from math import inf
from typing import Any

__all__ = ["awaited_tasks", "busy_tasks", "current", "is_muted", "tracked", "watched_sockets"]

current: contextvars.ContextVar[Any] = contextvars.ContextVar("mangum_websocket", default=None)
"""The connection whose application is running; its `tasks` are what the application has started."""


def is_muted() -> bool:
    """Whether what the running task does has been done before, or is a clean-up of a session that
    goes on elsewhere."""
    connection = current.get()
    return connection is not None and connection.muted and not connection.is_over


INNER_WAITS = frozenset(
    {
        ("asyncio/locks.py", "acquire"),
        ("asyncio/locks.py", "wait"),
        ("asyncio/locks.py", "_block"),  # Barrier
        ("asyncio/locks.py", "_wait"),
        ("asyncio/queues.py", "get"),
        ("asyncio/queues.py", "put"),
        # which wait for other tasks of the application, and those are looked at themselves
        ("asyncio/taskgroups.py", "__aexit__"),
        ("asyncio/taskgroups.py", "_aexit"),
        ("_backends/_asyncio.py", "__aexit__"),  # AnyIO's task group
        ("_backends/_asyncio.py", "acquire"),  # and its lock and semaphore
    }
)
"""`(module, function)` in which a task waits for another one of its process."""

FALCON = "falcon/asgi/ws.py"
INNER_CALLERS = frozenset({(FALCON, "_pump"), (FALCON, "receive")})
"""Those that wait for a future which another task of theirs resolves: Falcon's."""

WAITS_FOR = {
    ("asyncio/tasks.py", "_cancel_and_wait"): "fut",
    ("asyncio/tasks.py", "_wait"): "fs",
    ("asyncio/tasks.py", "wait_for"): "fut",
}
"""`(module, function)` in which a task waits for futures, and the local variable that holds
them."""

OUTER_WAITS = frozenset(
    {
        ("_backends/_asyncio.py", "accept"),
        ("_backends/_asyncio.py", "receive"),
        ("_backends/_asyncio.py", "receive_fds"),
        ("_backends/_asyncio.py", "send"),
        ("_backends/_asyncio.py", "send_fds"),
        ("psycopg/waiting.py", "wait_async"),
        ("psycopg/waiting.py", "wait_conn_async"),
    }
)
"""Those that wait for a socket by way of a function above."""


@contextmanager
def tracked(loop: Any) -> Iterator[None]:
    """Have each task that an application starts meanwhile noted in its connection's `tasks`."""
    former = loop.get_task_factory()
    users = getattr(former, "mangum_users", None)
    if users is not None:  # of another event that is under way on this loop
        factory = former
    else:
        factory, users = _make_factory(former), []
        factory.mangum_users = users
        factory.mangum_former = former
        loop.set_task_factory(factory)
    users.append(None)
    try:
        yield
    finally:
        users.pop()
        if not users and loop.get_task_factory() is factory:
            loop.set_task_factory(factory.mangum_former)


def _make_factory(former: Any) -> Any:
    eager: Any = getattr(asyncio, "eager_task_factory", None)
    if eager is not None and getattr(former, "__code__", None) is eager.__code__:
        # one like it, as AnyIO looks into the function
        make_task = former.__closure__[0].cell_contents
        return asyncio.create_eager_task_factory(  # type: ignore[attr-defined,unused-ignore]
            lambda coroutine, **options: _note(make_task(coroutine, **options))
        )
    if former is None:

        def make(loop: Any, coroutine: Any, **options: Any) -> Any:
            make_task: Any = asyncio.Task
            return _note(make_task(coroutine, loop=loop, **options))

        return make
    return lambda loop, coroutine, **options: _note(former(loop, coroutine, **options))


def _note(task: Any) -> Any:
    connection = current.get()  # of the task that starts it, whatever context it starts it in
    if connection is not None and not task.done():
        connection.tasks.add(task)
        task.add_done_callback(connection.tasks.discard)
    return task


def busy_tasks(tasks: Collection[Any], receivers: Collection[Any], until: float = inf) -> list[Any]:
    """Those of the tasks that are at work; `receivers` are the futures of those that ask for the
    next message, and a task that sleeps longer than `until` can't be waited for."""
    judge = _Judge(tasks, receivers, until)
    return [task for task in [*tasks] if not task.done() and not judge.is_waiting(task)]


SLEEP = ("asyncio/tasks.py", "sleep")
_MAX_DEPTH, _MAX_FRAMES = 16, 1000


class _Judge:
    """Says of a task whether it waits for its own kind."""

    def __init__(self, tasks: Collection[Any], receivers: Collection[Any], until: float) -> None:
        self.tasks = tasks
        self.receivers = receivers
        self.until = until

    def is_waiting(self, task: Any, depth: int = 0) -> bool:
        waiter = getattr(task, "_fut_waiter", None)
        if waiter is None or waiter.done() or depth > _MAX_DEPTH:
            return False  # it is about to run
        if waiter in self.receivers:
            return True
        if isinstance(waiter, asyncio.Task):
            return waiter in self.tasks or self.is_waiting(waiter, depth + 1)
        children = getattr(waiter, "_children", None)
        if children is not None:  # asyncio.gather()
            return self._are_waiting(children, depth)
        suspended = [*_suspended_in(task.get_coro())]
        functions = {function for function, _ in suspended}
        if not suspended or functions & OUTER_WAITS:
            return False
        function, innermost = suspended[-1]
        if function == SLEEP:
            timer = _local(innermost, "h")
            return timer is not None and bool(timer.when() > self.until)
        if function in WAITS_FOR and not functions & INNER_CALLERS:
            return self._are_waiting(_futures(function, innermost), depth)
        return function in INNER_WAITS or bool(functions & INNER_CALLERS)

    def _are_waiting(self, futures: Collection[Any], depth: int) -> bool:
        for future in futures:
            if future.done():
                continue
            if isinstance(future, asyncio.Task):
                if future not in self.tasks and not self.is_waiting(future, depth + 1):
                    return False
            else:
                children = getattr(future, "_children", None)  # of asyncio.gather()
                if not children or not self._are_waiting(children, depth + 1):
                    return False
        return True


def awaited_tasks(task: Any) -> set[Any]:
    """The tasks that a task waits for, and those that they wait for: to cancel it is not to cancel
    those it has handed to `asyncio.wait()`."""
    found: set[Any] = set()
    waiting = [task]
    while waiting:
        for awaited in _awaited(waiting.pop()):
            if isinstance(awaited, asyncio.Task) and awaited not in found and not awaited.done():
                found.add(awaited)
                waiting.append(awaited)
    return found


def _awaited(task: Any) -> Collection[Any]:
    waiter = getattr(task, "_fut_waiter", None)
    if isinstance(waiter, asyncio.Task):
        return (waiter,)
    children = getattr(waiter, "_children", None)
    if children is not None:
        return tuple(children)
    suspended = [*_suspended_in(task.get_coro())]
    function, innermost = suspended[-1] if suspended else (None, None)
    return _futures(function, innermost) if function in WAITS_FOR else ()


def _futures(function: Any, innermost: Any) -> Collection[Any]:
    futures = _local(innermost, WAITS_FOR[function])
    return futures if isinstance(futures, (set, frozenset, list, tuple)) else (futures,)


def _suspended_in(awaitable: Any) -> Iterator[tuple[tuple[str, str], Any]]:
    """`(module, function)` of every frame in which a coroutine is suspended, outermost first, and
    what runs in it."""
    for _ in range(_MAX_FRAMES):
        code = (
            getattr(awaitable, "cr_code", None)
            or getattr(awaitable, "ag_code", None)
            or getattr(awaitable, "gi_code", None)
        )
        if code is not None:
            yield (_name_of(code.co_filename), code.co_name), awaitable
        inner = (
            getattr(awaitable, "cr_await", None)
            or getattr(awaitable, "ag_await", None)
            or getattr(awaitable, "gi_yieldfrom", None)
        )
        if inner is None and code is None:
            # what `__anext__()` of an async generator and `__await__()` of a coroutine return has
            # no attribute that leads on
            inner = next((it for it in gc.get_referents(awaitable) if _leads_on(it)), None)
        if inner is None:
            return
        awaitable = inner


def _leads_on(value: Any) -> bool:
    return (
        hasattr(value, "cr_code")
        or hasattr(value, "ag_code")
        or type(value).__name__.startswith("async_generator_")
    )


def _local(awaitable: Any, name: str) -> Any:
    frame = getattr(awaitable, "cr_frame", None)
    return None if frame is None else frame.f_locals.get(name)


_names: dict[str, str] = {}


def _name_of(path: str) -> str:
    """The last two parts: `"asyncio/queues.py"`."""
    name = _names.get(path)
    if name is None:
        path_parts = path.replace("\\", "/").rsplit("/", 3)
        name = "/".join(path_parts[-3:])
        if name != FALCON:
            name = "/".join(path_parts[-2:])
        _names[path] = name
    return name


_NONE: frozenset[Any] = frozenset()


def watched_sockets(loop: Any) -> Set[Any]:
    """The sockets on which something waits by `loop.add_reader()` or `add_writer()`, as database
    drivers do, rather than through a transport; empty for a loop that can't tell."""
    selector = getattr(loop, "_selector", None)
    watched = None if selector is None else selector.get_map()
    if not watched or len(watched) == 1:  # the socket by which the loop wakes itself
        return _NONE
    own = getattr(loop, "_ssock", None)
    own_fd = own.fileno() if own is not None else -1
    return {
        fd
        for fd, key in [*watched.items()]
        if fd != own_fd and any(handle is not None and _is_raw(handle) for handle in key.data or ())
    }


def _is_raw(handle: Any) -> bool:
    owner = getattr(getattr(handle, "_callback", None), "__self__", None)
    return not isinstance(owner, asyncio.BaseTransport)
