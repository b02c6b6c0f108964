"""Which connections are in a group, and how they are reached, as an adapter's sessions see it.

A connection whose handshake is under way can't be posted to, so what it joins counts when the
handshake is over; in its own environment it gets what is sent to the group meanwhile as soon as it
is open. A client that is gone leaves the group only if its record has gone too: the handshake of
the others may still be under way elsewhere.
"""

from __future__ import annotations

import asyncio

from mangum.exceptions import UnknownConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mangum.websockets.connection import Connection
    from mangum.websockets.engine import Engine

__all__ = ["Clients", "Members"]


class Members:
    """The members of groups. A member's name is its connection's id, or tells it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def group_add(self, group: str, member: str, connection_id: str) -> None:
        """Make it a member, now or when its handshake is over."""
        connection = self._in_handshake(connection_id)
        if connection is None:
            await self.engine.backend.group_add(group, member)
        else:
            connection.joins[group, member] = None

    async def group_leave(self, group: str, member: str, connection_id: str) -> None:
        """Take it out of the group, if it is in it."""
        connection = self._in_handshake(connection_id)
        if connection is None:
            await self.engine.backend.group_discard(group, (member,))
        else:
            connection.joins.pop((group, member), None)

    async def group_members(self, group: str) -> list[str]:
        """Those in the backend, and those of this environment that are about to be."""
        members = dict.fromkeys(await self.engine.backend.group_members(group))
        for cycle in self.engine.active.values():
            connection: Connection = cycle.client  # type: ignore[assignment]
            members.update({member: None for name, member in connection.joins if name == group})
        return [*members]

    async def group_discard(self, group: str, gone: Iterable[str]) -> None:
        """Take out connections that could not be reached, those that have ended."""
        await self.prune(group, {connection_id: connection_id for connection_id in gone})

    async def prune(self, group: str, gone: Mapping[str, str]) -> None:
        """The same for members by their names: `{name: connection_id}`."""
        ended = await asyncio.gather(*[self._has_ended(it) for it in gone.values()])
        left = [member for member, has_ended in zip(gone, ended, strict=True) if has_ended]
        if left:
            await self.engine.backend.group_discard(group, left)

    async def _has_ended(self, connection_id: str) -> bool:
        if connection_id in self.engine.active:
            return False
        try:
            await self.engine.backend.retrieve(connection_id)
        except UnknownConnection:
            return True
        return False

    def _in_handshake(self, connection_id: str) -> Connection | None:
        cycle = self.engine.active.get(connection_id)
        connection: Connection | None = None if cycle is None else cycle.client  # type: ignore[assignment]
        return None if connection is None or connection.is_live else connection


class Clients:
    """The way to any client: where there is a session here, in the order of what it has sent."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._gateway = engine.gateway()

    async def post(self, connection_id: str, data: bytes) -> None:
        """Send a message. Raises `ConnectionGone`, `WebSocketError`."""
        engine = self._engine
        cycle = engine.active.get(connection_id)
        if cycle is None and connection_id in engine.parked:
            cycle = engine.parked[connection_id].cycle
        if cycle is None:
            await self._gateway.post(connection_id, data)
        else:
            connection: Connection = cycle.client  # type: ignore[assignment]
            await connection.post(data)
