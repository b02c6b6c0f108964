"""An ASGI application without a framework."""

from __future__ import annotations

from mangum import Mangum

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing alone costs more than the adapter
    from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"17")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"hello":"world"}'})


handler = Mangum(app, lifespan="off")
