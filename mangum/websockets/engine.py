"""The connections of an adapter on one event loop: the backend, the way to the clients, and the
sessions that wait for their next event."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager

from mangum.aws.endpoints import configured_url
from mangum.backends.base import LIFETIME_S
from mangum.backends.codec import decode_record
from mangum.exceptions import ConfigurationError, ConnectionGone
from mangum.protocols.websockets import WebSocketCycle
from mangum.websockets import message_mode, session_mode
from mangum.websockets.connection import Connection, token_id
from mangum.websockets.events import Event, answer
from mangum.websockets.gateway import ConnectionGateway, endpoint_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any

    from mangum.backends.base import WebSocketBackend
    from mangum.types import ASGI, Response, Scope, WebSocketBinary, WebSocketReplay
    from mangum.websockets.adapter import AdapterGroups

__all__ = ["MAX_PARKED", "Engine", "Parked"]

logger = logging.getLogger("mangum.websocket")

MAX_PARKED = 500
"""How many sessions may wait for their next event. The one that has waited longest goes first; its
next event calls the application anew."""

_VISIT_S = 5.0

SERVERS = {
    (False, "CONNECT"): message_mode.connect,
    (False, "MESSAGE"): message_mode.receive,
    (False, "DISCONNECT"): message_mode.disconnect,
    (True, "CONNECT"): session_mode.connect,
    (True, "MESSAGE"): session_mode.receive,
    (True, "DISCONNECT"): session_mode.disconnect,
}
"""What serves an event, by whether there are sessions and by the event's type."""


class Parked:
    """A session between two events."""

    __slots__ = ("app", "cycle", "sequence", "since")

    def __init__(self, cycle: WebSocketCycle, app: ASGI, sequence: int) -> None:
        self.cycle = cycle
        self.app = app
        self.sequence = sequence
        self.since = time.monotonic()

    async def discard(self) -> None:
        """End it without a word to the client, whose connection goes on."""
        self.cycle.muted = True
        await self.cycle.end()


