"""Ends the processes of a gateway that was itself killed. A script, started by `Guard`.

It reads `+PID` and `-PID` from its standard input; when that ends, it kills what is left of them,
each with all that it started. Nothing else can: a process that is killed does nothing any more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["Guard"]


class Guard:
    """Keeps an eye on process groups. POSIX only."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", str(Path(__file__))]
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def watch(self, pid: int) -> None:
        """`pid` leads a group, which is killed if this process ends before `forget`."""
        self._tell(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        self._tell(f"-{pid}\n")

    def close(self) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError):
            self._popen.stdin.close()
        self._popen.wait()

    def _tell(self, line: str) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # somebody has ended it: so be it
            self._popen.stdin.write(line.encode())
            self._popen.stdin.flush()


def main() -> None:
    pids: set[int] = set()
    for line in sys.stdin.buffer:
        pid = int(line[1:])
        if line.startswith(b"+"):
            pids.add(pid)
        else:
            pids.discard(pid)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
