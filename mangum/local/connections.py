"""One client's WebSocket, as API Gateway keeps it: what is sent to it, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Literal

from mangum.local.messages import Request
from mangum.local.websocket_events import connection_context
from mangum.types import Send

__all__ = ["BINARY", "CLOSED_BY_CALL", "GOING_AWAY", "Busy", "Connection", "Ending", "Gone"]

MAX_IN_FLIGHT = 32
"""How many messages of one client are with the function at once; more are not read meanwhile. AWS
documents no such limit: this one bounds what a client that floods can take."""

MAX_PENDING_BYTES = 1024 * 1024
"""How much may wait for a client that does not read, beside what the socket's buffers hold."""

Ending = tuple[int, str]
"""The code and the reason of a DISCONNECT."""

GOING_AWAY: Ending = (1001, "Going away")  # idle, or too old, or the gateway ends
CLOSED_BY_CALL: Ending = (1000, "Connection Closed Normally")
BINARY: Ending = (1003, "Binary frames are not supported")  # AWS's own reason is not known
NO_STATUS: Ending = (1005, "Client-side close frame status not set")
LOST: Ending = (1006, "")  # likewise
NORMAL = 1000
RESTART = 1012  # what uvicorn sends when it ends before it is told to


class Gone(Exception):
    """The client has left, or has not been let in yet."""


class Busy(Exception):
    """The client does not read what it is sent."""


class Connection:
    """Made where a loop runs. Times are those of `time.time`."""

    def __init__(self, handshake: Request, stage: str, send: Send, send_timeout_s: float) -> None:
        self.handshake = handshake
        self.context = connection_context(handshake, stage)
        self.id: str = self.context["connectionId"]
        self.connected_at = handshake.time_s
        self.last_active_at = self.connected_at
        self.messages_in = 0
        self.messages_out = 0
        self.state: Literal["connecting", "open", "closing", "closed"] = "connecting"
        self.ending: Ending | None = None  # the first that there was
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when this side has closed it."""
        self.slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._active_s = time.monotonic()
        self._pending_bytes = 0
        self._send = send
        self._send_timeout_s = send_timeout_s

    @property
    def client(self) -> str:
        """The IP address."""
        return self.handshake.client[0]

    @property
    def idle_s(self) -> float:
        return time.monotonic() - self._active_s

    def touch(self) -> None:
        """Note that a message comes or goes."""
        self.last_active_at = time.time()
        self._active_s = time.monotonic()

    async def accept(self, subprotocol: str | None) -> None:
        """Let the client in; if it has left meanwhile, that is how it ends."""
        self.state = "open"
        self.touch()
        try:
            await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        except (OSError, RuntimeError):
            self.end(LOST)

    async def deliver(self, text: str) -> None:
        """Hand a message to the socket. Raises `Gone` and `Busy`, and then it is not sent."""
        size = len(text.encode())
        if self.state != "open":
            raise Gone
        if self._pending_bytes + size > MAX_PENDING_BYTES:
            raise Busy
        self._pending_bytes += size
        try:
            message = {"type": "websocket.send", "text": text}
            await asyncio.wait_for(self._send(message), self._send_timeout_s)
        except asyncio.TimeoutError:
            raise Busy from None
        except (OSError, RuntimeError):  # it left, or was closed, while this waited
            raise Gone from None
        finally:
            self._pending_bytes -= size
        self.messages_out += 1
        self.touch()

    async def close(self, ending: Ending) -> None:
        """Close it from this side, whether the client reads that or not."""
        if self.state != "open":
            return
        self.end(ending)
        code, reason = ending
        message = {"type": "websocket.close", "code": code, "reason": _shown(code, reason)}
        try:
            await asyncio.wait_for(self._send(message), self._send_timeout_s)
        except asyncio.TimeoutError:
            _drop(self._send)
        except (OSError, RuntimeError):
            pass  # the client was faster
        finally:
            if not self.closed.done():
                self.closed.set_result(None)

    def end(self, ending: Ending) -> None:
        """Note how it ends; from now on nothing is delivered."""
        if self.ending is None:
            self.ending = ending
            self.state = "closing"


def ending_of(message: Mapping[str, Any]) -> Ending:
    """The ending that a `websocket.disconnect` tells of.

    uvicorn has 1005 for a lost connection as well as for a close without a code, but gives a reason
    to the latter only.
    """
    code, reason = message.get("code") or NO_STATUS[0], message.get("reason")
    if code == RESTART:
        return GOING_AWAY
    if reason is None and code in (NO_STATUS[0], LOST[0]):
        return LOST
    if code == NO_STATUS[0]:
        return NO_STATUS
    return code, reason or ""


def _shown(code: int, reason: str) -> str:
    """The reason in the close frame: a normal one needs none."""
    return "" if code == NORMAL else reason


def _drop(send: Send) -> None:
    """End a connection whose client does not read: ASGI has no word for it, uvicorn a transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