class _Turn:
    """Whose turn it is on a connection, and how many want it."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Engine:
    """Serves the events of one adapter on the loop that runs."""

    def __init__(
        self,
        app: ASGI,
        backend: WebSocketBackend,
        groups: AdapterGroups,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        binary: WebSocketBinary = "error",
        replay: WebSocketReplay = "connect",
        raise_exceptions: bool = False,
    ) -> None:
        self.app = app
        self.backend = backend
        self.groups = groups
        self.endpoint_url = endpoint_url
        self.region = region
        self.binary = binary
        self.replay = replay
        self.raise_exceptions = raise_exceptions
        self.loop = asyncio.get_running_loop()
        self.parked: dict[str, Parked] = {}  # the one that has waited longest first
        self.active: dict[str, WebSocketCycle] = {}  # those that an event is being served for
        self._turns: dict[str, _Turn] = {}
        self._until = 0.0  # when the latest event's time is over
        self._given: Scope = {}
        self._gateways: dict[str, ConnectionGateway] = {}
        self._opening: asyncio.Future[None] | None = None
        self._is_open = False

    async def serve(self, handler: Any, app: ASGI, given: Scope) -> Response:
        """The answer to an event. Raises `WebSocketError` if the backend or the gateway fails."""
        await self.open()
        event = Event(handler, app, given, self)
        self.app, self._until, self._given = app, event.until, given
        async with self._turn(event.connection_id):
            return await SERVERS[handler.is_session, handler.event_type](self, event)

    @asynccontextmanager
    async def _turn(self, connection_id: str) -> AsyncIterator[None]:
        """One after the other serves a connection."""
        turn = self._turns.setdefault(connection_id, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[connection_id]

    async def open(self) -> None:
        """Open the backend, once."""
        if self._is_open:
            return
        if self._opening is None:
            self._opening = asyncio.ensure_future(self.backend.open())
        opening = self._opening
        try:
            await asyncio.shield(opening)
            self._is_open = True
        finally:
            if opening.done():
                self._opening = None  # if it has failed, the next event tries again

    def take_over(self, former: Engine) -> None:
        """Take what is bound to no loop from the engine of one that is closed."""
        self._gateways, former._gateways = former._gateways, {}

    async def close(self) -> None:
        """End the sessions that wait, and give back all sockets."""
        try:
            for connection_id in [*self.parked]:
                await self.discard(connection_id)
        finally:
            for gateway in self._gateways.values():
                await gateway.close()
            self._gateways.clear()
            if self._is_open:
                self._is_open = False
                await self.backend.close()

    def gateway(self, event: Any = None) -> ConnectionGateway:
        """The way to the clients: that of the event's API. Raises `ConfigurationError` if there is
        neither an event nor an option to tell it."""
        if event is None and self._gateways:
            return next(iter(self._gateways.values()))
        if event is None and self.endpoint_url is None and configured_url("execute-api") is None:
            raise ConfigurationError(
                "Before the first event of a WebSocket API nothing tells where it is: set "
                "`api_gateway_endpoint_url`."
            )
        url = endpoint_of(event or {}, self.endpoint_url, self.region)
        gateway = self._gateways.get(url)
        if gateway is None:
            gateway = self._gateways[url] = ConnectionGateway(url, self.region)
        return gateway

    def session_scope(self, connection_id: str) -> Scope:
        """What a session's scope has besides what is stored."""
        return {
            "extensions": {"websocket.http.response": {}},
            "aws.connection_id": connection_id,
            "aws.groups": self.groups,
        }

    # The sessions that wait

    async def park(self, cycle: WebSocketCycle, event: Event, sequence: int) -> None:
        """Keep a session for its next event; too many, or too old ones, go."""
        cycle.rest()
        cycle.muted = False  # even where the application has not taken its message in time
        await self.discard(event.connection_id)
        self.parked[event.connection_id] = Parked(cycle, event.app, sequence)
        while True:
            connection_id, oldest = next(iter(self.parked.items()))
            if len(self.parked) <= MAX_PARKED and time.monotonic() - oldest.since < LIFETIME_S:
                return
            await self.discard(connection_id)

    async def discard(self, connection_id: str) -> None:
        """Let go of the session that waits, if there is one; its connection goes on."""
        parked = self.parked.pop(connection_id, None)
        if parked is not None:
            await parked.discard()

    async def visit(self, connection_id: str, call: Callable[[WebSocketCycle], None]) -> None:
        """Have the session of any connection do something: `call` is called with it where it waits
        for a message, and what comes of it is waited for.

        A session that is not in this environment is brought up for this alone. Raises
        `UnknownConnection`, and `ConnectionGone` if the client has left.
        """
        active = self.active.get(connection_id)
        if active is not None:
            call(active)  # whoever serves it waits for what comes of it
            return
        async with self._turn(connection_id):
            parked = self.parked.get(connection_id)
            if parked is not None:
                await self._visit(parked.cycle, connection_id, call)
                if parked.cycle.is_over and self.parked.pop(connection_id, None) is not None:
                    await self.drop(parked.cycle)
                    self.outcome(parked.cycle)
                return
            cycle = await self._bring_up(connection_id)
            try:
                if cycle.is_open:
                    cycle.muted = False
                    await self._visit(cycle, connection_id, call)
                if cycle.error is not None:
                    self.outcome(cycle)
            finally:
                cycle.muted = True
                await cycle.end(self._until)

    async def _visit(
        self, cycle: WebSocketCycle, connection_id: str, call: Callable[[WebSocketCycle], None]
    ) -> None:
        self.active[connection_id] = cycle
        try:
            call(cycle)
            await cycle.proceed(self._visit_until())
        finally:
            del self.active[connection_id]

    async def _bring_up(self, connection_id: str) -> WebSocketCycle:
        """A session like the one that is elsewhere, where it waits for a message."""
        await self.open()
        scope, held = decode_record(await self.backend.retrieve(connection_id))
        scope.update(self._given)
        scope.update(self.session_scope(connection_id))
        connection = Connection(self, connection_id, self.gateway(), held=held)
        cycle = WebSocketCycle(scope, connection)
        cycle.muted = True
        try:
            cycle.start(self.app)
            await cycle.proceed(self._visit_until())
        except BaseException:
            await cycle.end(self._until)
            raise
        return cycle

    def _visit_until(self) -> float:
        now = self.loop.time()
        return min(self._until, now + _VISIT_S) if self._until > now else now + _VISIT_S

    # What becomes of a connection

    async def drop(self, cycle: WebSocketCycle) -> None:
        """End a connection and remove its record, if they are still there."""
        connection: Any = cycle.client
        try:
            if not connection.is_ended:
                await connection.close(1011, "")
        finally:
            await self.backend.delete(connection.connection_id)
            if connection.held:
                await self.backend.delete(token_id(connection.connection_id))

    def outcome(self, cycle: WebSocketCycle) -> Response:
        """200, or 500 for an error of the application; what is no `Exception` is raised, and with
        `raise_exceptions` all."""
        error = cycle.error
        if error is None or (cycle.has_left is not None and _is_gone(error)):
            return answer(200)  # as a server does not report it that a client has left
        if self.raise_exceptions or not isinstance(error, Exception):
            raise error
        logger.error("An error occurred running the application.", exc_info=error)
        return answer(500)


def _is_gone(error: BaseException) -> bool:
    """Whether it comes of a client that has left; frameworks make an error of their own of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionGone):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
