"""Applications of the frameworks that have WebSockets: each does the same, by its own means.

    ?refuse=1         is refused at the handshake
    "echo"            the same back
    "who"             the query's `name` and the header `x-name`
    "three"           three answers
    "nothing"         no answer
    "slow"            an answer after a sleep
    "thread"          an answer that synchronous code in a thread has made
    "task"            an answer at once, and one from a background task
    "count"           how many of these this session has had
    "join", "all"     become a member of the group; an answer to all of its members
    "state"           what the lifespan has left
    "close"           the server closes with the code 4000
    "fail"            raises Failure
    bytes             their hexadecimal digits, as bytes

Of the subprotocols that the client offers `SUBPROTOCOL` is taken. How the client left is recorded.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs

from mangum.types import ASGI, Receive, Scope, Send
from tests.websockets.harness import MOMENT_S

SUBPROTOCOL = "chat.v2"
PATH = "/ws"
GROUP = "room"
STARTED = "started"

happened: list[str] = []


class Failure(Exception):
    """What "fail" raises."""


class Talk(Protocol):
    """A connection, as what answers its messages sees it."""

    @property
    def name(self) -> str:
        """The query's `name` and the header `x-name`."""

    @property
    def state(self) -> str:
        """What the lifespan has left."""

    async def send(self, value: str | bytes) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...

    async def call_in_thread(self, function: Callable[[], str]) -> str: ...

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Have it run in the background."""

    async def join(self) -> None: ...

    async def send_to_all(self, text: str) -> None: ...


class Conversation:
    """What is done with the messages of one session, whatever the framework."""

    def __init__(self) -> None:
        self.count = 0

    async def answer(self, talk: Talk, message: str | bytes) -> bool:
        """Whether the session goes on."""
        if isinstance(message, bytes):
            await talk.send(message.hex().encode())
        elif message == "close":
            await talk.close(4000, "bye")
            return False
        else:
            await ANSWERS[message](self, talk)
        return True

    async def echo(self, talk: Talk) -> None:
        await talk.send("echo")

    async def who(self, talk: Talk) -> None:
        await talk.send(talk.name)

    async def three(self, talk: Talk) -> None:
        for number in "123":
            await talk.send(number)

    async def nothing(self, talk: Talk) -> None:
        pass

    async def slow(self, talk: Talk) -> None:
        await asyncio.sleep(MOMENT_S)
        await talk.send("slow")

    async def thread(self, talk: Talk) -> None:
        await talk.send(await talk.call_in_thread(work))

    async def task(self, talk: Talk) -> None:
        async def later() -> None:
            await asyncio.sleep(MOMENT_S)
            await talk.send("done")

        talk.spawn(later())
        await talk.send("queued")

    async def tally(self, talk: Talk) -> None:
        self.count += 1
        await talk.send(str(self.count))

    async def join(self, talk: Talk) -> None:
        await talk.join()

    async def send_to_all(self, talk: Talk) -> None:
        await talk.send_to_all("hello, all")

    async def state(self, talk: Talk) -> None:
        await talk.send(talk.state)

    async def fail(self, _talk: Talk) -> None:
        fail()


ANSWERS: dict[str, Callable[[Conversation, Talk], Awaitable[None]]] = {
    "echo": Conversation.echo,
    "who": Conversation.who,
    "three": Conversation.three,
    "nothing": Conversation.nothing,
    "slow": Conversation.slow,
    "thread": Conversation.thread,
    "task": Conversation.task,
    "count": Conversation.tally,
    "join": Conversation.join,
    "all": Conversation.send_to_all,
    "state": Conversation.state,
    "fail": Conversation.fail,
}


def fail() -> None:
    raise Failure("a secret of the application")


def work() -> str:
    time.sleep(MOMENT_S)
    return "worked"


def leave(code: object) -> None:
    happened.append(f"left {code}")


_spawned: set[asyncio.Task[None]] = set()


class ScopeTalk:
    """What frameworks leave to asyncio and to the scope."""

    scope: Scope

    async def call_in_thread(self, function: Callable[[], str]) -> str:
        return await asyncio.to_thread(function)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        _spawned.add(task)
        task.add_done_callback(_spawned.discard)

    @property
    def state(self) -> str:
        return str(self.scope["state"]["mark"])

    async def join(self) -> None:
        await self.scope["aws.groups"].group_add(GROUP)

    async def send_to_all(self, text: str) -> None:
        await self.scope["aws.groups"].group_send(GROUP, text)


# --- bare -----------------------------------------------------------------------------------------


class BareTalk(ScopeTalk):
    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send

    @property
    def name(self) -> str:
        query = parse_qs(self.scope["query_string"].decode())
        return f"{query['name'][0]} {dict(self.scope['headers'])[b'x-name'].decode()}"

    async def send(self, value: str | bytes) -> None:
        kind = "text" if isinstance(value, str) else "bytes"
        await self._send({"type": "websocket.send", kind: value})

    async def close(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


def bare() -> ASGI:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        if b"refuse" in scope["query_string"]:
            await send({"type": "websocket.close"})
            return
        taken = SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": taken})
        talk, conversation = BareTalk(scope, send), Conversation()
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                leave(message["code"])
                return
            text = message.get("text")
            if not await conversation.answer(talk, message["bytes"] if text is None else text):
                return

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await serve(scope, receive, send)
            return
        await receive()
        scope["state"]["mark"] = STARTED
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return app


# --- Starlette, FastAPI, Responder ---------------------------------------------------------------


class StarletteTalk(ScopeTalk):
    def __init__(self, websocket: Any) -> None:
        self.websocket = websocket
        self.scope = websocket.scope

    @property
    def name(self) -> str:
        return f"{self.websocket.query_params['name']} {self.websocket.headers['x-name']}"

    @property
    def state(self) -> str:
        return str(self.websocket.state.mark)

    async def send(self, value: str | bytes) -> None:
        if isinstance(value, str):
            await self.websocket.send_text(value)
        else:
            await self.websocket.send_bytes(value)

    async def close(self, code: int, reason: str) -> None:
        await self.websocket.close(code, reason)

    async def call_in_thread(self, function: Callable[[], str]) -> str:
        from starlette.concurrency import run_in_threadpool

        return await run_in_threadpool(function)


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[dict[str, str]]:
    yield {"mark": STARTED}


async def serve_starlette(
    websocket: Any, conversation: Conversation, make_talk: type[StarletteTalk] = StarletteTalk
) -> None:
    """The function's body, which FastAPI and Responder have in common with Starlette."""
    from starlette.websockets import WebSocketDisconnect

    offered = websocket.scope["subprotocols"]
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    talk = make_talk(websocket)
    try:
        while True:
            message = await websocket.receive()
            websocket._raise_on_disconnect(message)
            text = message.get("text")
            if not await conversation.answer(talk, message["bytes"] if text is None else text):
                return
    except WebSocketDisconnect as exc:
        leave(exc.code)


