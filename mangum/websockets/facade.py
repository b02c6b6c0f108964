"""`MangumWS`: callbacks for a FastAPI application on a WebSocket API, with the names of the package
mangum-ws."""

from __future__ import annotations

import logging

from mangum.exceptions import ConfigurationError, ConnectionGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from types import ModuleType
    from typing import Any, TypeVar

    from fastapi import APIRouter, FastAPI

    from mangum.types import LambdaHandler
    from mangum.websockets.gateway import ConnectionGateway
    from mangum.websockets.groups import Gateway

    Callback = TypeVar("Callback", bound=Callable[..., Awaitable[object]])

__all__ = ["MangumWS"]

logger = logging.getLogger("mangum.websockets")


class MangumWS:
    """Three callbacks that serve a WebSocket API on Lambda and a real WebSocket on a server.

    `endpoint_url` is that of the API's @connections, `"https://ID.execute-api.REGION.amazonaws.com/
    STAGE"`; without it messages go to the sockets that `mount` serves in this process.

        ws = MangumWS(endpoint_url=os.getenv("APIGW_MANAGEMENT_URL"))

        @ws.on_message
        async def answer(connection_id: str, data: dict) -> None:
            await ws.send({connection_id}, {"heard": data})

        app.include_router(ws.router)
        ws.mount(app, "/ws")
        handler = Mangum(app, custom_handlers=[ws.handler])
    """

    def __init__(self, endpoint_url: str | None = None) -> None:
        self.endpoint_url = endpoint_url
        self._on_connect_fn: Callable[[str], Awaitable[object]] | None = None
        self._on_disconnect_fn: Callable[[str], Awaitable[object]] | None = None
        self._on_message_fn: Callable[[str, Any], Awaitable[object]] | None = None
        self._local: LocalGateway | None = None if endpoint_url else LocalGateway()
        self._remote: ConnectionGateway | None = None

    # --- callbacks --------------------------------------------------------------------------------

    def on_connect(self, fn: Callback) -> Callback:
        """Register `async def(connection_id)`. If it raises, the client is refused: with the status
        of FastAPI's `HTTPException`, otherwise with 500."""
        self._on_connect_fn = fn
        return fn

    def on_disconnect(self, fn: Callback) -> Callback:
        """Register `async def(connection_id)`."""
        self._on_disconnect_fn = fn
        return fn

    def on_message(self, fn: Callback) -> Callback:
        """Register `async def(connection_id, data)` for the messages of every route, where `data`
        is what the JSON says.

        A message that is not JSON is logged and left out, and the connection stays; on Lambda the
        invocation answers 400.
        """
        self._on_message_fn = fn
        return fn

    # --- the application --------------------------------------------------------------------------

    @property
    def router(self) -> APIRouter:
        """The routes that `handler` calls, `POST /internal/websocket/{connect,disconnect,
        sendmessage}/{connection_id}`. To anyone else they don't exist."""
        router: APIRouter = _load_fastapi("router").make_router(self)
        return router

    @property
    def handler(self) -> type[LambdaHandler]:
        """For `Mangum(app, custom_handlers=[ws.handler])`."""
        from mangum.websockets.facade_handler import WebSocketHandler

        return WebSocketHandler

    def mount(self, app: FastAPI, path: str = "/") -> None:
        """Serve a WebSocket at `path`, with the same callbacks, for development without AWS. With
        an `endpoint_url` it does nothing."""
        if self._local is not None:
            _load_fastapi("mount").mount(self, self._local, app, path)

    # --- messages ---------------------------------------------------------------------------------

    @property
    def is_local(self) -> bool:
        """Whether messages go to sockets of this process."""
        return self._local is not None

    async def send(self, connection_ids: Collection[str], data: dict[str, Any] | str) -> set[str]:
        """Send a text, or a dict as JSON, to all connections; returns those that were gone.

        Raises `MessageRefused`, and nothing is sent; `WebSocketError` if others could not be
        reached, after all were tried.
        """
        from mangum.websockets.groups import post_all

        return await post_all(self._gateway, connection_ids, _encode(data))

    async def send_to_connection(self, connection_id: str, data: dict[str, Any] | str) -> bool:
        """Send to one connection; `False` if it is gone. Raises `WebSocketError`."""
        try:
            await self._gateway.post(connection_id, _encode(data))
        except ConnectionGone:
            return False
        return True

    async def close(self) -> None:
        """Give back the sockets that are kept for the next message."""
        if self._remote is not None:
            await self._remote.close()

    @property
    def _gateway(self) -> Gateway:
        """What takes the messages."""
        if self._local is not None:
            return self._local
        if self._remote is None:
            from mangum.websockets.gateway import ConnectionGateway

            assert self.endpoint_url is not None
            self._remote = ConnectionGateway(self.endpoint_url)
        return self._remote

    # --- events, from a route or a local socket ---------------------------------------------------

    async def _connect(self, connection_id: str) -> None:
        if self._on_connect_fn is not None:
            await self._on_connect_fn(connection_id)

    async def _disconnect(self, connection_id: str) -> None:
        if self._on_disconnect_fn is not None:
            await self._on_disconnect_fn(connection_id)

    async def _message(self, connection_id: str, body: str | bytes) -> bool:
        """Call the callback; `False` if the message is not JSON."""
        from json import loads

        try:
            data = loads(body)
        except (ValueError, RecursionError):
            logger.warning("A message is not JSON, so on_message does not get it.")
            return False
        if self._on_message_fn is not None:
            await self._on_message_fn(connection_id, data)
        return True


class LocalGateway:
    """The sockets that `mount` serves, by connection id."""

    def __init__(self) -> None:
        self._sockets: dict[str, Callable[[str], Awaitable[None]]] = {}
        self._early: dict[str, list[str]] = {}

    def announce(self, connection_id: str) -> None:
        """Keep messages for a connection that is not accepted yet."""
        self._early[connection_id] = []

    async def register(self, connection_id: str, send: Callable[[str], Awaitable[None]]) -> None:
        """Deliver what was kept, and from now on all messages; `send` raises `ConnectionGone`."""
        early = self._early[connection_id]
        while early:
            await send(early.pop(0))
        self._sockets[connection_id] = send
        del self._early[connection_id]

    def unregister(self, connection_id: str) -> None:
        self._early.pop(connection_id, None)
        self._sockets.pop(connection_id, None)

    async def post(self, connection_id: str, data: bytes) -> None:
        early = self._early.get(connection_id)
        if early is not None:
            logger.warning(
                "A message to %s is kept until on_connect is done. On API Gateway the connection "
                "is gone until then.",
                connection_id,
            )
            early.append(data.decode())
            return
        send = self._sockets.get(connection_id)
        if send is None:
            raise ConnectionGone(f"The connection {connection_id!r} is gone.")
        await send(data.decode())


def _encode(data: Any) -> bytes:
    from mangum.websockets.messages import encode_message

    if not isinstance(data, str):
        from json import dumps

        data = dumps(data)
    return encode_message(data)


def _load_fastapi(name: str) -> ModuleType:
    try:
        from mangum.websockets import facade_fastapi
    except ModuleNotFoundError as exc:
        if exc.name != "fastapi":
            raise
        raise ConfigurationError(f"`MangumWS.{name}` needs FastAPI: pip install fastapi.") from None
    return facade_fastapi
