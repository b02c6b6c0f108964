"""The ASGI scope that an event becomes, in Python's notation."""

from __future__ import annotations

from typing import Any

from mangum.cli.context import Context
from mangum.cli.events import recognise
from mangum.exceptions import MangumError
from mangum.handlers import find
from mangum.options import edition_default
from mangum.types import Edition, LambdaConfig

__all__ = ["NoScope", "scope_of", "write_python"]

TIMEOUT_S = 30.0
INDENT = "    "
MAX_TEXT = 1024  # characters or bytes of one value
MAX_WIDTH = 80


class NoScope(Exception):
    """Why there is none."""


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


def scope_of(event: Any, edition: Edition) -> dict[str, Any]:
    """As a function without options of its own gets it, less the event and the context. Raises
    `NoScope`."""
    config: LambdaConfig = {
        "api_gateway_base_path": "/",
        "text_mime_types": [],
        "exclude_headers": [],
        "edition": edition,
        "websocket_mode": edition_default("websocket_mode", edition),
    }
    handler = find(event)
    if handler is None:
        raise NoScope(
            f"An event of {recognise(event).phrase} is no request. With `events_path` an"
            " application gets it as the JSON body of a POST."
        )
    try:
        found = handler(event, Context("function", TIMEOUT_S), config)
        if getattr(found, "event_type", "CONNECT") != "CONNECT":
            raise NoScope("The application goes on with the scope of the connection's CONNECT.")
        scope = dict(found.scope)
    except MangumError as error:
        raise NoScope(str(error)) from None
    marks = {"aws.event": _Named("the event"), "aws.context": _Named("the context")}
    return {key: marks.get(key, value) for key, value in scope.items()}


def write_python(value: Any, indent: str = "") -> str:
    """A literal on as many lines as it takes; long texts and bytes are cut, with their length."""
    if isinstance(value, dict | list) and value:
        deeper = indent + INDENT
        if isinstance(value, dict):
            items = [f"{key!r}: {write_python(it, deeper)}" for key, it in value.items()]
            before, after = "{}"
        else:
            items = [write_python(it, deeper) for it in value]
            before, after = "[]"
        line = ", ".join(items)
        is_long = "\n" in line or len(indent) + len(line) > MAX_WIDTH
        if not is_long and not isinstance(value, dict):
            return f"{before}{line}{after}"
        return "\n".join([before, *[f"{deeper}{item}," for item in items], indent + after])
    if isinstance(value, str | bytes) and len(value) > MAX_TEXT:
        unit = "bytes" if isinstance(value, bytes) else "characters"
        return f"{value[:MAX_TEXT]!r}  # … cut here: {len(value):,} {unit}"
    return repr(value)
