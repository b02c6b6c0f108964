"""Messages to many connections at once: the one engine, and groups that backends remember."""

from __future__ import annotations

from mangum.exceptions import ConnectionGone, WebSocketError
from mangum.websockets.messages import encode_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any, Protocol

    class Remembered(Protocol):
        """Whatever knows the members of groups."""

        async def group_members(self, group: str) -> list[str]: ...

        async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None: ...

    class Gateway(Protocol):
        """Whatever takes a message for one connection."""

        async def post(self, connection_id: str, data: bytes) -> None: ...


__all__ = ["Groups", "post_all"]

MAX_POSTS = 64
"""How many messages are under way at once."""


class Groups:
    """Sets of connections by name, kept in a backend, and messages to all of a set."""

    def __init__(self, backend: Any, gateway: Gateway, binary: str = "error") -> None:
        self.backend = backend
        self.gateway = gateway
        self.binary = binary

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
        _refuse_text(exclude, "exclude")
        if (text is not None) + (bytes is not None) + (json is not ...) != 1:
            raise TypeError("group_send() takes exactly one of `text`, `bytes` and `json`.")
        if json is not ...:  # as None is a JSON value
            text = _encode_json(json)
        data = encode_message(text, bytes, self.binary)
        members = await self.backend.group_members(group)
        if exclude:
            excluded = frozenset(exclude)
            members = [member for member in members if member not in excluded]
        gone, failed = await _post_each(self.gateway, members, data)
        if gone:
            await self.backend.group_discard(group, gone)
        _raise_if(failed, members)
        return gone


async def post_all(gateway: Gateway, connection_ids: Collection[str], data: bytes) -> set[str]:
    """Post the same to all connections and return those that were gone. Raises `WebSocketError` if
    others failed, after all were tried."""
    _refuse_text(connection_ids, "connection_ids")
    gone, failed = await _post_each(gateway, connection_ids, data)
    _raise_if(failed, connection_ids)
    return gone


async def _post_each(
    gateway: Gateway, connection_ids: Collection[str], data: bytes
) -> tuple[set[str], list[Exception]]:
    """The connections that were gone, and what befell others."""
    gone: set[str] = set()
    failed: list[Exception] = []
    taken = tuple(connection_ids)  # as a set of the application's own may change meanwhile
    waiting = iter(taken)
    workers = min(MAX_POSTS, len(taken))
    if workers > 1:
        from asyncio import gather

        await gather(*[_post_waiting(gateway, waiting, data, gone, failed) for _ in range(workers)])
    else:
        await _post_waiting(gateway, waiting, data, gone, failed)
    return gone, failed


async def _post_waiting(
    gateway: Gateway,
    waiting: Iterator[str],
    data: bytes,
    gone: set[str],
    failed: list[Exception],
) -> None:
    """Take connections and post, as long as there are any: one task for many of them."""
    post = gateway.post
    for connection_id in waiting:
        try:
            await post(connection_id, data)
        except ConnectionGone:
            gone.add(connection_id)
        except Exception as exc:
            failed.append(exc)


def _raise_if(failed: list[Exception], connection_ids: Collection[str]) -> None:
    if failed:
        first = failed[0]
        raise WebSocketError(
            f"{len(failed)} of {len(connection_ids)} messages could not be sent. "
            f"The first: {type(first).__name__}: {first}"
        ) from first


def _encode_json(value: Any) -> str:
    from json import dumps

    return dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _refuse_text(connection_ids: Iterable[str], name: str) -> None:
    """A text is a collection too, of its letters."""
    if isinstance(connection_ids, str):
        raise TypeError(f"`{name}` is a set or list of connection ids, not one of them.")
