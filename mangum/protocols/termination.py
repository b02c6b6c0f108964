"""SIGTERM: the applications that run are shut down, and then happens what would have happened
anyway."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import weakref
from typing import Any

from mangum.protocols.lifespan import EnvironmentLifespan
from mangum.protocols.loop import postpone

logger = logging.getLogger("mangum.lifespan")

_running: weakref.WeakSet[EnvironmentLifespan] = weakref.WeakSet()
_previous: Any = None
_installed = False


def shut_down_on_sigterm(lifespan: EnvironmentLifespan) -> None:
    """Have the application shut down at SIGTERM, as long as the object lives. Only the main thread
    can arrange that."""
    global _installed, _previous
    _running.add(lifespan)
    if not _installed and threading.current_thread() is threading.main_thread():
        _previous = signal.signal(signal.SIGTERM, _on_sigterm)
        _installed = True


def _on_sigterm(signal_number: int, frame: Any) -> None:
    # a request may be running below this very frame: its loop can't be entered once more
    if not postpone(lambda: _terminate(signal_number, frame)):
        _terminate(signal_number, frame)


def _terminate(signal_number: int, frame: Any) -> None:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        for lifespan in tuple(_running):
            for loop in lifespan.loops:
                if not loop.is_running():  # in another thread, which can't be asked
                    loop.run_until_complete(_shut_down(lifespan))
        _pass_on(signal_number, frame)
    else:
        ending = running.create_task(_shut_down_here())
        ending.add_done_callback(lambda _: _pass_on(signal_number, frame))
        running.call_soon_threadsafe(lambda: None)  # wakes it


async def _shut_down_here() -> None:
    for lifespan in tuple(_running):
        await _shut_down(lifespan)


async def _shut_down(lifespan: EnvironmentLifespan) -> None:
    try:
        await lifespan.shutdown()
    except BaseException as exc:  # the process ends now, whatever one application thinks of it
        logger.error("The application did not shut down: %s", exc)


def _pass_on(signal_number: int, frame: Any) -> None:
    global _installed
    _installed = False
    signal.signal(signal_number, signal.SIG_DFL if _previous is None else _previous)
    if callable(_previous):
        _previous(signal_number, frame)
    elif _previous != signal.SIG_IGN:
        os.kill(os.getpid(), signal_number)
