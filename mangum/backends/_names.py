"""What a group may be called, and what is said of an unknown connection."""

from __future__ import annotations

from mangum.exceptions import UnknownConnection, WebSocketError

GROUP_CHARACTERS = 200


def check_group(group: str) -> str:
    """The name, if every backend can store it: a text of 1 to 200 characters, without NUL and lone
    surrogates. Raises `WebSocketError`."""
    if not isinstance(group, str):
        raise WebSocketError(f"A group's name is a text and not {type(group).__name__}.")
    if not 0 < len(group) <= GROUP_CHARACTERS:
        raise WebSocketError(
            f"A group's name has 1 to {GROUP_CHARACTERS} characters; this one has {len(group)}."
        )
    if "\0" in group or any("\ud800" <= character <= "\udfff" for character in group):
        raise WebSocketError("A group's name holds neither NUL nor lone surrogates.")
    return group


def unknown() -> UnknownConnection:
    """The error for a connection without a record. Its id came with an event, so it isn't shown."""
    return UnknownConnection(
        "Connection not found: it has ended or expired, or another backend has its record."
    )
