"""The application: it greets back. With it comes what every function has without an adapter: the
runtime client of Lambda, and asyncio, which all frameworks import."""

from __future__ import annotations

import asyncio  # noqa: F401

import awslambdaric.bootstrap  # type: ignore[import-untyped] # noqa: F401

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": f"Hello {message['text']}"})