def starlette_function() -> ASGI:
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    async def endpoint(websocket: WebSocket) -> None:
        if "refuse" in websocket.query_params:
            await websocket.close()
            return
        await serve_starlette(websocket, Conversation())

    return Starlette(routes=[WebSocketRoute(PATH, endpoint)], lifespan=lifespan)


def starlette_class() -> ASGI:
    from starlette.applications import Starlette
    from starlette.endpoints import WebSocketEndpoint
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    class Endpoint(WebSocketEndpoint):
        async def on_connect(self, websocket: WebSocket) -> None:
            self.conversation = Conversation()
            if "refuse" in websocket.query_params:
                await websocket.close()
                return
            offered = websocket.scope["subprotocols"]
            await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)

        async def on_receive(self, websocket: WebSocket, data: Any) -> None:
            await self.conversation.answer(StarletteTalk(websocket), data)

        async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
            leave(close_code)

    return Starlette(routes=[WebSocketRoute(PATH, Endpoint)], lifespan=lifespan)


def fastapi() -> ASGI:
    """The session's own things come from a dependency, and another one refuses."""
    from fastapi import Depends, FastAPI, WebSocket, WebSocketException

    async def conversation() -> AsyncIterator[Conversation]:
        happened.append("opened")
        yield Conversation()
        happened.append("closed")

    async def permitted(refuse: str | None = None) -> None:
        if refuse is not None:
            raise WebSocketException(1008)

    async def endpoint(websocket: Any, conversation: Any, _permitted: Any) -> None:
        await serve_starlette(websocket, conversation)

    endpoint.__annotations__ = {"websocket": WebSocket}  # FastAPI reads them
    endpoint.__defaults__ = (Depends(conversation), Depends(permitted))
    app = FastAPI(lifespan=lifespan)
    app.websocket(PATH)(endpoint)
    return app


def responder() -> ASGI:
    from responder import API

    class ResponderTalk(StarletteTalk):
        @property
        def state(self) -> str:
            return str(api.state.mark)

    @asynccontextmanager
    async def keep_state(_app: object) -> AsyncIterator[None]:
        api.state.mark = STARTED
        yield

    make: Any = API
    api = make(secret_key="a secret of the application", lifespan=keep_state)

    async def endpoint(ws: Any) -> None:
        if "refuse" in ws.query_params:
            await ws.close()
            return
        await serve_starlette(ws, Conversation(), ResponderTalk)

    api.route(PATH, websocket=True)(endpoint)
    app: ASGI = api
    return app


