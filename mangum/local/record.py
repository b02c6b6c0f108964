"""Writes what goes through the gateway into a folder, two files for each invocation.

`000001-GET-items.json` is the event, as `mangum invoke app:handler FILE` takes it; it is there
before the function is called. `000001-GET-items.result.json` is what came of it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from mangum.cli.answers import write_json
from mangum.local.journal import Entry, Journal

__all__ = ["Recorder", "outcome", "parse"]

MAX_NAME = 60  # characters, without the endings that are added
MAX_DEPTH = 100
MODE = 0o600  # events hold secrets
ENDING, RESULT_ENDING = ".json", ".result.json"

_NUMBERED = re.compile(r"([0-9]{6,18})-.*\.json")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")


class Recorder:
    """Raises `OSError` if the folder is not there and can't be made.

    Later faults, such as a full disk, are told once; when it can be written again, that is told
    too.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._warn = warn
        self._count = max(map(_number, os.listdir(folder)), default=0)
        self._names: dict[int, str] = {}  # of the entries that have not finished
        self._unwritten: set[int] = set()  # those of them whose event is not there
        self._faulty = False

    def listen(self, journal: Journal) -> None:
        """Record every invocation from now on."""
        journal.began.append(self.began)
        journal.finished.append(self.finished)

    def began(self, entry: Entry) -> None:
        """Write the event."""
        name = self._names[entry.number] = self._name(entry)
        if not self._write(name + ENDING, entry.call.event):
            self._unwritten.add(entry.number)

    def finished(self, entry: Entry) -> None:
        """Write the result, and the event if it could not be written before."""
        name = self._names.pop(entry.number, None)
        if name is None:
            return
        if entry.number in self._unwritten:
            self._unwritten.discard(entry.number)
            if not self._write(name + ENDING, entry.call.event):
                return
        self._write(name + RESULT_ENDING, outcome(entry))

    def _name(self, entry: Entry) -> str:
        """The next one that nobody else, such as a second gateway, has taken meanwhile."""
        while True:
            self._count += 1
            name = f"{self._count:06d}-{_safe(entry.call.method, entry.call.path)}"
            if not os.path.lexists(self.folder / (name + ENDING)):
                return name

    def _write(self, name: str, value: Any) -> bool:
        """Whole or not at all."""
        temporary = self.folder / f".{name}.{secrets.token_hex(4)}.tmp"
        try:
            _create(temporary, f"{write_json(value)}\n".encode())
            os.replace(temporary, self.folder / name)
        except (OSError, RecursionError) as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if not self._faulty:
                reason = getattr(error, "strerror", None) or "it is nested too deeply"
                self._warn(f"can't record {self.folder / name}: {reason}; the gateway goes on")
            self._faulty = True
            return False
        if self._faulty:
            self._faulty = False
            self._warn(f"recording in {self.folder} goes on with {name}")
        return True


def outcome(entry: Entry) -> dict[str, Any]:
    """What came of an invocation, as JSON; whole, whatever its size.

    A result that is no JSON is given as `result_text`, or as `result_base64`.
    """
    call, answer, fault = entry.call, entry.answer, entry.fault
    return {
        "number": entry.number,
        "request_id": entry.request_id,
        "source": call.source,
        "method": call.method,
        "path": call.path,
        "status": answer and answer.status,
        **_result(entry.result),
        "answer": answer and {"status": answer.status, "headers": answer.headers},
        "reason": entry.reason,
        "fault": fault
        and {
            "type": fault.error_type,
            "message": fault.message,
            "stack_trace": list(fault.stack_trace),
        },
        "log": entry.log,
        "replay_of": entry.replay_of,
        "timings": {
            "started_s": entry.started_s,
            "total_s": entry.total_s,
            "init_s": entry.init_s,
            "duration_s": entry.duration_s,
        },
        "environment": entry.environment,
        "memory_bytes": entry.memory_bytes,
    }


def parse(data: bytes) -> Any:
    """The value of JSON. Raises `ValueError` for what is none, as `NaN`, or is nested too deeply to
    be written again."""
    try:
        value = json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level, depth = [value], 0
    while level := [it for outer in level for it in _inner(outer)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
    return value


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _result(data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {"result": None}
    try:
        return {"result": parse(data)}
    except ValueError:
        pass
    try:
        return {"result_text": data.decode()}
    except UnicodeDecodeError:
        return {"result_base64": base64.b64encode(data).decode()}


def _number(name: str) -> int:
    found = _NUMBERED.fullmatch(name)
    return int(found[1]) if found else 0


def _safe(method: str, path: str) -> str:
    """`GET` and `/items/ä` become `GET-items`: a name that every file system takes."""
    words = _UNSAFE.sub("-", f"{method}-{unquote(path)}")
    words = re.sub(r"\.{2,}|-\.|\.-", "-", words)
    return re.sub("-{2,}", "-", words)[:MAX_NAME].strip("-.") or "event"


def _create(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, MODE)
    except FileNotFoundError:  # somebody has cleared up
        path.parent.mkdir()
        descriptor = os.open(path, flags, MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
