"""One client of a WebSocket API, as its cycle and the rest of the package see it."""

from __future__ import annotations

import asyncio
import json

from mangum.exceptions import ConnectionGone, MessageRefused
from mangum.websockets.messages import encode_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mangum.types import Message
    from mangum.websockets.engine import Engine
    from mangum.websockets.gateway import ConnectionGateway

_MAX_HELD_BYTES = 256 * 1024


def token_id(connection_id: str) -> str:
    """The key of a record that says how many of the held messages have been sent: whoever takes it
    sends the others."""
    return f"{connection_id}#held"


class Connection:
    """The client's end.

    While the handshake lasts nothing can be sent to it, so messages are held: `held` are their
    texts, and `joins` the groups that it is about to enter. With `when_gone`, a client that has
    left is no error.
    """

    def __init__(
        self,
        engine: Engine,
        connection_id: str,
        gateway: ConnectionGateway,
        *,
        is_live: bool = True,
        held: list[str] | None = None,
        when_gone: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.engine = engine
        self.connection_id = connection_id
        self.gateway = gateway
        self.is_live = is_live
        self.when_gone = when_gone
        self.is_ended = False  # it has been closed, or the client has left
        self.held = held or []
        self.joins: dict[tuple[str, str], None] = {}  # groups and the member's name there, in order
        self._held_bytes = 0
        self._delivery: asyncio.Lock | None = None

    async def send(self, message: Message) -> None:
        """Send `text` or `bytes`. Raises `ConnectionGone`, `MessageRefused`, `WebSocketError`."""
        await self.post(
            encode_message(message.get("text"), message.get("bytes"), self.engine.binary)
        )

    async def post(self, data: bytes) -> None:
        """Send what is encoded already, after all that was held. Raises as `send` does."""
        if not self.is_live:
            self._hold(data)
            return
        if self.held:
            await self.deliver_held()
        await self._post(data)

    async def deliver_held(self) -> None:
        """Send what is held, unless another environment has. Raises `ConnectionGone`,
        `WebSocketError`; then the rest is held still."""
        if self._delivery is None:
            self._delivery = asyncio.Lock()
        async with self._delivery:
            if not self.held:
                return
            backend, token = self.engine.backend, token_id(self.connection_id)
            record = await backend.take(token)
            if record is None:
                self.held.clear()
                return
            sent = int(record.json_scope)
            try:
                while sent < len(self.held):
                    await self._post(self.held[sent].encode())
                    sent += 1
            except BaseException:
                if not self.is_ended:  # whoever takes it next goes on from there
                    await backend.save(token, json_scope=str(sent))
                raise
            self.held.clear()

    async def close(self, code: int, reason: str) -> None:
        """End the connection; API Gateway chooses the code. One that is not open yet is refused by
        the answer to its handshake."""
        if self.is_live:
            await self.gateway.delete(self.connection_id)
        self.is_ended = True

    def _hold(self, data: bytes) -> None:
        text = data.decode()
        self._held_bytes += len(json.dumps(text)) - 2  # as the record has it
        if self._held_bytes > _MAX_HELD_BYTES:
            raise MessageRefused(
                f"More than {_MAX_HELD_BYTES:,} bytes of JSON were sent before the connection is "
                "open; they could not be kept until it is."
            )
        self.held.append(text)

    async def _post(self, data: bytes) -> None:
        try:
            await self.gateway.post(self.connection_id, data)
        except ConnectionGone:
            self.is_ended = True
            if self.when_gone is None:
                raise
            await self.when_gone()
