"""Keeps AnyIO's worker threads from one call to the next. Imported only where AnyIO runs.

AnyIO ends its worker threads with the task that it takes for the root of the run. Left alone that
is each call's own task, so each call of a synchronous route would start a thread of its own. Here
it is given one that lasts as long as the loop.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable
from typing import Any

from mangum.protocols.loop import ANYIO_BACKEND

_roots: weakref.WeakSet[Task[None]] = weakref.WeakSet()
_registered = False


def keep_workers(loop: AbstractEventLoop) -> Callable[[], None]:
    """Let the worker threads of `loop`, which must not be running, outlive a call. Returns the
    function that stops them.

    `MANGUM_KEEP_THREADS=0` in the environment leaves AnyIO alone, and so does a version of it that
    works in another way.
    """
    root_task = getattr(sys.modules[ANYIO_BACKEND], "_root_task", None)
    if os.environ.get("MANGUM_KEEP_THREADS") == "0" or root_task is None or not _stop_all_at_exit():
        return _nothing
    root = loop.create_task(_forever(loop))
    root._log_destroy_pending = False  # type: ignore[attr-defined]  # it is never meant to end
    loop.run_until_complete(_set(root_task, root))
    _roots.add(root)
    return lambda: _stop(lambda task: task is root)


def _stop_all_at_exit() -> bool:
    """Have the threads stopped before the interpreter waits for them at its end; `False` if that
    can't be arranged."""
    global _registered
    register = getattr(threading, "_register_atexit", None)
    if register is None:
        return False
    if not _registered:
        register(_stop, _roots.__contains__)
        _registered = True
    return True


def _stop(is_meant: Callable[[Any], bool]) -> None:
    for thread in threading.enumerate():
        root = getattr(thread, "root_task", None)
        if root is not None and is_meant(root):
            thread.stop()  # type: ignore[attr-defined]


async def _forever(loop: AbstractEventLoop) -> None:
    await loop.create_future()


async def _set(variable: Any, root: Task[None]) -> None:
    variable.set(root)  # it belongs to the loop, not to the context


def _nothing() -> None:
    pass
