"""What a backend is: the place where the records of WebSocket connections live between their
events, and the groups that the connections are in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NamedTuple

    class Record(NamedTuple):
        """What is stored of a connection."""

        json_scope: str
        sequence: int

else:  # to make a namedtuple takes longer than all that is done with it

    class Record(tuple):
        __slots__ = ()

        def __new__(cls, json_scope, sequence):
            return tuple.__new__(cls, (json_scope, sequence))

        json_scope = property(itemgetter(0))
        sequence = property(itemgetter(1))


__all__ = ["LIFETIME_S", "Record", "WebSocketBackend"]

LIFETIME_S = 2 * 60 * 60 + 5 * 60
"""How long a record is kept: API Gateway ends every connection after two hours."""


class WebSocketBackend(ABC):
    """Keeps the records of connections. One instance serves an execution environment: it is opened
    at the first use, on the event loop that uses it, and kept.

    `async with` opens and closes it. A subclass may raise its library's own errors nowhere: what
    fails is a `WebSocketError` whose message holds no password. A dead connection is reopened once.

    A class of one's own needs `save`, `retrieve` and `delete`. Sessions need `advance` and `take`
    too, groups the three last methods.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def __aenter__(self) -> WebSocketBackend:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.close()

    async def open(self) -> None:  # noqa: B027 - a backend need not do anything here
        """Connect. Called before anything else."""

    async def close(self) -> None:  # noqa: B027
        """Give back what `open` took."""

    @abstractmethod
    async def save(self, connection_id: str, *, json_scope: str) -> None:
        """Store the record of a new connection, with the sequence number 0."""

    @abstractmethod
    async def retrieve(self, connection_id: str) -> str:
        """The stored scope. Raises `UnknownConnection` if there is none, or it has expired."""

    @abstractmethod
    async def delete(self, connection_id: str) -> None:
        """Remove the record, if there is one."""

    async def advance(self, connection_id: str) -> Record:
        """Raise the sequence number by one and return the record with the new number, in one step
        that no other environment can come between. Raises `UnknownConnection` as `retrieve` does.

        What died on the way may be done again, so numbers may be left out, but none is given
        twice.
        """
        raise NotImplementedError

    async def take(self, connection_id: str) -> Record | None:
        """Remove the record and return it as it was, in one step; `None` if there is none."""
        raise NotImplementedError

    async def group_add(self, group: str, connection_id: str) -> None:
        """Make the connection a member of the group, which need not exist. A group's name is a text
        of 1 to 200 characters, without NUL and lone surrogates."""
        raise NotImplementedError

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        """Take connections out of the group, those that are in it."""
        raise NotImplementedError

    async def group_members(self, group: str) -> list[str]:
        """The connections in the group, in no order; those that have expired are left out where the
        backend can tell."""
        raise NotImplementedError
