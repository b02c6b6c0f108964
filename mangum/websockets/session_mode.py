"""The mode `"session"`: the application sees one connection, as on a server.

Its coroutine waits in `receive()` until the next event comes. Where it is not in this environment,
or another one has served the connection since (the record's sequence number tells), it is called
again: the accept and what it sends before it asks for a message are left out, as the client has
them. With the replay `"messages"` it gets the client's earlier messages again too, and what it
sends then is left out as well.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from mangum.backends.codec import (
    decode_message,
    decode_record,
    encode_message_record,
    encode_record,
)
from mangum.exceptions import ConnectionGone, UnknownConnection, WebSocketError
from mangum.protocols.websockets import WebSocketCycleState
from mangum.websockets.connection import Connection, token_id
from mangum.websockets.events import answer, log_late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.protocols.websockets import WebSocketCycle
    from mangum.types import Response
    from mangum.websockets.engine import Engine
    from mangum.websockets.events import Event

__all__ = ["MAX_REPLAYED", "connect", "disconnect", "receive"]

logger = logging.getLogger("mangum.websocket")

MAX_REPLAYED = 500
"""How many messages of a connection are stored for the replay `"messages"`."""

_STORING_S = 0.1
_GONE = 1006  # RFC 6455: the client left without a word


async def connect(engine: Engine, event: Event) -> Response:
    """Call the application until it has accepted and waits for a message, or has refused."""
    connection_id = event.connection_id
    connection = Connection(engine, connection_id, engine.gateway(event.event), is_live=False)
    cycle = event.make_cycle(event.handler.scope, connection)
    engine.active[connection_id] = cycle
    try:
        cycle.start(event.app)
        await cycle.proceed(event.until)
        refusal = _refusal(engine, cycle)
        if refusal is not None:
            return refusal
        await _keep(engine, cycle, connection)
        connection.is_live = True
        await engine.park(cycle, event, 0)
    finally:
        engine.active.pop(connection_id, None)
        if not connection.is_live:
            await cycle.end(event.until)
    headers = [*cycle.accept_headers]
    if cycle.subprotocol:
        headers.append((b"sec-websocket-protocol", cycle.subprotocol.encode()))
    return answer(200, headers)


async def receive(engine: Engine, event: Event) -> Response:
    """Hand the message to the session. Raises `WebSocketError`."""
    message, connection_id = event.handler.message, event.connection_id
    try:
        json_scope, sequence = await engine.backend.advance(connection_id)
    except UnknownConnection:
        await engine.discard(connection_id)
        logger.warning(
            "A message came on a connection of which there is no record; the connection is closed."
        )
        with suppress(WebSocketError):
            await engine.gateway(event.event).delete(connection_id)
        return answer(410)
    if engine.replay == "messages" and sequence <= MAX_REPLAYED:
        record = encode_message_record(message)
        await engine.backend.save(_message_id(connection_id, sequence), json_scope=record)
    cycle = await _resume(engine, event, sequence - 1, json_scope)
    engine.active[connection_id] = cycle
    try:
        if cycle.is_open:
            await _deliver_held(cycle)
            cycle.deliver(message)
            if not await cycle.proceed(event.until):
                log_late("it goes on with the next event of this environment")
        if cycle.is_open and not cycle.is_over:
            await engine.park(cycle, event, sequence)
            return answer(200)
        await cycle.end(event.until)
        try:
            await engine.drop(cycle)
        except WebSocketError:
            if cycle.error is None:  # else that is what went wrong first, and is told below
                raise
        finally:
            await _forget_messages(engine, connection_id, sequence)
        if cycle.error is None and not cycle.was_accepted:
            logger.warning("The application refused a connection that it had accepted before.")
            return answer(403)
        return engine.outcome(cycle)
    except BaseException:
        await cycle.end(event.until)
        raise
    finally:
        engine.active.pop(connection_id, None)


async def disconnect(engine: Engine, event: Event) -> Response:
    """Tell the session that the client has left, and see it to its end."""
    connection_id = event.connection_id
    try:
        record = await engine.backend.take(connection_id)
    except BaseException:
        await engine.discard(connection_id)  # this event comes but once
        raise
    if record is None:  # the application has closed it
        await engine.discard(connection_id)
        return answer(200)
    cycle = await _resume(engine, event, record.sequence, record.json_scope)
    try:
        if cycle.is_open:
            cycle.disconnect(*event.handler.disconnection)
            if not await cycle.proceed(event.until):
                log_late("it was cancelled")
    finally:
        await cycle.end(event.until)
        if getattr(cycle.client, "held", None):
            await engine.backend.delete(token_id(connection_id))
        await _forget_messages(engine, connection_id, record.sequence)
    return engine.outcome(cycle)


async def _keep(engine: Engine, cycle: WebSocketCycle, connection: Connection) -> None:
    """Store what has come of a handshake; all of it or, if that fails, nothing."""
    backend, connection_id = engine.backend, connection.connection_id
    joined: list[tuple[str, str]] = []
    try:
        record = encode_record(cycle.scope, connection.held)
        await backend.save(connection_id, json_scope=record)
        if connection.held:
            await backend.save(token_id(connection_id), json_scope="0")
        while connection.joins:
            joined.append(next(iter(connection.joins)))
            del connection.joins[joined[-1]]
            await backend.group_add(*joined[-1])
    except BaseException:
        with suppress(WebSocketError):
            await backend.delete(connection_id)
            await backend.delete(token_id(connection_id))
            for group, member in joined:
                await backend.group_discard(group, (member,))
        raise


def _refusal(engine: Engine, cycle: WebSocketCycle) -> Response | None:
    """The answer to a handshake that the application did not accept, or not for long."""
    if cycle.error is not None:
        return engine.outcome(cycle)
    if cycle.state is WebSocketCycleState.CLOSED:
        if cycle.denial is not None:
            return _denial(cycle.denial)
        if cycle.was_accepted:
            _log_unsaid(cycle, "closed the connection")
        return answer(403)
    if cycle.is_open and cycle.is_over:
        _log_unsaid(cycle, "returned")
        return answer(403)
    if not cycle.is_open:
        logger.error("The application neither accepted nor refused the connection.")
        return answer(500)
    return None


def _denial(response: Response) -> Response:
    """The application's own answer; API Gateway takes a 2xx for an acceptance."""
    if response["status"] < 300:
        logger.warning(
            "The application denied the connection with status %d, which would accept it; "
            "403 is sent instead.",
            response["status"],
        )
        return {**response, "status": 403}
    return response


