"""Invocations for a journal, without a function behind them."""

from __future__ import annotations

import json
from typing import Any

from mangum.local.journal import Entry, Journal
from mangum.local.messages import Answer, Call, Event, Trouble
from tests.builders import http_v2_event


def begin(
    journal: Journal,
    *,
    method: str = "GET",
    path: str = "/items",
    source: str = "http",
    event: Event | None = None,
) -> Entry:
    """One that the function is at work on."""
    event = http_v2_event(method=method, path=path) if event is None else event
    return journal.begin(Call(source, method, path, event, _read, _refuse), "request-id")


def add(journal: Journal, *, result: Any = None, **fields: Any) -> Entry:
    """One that is through. `result` is JSON's value, or bytes as they come."""
    called = {name: fields.pop(name) for name in ("method", "path", "event") if name in fields}
    entry = begin(journal, **called)
    data = result if isinstance(result, bytes) else json.dumps(result).encode()
    given = {"environment": 1, "duration_s": 0.002, "result": data, "answer": _read(data)}
    for name, value in {**given, **fields}.items():
        setattr(entry, name, value)
    journal.finish(entry)
    return entry


def _read(result: bytes) -> Answer:
    return Answer(200, [("content-type", "application/json")], result)


def _refuse(trouble: Trouble) -> Answer:
    return Answer(502, [], trouble.value.encode())
