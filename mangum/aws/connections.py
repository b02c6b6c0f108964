"""The connections to one host, kept for the next request.

What is sent twice? A request that may be repeated: after most failures. Any other (a message to a
WebSocket client): only if the service can't have taken the first one. That is certain where no
connection was made, where a kept socket was seen closed before anything was sent, and where it then
turns out that the peer had closed it in good order before it took the request: not a byte of an
answer, but its FIN, which by acknowledging nothing of the request says that nothing had arrived.
The kernel tells that on Linux; elsewhere it counts as unknown. After a reset, which says nothing of
the kind, after a time-out, or where a part of an answer has arrived, nobody knows what the service
did.
"""

from __future__ import annotations

import time
from asyncio import Semaphore, get_running_loop

from mangum.aws.sockets import Interrupted, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from mangum.aws.endpoints import Endpoint
    from mangum.aws.replies import Reply
    from mangum.aws.sockets import Connection

__all__ = ["Pool"]

MAX_SOCKETS = 64
IDLE_S = 60.0  # what has not been used for as long may be gone without a word


class Pool:
    """The connections to one endpoint. `timeout_s` is for one answer, from the first byte sent."""

    def __init__(self, endpoint: Endpoint, timeout_s: float) -> None:
        self.endpoint = endpoint
        self.timeout_s = timeout_s
        self._idle: list[Connection] = []  # the last one used is the last
        self._is_closed = False
        self._loop: AbstractEventLoop | None = None
        self._slots = Semaphore(MAX_SOCKETS)

    async def exchange(self, request: bytes, method: str, *, repeatable: bool) -> Reply:
        """Send a request as it is and return its answer. Raises `Interrupted` or `Malformed`."""
        loop = get_running_loop()
        if loop is not self._loop:  # whoever waited on the other loop has its semaphore still
            self._loop, self._slots = loop, Semaphore(MAX_SOCKETS)
        slots = self._slots
        await slots.acquire()
        try:
            connection = self._take_idle()
            if connection is not None:
                try:
                    return await self._exchange(connection, request, method)
                except Interrupted as exc:
                    if not exc.is_untaken and (connection.is_started or not repeatable):
                        raise
                self._drop_idle()  # of the same age
            return await self._exchange(await connect(self.endpoint), request, method)
        finally:
            slots.release()

    def close(self) -> None:
        """Close what is idle. What is under way ends, and nothing is kept any more."""
        self._is_closed = True
        self._drop_idle()

    async def _exchange(self, connection: Connection, request: bytes, method: str) -> Reply:
        is_reusable = False
        try:
            reply, is_reusable = await connection.exchange(request, method, self.timeout_s)
            return reply
        finally:
            if is_reusable and not self._is_closed:
                connection.used_s = time.time()
                self._idle.append(connection)
            else:
                connection.close()

    def _take_idle(self) -> Connection | None:
        idle = self._idle
        oldest_s = time.time() - IDLE_S  # not a monotonic clock: those may stand while frozen
        while idle and idle[0].used_s < oldest_s:
            idle.pop(0).close()
        while idle:
            connection = idle.pop()
            if connection.is_open():
                return connection
            connection.close()
        return None

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()