def _log_unsaid(cycle: WebSocketCycle, what: str) -> None:
    """A handshake can be refused, but no message sent before it is over."""
    held = getattr(cycle.client, "held", ())
    logger.warning(
        "The application accepted and %s at once: the client is refused with a 403%s.",
        what,
        f", and {len(held)} message(s) to it are dropped" if held else "",
    )


async def _resume(engine: Engine, event: Event, sequence: int, json_scope: str) -> WebSocketCycle:
    """The connection's session, brought to where it waits for a message."""
    connection_id = event.connection_id
    parked = engine.parked.pop(connection_id, None)
    if parked is not None:
        if parked.sequence == sequence and parked.app is event.app:
            return parked.cycle
        await parked.discard()  # another environment has served the connection since
    scope, held = decode_record(json_scope)
    connection = Connection(engine, connection_id, engine.gateway(event.event), held=held)
    cycle = event.make_cycle(scope, connection)
    cycle.muted = True
    try:
        cycle.start(event.app)
        await cycle.proceed((engine.loop.time() + event.until) / 2)
        if engine.replay == "messages" and sequence:
            await _deliver_again(engine, event, cycle, sequence)
    except BaseException:
        await cycle.end(event.until)
        raise
    return cycle


async def _deliver_held(cycle: WebSocketCycle) -> None:
    """Send what the application sent before the connection was open."""
    connection: Any = cycle.client
    try:
        if connection.held:
            await connection.deliver_held()
    except ConnectionGone:
        cycle.disconnect(_GONE)


async def _deliver_again(
    engine: Engine, event: Event, cycle: WebSocketCycle, sequence: int
) -> None:
    """The client's messages up to that number. Raises `WebSocketError`."""
    if sequence > MAX_REPLAYED:
        await engine.drop(cycle)
        await _forget_messages(engine, event.connection_id, sequence)
        raise WebSocketError(
            f"A session of more than {MAX_REPLAYED} messages can't be brought up in another "
            "environment, so its connection was closed."
        )
    numbers = range(1, sequence + 1)
    stored = await asyncio.gather(*[_stored(engine, event, number) for number in numbers])
    for json_message in stored:
        if json_message is not None and cycle.is_open:
            cycle.deliver(decode_message(json_message), muted=True)
            await cycle.proceed(event.until)


async def _stored(engine: Engine, event: Event, number: int) -> str | None:
    """A message's record; `None` for a number that was given to none."""
    for pause_s in (_STORING_S, 0.0):
        try:
            return await engine.backend.retrieve(_message_id(event.connection_id, number))
        except UnknownConnection:  # or another environment is about to store it
            await asyncio.sleep(pause_s)
    return None


async def _forget_messages(engine: Engine, connection_id: str, sequence: int) -> None:
    if engine.replay == "messages":
        await asyncio.gather(
            *[
                engine.backend.delete(_message_id(connection_id, number))
                for number in range(1, min(sequence, MAX_REPLAYED) + 1)
            ]
        )


def _message_id(connection_id: str, number: int) -> str:
    """The key of a message's record."""
    return f"{connection_id}#{number}"
