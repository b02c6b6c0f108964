"""What an adapter has for WebSocket APIs: its options, and what it makes of them on a loop."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import weakref

from mangum.backends import dsn_from_ws_config, make_backend
from mangum.exceptions import ConfigurationError, RequestError
from mangum.protocols.idle import current, is_muted
from mangum.websockets.engine import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from mangum.backends.base import WebSocketBackend
    from mangum.types import ASGI, Response, Scope
    from mangum.websockets.membership import Members

__all__ = ["AdapterGroups", "EventCycle", "WebSockets", "only"]

_EXIT_S = 2.0
GATEWAY_OPTIONS = {
    "api_gateway_endpoint_url": "endpoint_url",
    "api_gateway_region_name": "region",
}
"""The options of the engine that stood in `ws_config` once."""

_made: list[weakref.ref[WebSockets]] = []


@atexit.register
def _end_all() -> None:
    """Give the applications whose sessions wait a chance to end while their loop still lives."""
    for reference in [*_made]:
        websockets = reference()
        for engine in () if websockets is None else websockets.engines:
            if not engine.loop.is_closed() and not engine.loop.is_running():
                with contextlib.suppress(Exception):
                    engine.loop.run_until_complete(asyncio.wait_for(engine.close(), _EXIT_S))


def only() -> WebSockets:
    """That of the process's adapter. Raises `ConfigurationError` if there is none, or several."""
    made = [it for it in (reference() for reference in _made) if it is not None]
    if len(made) != 1:
        raise ConfigurationError(
            f"{len(made)} adapters serve WebSockets in this process, so this can't tell which one "
            "is meant."
        )
    return made[0]


class EventCycle:
    """One event, in the shape that the adapter runs."""

    def __init__(self, websockets: WebSockets, handler: Any) -> None:
        self.websockets = websockets
        self.handler = handler
        self.scope: Scope = {}  # its `state` is the lifespan's
        self.response: Response = {"status": 200, "headers": [], "body": b""}

    @property
    def outlives_event(self) -> bool:
        """Whether the application goes on after the event, so that its lifespan must too."""
        is_session: bool = self.handler.is_session
        return is_session

    async def run(self, app: ASGI) -> None:
        """Serve it. Raises `WebSocketError`, and what the engine is told to raise."""
        try:
            self.response = await self.websockets.engine.serve(self.handler, app, self.scope)
        except RequestError as exc:
            self.response = exc.response


class WebSockets:
    """What an adapter has for WebSocket APIs: its options, and the engine on the loop in use.
    Raises `ConfigurationError` if the options name no backend, or a wrong one."""

    def __init__(
        self,
        app: ASGI,
        *,
        dsn: str | None,
        ws_config: dict[str, Any] | None = None,
        sessions: bool = False,
        **options: Any,
    ) -> None:
        if dsn is None:
            if ws_config is None:
                raise ConfigurationError(
                    "The `dsn` parameter must be provided for WebSocket connections."
                )
            dsn = dsn_from_ws_config(ws_config)
            for name, option in GATEWAY_OPTIONS.items():
                options[option] = options.get(option) or ws_config.get(name)
        self._app = app
        self._dsn = dsn
        self._sessions = sessions
        self._backend: WebSocketBackend | None = self._make_backend()  # checks the DSN, too
        self._options = options
        self._engines: weakref.WeakKeyDictionary[Any, Engine] = weakref.WeakKeyDictionary()
        self.groups = AdapterGroups(self)
        _made.append(weakref.ref(self, _made.remove))

    def cycle(self, handler: Any) -> EventCycle:
        """What runs an event."""
        return EventCycle(self, handler)

    @property
    def engine(self) -> Engine:
        """The engine on the running loop. It takes over what that of a closed loop has, but for the
        sessions, whose connections are found by their records."""
        loop = asyncio.get_running_loop()
        engine = self._engines.get(loop)
        if engine is None:
            former = next((it for it in self._engines.values() if it.loop.is_closed()), None)
            backend, self._backend = self._backend, None
            if former is not None:
                del self._engines[former.loop]
                backend = former.backend  # which gives up what it has on the closed loop
            engine = self._engines[loop] = Engine(
                self._app, backend or self._make_backend(), self.groups, **self._options
            )
            if former is not None:
                engine.take_over(former)
        return engine

    @property
    def engines(self) -> list[Engine]:
        """Those of all loops."""
        return [*self._engines.values()]

    def _make_backend(self) -> WebSocketBackend:
        return make_backend(self._dsn, sessions=self._sessions)

    async def close(self) -> None:
        """End what waits on the running loop."""
        engine = self._engines.pop(asyncio.get_running_loop(), None)
        if engine is not None:
            await engine.close()


class AdapterGroups:
    """Groups of an adapter's connections, for the use of any event.

    Where no connection is named, that of the session that calls is meant. While a session is
    brought to where it was, what it does to groups is left out, as it has been done before.
    """

    def __init__(self, websockets: WebSockets) -> None:
        self._websockets = websockets

    async def group_add(self, group: str, connection_id: str | None = None) -> None:
        """Make the connection a member of the group, which need not exist. It is one for as long as
        it lasts. Raises `WebSocketError`."""
        if not is_muted():
            member = connection_id or _own_id()
            await (await self._members()).group_add(group, member, member)

    async def group_discard(self, group: str, connection_id: str | None = None) -> None:
        """Take the connection out of the group, if it is in it. Raises `WebSocketError`."""
        if not is_muted():
            member = connection_id or _own_id()
            await (await self._members()).group_leave(group, member, member)

    async def group_send(
        self,
        group: str,
        text: str | None = None,
        bytes: bytes | None = None,
        json: Any = ...,
        *,
        exclude: Collection[str] = (),
    ) -> set[str]:
        """Send a text, bytes or a JSON value to every member but the excluded ones.

        Returns the members that were gone, which are members no more. Raises `MessageRefused`, and
        nothing is sent; `WebSocketError` if some could not be reached, after all were tried.
        """
        if is_muted():
            return set()
        from mangum.websockets.groups import Groups
        from mangum.websockets.membership import Clients

        members = await self._members()
        groups = Groups(members, Clients(members.engine), binary=members.engine.binary)
        return await groups.group_send(group, text, bytes, json, exclude=exclude)

    async def _members(self) -> Members:
        from mangum.websockets.membership import Members

        engine = self._websockets.engine
        await engine.open()
        return Members(engine)


def _own_id() -> str:
    cycle = current.get()
    if cycle is None:
        raise ConfigurationError("Outside a WebSocket session, name the `connection_id`.")
    connection_id: str = cycle.client.connection_id
    return connection_id
