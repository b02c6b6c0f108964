"""A FastAPI application with state in a local variable: the number of the connection's message."""

from __future__ import annotations

import os

from fastapi import FastAPI, WebSocket

from .served import adapt, serve

app = FastAPI()


@app.websocket("/")
async def count(websocket: WebSocket, user: str) -> None:
    await websocket.accept()
    await websocket.send_text(f"welcome {user}")
    number = 0
    async for _ in websocket.iter_text():
        number += 1
        await websocket.send_json({"number": number, "pid": os.getpid()})


handler = serve(adapt(app))
