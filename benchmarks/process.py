"""The near end of a contender's process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.contenders import ROOT, ContenderFailed, environment
from benchmarks.rows import Row


class RowFailed(Exception):
    """The contender can't serve a row; the message is its exception."""


class Process:
    """A contender in a process of its own. Raises `ContenderFailed` if it is not to be had."""

    def __init__(self, contender: str, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", contender],
            cwd=ROOT,
            env=environment(contender),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            self.about: dict[str, str] = self._read()
        except RowFailed as exc:
            self.close()
            raise ContenderFailed(f"{contender} is left out: {exc}") from None

    def check(self, row: Row) -> Any:
        """What the row gives, in outline. Raises `RowFailed`."""
        return self._ask({"check": asdict(row)})

    def time_ns(self, calls: int) -> int:
        """How long so many calls of the row last checked take."""
        taken: int = self._ask({"time": calls})
        return taken

    def close(self) -> None:
        with self._process:  # closes the pipes, at which it ends, and waits
            pass

    def _ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RowFailed(f"the process ended with exit code {self._process.wait()}")
        message = json.loads(line)
        if "error" in message:
            raise RowFailed(message["error"])
        return message["answer"]


@contextmanager
def processes(
    contenders: Sequence[str], python: str, missing: list[str]
) -> Iterator[dict[str, Process]]:
    """A process for each contender that is to be had; why one is not goes to `missing`."""
    with ExitStack() as stack:
        started = {}
        for contender in contenders:
            try:
                started[contender] = Process(contender, python)
            except ContenderFailed as exc:
                missing.append(str(exc))
            else:
                stack.callback(started[contender].close)
        yield started
