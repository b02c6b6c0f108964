"""A Starlette application that lets nobody in."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from .served import adapt, serve


async def refuse(websocket: WebSocket) -> None:
    if "reason" in websocket.query_params:
        answer = JSONResponse({"error": websocket.query_params["reason"]}, status_code=401)
        await websocket.send_denial_response(answer)
    else:
        await websocket.close()


handler = serve(adapt(Starlette(routes=[WebSocketRoute("/", refuse)])))
