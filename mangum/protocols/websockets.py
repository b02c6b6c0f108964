"""One ASGI `websocket` connection whose client's messages come event by event. Knows no AWS."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque

from mangum.exceptions import ConnectionGone, UnexpectedMessage
from mangum.protocols.idle import awaited_tasks, busy_tasks, current, tracked, watched_sockets
from mangum.protocols.states import (
    ACCEPT,
    CLOSE,
    DENIAL_BODY,
    DENIAL_START,
    MORE_DENIAL,
    RECEIVE,
    SEND,
    WEBSOCKET,
    WebSocketCycleState,
    type_of,
    unexpected,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set
    from typing import Any, Protocol

    from mangum.types import ASGI, Message, Response, Scope

    class Client(Protocol):
        """The far end of a connection, as the cycle sees it."""

        async def send(self, message: Message) -> None:
            """Send `text` or `bytes`. Raises `ConnectionGone`, `MessageRefused`."""

        async def close(self, code: int, reason: str) -> None:
            """End the connection."""


__all__ = ["WebSocketCycle", "WebSocketCycleState"]

logger = logging.getLogger("mangum.websocket")

_POLL_S = 0.005
_GONE = 1006
_CLEAN_UP_S, _MAX_CLEAN_UP_S = 0.3, 3.0
_ROUNDS_TO_SETTLE = 16
_UNANSWERED = (
    WebSocketCycleState.CONNECTING,
    WebSocketCycleState.HANDSHAKE,
    WebSocketCycleState.DENIAL,
)


class WebSocketCycle:
    """Runs an application on one connection, for as long as events come.

    `start` calls the application; `deliver` hands it a message of the client; `proceed` lets it run
    until it rests, is over, or a time has come. While `muted`, what it sends is dropped: it has
    been sent before.
    """

    def __init__(self, scope: Scope, client: Client) -> None:
        self.scope = scope
        self.client = client
        self.state = WebSocketCycleState.CONNECTING
        self.muted = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self.task: asyncio.Task[None] | None = None
        self.loop: Any = None
        self.subprotocol: str | None = None
        self.accept_headers: Any = ()
        self.denial: Response | None = None
        self.was_accepted = False
        self.error: BaseException | None = None
        """What the application raised."""
        self.has_left: Message | None = None
        """The `websocket.disconnect` that the application gets as often as it asks."""
        self.kept: dict[str, Any] = {}
        """What others keep with the connection."""
        self._inbox: deque[tuple[Message, bool]] = deque()  # each with what `muted` is then
        self._receivers: set[asyncio.Future[None]] = set()
        self._changes: set[asyncio.Future[None]] = set()  # what waits for the next one
        self._watched: Set[Any] | None = None  # the sockets that something waited for before
        self._is_ending = False

    # What drives it

    def start(self, app: ASGI) -> None:
        """Call the application, with `websocket.connect` waiting for it."""
        self.loop = asyncio.get_running_loop()
        self._inbox.append(({"type": "websocket.connect"}, self.muted))
        context = contextvars.copy_context()
        context.run(current.set, self)
        self._watched = watched_sockets(self.loop)
        with tracked(self.loop):  # an eager task takes its first step here
            self.task = context.run(self.loop.create_task, self._run(app))
        self.task.add_done_callback(self._note)

    def deliver(self, message: Message, muted: bool = False) -> None:
        """Put a message where the application's next `receive()` finds it; from then on it is
        `muted`, or not."""
        self._inbox.append((message, muted))
        self._wake_receivers()

    def disconnect(self, code: int, reason: str = "") -> None:
        """The client has left. What the application sends from now on raises `ConnectionGone`."""
        if self.has_left is None:
            self.muted = False
            self._leave(code, reason)

    @property
    def is_over(self) -> bool:
        """Whether the application has returned or raised."""
        return self.task is not None and self.task.done()

    @property
    def is_open(self) -> bool:
        """Whether the connection has been accepted, and not been closed or left since."""
        return self.state is WebSocketCycleState.RESPONSE and self.has_left is None

    async def proceed(self, until: float) -> bool:
        """Let the application run; whether it came to rest, or to its end, before `until`, a time
        of the loop's clock."""
        loop = self.loop
        rounds = _ROUNDS_TO_SETTLE
        with tracked(loop):
            watched, self._watched = self._watched, None
            if watched is None:
                watched = watched_sockets(loop)
            while True:
                busy = busy_tasks(self._all_tasks(), self._receivers, until)
                if not self._rests(busy, watched):
                    rounds = _ROUNDS_TO_SETTLE
                elif not rounds or not getattr(loop, "_ready", None):
                    return True
                else:  # what is called next may wake a task
                    rounds -= 1
                if loop.time() >= until:
                    return False
                await self._change(busy, until)

    async def end(self, until: float = 0.0) -> None:
        """Cancel the application, if it still runs, and give it until that time, and a moment in
        any case, to clean up.

        Tasks that it has started are its own to end: a listener that serves all connections must
        outlive the one that happened to start it.
        """
        task = self.task
        if task is not None and not task.done():
            self._is_ending = True
            awaited = awaited_tasks(task)
            left_s = min(max(until - self.loop.time(), _CLEAN_UP_S), _MAX_CLEAN_UP_S)
            for timeout_s in (left_s, _POLL_S):  # an application may refuse the first
                task.cancel()
                await asyncio.wait((task,), timeout=timeout_s)
                if task.done():
                    break
            orphans = [it for it in awaited if not it.done()]
            for orphan in orphans:
                orphan.cancel()
            if orphans:
                await asyncio.wait(orphans, timeout=_CLEAN_UP_S)
        self.rest()

    def rest(self) -> None:
        """Let the application wait, maybe for ever: that is no fault that asyncio should report."""
        for task in self._all_tasks():
            task._log_destroy_pending = False

    # What the application calls

    async def receive(self) -> Message:
        """`websocket.connect`, then the client's messages, then `websocket.disconnect` as often as
        it is asked for."""
        self.state = WEBSOCKET[self.state].get(RECEIVE, self.state)
        while not self._has_message():
            if self.has_left is not None:
                if self.state is WebSocketCycleState.RESPONSE:
                    self.state = WebSocketCycleState.DISCONNECTING
                return {**self.has_left}
            receiver = self.loop.create_future()
            self._receivers.add(receiver)
            self._note()
            try:
                await receiver
            finally:
                self._receivers.discard(receiver)
        message, self.muted = self._inbox.popleft()
        return message

    async def send(self, message: Message) -> None:
        """Take a message of the application. Raises `UnexpectedMessage`, and keeps its state, for
        one that is not allowed; `ConnectionGone` if the client has left, `MessageRefused`."""
        message_type = type_of(message)
        moves = WEBSOCKET[self.state]
        move = message_type
        if message_type == DENIAL_BODY and message.get("more_body"):
            move = MORE_DENIAL
        if message_type not in APPLICATION_MESSAGES or move not in moves:
            raise UnexpectedMessage(unexpected(message_type, self.state, moves))
        if move == SEND:
            await self._send(message)
            return
        TAKERS[message_type](self, message)
        former, self.state = self.state, moves[move]
        self._note()
        if move == CLOSE and former is WebSocketCycleState.RESPONSE and self.has_left is None:
            code, reason = message.get("code") or 1000, message.get("reason") or ""
            try:
                if not (self.muted and self._is_ending):
                    # what waits for the disconnect may cancel this task, but not the close
                    await asyncio.shield(self.loop.create_task(self.client.close(code, reason)))
            finally:
                self._leave(code)
        elif self.state is WebSocketCycleState.CLOSED:
            self._leave(_GONE)
        else:
            self._wake_receivers()

    async def _send(self, message: Message) -> None:
        if message.get("text") is None and message.get("bytes") is None:
            raise UnexpectedMessage("'websocket.send' needs `text` or `bytes`.")
        if self.has_left is not None:
            raise ConnectionGone("The client of the WebSocket connection has left.")
        if self.muted:
            return
        try:
            await self.client.send(message)
        except ConnectionGone:
            self.disconnect(_GONE)
            raise

    def _accept(self, message: Message) -> None:
        subprotocol, headers = message.get("subprotocol"), message.get("headers") or []
        if subprotocol is not None and not _is_token(subprotocol):
            raise UnexpectedMessage(
                "'websocket.accept' needs a `subprotocol` that can stand in a header."
            )
        self.accept_headers = _copied(headers, ACCEPT)
        self.was_accepted = True
        self.subprotocol = subprotocol

    def _start_denial(self, message: Message) -> None:
        status = message.get("status")
        if not isinstance(status, int):
            raise UnexpectedMessage(f"'{DENIAL_START}' needs a `status` that is an integer.")
        headers = _copied(message.get("headers") or [], DENIAL_START)
        self.denial = {"status": status, "headers": headers, "body": b""}

    def _add_to_denial(self, message: Message) -> None:
        assert self.denial is not None  # its start has come
        try:
            self.denial["body"] += bytes(memoryview(message.get("body") or b""))
        except TypeError:
            raise UnexpectedMessage(f"'{DENIAL_BODY}' needs a `body` that is bytes.") from None

    def _close(self, message: Message) -> None:
        """Nothing to keep."""

    # How it is watched

    async def _run(self, app: ASGI) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except (Exception, asyncio.CancelledError) as exc:
            if not self._is_ending:
                self.error = exc

    def _has_message(self) -> bool:
        """Whether the application may have the next one: no client sends before it is accepted."""
        inbox = self._inbox
        return bool(inbox) and (
            self.state not in _UNANSWERED or inbox[0][0]["type"] == "websocket.connect"
        )

    def _rests(self, busy: list[Any], watched: Set[Any]) -> bool:
        """Whether nothing will happen until the client's next message."""
        if self.is_over:
            if not self.tasks:
                return True
        elif self._has_message() or not self._receivers:
            return False
        return not busy and watched_sockets(self.loop) <= watched

    def _all_tasks(self) -> set[Any]:
        return self.tasks if self.task is None else {*self.tasks, self.task}

    async def _change(self, busy: list[Any], until: float) -> None:
        """Wait for anything that may bring the application to rest."""
        loop = self.loop
        changed = loop.create_future()
        self._changes.add(changed)
        waiters = []
        is_sure = True
        for task in busy:
            waiter = getattr(task, "_fut_waiter", None)
            if waiter is None or waiter.done():
                is_sure = False
            else:
                waiters.append(waiter)
        for waiter in waiters:
            waiter.add_done_callback(self._note)
        if not is_sure or getattr(loop, "_ready", None):
            loop.call_soon(self._note)  # after what is ready already
            timer = None
        else:
            # what has no task to look at is asked for again
            timer = loop.call_at(
                until if waiters else min(until, loop.time() + _POLL_S), self._note
            )
        try:
            await changed
        finally:
            self._changes.discard(changed)
            if timer is not None:
                timer.cancel()
            for waiter in waiters:
                waiter.remove_done_callback(self._note)

    def _note(self, _: Any = None) -> None:
        for changed in self._changes:
            if not changed.done():
                changed.set_result(None)

    def _leave(self, code: int, reason: str = "") -> None:
        if self.has_left is None:
            self.has_left = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._wake_receivers()

    def _wake_receivers(self) -> None:
        for receiver in self._receivers:
            if not receiver.done():
                receiver.set_result(None)


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


APPLICATION_MESSAGES = (ACCEPT, SEND, CLOSE, DENIAL_START, DENIAL_BODY)
TAKERS = {
    ACCEPT: WebSocketCycle._accept,
    CLOSE: WebSocketCycle._close,
    DENIAL_START: WebSocketCycle._start_denial,
    DENIAL_BODY: WebSocketCycle._add_to_denial,
}


def _copied(headers: Any, message_type: str) -> Any:
    from mangum._speedups import copy_headers

    try:
        return copy_headers(headers)
    except TypeError:
        fault = "needs `headers` that are pairs of bytes"
    except ValueError:
        fault = "has a line break or a zero byte in a header"
    raise UnexpectedMessage(f"'{message_type}' {fault}.")
