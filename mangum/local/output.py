"""What a process prints, as it prints it: in whole lines, and as the log of an invocation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import IO

__all__ = ["Output"]

MAX_LOG_CHARS = 256 * 1024  # of one invocation
READ_BYTES = 64 * 1024
MAX_READS = 16  # at the end of an invocation; a pipe holds less


class Output:
    """The reading end of a pipe. Made where a loop runs."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        """`on_text` gets whole lines, and at the end of an invocation what is left."""
        self._on_text = on_text
        self._descriptor = -1
        self._line = b""  # the beginning of one
        self._log: list[str] = []
        self._log_chars = 0

    def open(self) -> IO[bytes]:
        """The end to write to; to be closed here once the process has it."""
        self._descriptor, writable = os.pipe()
        os.set_blocking(self._descriptor, False)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return os.fdopen(writable, "wb")

    def take_log(self) -> str:
        """What was printed since the last time, the beginning at least."""
        self._read(MAX_READS)
        self._take(b"")
        log = "".join(self._log)
        self._log.clear()
        self._log_chars = 0
        return log

    def close(self) -> None:
        """What has been printed by now is still told."""
        self._read(MAX_READS)
        self._take(b"")
        self._close()

    def _read(self, reads: int = 1) -> None:
        """So much and no more: a process may print faster than anybody can read."""
        for _ in range(reads):
            if self._descriptor < 0:
                return
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._close()
            self._take(data)

    def _take(self, data: bytes) -> None:
        lines, newline, rest = (self._line + data).rpartition(b"\n")
        if not data or len(rest) > READ_BYTES:  # the end of an invocation, or none in sight
            lines, newline, rest = self._line + data, b"", b""
        self._line = rest
        if not lines and not newline:
            return
        text = _readable((lines + newline).decode("utf-8", "replace"))
        self._on_text(text)
        room = MAX_LOG_CHARS - self._log_chars
        self._log.append(text[:room])
        self._log_chars += min(len(text), room)

    def _close(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


def _readable(text: str) -> str:
    """The runtime client keeps a traceback in one record, with `\\r` for its line breaks."""
    before, mark, record = text.partition("[ERROR]")
    return before + mark + record.replace("\r", "\n").replace("\xa0", " ")
