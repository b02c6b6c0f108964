"""A layer for Django Channels whose groups reach the consumers of every environment.

    CHANNEL_LAYERS = {"default": {"BACKEND": "mangum.websockets.channels.ChannelLayer"}}

The members of a group are in the adapter's backend. A message to a consumer that waits in this
environment is handed to it; for any other one the consumer is brought up here, as for an event of
its connection: `connect()` is called with what it sends left out, then the message's handler. So
handlers must not depend on what a consumer has kept in `self` since.

Channels outside a WebSocket session are queues in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import uuid
from copy import deepcopy
from importlib import import_module

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

from mangum.exceptions import ConfigurationError, ConnectionGone, UnknownConnection
from mangum.protocols.idle import current, is_muted
from mangum.websockets.adapter import WebSockets, only
from mangum.websockets.membership import Members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from mangum.protocols.websockets import WebSocketCycle
    from mangum.websockets.engine import Engine

    Queue: TypeAlias = asyncio.Queue[dict[str, Any]]
    Queues: TypeAlias = dict[str, Queue]

__all__ = ["ChannelLayer"]

logger = logging.getLogger("mangum.websocket")

_MARK = "mangum!"
_SENDING = "channels: sending"
_GROUP = "channels:"
_MAX_VISITS = 16


class ChannelLayer(BaseChannelLayer):  # type: ignore[misc]
    """`CONFIG`: `handler`, the dotted path of the `Mangum` instance, which is needed only where a
    process has several, or sends before it has served a WebSocket event; `capacity`, how many
    messages may wait for one consumer."""

    extensions = ("groups", "flush")

    def __init__(self, handler: str | None = None, capacity: int = 100, **options: Any) -> None:
        super().__init__(capacity=capacity, **options)
        self.channel_capacity: Any = self.compile_capacities(options.get("channel_capacity") or {})
        self.handler = handler
        self._queues: Queues = {}
        self._receivers: dict[str, int] = {}

    async def new_channel(self, prefix: str = "specific.") -> str:
        """The name of a consumer's channel; in a WebSocket session it tells the connection, so that
        it is the same wherever the session goes on."""
        cycle = current.get()
        if cycle is None:
            return f"{prefix}local!{uuid.uuid4().hex}"
        queues: Queues = cycle.kept.setdefault("channels", {})
        name = f"{prefix}{_MARK}{cycle.client.connection_id.encode().hex()}"
        if queues:
            name += f".{len(queues)}"
        queues[name] = asyncio.Queue()
        return name

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message of a channel."""
        cycle = current.get()
        queues: Queues = {} if cycle is None else cycle.kept.get("channels", {})
        if channel in queues:
            return await queues[channel].get()
        queue = self._queues.setdefault(channel, asyncio.Queue())
        self._receivers[channel] = self._receivers.get(channel, 0) + 1
        try:
            return await queue.get()
        finally:
            self._receivers[channel] -= 1
            if not self._receivers[channel]:
                del self._receivers[channel]
                if queue.empty():
                    self._queues.pop(channel, None)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Hand a message to one channel. Raises `ChannelFull`."""
        self.require_valid_channel_name(channel)
        if is_muted():
            return
        with contextlib.suppress(UnknownConnection, ConnectionGone):  # as the specification has it
            await self._deliver(channel, deepcopy(message))

    async def group_add(self, group: str, channel: str) -> None:
        """Make the channel a member of the group."""
        self._require(group, channel)
        if not is_muted():
            members = Members(await self._engine())
            await members.group_add(_GROUP + group, channel, _connection_of(channel))

    async def group_discard(self, group: str, channel: str) -> None:
        """Take the channel out of the group."""
        self._require(group, channel)
        if not is_muted():
            members = Members(await self._engine())
            await members.group_leave(_GROUP + group, channel, _connection_of(channel))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Hand a message to every member; those that have ended are taken out."""
        self.require_valid_group_name(group)
        if is_muted():
            return
        members = Members(await self._engine())
        channels = await members.group_members(_GROUP + group)
        message = deepcopy(message)  # as it is now
        cycle = current.get()
        former: asyncio.Task[None] | None = None if cycle is None else cycle.kept.get(_SENDING)

        async def deliver_in_turn() -> None:
            if former is not None:
                await asyncio.wait((former,))
            await self._deliver_all(members, group, channels, message)

        # what asgiref keeps of the caller's threads is not for the consumers that are called
        context = contextvars.Context()
        context.run(current.set, cycle)
        sending = context.run(asyncio.ensure_future, deliver_in_turn())
        if cycle is None:
            await sending
        else:
            # The event waits for it. The caller must not: a synchronous consumer holds the thread
            # that the others need.
            cycle.kept[_SENDING] = sending
            sending.add_done_callback(_report)

    async def _deliver_all(
        self, members: Members, group: str, channels: list[str], message: dict[str, Any]
    ) -> None:
        gone: dict[str, str] = {}
        visits = asyncio.Semaphore(_MAX_VISITS)

        async def deliver(channel: str) -> None:
            async with visits:
                try:
                    await self._deliver(channel, deepcopy(message))
                except (UnknownConnection, ConnectionGone):
                    gone[channel] = _connection_of(channel)
                except ChannelFull:
                    pass  # as the specification has it

        await asyncio.gather(*[deliver(channel) for channel in channels])
        if gone:
            await members.prune(_GROUP + group, gone)

    async def flush(self) -> None:
        """Forget the messages that wait in this process."""
        self._queues.clear()

    async def _deliver(self, channel: str, message: dict[str, Any]) -> None:
        connection_id = _connection_of(channel)
        if not connection_id:
            self._put(self._queues.setdefault(channel, asyncio.Queue()), channel, message)
            return
        engine = await self._engine()

        def put(cycle: WebSocketCycle) -> None:
            queue = cycle.kept.get("channels", {}).get(channel)
            if queue is None or cycle.is_over or cycle.has_left is not None:
                raise UnknownConnection("The consumer is not there any more.")
            self._put(queue, channel, message)

        own = current.get()
        if own is not None and own.client.connection_id == connection_id and not own.is_over:
            put(own)  # whose task this is, so that to wait for it would be to wait for oneself
        else:
            await engine.visit(connection_id, put)

    def _put(self, queue: Queue, channel: str, message: dict[str, Any]) -> None:
        if queue.qsize() >= self.get_capacity(channel):
            raise ChannelFull
        queue.put_nowait(message)

    async def _engine(self) -> Engine:
        cycle = current.get()
        if cycle is not None:
            engine: Engine = cycle.client.engine
            return engine
        engine = self._websockets().engine
        await engine.open()
        return engine

    def _websockets(self) -> WebSockets:
        if self.handler is None:
            return only()
        module, _, name = self.handler.replace(":", ".").rpartition(".")
        websockets = getattr(getattr(import_module(module), name), "_make_websockets", None)
        if websockets is None:
            raise ConfigurationError(
                f"The channel layer's `handler` names {self.handler!r}, which is no Mangum."
            )
        made: WebSockets = websockets()
        return made

    def _require(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)


def _report(sending: asyncio.Task[None]) -> None:
    error = None if sending.cancelled() else sending.exception()
    if error is not None:
        logger.error("A message to a group was not sent to all.", exc_info=error)


def _connection_of(channel: str) -> str:
    """The id of the connection whose consumer it is; empty for a channel of this process."""
    _, _, rest = channel.partition(_MARK)
    return bytes.fromhex(rest.partition(".")[0]).decode()
