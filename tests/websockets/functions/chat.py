"""A Starlette application with rooms: everyone in a room reads what is said, who came, who left."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from .served import adapt, serve


async def chat(websocket: WebSocket) -> None:
    room, name = websocket.query_params["room"], websocket.query_params["name"]
    await websocket.accept()
    await groups.group_add(room)
    await groups.group_send(room, f"{name} is here")
    async for message in websocket.iter_json():
        await groups.group_send(room, json={"from": name, "said": message["say"]})
    await groups.group_discard(room)
    await groups.group_send(room, f"{name} has left")


adapter = adapt(Starlette(routes=[WebSocketRoute("/", chat)]))
groups = adapter.groups
handler = serve(adapter)
