"""A Starlette application that talks as a GraphQL server does: the first message must introduce the
client, the answers to a subscription end with `complete`.

Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from .served import adapt, serve

PROTOCOL = "graphql-transport-ws"


async def graphql(websocket: WebSocket) -> None:
    await websocket.accept(PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
    if (await websocket.receive_json())["type"] != "connection_init":
        await websocket.close(4401, "Unauthorized")
        return
    await websocket.send_json({"type": "connection_ack"})
    async for message in websocket.iter_json():
        for number in range(2):
            answer = {"id": message["id"], "type": "next", "payload": {"data": number}}
            await websocket.send_json(answer)
        await websocket.send_json({"id": message["id"], "type": "complete"})


handler = serve(adapt(Starlette(routes=[WebSocketRoute("/", graphql)])))
