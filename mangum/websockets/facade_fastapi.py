"""What `MangumWS` adds to a FastAPI application: the internal routes, and a WebSocket for
development."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import uuid4

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match

from mangum.exceptions import ConnectionGone
from mangum.websockets.facade_handler import ARRIVAL, PATH_PREFIX, Arrival

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from starlette.responses import Response

    from mangum.types import Scope
    from mangum.websockets.facade import LocalGateway, MangumWS

__all__ = ["make_router", "mount"]

logger = logging.getLogger("mangum.websockets")

UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008


class EventRoute(APIRoute):
    """Matches the events of one kind, by what their handler says and not by the path, which tells
    nothing: a client can send any. To every other request the route is as one that is not there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        arrival = scope.get(ARRIVAL)
        if not isinstance(arrival, Arrival) or arrival.kind != self._kind:
            return Match.NONE, {}
        parameters = {**scope.get("path_params", {}), "connection_id": arrival.connection_id}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": parameters, "route": self}

    @property
    def _kind(self) -> str:
        """`connect` of `…/connect/{connection_id}`, whatever prefix the application adds."""
        return self.path.split("/")[-2]


def make_router(ws: MangumWS) -> APIRouter:
    """A router whose routes call the callbacks that are registered when an event comes."""
    router = APIRouter(route_class=EventRoute)

    async def _ws_connect(connection_id: str) -> JSONResponse:
        await ws._connect(connection_id)
        return JSONResponse({"status": "connected"})

    async def _ws_disconnect(connection_id: str) -> JSONResponse:
        await ws._disconnect(connection_id)
        return JSONResponse({"status": "disconnected"})

    async def _ws_sendmessage(connection_id: str, request: Request) -> JSONResponse:
        if await ws._message(connection_id, await request.body()):
            return JSONResponse({"status": "received"})
        return JSONResponse({"detail": "The message is not JSON."}, 400)

    for kind, endpoint in (
        ("connect", _ws_connect),
        ("disconnect", _ws_disconnect),
        ("sendmessage", _ws_sendmessage),
    ):
        path = f"{PATH_PREFIX}/{kind}/{{connection_id}}"
        router.add_api_route(path, endpoint, methods=["POST"], include_in_schema=False)
    return router


def mount(ws: MangumWS, gateway: LocalGateway, app: FastAPI, path: str) -> None:
    """Serve a WebSocket whose client goes through what API Gateway's goes through."""

    async def _local_ws_endpoint(websocket: WebSocket) -> None:
        connection_id = f"local_{uuid4()}"
        gateway.announce(connection_id)
        try:
            refusal = await _connect(ws, connection_id)
            if refusal is None:
                await _converse(ws, gateway, websocket, connection_id)
            else:
                await _refuse(websocket, refusal)
        finally:
            gateway.unregister(connection_id)

    app.add_api_websocket_route(path, _local_ws_endpoint)


async def _connect(ws: MangumWS, connection_id: str) -> Response | None:
    """What to answer to a client that the callback refuses."""
    try:
        await ws._connect(connection_id)
    except HTTPException as exc:
        return JSONResponse({"detail": exc.detail}, exc.status_code, exc.headers)
    except Exception:
        logger.exception("on_connect failed, so the client is refused.")
        return JSONResponse({"detail": "Internal Server Error"}, 500)
    return None


async def _refuse(websocket: WebSocket, refusal: Response) -> None:
    can_deny = hasattr(websocket, "send_denial_response")  # new in Starlette 0.37
    if can_deny and "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(refusal)
    else:
        await websocket.close(POLICY_VIOLATION)  # which a server answers with 403


async def _converse(
    ws: MangumWS, gateway: LocalGateway, websocket: WebSocket, connection_id: str
) -> None:
    """Serve an accepted client until it goes."""
    try:
        await websocket.accept()
        await gateway.register(connection_id, _sender(websocket, connection_id))
        while (text := await _receive(websocket)) is not None:
            try:
                await ws._message(connection_id, text)
            except Exception:
                logger.exception("on_message failed. The connection stays, as on API Gateway.")
    except (ConnectionGone, WebSocketDisconnect):
        pass
    finally:
        gateway.unregister(connection_id)
        try:
            await ws._disconnect(connection_id)
        except Exception:
            logger.exception("on_disconnect failed.")


async def _receive(websocket: WebSocket) -> str | None:
    """The next text; `None` when the client has gone, or sent what API Gateway does not take."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    if text is None:
        await websocket.close(UNSUPPORTED_DATA)
    return text


def _sender(websocket: WebSocket, connection_id: str) -> Callable[[str], Awaitable[None]]:
    async def send(text: str) -> None:
        try:
            await websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError, OSError) as exc:  # by version and server
            raise ConnectionGone(f"The connection {connection_id!r} is gone.") from exc

    return send
