"""Route selection expressions of WebSocket APIs: which route a message takes.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from mangum.exceptions import ConfigurationError

__all__ = ["CONNECT", "DEFAULT", "DISCONNECT", "Selection"]

CONNECT = "$connect"
DISCONNECT = "$disconnect"
DEFAULT = "$default"

_STEP = r"\.[\w-]+|\[\d+\]|\['[^']+'\]"
_VARIABLE = re.compile(rf"\$(\{{)?request\.body((?:{_STEP})*)(?(1)\}})")

_Steps = tuple["str | int", ...]
_MISSING = object()


class Selection:
    """An expression such as `$request.body.action`, and the routes that there are.

    Of JSONPath it understands names and numbers: `$request.body.items[0]['first name']`. Raises
    `ConfigurationError` for any other variable.
    """

    def __init__(self, expression: str, routes: Iterable[str] = ()) -> None:
        self.expression = expression
        self.routes = frozenset(routes) - {CONNECT, DISCONNECT}  # which no message takes
        self._parts = _parse(expression)

    def route(self, body: str) -> str:
        """The key of the route, `$default` unless the expression yields one that there is."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return DEFAULT
        key = "".join(
            part if isinstance(part, str) else _text(_find(document, part)) for part in self._parts
        )
        return key if key in self.routes else DEFAULT


def _parse(expression: str) -> list[str | _Steps]:
    """The expression's literal texts, and the paths of its variables."""
    parts: list[str | _Steps] = []
    at = 0
    while at < len(expression):
        if expression.startswith("\\$", at):
            parts.append("$")
            at += 2
        elif expression[at] == "$":
            found = _VARIABLE.match(expression, at)
            if found is None:
                raise ConfigurationError(
                    f"The route selection expression {expression!r} has a variable other than"
                    " $request.body.… or ${request.body.…}"
                )
            parts.append(tuple(_step(it) for it in re.findall(_STEP, found[2])))
            at = found.end()
        else:
            parts.append(expression[at])
            at += 1
    return parts


def _step(text: str) -> str | int:
    if text.startswith("."):
        return text[1:]
    return text[2:-2] if text[1] == "'" else int(text[1:-1])


def _find(value: Any, steps: _Steps) -> Any:
    for step in steps:
        if isinstance(step, str):
            value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
        else:
            there = isinstance(value, list) and step < len(value)
            value = value[step] if there else _MISSING
    return value


def _text(value: Any) -> str:
    """A value in a key. What is not there is nothing; an array is `"[item1, item2]"`."""
    if value is _MISSING or value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return json.dumps(value)