# --- Quart ----------------------------------------------------------------------------------------


class QuartTalk(ScopeTalk):
    def __init__(self, app: Any, websocket: Any) -> None:
        self.app = app
        self.websocket = websocket
        self.scope = websocket.scope

    @property
    def name(self) -> str:
        return f"{self.websocket.args['name']} {self.websocket.headers['x-name']}"

    @property
    def state(self) -> str:
        return str(self.app.config["MARK"])

    async def send(self, value: str | bytes) -> None:
        await self.websocket.send(value)

    async def close(self, code: int, reason: str) -> None:
        await self.websocket.close(code, reason)

    async def call_in_thread(self, function: Callable[[], str]) -> str:
        from quart.utils import run_sync

        worked: str = await run_sync(function)()
        return worked

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            await coroutine

        self.app.add_background_task(run)


def quart() -> ASGI:
    from quart import Quart, websocket

    app: Any = Quart("application")

    async def start() -> None:
        app.config["MARK"] = STARTED

    async def endpoint() -> Any:
        if "refuse" in websocket.args:
            return "not you", 403
        offered = websocket.requested_subprotocols
        await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        proxy: Any = websocket
        talk, conversation = QuartTalk(app, proxy._get_current_object()), Conversation()
        try:
            while await conversation.answer(talk, await websocket.receive()):
                pass
        except asyncio.CancelledError:
            leave(None)  # all that Quart tells
            raise

    app.before_serving(start)
    app.websocket(PATH)(endpoint)
    made: ASGI = app
    return made


# --- Django, Channels -----------------------------------------------------------------------------


def set_up_django() -> None:
    """With our layer: what Channels finds in the settings by itself is one per process, too."""
    from tests.frameworks.apps.django_app import set_up_django

    set_up_django()
    from channels.layers import channel_layers

    from mangum.websockets.channels import ChannelLayer

    channel_layers.set("default", ChannelLayer())


def django() -> ASGI:
    set_up_django()
    from django.core.asgi import get_asgi_application

    app: ASGI = get_asgi_application()
    return app


class ChannelsTalk(ScopeTalk):
    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.scope = consumer.scope

    @property
    def name(self) -> str:
        query = parse_qs(self.scope["query_string"].decode())
        return f"{query['name'][0]} {dict(self.scope['headers'])[b'x-name'].decode()}"

    async def send(self, value: str | bytes) -> None:
        if isinstance(value, str):
            await self.consumer.send(text_data=value)
        else:
            await self.consumer.send(bytes_data=value)

    async def close(self, code: int, reason: str) -> None:
        await self.consumer.close(code, reason)

    async def call_in_thread(self, function: Callable[[], str]) -> str:
        from channels.db import database_sync_to_async

        worked: str = await database_sync_to_async(function)()
        return worked

    async def join(self) -> None:
        await self.consumer.channel_layer.group_add(GROUP, self.consumer.channel_name)

    async def send_to_all(self, text: str) -> None:
        await self.consumer.channel_layer.group_send(GROUP, {"type": "room.said", "text": text})


def below_path(consumer: Any) -> ASGI:
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.urls import path

    app: ASGI = ProtocolTypeRouter(
        {"websocket": URLRouter([path(PATH.lstrip("/"), consumer.as_asgi())])}
    )
    return app


def channels_async() -> ASGI:
    set_up_django()
    from channels.exceptions import DenyConnection
    from channels.generic.websocket import AsyncWebsocketConsumer

    class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def connect(self) -> None:
            self.conversation = Conversation()
            if b"refuse" in self.scope["query_string"]:
                raise DenyConnection
            offered = self.scope["subprotocols"]
            await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)

        async def receive(
            self, text_data: str | None = None, bytes_data: bytes | None = None
        ) -> None:
            message = text_data if bytes_data is None else bytes_data
            assert message is not None
            await self.conversation.answer(ChannelsTalk(self), message)

        async def room_said(self, event: Any) -> None:
            await self.send(text_data=event["text"])

        async def disconnect(self, code: int) -> None:
            leave(code)

    return below_path(Consumer)


