"""What is asked of every framework with WebSockets, what each can't do, and what there is to know.

A feature is a function that has a client talk to an application, in one of four modes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mangum import Mangum
from mangum.types import ASGI
from tests.websockets import framework_apps as apps
from tests.websockets.connections import Connections
from tests.websockets.harness import API, Client

MODES: dict[str, tuple[int, dict[str, Any]]] = {
    "resumed": (1, {"websocket_mode": "session"}),
    "replayed": (2, {"websocket_mode": "session"}),
    "replayed in full": (2, {"websocket_mode": "session", "websocket_replay": "messages"}),
    "message": (1, {"websocket_mode": "message"}),
}
"""How many environments take turns with the events of each connection, and the options."""

STYLES: dict[str, tuple[str, Callable[[], ASGI]]] = {
    "bare": ("", apps.bare),
    "Starlette, function": ("starlette", apps.starlette_function),
    "Starlette, class": ("starlette", apps.starlette_class),
    "FastAPI, dependencies": ("fastapi", apps.fastapi),
    "Quart": ("quart", apps.quart),
    "Django": ("django", apps.django),
    "Channels, async": ("channels", apps.channels_async),
    "Channels, sync": ("channels", apps.channels_sync),
    "Litestar, function": ("litestar", apps.litestar_function),
    "Litestar, listener": ("litestar", apps.litestar_listener),
    "Sanic": ("sanic", apps.sanic),
    "Falcon": ("falcon", apps.falcon),
    "Responder": ("responder", apps.responder),
    "BlackSheep": ("blacksheep", apps.blacksheep),
}
"""The package that it needs, and what makes the application."""

OK = {"statusCode": 200}
FORBIDDEN = {"statusCode": 403}
FAILED = {"statusCode": 500}

_numbers = itertools.count(1)


@dataclass
class Visit:
    """A new client of warm environments."""

    style: str
    mode: str
    api: API
    environments: tuple[Mangum, ...]
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.another()

    @property
    def is_session(self) -> bool:
        return self.mode != "message"

    def another(self) -> Client:
        client = self.api.client(*self.environments, connection_id=f"Client{next(_numbers)}=")
        client.turn = next(_numbers)  # not each begins in the same environment
        return client

    def connect(self, client: Client | None = None, **request: Any) -> None:
        request = {"query": [("name", "Zoe")], "headers": [("X-Name", "x")], **request}
        assert (client or self.client).connect(**request) == OK

    def ask(self, message: str | bytes, *expected: str, result: Any = OK) -> None:
        """One message: exactly these answers have been posted when the function returns."""
        before = len(self.client.texts)
        assert self.client.say(message) == result
        assert self.client.texts[before:] == [*expected]

    def leave(self, client: Client | None = None) -> None:
        """As a client does: API Gateway knows it no longer."""
        client = client or self.client
        self.api.service.gone.add(client.connection_id)
        assert client.leave(1001, "Going away") == OK

    def expect_ended(self) -> None:
        assert self.client.is_deleted
        assert not self.client.has_record


class Place:
    """The warm environments of every style, in every mode; they share their records."""

    def __init__(self, folder: Path, service: Connections) -> None:
        self.api = API(folder, service)
        self._environments: dict[tuple[str, str], tuple[Mangum, ...]] = {}

    def visit(self, style: str, mode: str) -> Visit:
        environments = self._environments.get((style, mode))
        if environments is None:
            count, options = MODES[mode]
            options = {"edition": "2026", "lifespan": "auto", "websocket_path": apps.PATH} | options
            make_app = STYLES[style][1]
            environments = tuple(self.api.serve(make_app(), **options) for _ in range(count))
            self._environments[style, mode] = environments
        return Visit(style, mode, self.api, environments)


# --- the features ---------------------------------------------------------------------------------


def accept(visit: Visit) -> None:
    visit.connect()
    assert visit.client.has_record
    assert visit.client.texts == []
    for _ in range(3):
        visit.ask("echo", "echo")


def subprotocol(visit: Visit) -> None:
    headers = [("Sec-WebSocket-Protocol", f"chat.v1, {apps.SUBPROTOCOL}"), ("X-Name", "x")]
    result = visit.client.connect(headers=headers)
    if visit.is_session:
        told = {"sec-websocket-protocol": apps.SUBPROTOCOL}
        assert {**result, "headers": lower(result["headers"])} == {**OK, "headers": told}
    else:
        assert result == OK
    visit.ask("echo", "echo")


def query(visit: Visit) -> None:
    visit.connect(query=[("name", "Zoë & Co")], headers=[("X-Name", "a value")])
    for _ in range(2):
        visit.ask("who", "Zoë & Co a value")


def refuse(visit: Visit) -> None:
    request: dict[str, Any] = {
        "query": [("name", "Zoe"), ("refuse", "1")],
        "headers": [("X-Name", "x")],
    }
    if visit.is_session:
        result = visit.client.connect(**request)
        assert result["statusCode"] == 403
        assert len(json.dumps(result)) < 200
        assert not visit.client.has_record
        assert not visit.client.is_deleted  # it has never been one
    else:
        visit.connect(**request)
        visit.ask("echo", result=FORBIDDEN)
        visit.expect_ended()


def several(visit: Visit) -> None:
    visit.connect()
    for _ in range(2):
        visit.ask("three", "1", "2", "3")


def silence(visit: Visit) -> None:
    visit.connect()
    visit.ask("nothing")
    visit.ask("echo", "echo")
    visit.ask("nothing")


def slow(visit: Visit) -> None:
    visit.connect()
    for _ in range(2):
        visit.ask("slow", "slow")


def thread(visit: Visit) -> None:
    visit.connect()
    for _ in range(2):
        visit.ask("thread", "worked")


def task(visit: Visit) -> None:
    visit.connect()
    for _ in range(2):
        visit.ask("task", "queued", "done")


def binary(visit: Visit) -> None:
    visit.connect()
    for _ in range(2):
        visit.ask(b"\xff\x00\x80", "ff0080")


def leave(visit: Visit) -> None:
    visit.connect()
    visit.ask("echo", "echo")
    assert "left 1001" not in apps.happened
    assert visit.client.leave(1001, "Going away") == OK
    assert apps.happened.count("left 1001" if visit.is_session else "left 1000") == 1
    assert not visit.client.has_record
    assert not visit.client.is_deleted


def close(visit: Visit) -> None:
    visit.connect()
    visit.ask("echo", "echo")
    visit.ask("close")
    assert visit.client.is_deleted
    if visit.is_session:
        assert not visit.client.has_record
    assert visit.client.leave(1000) == OK


def error(visit: Visit) -> None:
    visit.connect()
    visit.ask("fail", result=OK if visit.style in CAUGHT else FAILED)
    if visit.is_session or visit.style in CAUGHT:
        assert visit.client.is_deleted
    if visit.is_session:
        assert not visit.client.has_record
    visit.client = visit.another()
    accept(visit)  # the environment is as good as before


def lifespan(visit: Visit) -> None:
    visit.connect()
    for _ in range(2):
        visit.ask("state", apps.STARTED)


def group(visit: Visit) -> None:
    other = visit.another()
    visit.connect()
    visit.connect(other)
    visit.ask("join")
    assert other.say("join") == OK
    visit.ask("all", "hello, all")
    assert other.texts == ["hello, all"]
    visit.leave(other)
    visit.ask("all", "hello, all")
    assert other.texts == ["hello, all"]
    visit.leave()


def memory(visit: Visit) -> None:
    visit.connect()
    remembers = visit.mode in ("resumed", "replayed in full")
    for number in range(1, 5):
        visit.ask("count", str(number if remembers else 1))


FEATURES: dict[str, Callable[[Visit], None]] = {
    "accept": accept,
    "subprotocol": subprotocol,
    "query": query,
    "refuse": refuse,
    "several": several,
    "silence": silence,
    "slow": slow,
    "thread": thread,
    "task": task,
    "bytes": binary,
    "leave": leave,
    "close": close,
    "error": error,
    "lifespan": lifespan,
    "group": group,
    "memory": memory,
}


def lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


# --- what some can't do, and what there is to know ------------------------------------------------

CAUGHT = frozenset(
    {"Quart", "Litestar, function", "Litestar, listener", "Sanic", "Falcon", "BlackSheep"}
)
"""They log an exception themselves and close."""


@dataclass(frozen=True)
class Limit:
    reason: str
    proof: Callable[[Visit], None]
    modes: tuple[str, ...] = tuple(MODES)


def has_no_groups(visit: Visit) -> None:
    visit.connect()
    caught = visit.style in CAUGHT
    visit.ask("join", result=OK if caught else FAILED)


def is_no_websocket_application(visit: Visit) -> None:
    if visit.is_session:
        assert visit.client.connect() == FAILED
        assert not visit.client.has_record
    else:
        visit.connect()
        visit.ask("echo", result=FAILED)


def says_no_code(visit: Visit) -> None:
    visit.connect()
    visit.ask("echo", "echo")
    apps.happened.clear()
    assert visit.client.leave(1001, "Going away") == OK
    if visit.is_session:
        assert "left None" in apps.happened
    assert "left 1001" not in apps.happened
    assert not visit.client.has_record


def has_no_lifespan(visit: Visit) -> None:
    visit.connect()
    visit.ask("state", result=FAILED)


def takes_no_bytes(visit: Visit) -> None:
    visit.connect()
    visit.ask(b"\xff\x00\x80")


def does_nothing(visit: Visit) -> None:
    visit.connect()
    visit.ask("state")
    visit.ask("task")


def closes_nothing(visit: Visit) -> None:
    visit.connect(query=[("name", "Zoe"), ("refuse", "1")])
    visit.ask("close")
    visit.client = visit.another()
    visit.connect()
    for message in ("close", "fail"):
        visit.ask(message)
    visit.ask("echo", "echo")
    assert not visit.client.is_deleted


def reads_no_header(visit: Visit) -> None:
    visit.connect()
    visit.ask("who")


NO_GROUPS = Limit("`aws.groups` is a session's: use `handler.groups`", has_no_groups, ("message",))
NO_WEBSOCKETS = Limit("refuses any but HTTP connections", is_no_websocket_application)
NO_CODE = Limit("does not tell how the client left", says_no_code)
NEEDS_TUPLES = Limit(
    "reads headers only if they are tuples, not lists as mangum 0.12 gave",
    reads_no_header,
    ("message",),
)
NO_CLOSE = Limit(
    "its close() does nothing; that the handler returns ends a session only",
    closes_nothing,
    ("message",),
)
NO_BYTES = Limit("a listener takes one type: texts, here", takes_no_bytes)
NO_TASKS = Limit("no task of its own: synchronous code", does_nothing)
NO_LIFESPAN = Limit("raises at the lifespan scope; is served without", has_no_lifespan)

CANNOT: dict[tuple[str, str], tuple[Limit, ...]] = {}


def _limit(style: str, features: Iterable[str], limit: Limit) -> None:
    for feature in features:
        CANNOT[style, feature] = (*CANNOT.get((style, feature), ()), limit)


_limit("Django", FEATURES, NO_WEBSOCKETS)
for _style in STYLES:
    if not _style.startswith(("Channels", "Django")):
        _limit(_style, ["group"], NO_GROUPS)
for _style in ("Quart", "Sanic", "Litestar, listener"):
    _limit(_style, ["leave"], NO_CODE)
_limit("Sanic", ["refuse", "close", "error"], NO_CLOSE)
_limit("BlackSheep", ["query"], NEEDS_TUPLES)
_limit("Litestar, listener", ["bytes"], NO_BYTES)
_limit("Channels, async", ["lifespan"], NO_LIFESPAN)
_limit("Channels, sync", ["lifespan"], Limit(NO_LIFESPAN.reason, does_nothing))
_limit("Channels, sync", ["task"], NO_TASKS)


def limit_of(style: str, feature: str, mode: str) -> Limit | None:
    return next((it for it in CANNOT.get((style, feature), ()) if mode in it.modes), None)


CLOSES = "logs the exception itself and closes: the function answers 200"
ACCEPTS_FIRST = "accepts before the handler is asked; an end at once is answered with 403"

REMARKS: dict[tuple[str, str], str] = {
    **{(style, "error"): CLOSES for style in sorted(CAUGHT)},
    ("Sanic", "refuse"): ACCEPTS_FIRST,
    ("Starlette, class", "task"): "a task of asyncio's",
    ("Litestar, listener", "task"): "a task of asyncio's",
}

BY_NATURE: dict[str, str] = {
    "subprotocol": "message: not answered, as the application is not asked at the handshake",
    "refuse": "message: the first message is answered with 403, and the connection ended",
    "leave": "message: 1000 after each message; the application is not told of the client's",
    "memory": "replayed, message: begins anew with each event; in full: keeps what messages made",
}
"""What a mode does, whatever the framework."""
