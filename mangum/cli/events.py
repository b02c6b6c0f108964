"""Events on the command line: reading a file, and telling which source sent it.

Messages name keys and types of an event, never its values.
"""

from __future__ import annotations

import json
import sys
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple

from mangum.cli.usage import WrongUse
from mangum.handlers import find
from mangum.handlers._sources import source_of
from mangum.handlers.api_gateway import _is_function_url

SOURCES = {
    "rest": ("a REST API", "`httpMethod` and `requestContext`"),
    "http": ("an HTTP API", "`version` and `requestContext`"),
    "url": ("a function URL", "`.lambda-url.` in `requestContext.domainName`"),
    "alb": ("an Application Load Balancer", "`requestContext.elb`"),
    "edge": ("Lambda@Edge", "`Records[0].cf`"),
    "lattice": ("VPC Lattice", "`requestContext.serviceArn`, or `raw_path` and `method`"),
    "websocket": ("a WebSocket API", "`connectionId` and `eventType` in `requestContext`"),
    "event": ("a service that sends no requests", "none of these marks"),
}
"""The words of `--source`: what each stands for, and what its events have."""

_NAMES: dict[str, str | None] = {
    "ALB": "alb",
    "APIGateway": "rest",
    "Authorizer": None,
    "HTTPGateway": "http",
    "LambdaAtEdge": "edge",
    "VPCLattice": "lattice",
    "VPCLatticeV1": "lattice",
    "WebSocketGateway": "websocket",
}

UNKNOWN = "an unknown service"


class Source(NamedTuple):
    name: str | None  # the word for `--source`, if there is one
    phrase: str  # `"an HTTP API"`, `"aws:sqs"`
    infers_answers: bool = False  # makes an answer of any result, as payload 2.0 does


def read_event(path: str) -> Any:
    """The JSON of a file, or of the standard input for `-`. Raises `WrongUse`."""
    name = "the standard input" if path == "-" else path
    try:
        if path == "-":
            if sys.stdin.isatty():
                print("Type or paste the event, and end it with Ctrl-D.", file=sys.stderr)
            data = sys.stdin.buffer.read()
        else:
            data = Path(path).read_bytes()
    except OSError as error:
        raise WrongUse(
            f"can't read {path} ({error.strerror}): name the file of an event, or - for stdin"
        ) from None
    if not data.strip():
        raise WrongUse(f"{name} is empty: it should hold one event as JSON")
    try:
        return json.loads(data)
    except JSONDecodeError as error:
        fault = f"{error.msg.partition(':')[0]}, line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        fault = f"its byte {error.start} is not {error.encoding.upper()}"
    except RecursionError:
        fault = "it is nested too deeply"
    raise WrongUse(f"{name} is not JSON: {fault}")


def recognise(event: Any) -> Source:
    """The source of an event, by the adapter's own table."""
    handler = find(event)
    if handler is not None:
        return _source(handler, event)
    return Source("event", source_of(event) or UNKNOWN)


def check_source(event: Any, expected: str, path: str) -> None:
    """Raise `WrongUse` if the event is of another source than it should be."""
    source = recognise(event)
    if source.name == expected:
        return
    name = "the standard input" if path == "-" else path
    phrase, marks = SOURCES[expected]
    if source.phrase != UNKNOWN:
        advice = (
            f"give --source {source.name}, or leave it out" if source.name else "it can't be served"
        )
        seen = f"it looks like one of {source.phrase}; {advice}"
    elif isinstance(event, dict):
        keys = ", ".join(map(repr, sorted(event)[:8])) or "none"
        seen = f"that has {marks}, while the keys here are {keys}"
    else:
        seen = f"that is an object, and this is JSON's {_json_type(event)}"
    raise WrongUse(f"{name} is not an event of {phrase}: {seen}")


def _source(handler: type, event: dict[str, Any]) -> Source:
    name = _NAMES[handler.__name__]
    is_http = handler.__name__ == "HTTPGateway"
    if is_http and _is_function_url(event["requestContext"]):
        name = "url"
    phrase = SOURCES[name][0] if name else str(handler.source)  # type: ignore[attr-defined]
    return Source(name, phrase, infers_answers=is_http and event["version"] == "2.0")


def _json_type(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
