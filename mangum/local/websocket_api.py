"""The WebSocket API of API Gateway: connections become events, and `@connections` calls messages.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mangum.local.connections import BINARY, GOING_AWAY, LOST, Busy, Connection, Gone, ending_of
from mangum.local.management import Management, is_management
from mangum.local.messages import Answer, Call, Event, Request
from mangum.local.selection import CONNECT, DISCONNECT, Selection
from mangum.local.services.rest import TIMEOUT_S
from mangum.local.websocket_answers import (
    read_result,
    refusal_of,
    refuse_handshake,
    subprotocol_of,
)
from mangum.local.websocket_events import (
    connect_event,
    disconnect_event,
    message_event,
    read_handshake,
)
from mangum.types import Receive, Scope, Send

__all__ = ["MAX_SIZE", "WebSocketAPI", "WebSocketOptions"]

MAX_SIZE = (128 * 1024, 32 * 1024)
"""Of a message and of a frame: for uvicorn's `ws_max_size`, which closes with 1009 beyond it."""

CLOSE_S = 3.0  # for all that is under way when the gateway ends


class Caller(Protocol):
    """What the API needs of a gateway."""

    async def call(self, call: Call) -> Answer: ...


@dataclass(frozen=True)
class WebSocketOptions:
    """What someone who deploys a WebSocket API decides, and the limits that AWS sets.

    Raises `ConfigurationError` for a selection expression that it does not understand.
    """

    stage: str = "prod"
    selection: str = "$request.body.action"
    routes: Collection[str] = ()  # beside $connect, $disconnect and $default
    idle_timeout_s: float = 600
    lifetime_s: float = 7200
    verify_signatures: bool = False
    credentials: Mapping[str, str] = field(default_factory=dict)  # secrets by the ids of keys
    region: str = "us-east-1"
    send_timeout_s: float = 5  # how long a call waits for a client that does not read

    def __post_init__(self) -> None:
        Selection(self.selection)


class WebSocketAPI:
    """An ASGI application for WebSockets at any path, on a server with uvicorn's `ws_max_size`.

    Its domain is the host that a client asks for. `connections` are those that are there.
    """

    def __init__(self, gateway: Caller, options: WebSocketOptions | None = None) -> None:
        self.gateway = gateway
        self.options = options or WebSocketOptions()
        self._selection = Selection(self.options.selection, self.options.routes)
        self._connections: dict[str, Connection] = {}
        self._management = Management(
            self._connections,
            self.options.stage,
            self.options.region,
            self.options.credentials if self.options.verify_signatures else None,
        )
        self._tasks: set[asyncio.Task[None]] = set()  # calls that nobody waits for
        self._served: set[asyncio.Task[Any]] = set()  # one for each connection
        self._closing = False

    @property
    def connections(self) -> list[Connection]:
        return list(self._connections.values())

    def is_management(self, path: str) -> bool:
        """Whether an HTTP request to the path is for `manage`."""
        return is_management(path)

    async def manage(self, request: Request) -> Answer:
        """Answer an `@connections` call."""
        return await self._management.manage(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # `websocket.connect`
        if self._closing:
            await refuse_handshake(scope, send, Answer(503, []))
            return
        connection = Connection(
            read_handshake(scope), self.options.stage, send, self.options.send_timeout_s
        )
        self._connections[connection.id] = connection
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        try:
            answer = await self._connect(connection)
            if 200 <= answer.status < 300:
                await self._serve(connection, receive, subprotocol_of(answer, scope))
                return
        finally:
            connection.state = "closed"
            del self._connections[connection.id]
            self._served.discard(task)
        await refuse_handshake(scope, send, answer)

    async def close(self) -> None:
        """Close every connection and tell the function, as far as that is done in a few seconds."""
        self._closing = True
        for connection in self.connections:
            self._start(connection.close(GOING_AWAY))
        until_s = time.monotonic() + CLOSE_S
        while (pending := self._tasks | self._served) and (
            left_s := until_s - time.monotonic()
        ) > 0:
            await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- a connection -----------------------------------------------------------------------------

    async def _serve(
        self, connection: Connection, receive: Receive, subprotocol: str | None
    ) -> None:
        """From the handshake to the end. The function has let the client in, so it is told of the
        end, whatever happens."""
        helpers: list[asyncio.Task[None]] = []
        try:
            await connection.accept(subprotocol)
            if self._closing:
                await connection.close(GOING_AWAY)
            if connection.ending is None:
                helpers = [
                    asyncio.create_task(self._read(connection, receive)),
                    asyncio.create_task(self._watch(connection)),
                ]
                ends: set[asyncio.Future[None]] = {*helpers, connection.closed}
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in done:
                    end.result()  # a bug of ours is for the server to tell of
        finally:
            connection.end(LOST)  # unless it is known better
            for helper in helpers:
                helper.cancel()
            self._start(self._disconnect(connection))

    async def _read(self, connection: Connection, receive: Receive) -> None:
        """Start a call for each message, until the client leaves."""
        while True:
            await connection.slots.acquire()
            message = await receive()
            if message["type"] == "websocket.disconnect":
                connection.end(ending_of(message))
                return
            text = message.get("text")
            if text is None:
                await connection.close(BINARY)
                return
            if connection.state != "open":  # it came before the client knew
                connection.slots.release()
                continue
            connection.messages_in += 1
            connection.touch()
            task = self._start(self._message(connection, text))
            task.add_done_callback(lambda _: connection.slots.release())

    async def _watch(self, connection: Connection) -> None:
        """Close a connection that is idle, or too old."""
        ends_s = time.monotonic() + self.options.lifetime_s
        while True:
            left_s = min(self.options.idle_timeout_s - connection.idle_s, ends_s - time.monotonic())
            if left_s <= 0:
                await connection.close(GOING_AWAY)
                return
            await asyncio.sleep(left_s)

    # --- what the function is told ----------------------------------------------------------------

    async def _connect(self, connection: Connection) -> Answer:
        event = connect_event(connection.context, connection.handshake)
        return await self._call(connection, CONNECT, event)

    async def _message(self, connection: Connection, text: str) -> None:
        """What the function returns is for nobody, as long as it is a result; an error is told."""
        route = self._selection.route(text)
        event = message_event(connection.context, connection.handshake, route, text)
        answer = await self._call(connection, route, event)
        if answer.body:
            with contextlib.suppress(Gone, Busy):
                await connection.deliver(answer.body.decode())

    async def _disconnect(self, connection: Connection) -> None:
        code, reason = connection.ending or LOST
        event = disconnect_event(connection.context, connection.handshake, code, reason)
        await self._call(connection, DISCONNECT, event)

    async def _call(self, connection: Connection, route: str, event: Event) -> Answer:
        return await self.gateway.call(
            Call(
                source="websocket",
                method=route,
                path=connection.id,
                event=event,
                read=read_result,
                refuse=refusal_of(event),
                timeout_s=TIMEOUT_S,
            )
        )

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