def channels_sync() -> ASGI:
    """What it does runs in a thread anyway."""
    set_up_django()
    from asgiref.sync import async_to_sync
    from channels.generic.websocket import WebsocketConsumer

    class Consumer(WebsocketConsumer):  # type: ignore[misc]
        def connect(self) -> None:
            self.count = 0
            if b"refuse" in self.scope["query_string"]:
                self.close()
                return
            offered = self.scope["subprotocols"]
            self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)

        def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            if bytes_data is not None:
                self.send(bytes_data=bytes_data.hex().encode())
                return
            talk = ChannelsTalk(self)
            if text_data == "close":
                self.close(4000, "bye")
            elif text_data == "fail":
                fail()
            elif text_data == "count":
                self.count += 1
                self.send(str(self.count))
            elif text_data in ("join", "all"):
                async_to_sync(talk.join if text_data == "join" else self.tell_all)()
            else:
                for text in self.answers(text_data, talk):
                    self.send(text)

        def answers(self, text: str | None, talk: ChannelsTalk) -> list[str]:
            if text in ("slow", "thread"):
                work()
            words = {
                "echo": ["echo"],
                "who": [talk.name] if text == "who" else [],
                "three": ["1", "2", "3"],
                "slow": ["slow"],
                "thread": ["worked"],
            }
            return words.get(text or "", [])

        async def tell_all(self) -> None:
            await ChannelsTalk(self).send_to_all("hello, all")

        def room_said(self, event: Any) -> None:
            self.send(text_data=event["text"])

        def disconnect(self, code: int) -> None:
            leave(code)

    return below_path(Consumer)


# --- Litestar -------------------------------------------------------------------------------------


class LitestarTalk(ScopeTalk):
    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.scope = socket.scope

    @property
    def name(self) -> str:
        return f"{self.socket.query_params['name']} {self.socket.headers['x-name']}"

    @property
    def state(self) -> str:
        return str(self.socket.app.state.mark)

    async def send(self, value: str | bytes) -> None:
        if isinstance(value, str):
            await self.socket.send_text(value)
        else:
            await self.socket.send_bytes(value)

    async def close(self, code: int, reason: str) -> None:
        await self.socket.close(code, reason)

    async def call_in_thread(self, function: Callable[[], str]) -> str:
        from litestar.concurrency import sync_to_thread

        return await sync_to_thread(function)


def mark_litestar(app: Any) -> None:
    app.state.mark = STARTED


def refuse_in_litestar(connection: Any, _handler: Any) -> None:
    from litestar.exceptions import PermissionDeniedException

    if "refuse" in connection.query_params:
        raise PermissionDeniedException


def litestar_function() -> ASGI:
    from litestar import Litestar, WebSocket, websocket
    from litestar.exceptions import WebSocketDisconnect

    async def endpoint(socket: WebSocket[Any, Any, Any]) -> None:
        offered = socket.scope["subprotocols"]
        await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        talk, conversation = LitestarTalk(socket), Conversation()
        try:
            while True:
                message: Any = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    leave(message["code"])
                    return
                text = message.get("text")
                if not await conversation.answer(talk, message["bytes"] if text is None else text):
                    return
        except WebSocketDisconnect as exc:
            leave(exc.code)

    endpoint.__annotations__ = {"socket": WebSocket, "return": None}  # Litestar reads them
    app: ASGI = Litestar(  # type: ignore[assignment]
        [websocket(PATH, guards=[refuse_in_litestar])(endpoint)], on_startup=[mark_litestar]
    )
    return app


def litestar_listener() -> ASGI:
    """A function from a message to an answer."""
    from litestar import Litestar, WebSocket, websocket_listener

    async def accept(socket: WebSocket[Any, Any, Any]) -> None:
        offered = socket.scope["subprotocols"]
        await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        socket.state.conversation = Conversation()

    async def disconnected(socket: WebSocket[Any, Any, Any]) -> None:
        leave(None)  # the listener's hook is not told the code

    async def endpoint(data: str, socket: WebSocket[Any, Any, Any]) -> None:
        await socket.state.conversation.answer(LitestarTalk(socket), data)

    annotations = {"data": str, "socket": WebSocket, "return": None}
    endpoint.__annotations__ = annotations
    listener = websocket_listener(
        PATH,
        connection_accept_handler=accept,
        on_disconnect=disconnected,
        guards=[refuse_in_litestar],
    )
    app: ASGI = Litestar([listener(endpoint)], on_startup=[mark_litestar])  # type: ignore[assignment]
    return app


# --- Sanic ----------------------------------------------------------------------------------------

_numbers = itertools.count(1)  # Sanic keeps its applications by name for the whole process


