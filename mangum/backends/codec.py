"""The record of a connection: its scope, and what a session needs besides, as the JSON text that
backends store.

The scope is written as mangum 0.12 wrote it; records of 0.9 and 0.12 are read as well.
"""

from __future__ import annotations

import json

from mangum.exceptions import WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from mangum.types import Message, Scope

HELD = "mangum.held"
"""The key of the messages that the application sent before the connection was open."""

_STORED = (
    "type",
    "asgi",
    "http_version",
    "scheme",
    "path",
    "raw_path",
    "root_path",
    "query_string",
    "headers",
    "client",
    "server",
    "subprotocols",
    "aws.eventType",
)
_BYTES = ("query_string", "raw_path")
_FAULTS = (ValueError, TypeError, AttributeError, LookupError)
_FOREIGN = "can't be read: mangum did not write it."


def encode_record(scope: Scope, held: Sequence[str] = ()) -> str:
    """The JSON text of a scope and of the messages that wait for the next event."""
    record: dict[str, Any] = {key: scope[key] for key in _STORED if key in scope}
    for key in _BYTES:
        if isinstance(record.get(key), bytes):
            record[key] = _text(record[key])
    record["headers"] = [[_text(name), _text(value)] for name, value in record["headers"]]
    if held:
        record[HELD] = [*held]
    return json.dumps(record)


def decode_record(json_scope: str) -> tuple[Scope, list[str]]:
    """The scope and the waiting messages. Raises `WebSocketError` for what is no record."""
    try:
        record = json.loads(json_scope)
        held = [*(record.pop(HELD, None) or ())]
        headers = record.get("headers") or []
        if isinstance(headers, dict):  # as 0.9 wrote them
            headers = headers.items()
        record["headers"] = [[_bytes(name), _bytes(value)] for name, value in headers]
        for key in _BYTES:
            if isinstance(record.get(key), str):
                record[key] = _bytes(record[key])
        for key in ("client", "server"):
            if isinstance(record.get(key), list):
                record[key] = tuple(record[key])
    except _FAULTS:
        pass
    else:
        return record, held
    # outside the except clause: a traceback would show what it holds
    raise WebSocketError(f"The record of a WebSocket connection {_FOREIGN}")


def encode_message_record(message: Message) -> str:
    """The JSON text of a `websocket.receive` that may be delivered again."""
    data = message.get("bytes")
    return json.dumps({"text": message["text"]} if data is None else {"hex": data.hex()})


def decode_message(json_message: str) -> Message:
    """What `encode_message_record` has written. Raises `WebSocketError` for anything else."""
    try:
        stored = json.loads(json_message)
        if "hex" in stored:
            return {"type": "websocket.receive", "bytes": bytes.fromhex(stored["hex"])}
        return {"type": "websocket.receive", "text": stored["text"]}
    except _FAULTS:
        pass
    raise WebSocketError(f"The record of a WebSocket message {_FOREIGN}")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
