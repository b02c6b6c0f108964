"""A WebSocket API: environments that serve it, clients that use it, and what they get to see."""

from __future__ import annotations

import asyncio
import sqlite3
import weakref
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mangum import Mangum
from mangum.protocols.loop import get_loop
from mangum.types import ASGI, Message, Receive, Scope, Send
from tests.builders import CONNECTION_ID, lambda_context, websocket_event
from tests.websockets.connections import Connections

if TYPE_CHECKING:
    from mangum.websockets.engine import Parked

MOMENT_S = 0.02
"""What an application sleeps where it is at work for some time."""

DISCONNECTED = "websocket.disconnect"


class API:
    """Each environment is a handler of its own; they share the records in one file.

    It stands for API Gateway, as far as a function sees it.
    """

    def __init__(self, folder: Path, service: Connections) -> None:
        self.service = service
        self.file = folder / "connections.db"
        self.dsn = f"sqlite:///{self.file}"
        self.environments: list[Mangum] = []

    def serve(self, app: ASGI, mode: Any = "session", **options: Any) -> Mangum:
        """An environment more."""
        handler = Mangum(
            app,
            **{
                "lifespan": "off",
                "dsn": self.dsn,
                "websocket_mode": mode,
                "api_gateway_endpoint_url": self.service.url,
                **options,
            },
        )
        self.environments.append(handler)
        return handler

    def client(self, *environments: Mangum, connection_id: str = CONNECTION_ID) -> Client:
        """A client whose events go to the environments in turn."""
        return Client(self, environments, connection_id)

    def records(self) -> list[str]:
        """The keys of all that is stored: the connections' ids, and what belongs to them."""
        with closing(sqlite3.connect(self.file)) as database:
            return [row[0] for row in database.execute("select id from mangum_websockets")]

    def close(self) -> None:
        for handler in self.environments:
            handler.shutdown()


class Client:
    """One connection, which may go on in another environment with each event."""

    def __init__(self, api: API, environments: tuple[Mangum, ...], connection_id: str) -> None:
        self.api = api
        self.environments = environments
        self.connection_id = connection_id
        self.turn = 0

    def connect(self, **fields: Any) -> Any:
        """The result of a CONNECT; `remaining_time_ms` is the invocation's, the other fields are
        the event's."""
        return self._send(event_type="CONNECT", **fields)

    def say(self, body: str | bytes | None, **fields: Any) -> Any:
        """The result of a MESSAGE."""
        return self._send(event_type="MESSAGE", body=body, **fields)

    def leave(self, code: int | None = None, reason: str | None = None, **fields: Any) -> Any:
        """The result of a DISCONNECT."""
        return self._send(event_type="DISCONNECT", code=code, reason=reason, **fields)

    def _send(self, *, remaining_time_ms: int = 30_000, **fields: Any) -> Any:
        handler = self.environments[self.turn % len(self.environments)]
        self.turn += 1
        event = websocket_event(**{"connection_id": self.connection_id, **fields})
        return handler(event, lambda_context(remaining_time_ms=remaining_time_ms))

    @property
    def texts(self) -> list[str]:
        """What it got, in order."""
        return self.api.service.texts(self.connection_id)

    @property
    def is_deleted(self) -> bool:
        return self.connection_id in self.api.service.deleted

    @property
    def has_record(self) -> bool:
        return self.connection_id in self.api.records()


def sessions(handler: Mangum) -> dict[str, Parked]:
    """The sessions that wait in the environment, by their connections."""
    websockets = handler._websockets
    engines = [] if websockets is None else websockets.engines
    return {name: it for engine in engines for name, it in engine.parked.items()}


def parked(handler: Mangum) -> list[str]:
    """The connections whose sessions wait in the environment."""
    return [*sessions(handler)]


_earlier: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()


def forget_earlier_tasks() -> None:
    """Leave out of `waiting_tasks` what other tests have left on the thread's loop."""
    _earlier.update(_all_tasks())


def waiting_tasks() -> list[asyncio.Task[Any]]:
    """The tasks on the thread's loop, but for the one that keeps AnyIO's worker threads."""
    return [
        task for task in _all_tasks() if task not in _earlier and "anyio_threads" not in repr(task)
    ]


def _all_tasks() -> set[asyncio.Task[Any]]:
    loop: Any = get_loop()
    return asyncio.all_tasks(loop)


class Script:
    """An application that accepts, and then does with each message what `answer` says.

    It notes in `seen` the types of the messages that it gets, and `end` when it ends; `scopes` are
    those that it was called with.
    """

    def __init__(
        self, answer: Callable[[Message, Send], Awaitable[Any]] | None = None, **accept: Any
    ) -> None:
        self.answer = answer
        self.accept = accept
        self.seen: list[Any] = []
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.seen.append((await receive())["type"])
        try:
            await self.begin(send)
            while True:
                message = await receive()
                self.seen.append(message)
                if message["type"] == DISCONNECTED:
                    break
                if self.answer is not None and await self.answer(message, send) is False:
                    break
        finally:
            self.seen.append("end")

    async def begin(self, send: Send) -> None:
        await send({"type": "websocket.accept", **self.accept})


class Counter(Script):
    """Greets, and answers with the number of the message in the session."""

    def __init__(self, *greetings: str, **accept: Any) -> None:
        super().__init__(**accept)
        self.greetings = greetings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = 0

        async def count(message: Message, send: Send) -> None:
            nonlocal number
            number += 1
            await send(text(f"{number} {message['text']}"))

        self.answer = count
        await super().__call__(scope, receive, send)

    async def begin(self, send: Send) -> None:
        await super().begin(send)
        for greeting in self.greetings:
            await send(text(greeting))


def text(value: str) -> Message:
    return {"type": "websocket.send", "text": value}


ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}


def left(code: int, reason: str = "") -> Message:
    return {"type": DISCONNECTED, "code": code, "reason": reason}


def said(value: str) -> Message:
    return {"type": "websocket.receive", "text": value}


def sending(*messages: Any, error: BaseException | None = None) -> ASGI:
    """Asks for `websocket.connect`, sends the messages, then raises the error if there is one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


def status_of(result: Any) -> int:
    status: int = result["statusCode"]
    return status
