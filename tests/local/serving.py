"""`mangum serve` as a developer starts it: a process of its own, read line by line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.processes import ROOT

PATIENCE_S = 60.0
STARTS_S = 30.0

Line = dict[str, Any]


class ServingFailed(Exception):
    """It did not do what was waited for; the message is what it said."""


class Serving:
    """A gateway that listens. A context manager, after which the process is gone."""

    def __init__(
        self,
        function: str,
        *options: str,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`function` is looked for in `folder`. Raises `ServingFailed`."""
        command = [sys.executable, "-m", "mangum", "serve", function, "--port", "0", "--json"]
        self._texts: list[str] = []
        self._lines: list[Line] = []  # of the first texts: most are never asked for
        self._news = threading.Condition()
        self._has_ended = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [*command, "--app-dir", str(folder or ROOT), *options],
            cwd=ROOT,
            env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            start_new_session=True,  # no Ctrl-C but ours
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.addresses: dict[str, str] = self.wait_for("listening", timeout_s=STARTS_S)[
                "addresses"
            ]
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Serving:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Of the first source, with a slash at the end."""
        return next(iter(self.addresses.values()))

    @property
    def ws_url(self) -> str:
        return self.addresses["WebSocket API"]

    @property
    def port(self) -> int:
        return int(self.ws_url.rpartition(":")[2].rstrip("/"))

    @property
    def said(self) -> str:
        """On stderr."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def lines(self, kind: str) -> list[Line]:
        """Those of a kind, `"request"`, that it has printed by now."""
        with self._news:
            return [line for line in self._read_lines() if line["type"] == kind]

    def wait_for(
        self,
        kind: str,
        condition: Callable[[Line], bool] = lambda line: True,
        timeout_s: float = PATIENCE_S,
    ) -> Line:
        """The first line of a kind that meets the condition. Raises `ServingFailed`."""
        found: list[Line] = []

        def look() -> bool:
            found[:] = [it for it in self._read_lines() if it["type"] == kind and condition(it)]
            return bool(found) or self._has_ended

        with self._news:
            self._news.wait_for(look, timeout_s)
            if not found:
                said = "".join([*self._texts[-20:], self.said])
                raise ServingFailed(f"no such line of kind {kind!r}:\n{said}")
            return found[0]

    def stop(self, *, timeout_s: float = PATIENCE_S) -> int:
        """End it as Ctrl-C does, and return its exit code."""
        self.interrupt()
        return self.wait(timeout_s)

    def interrupt(self) -> None:
        """One Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it without warning, unless it has ended."""
        self._process.kill()
        self._process.wait()
        self._close()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Until it has ended; its exit code. Raises `ServingFailed`."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ServingFailed(f"it does not end:\n{self.said}") from None
        self._reader.join(timeout_s)
        return code

    def environments(self) -> list[int]:
        """The pids of the processes that run the function."""
        return [pid for pid in children(self.pid) if "awslambdaric" in command_of(pid)]

    def _read_lines(self) -> list[Line]:
        self._lines += map(json.loads, self._texts[len(self._lines) :])
        return self._lines

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # it was closed meanwhile
            for text in self._process.stdout:
                with self._news:
                    self._texts.append(text)
                    self._news.notify_all()
        with self._news:
            self._has_ended = True
            self._news.notify_all()

    def _close(self) -> None:
        self._reader.join(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


# --- what /proc tells -----------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """The processes that it has started and that are there yet, zombies too."""
    found: list[int] = []
    for task in _entries(Path(f"/proc/{pid}/task")):
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """The same with what those have started."""
    return [it for child in children(pid) for it in (child, *descendants(child))]


def command_of(pid: int) -> str:
    """`""` of one that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def descriptors(pid: int) -> int:
    """How many it has open."""
    return len(_entries(Path(f"/proc/{pid}/fd")))


def is_alive(pid: int) -> bool:
    """Whether it runs: a zombie, which only waits for its parent, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