class SanicTalk(ScopeTalk):
    def __init__(self, request: Any, websocket: Any) -> None:
        self.request = request
        self.websocket = websocket
        self.scope = request.scope

    @property
    def name(self) -> str:
        return f"{self.request.args.get('name')} {self.request.headers['x-name']}"

    @property
    def state(self) -> str:
        return str(self.request.app.ctx.mark)

    async def send(self, value: str | bytes) -> None:
        await self.websocket.send(value)

    async def close(self, code: int, reason: str) -> None:
        await self.websocket.close(code, reason)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.request.app.add_task(coroutine)


def sanic() -> ASGI:
    from sanic import Sanic

    app: Any = Sanic(f"Talking{next(_numbers)}", configure_logging=False)
    app.config.TOUCHUP = False  # it rewrites Sanic's classes, for one application per process

    async def start(app: Any) -> None:
        app.ctx.mark = STARTED

    app.before_server_start(start)

    async def endpoint(request: Any, websocket: Any) -> None:
        if "refuse" in request.args:
            return
        talk, conversation = SanicTalk(request, websocket), Conversation()
        while True:
            message = await websocket.recv()
            if message is None:
                leave(None)  # all that Sanic tells
                return
            if not await conversation.answer(talk, message):
                return

    app.add_websocket_route(endpoint, PATH, subprotocols=[SUBPROTOCOL])
    made: ASGI = app
    return made


# --- Falcon ---------------------------------------------------------------------------------------


class FalconTalk(ScopeTalk):
    def __init__(self, request: Any, websocket: Any) -> None:
        self.request = request
        self.websocket = websocket
        self.scope = request.scope

    @property
    def name(self) -> str:
        return f"{self.request.get_param('name')} {self.request.get_header('x-name')}"

    async def send(self, value: str | bytes) -> None:
        if isinstance(value, str):
            await self.websocket.send_text(value)
        else:
            await self.websocket.send_data(value)

    async def close(self, code: int, reason: str) -> None:
        await self.websocket.close(code, reason)

    async def call_in_thread(self, function: Callable[[], str]) -> str:
        from falcon import sync_to_async

        run: Any = sync_to_async
        worked: str = await run(function)
        return worked


class FalconStart:
    async def process_startup(self, scope: Scope, _event: object) -> None:
        scope["state"]["mark"] = STARTED


def falcon() -> ASGI:
    from falcon import HTTPForbidden, WebSocketDisconnected
    from falcon.asgi import App

    class Resource:
        async def on_websocket(self, request: Any, websocket: Any) -> None:
            if request.get_param("refuse"):
                raise HTTPForbidden
            offered = websocket.subprotocols
            await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
            talk, conversation = FalconTalk(request, websocket), Conversation()
            try:
                while True:
                    message = await websocket._receive()
                    text = message.get("text")
                    if not await conversation.answer(
                        talk, message["bytes"] if text is None else text
                    ):
                        return
            except WebSocketDisconnected as exc:
                leave(exc.code)

    make: Any = App
    app = make(middleware=[FalconStart()])
    app.add_route(PATH, Resource())
    made: ASGI = app
    return made


# --- BlackSheep -----------------------------------------------------------------------------------


class BlackSheepTalk(ScopeTalk):
    def __init__(self, app: Any, websocket: Any) -> None:
        self.app = app
        self.websocket = websocket
        self.scope = websocket.scope

    @property
    def name(self) -> str:
        header = self.websocket.get_first_header(b"x-name").decode()
        return f"{self.websocket.query['name'][0]} {header}"

    @property
    def state(self) -> str:
        return str(self.app.mark)

    async def send(self, value: str | bytes) -> None:
        if isinstance(value, str):
            await self.websocket.send_text(value)
        else:
            await self.websocket.send_bytes(value)

    async def close(self, code: int, reason: str) -> None:
        await self.websocket.close(code, reason)


def blacksheep() -> ASGI:
    from blacksheep import Application, WebSocket, WebSocketDisconnectError
    from blacksheep.server.routing import Router

    app: Any = Application(router=Router())  # its default one is the process's

    async def start(app: Any) -> None:
        app.mark = STARTED

    app.on_start += start

    async def endpoint(websocket: WebSocket) -> None:
        if "refuse" in websocket.query:
            await websocket.close()
            return
        scope: Any = websocket.scope
        offered = scope["subprotocols"]
        await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        talk, conversation = BlackSheepTalk(app, websocket), Conversation()
        try:
            while True:
                message: Any = await websocket.receive()
                text = message.get("text")
                if not await conversation.answer(talk, message["bytes"] if text is None else text):
                    return
        except WebSocketDisconnectError as exc:
            leave(exc.code)

    endpoint.__annotations__ = {"websocket": WebSocket}  # BlackSheep reads them
    app.router.add_ws(PATH, endpoint)
    made: ASGI = app
    return made
