"""SIGTERM: the applications that run are shut down, and then happens what would have happened
anyway."""

from __future__ import annotations

import logging
import os
import signal
import threading
import weakref
from typing import Any, Protocol

from mangum.exceptions import MangumError
from mangum.protocols.loop import when_idle

logger = logging.getLogger("mangum.lifespan")


class Running(Protocol):
    """What can be shut down."""

    def shutdown(self) -> None: ...


_running: weakref.WeakSet[Running] = weakref.WeakSet()
_previous: Any = None
_installed = False


def shut_down_on_sigterm(running: Running) -> None:
    """Have `running.shutdown()` called at SIGTERM, as long as the object lives. Only the main
    thread can arrange that."""
    global _installed, _previous
    _running.add(running)
    if not _installed and threading.current_thread() is threading.main_thread():
        _previous = signal.signal(signal.SIGTERM, _on_sigterm)
        _installed = True


def _on_sigterm(signal_number: int, frame: Any) -> None:
    # a request may be running below this very frame: its loop can't be entered once more
    when_idle(lambda: _terminate(signal_number, frame))


def _terminate(signal_number: int, frame: Any) -> None:
    global _installed
    for running in tuple(_running):
        try:
            running.shutdown()
        except MangumError as exc:  # it is on a loop that somebody else runs, for one
            logger.error("The application was not shut down: %s", exc)
    _installed = False
    signal.signal(signal_number, signal.SIG_DFL if _previous is None else _previous)
    if callable(_previous):
        _previous(signal_number, frame)
    elif _previous != signal.SIG_IGN:
        os.kill(os.getpid(), signal_number)
