"""One room for all: whoever says something is in it, and everyone in it hears it. Bare ASGI, in the
mode that the variable `WEBSOCKET_MODE` names."""

from __future__ import annotations

import os
from typing import Any

from mangum import Mangum
from mangum.types import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "websocket"
    assert scope["path"] == "/ws"
    assert (await receive())["type"] == "websocket.connect"
    name = scope["query_string"].decode().removeprefix("name=")
    if name == "nobody":
        await send({"type": "websocket.close"})
        return
    subprotocols = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": next(iter(subprotocols), None)})
    while (message := await receive())["type"] == "websocket.receive":
        if message["text"] == "leave":
            await send({"type": "websocket.close"})
            return
        await handler.groups.group_add("room")
        await handler.groups.group_send("room", f"{name}: {message['text']}")


def make_handler(**options: Any) -> Mangum:
    """Set what the application is behind."""
    global handler
    handler = Mangum(
        app,
        **{
            "edition": "2026",
            "lifespan": "off",
            "websocket_path": "/ws",
            "websocket_mode": os.environ.get("WEBSOCKET_MODE", "session"),
            "dsn": os.environ.get("DSN", "sqlite:///connections.db"),
            **options,
        },
    )
    return handler


handler = make_handler()
