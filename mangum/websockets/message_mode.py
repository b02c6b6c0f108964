"""The mode `"message"`: every message is a connection of its own for the application, as it was in
mangum 0.12: connect, one message, disconnect."""

from __future__ import annotations

from mangum.backends.codec import decode_record, encode_record
from mangum.protocols.websockets import WebSocketCycleState
from mangum.websockets.connection import Connection
from mangum.websockets.events import answer, log_late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mangum.types import Response
    from mangum.websockets.engine import Engine
    from mangum.websockets.events import Event

__all__ = ["connect", "disconnect", "receive"]


async def connect(engine: Engine, event: Event) -> Response:
    """Store the scope; the application learns of it with the first message."""
    record = encode_record(event.handler.scope)
    await engine.backend.save(event.connection_id, json_scope=record)
    return answer(200)


async def receive(engine: Engine, event: Event) -> Response:
    """Call the application for one message. Raises `UnknownConnection`."""
    message, connection_id = event.handler.message, event.connection_id
    scope, _ = decode_record(await engine.backend.retrieve(connection_id))
    connection = Connection(
        engine,
        connection_id,
        engine.gateway(event.event),
        when_gone=lambda: engine.backend.delete(connection_id),
    )
    cycle = event.make_cycle(scope, connection)
    try:
        cycle.start(event.app)
        cycle.deliver(message)
        if await cycle.proceed(event.until) and not cycle.is_over:
            cycle.deliver({"type": "websocket.disconnect", "code": 1000})
            await cycle.proceed(event.until)
        if not cycle.is_over:
            log_late("it was cancelled")
    finally:
        await cycle.end(event.until)
        cycle.disconnect(1000)  # a task that is left can't send any more
    if cycle.state is WebSocketCycleState.CLOSED and not cycle.was_accepted:
        await engine.drop(cycle)
        return answer(403)
    return engine.outcome(cycle)


async def disconnect(engine: Engine, event: Event) -> Response:
    """Remove the record."""
    await engine.backend.delete(event.connection_id)
    return answer(200)
