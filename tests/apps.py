"""Tiny ASGI applications, and the messages that they send."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mangum import Mangum
from mangum.types import ASGI, Message, Receive, Scope, Send
from tests.builders import Event, lambda_context

TEXT = ((b"content-type", b"text/plain"),)


def start(status: Any = 200, headers: Any = TEXT) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def chunk(body: Any = b"", *, more_body: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more_body}


async def respond(
    send: Send,
    body: bytes = b"",
    *,
    status: int = 200,
    headers: Iterable[Sequence[bytes]] = TEXT,
) -> None:
    """A whole answer."""
    await send(start(status, headers))
    await send(chunk(body))


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers `hello` to whatever it is called with, as an application without lifespan does."""
    await respond(send, b"hello")


def sending(messages: Iterable[Message], error: BaseException | None = None) -> ASGI:
    """Sends the messages, then raises the error if there is one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


class Diary:
    """An application with lifespan that notes what happens to it, and answers `served`.

    Subclasses change one step: `start`, `serve` or `stop`.
    """

    def __init__(self) -> None:
        self.events: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
        else:
            self.events.append("request")
            await self.serve(scope, receive, send)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.events.append(message["type"])
        await self.start(scope, send)
        message = await receive()
        self.events.append(message["type"])
        await self.stop(scope, send)

    async def start(self, scope: Scope, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"served")

    async def stop(self, scope: Scope, send: Send) -> None:
        await send({"type": "lifespan.shutdown.complete"})


@dataclass
class Recorder:
    """Answers every request alike, and keeps the scope and the body of each; has no lifespan."""

    status: Any = 200
    headers: Any = TEXT
    body: bytes = b"ok"
    scopes: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "this application has no lifespan"
        self.scopes.append(scope)
        self.bodies.append(await read_body(receive))
        await respond(send, self.body, status=self.status, headers=self.headers)


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def scope_of(event: Event, **options: Any) -> Scope:
    """The scope that an application sees; `options` are the adapter's."""
    app = Recorder()
    Mangum(app, **{"lifespan": "off", **options})(event, lambda_context())
    (scope,) = app.scopes
    return scope


def body_of(event: Event, **options: Any) -> bytes:
    """The request's body that an application reads; `options` are the adapter's."""
    app = Recorder()
    Mangum(app, **{"lifespan": "off", **options})(event, lambda_context())
    (body,) = app.bodies
    return body


def result_of(
    event: Event, *, status: Any = 200, headers: Any = TEXT, body: bytes = b"ok", **options: Any
) -> Any:
    """What Lambda gets for an application's answer; `options` are the adapter's."""
    app = Recorder(status, headers, body)
    return Mangum(app, **{"lifespan": "off", **options})(event, lambda_context())
