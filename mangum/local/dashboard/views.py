"""What the page shows of the gateway, as JSON. Large values are cut, with their size named."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mangum.cli.answers import write_body, write_json
from mangum.cli.terminal import plain
from mangum.handlers._reasons import REASONS
from mangum.local.dashboard.scopes import NoScope, scope_of, write_python
from mangum.local.journal import CAPACITY, Entry, Journal
from mangum.local.messages import Answer
from mangum.local.record import parse
from mangum.types import Edition

__all__ = ["Connections", "Gateway", "detail", "state"]

MAX_SHORT = 300  # characters of a path, a reason, … in the table
MAX_STRING = 2048  # characters of one text in an event or a result
MAX_TEXT = 128 * 1024  # characters of all that is shown in one place

_COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")


class Environment(Protocol):
    """What is shown of an execution environment."""

    number: int
    state: str
    started_s: float
    invocations: int
    pid: int | None
    memory_bytes: int | None


class Pool(Protocol):
    @property
    def environments(self) -> Sequence[Environment]: ...


class Gateway(Protocol):
    """What the page needs of the gateway."""

    @property
    def pool(self) -> Pool: ...

    @property
    def journal(self) -> Journal: ...

    async def replay(self, entry: Entry) -> Entry: ...


class Connection(Protocol):
    """What is shown of a client of the WebSocket API."""

    @property
    def id(self) -> str: ...

    @property
    def client(self) -> object: ...

    @property
    def state(self) -> object: ...

    @property
    def connected_at(self) -> float: ...

    @property
    def messages_in(self) -> int: ...

    @property
    def messages_out(self) -> int: ...


class Connections(Protocol):
    @property
    def connections(self) -> Sequence[Connection]: ...


def state(
    gateway: Gateway, websockets: Connections | None, info: Mapping[str, str]
) -> tuple[str, str]:
    """JSON of all that the overview shows, and its version: a text that changes with it."""
    text = json.dumps(
        {
            "info": dict(info),
            "capacity": CAPACITY,
            "environments": [_environment(it) for it in gateway.pool.environments],
            "connections": None
            if websockets is None
            else [_connection(it) for it in websockets.connections],
            "invocations": [_short(entry) for entry in gateway.journal.entries],
        }
    )
    version = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return f'{{"version": "{version}", {text[1:]}', version


def detail(entry: Entry, edition: Edition) -> dict[str, Any]:
    """All that is known of one invocation: `{"event": {"text": "{…", "note": ""}, …}`."""
    fault = entry.fault
    return {
        **_short(entry),
        "request_id": entry.request_id,
        "fault": fault
        and {
            "type": _line(fault.error_type),
            "message": _cut(fault.message),
            "stack_trace": _cut("".join(_with_newline(it) for it in fault.stack_trace)),
        },
        "event": _json(entry.call.event),
        "scope": {"edition": edition, **_scope(entry, edition)},
        "result": None if entry.result is None else _result(entry.result),
        "answer": entry.answer and _answer(entry.answer),
        "log": _cut(_COLOURS.sub("", entry.log), keep_end=True),
    }


def _short(entry: Entry) -> dict[str, Any]:
    call, answer = entry.call, entry.answer
    return {
        "number": entry.number,
        "source": _line(call.source),
        "method": _line(call.method),
        "path": _line(call.path),
        "status": answer and answer.status,
        "finished": entry.total_s is not None,
        "failed": entry.fault is not None,
        "reason": _line(entry.reason),
        "environment": entry.environment,
        "started_s": entry.started_s,
        "total_s": entry.total_s,
        "duration_s": entry.duration_s,
        "init_s": entry.init_s,
        "memory_bytes": entry.memory_bytes,
        "replay_of": entry.replay_of,
    }


def _environment(environment: Environment) -> dict[str, Any]:
    return {
        "number": environment.number,
        "state": environment.state,
        "pid": environment.pid,
        "started_s": environment.started_s,
        "invocations": environment.invocations,
        "memory_bytes": environment.memory_bytes,
    }


def _connection(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "client": _line(str(connection.client)),
        "state": str(connection.state),
        "connected_s": connection.connected_at,
        "messages_in": connection.messages_in,
        "messages_out": connection.messages_out,
    }


def _scope(entry: Entry, edition: Edition) -> dict[str, Any]:
    try:
        return _cut(write_python(scope_of(entry.call.event, edition)))
    except NoScope as error:
        return {"text": "", "note": str(error)}


def _result(data: bytes) -> dict[str, Any]:
    try:
        return _json(parse(data))
    except ValueError:
        shown = _cut(data.decode("utf-8", "replace"))
        note = f"This is not JSON. {shown['note']}".rstrip()
        return {**shown, "note": note}


def _json(value: Any) -> dict[str, Any]:
    shown = _cut(write_json(_cut_strings(value)))
    whole = len(write_json(value, indent=None))
    if whole > MAX_STRING and not shown["note"] and "… cut here: " in shown["text"]:
        shown["note"] = f"Long texts are cut; the whole has {whole:,} characters."
    return shown


def _cut_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {_cut_strings(key): _cut_strings(it) for key, it in value.items()}
    if isinstance(value, list):
        return [_cut_strings(it) for it in value]
    if isinstance(value, str) and len(value) > MAX_STRING:
        return f"{value[:MAX_STRING]} … cut here: {len(value):,} characters"
    return value


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "phrase": REASONS.get(answer.status, ""),
        "headers": [[_cut(name)["text"], _cut(value)["text"]] for name, value in answer.headers],
        "body": _cut(write_body(answer, plain)),
        "streamed": answer.stream is not None,
    }


def _cut(text: str, keep_end: bool = False) -> dict[str, Any]:
    if len(text) <= MAX_TEXT:
        return {"text": text, "note": ""}
    part = "last" if keep_end else "first"
    return {
        "text": text[-MAX_TEXT:] if keep_end else text[:MAX_TEXT],
        "note": f"The {part} {MAX_TEXT:,} of {len(text):,} characters.",
    }


def _line(text: str) -> str:
    return text if len(text) <= MAX_SHORT else f"{text[:MAX_SHORT]}… ({len(text):,} characters)"


def _with_newline(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n"
