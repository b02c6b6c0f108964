"""A backend as versions 0.9 to 0.12 had them: a class that connects in `__aenter__`."""

from __future__ import annotations

import asyncio

from mangum.backends.base import WebSocketBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from mangum.backends.base import Record


class AdoptedBackend(WebSocketBackend):
    """Keeps an instance of the class open, and opens another one on another event loop."""

    def __init__(self, dsn: str, backend_class: Callable[[str], Any]) -> None:
        super().__init__(dsn)
        self._class = backend_class
        self._instance = backend_class(dsn)
        self._entered: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        await self._opened()

    async def close(self) -> None:
        entered, self._entered = self._entered, None
        if entered is not None and self._loop is asyncio.get_running_loop():
            await self._instance.__aexit__(None, None, None)

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        await (await self._opened()).save(connection_id, json_scope=json_scope)

    async def retrieve(self, connection_id: str) -> str:
        json_scope: str = await (await self._opened()).retrieve(connection_id)
        return json_scope

    async def delete(self, connection_id: str) -> None:
        await (await self._opened()).delete(connection_id)

    async def advance(self, connection_id: str) -> Record:
        record: Record = await (await self._method("advance"))(connection_id)
        return record

    async def take(self, connection_id: str) -> Record | None:
        record: Record | None = await (await self._method("take"))(connection_id)
        return record

    async def group_add(self, group: str, connection_id: str) -> None:
        await (await self._method("group_add"))(group, connection_id)

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        await (await self._method("group_discard"))(group, connection_ids)

    async def group_members(self, group: str) -> list[str]:
        members: list[str] = await (await self._method("group_members"))(group)
        return members

    async def _method(self, name: str) -> Any:
        method = getattr(await self._opened(), name, None)
        if method is None:
            raise NotImplementedError(f"{type(self._instance).__name__} has no {name}()")
        return method

    async def _opened(self) -> Any:
        """What `__aenter__` returned: an older version used that."""
        loop = asyncio.get_running_loop()
        if self._entered is None or self._loop is not loop:
            if self._loop is not None:
                self._instance = self._class(self.dsn)
            self._loop = loop
            self._entered = await self._instance.__aenter__() or self._instance
        return self._entered
