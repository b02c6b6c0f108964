"""A WebSocket API on uvicorn, and a gateway that calls a plain function in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from uvicorn.server import ServerState
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_client
from websockets.typing import Subprotocol

from mangum.local.messages import Answer, BadAnswer, Call, Event, Request, Trouble
from mangum.local.websocket_api import MAX_SIZE, WebSocketAPI, WebSocketOptions
from mangum.types import Receive, Scope, Send

HOST = "127.0.0.1"
HANG_S = 20

Function = Callable[[Event], Any]


class Fails(Exception):
    """Raised by a function: what is the matter with it."""

    def __init__(self, trouble: Trouble = Trouble.FUNCTION_ERROR) -> None:
        self.trouble = trouble


class FakeGateway:
    """Stands for `mangum.local.gateway.Gateway`: the function runs in a thread of this process, in
    as many at once as there are workers."""

    def __init__(self, function: Function, workers: int) -> None:
        self.function = function
        self.calls: list[Call] = []
        self.answers: list[Answer] = []
        self._threads = ThreadPoolExecutor(workers)

    async def call(self, call: Call) -> Answer:
        self.calls.append(call)
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._threads, self.function, call.event)
            answer = call.read(json.dumps(result).encode())
        except Fails as fault:
            answer = call.refuse(fault.trouble)
        except BadAnswer:
            answer = call.refuse(Trouble.BAD_RESULT)
        self.answers.append(answer)
        return answer

    def run(self, function: Callable[[], Any]) -> Any:
        """Call something where the function is called."""
        return self._threads.submit(function).result(HANG_S)

    def close(self) -> None:
        self._threads.shutdown()


class Running:
    """A running API, and what the function has been told."""

    def __init__(self, api: WebSocketAPI, gateway: FakeGateway, port: int) -> None:
        self.api = api
        self.gateway = gateway
        self.port = port
        self.url = f"ws://{HOST}:{port}/{api.options.stage}"
        self.endpoint = f"http://{HOST}:{port}/{api.options.stage}"
        self.loop: asyncio.AbstractEventLoop

    def connect(self, query: str = "", **options: Any) -> ClientConnection:
        offered = [Subprotocol(it) for it in options.pop("subprotocols", ())]
        defaults = {"proxy": None, "open_timeout": HANG_S, "subprotocols": offered or None}
        client: ClientConnection = connect_client(self.url + query, **{**defaults, **options})
        return client

    def open_raw(self) -> socket.socket:
        """A client that does nothing more after its handshake, which it does not wait for."""
        raw = socket.create_connection((HOST, self.port))
        raw.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        return raw

    def let_in(self, number: int = 1) -> str:
        """The id of the client with that number, as soon as it is connected."""
        connection_id = str(self.wait_for("CONNECT", number)["requestContext"]["connectionId"])
        wait_until(lambda: self.manage("GET", self.path(connection_id)).status == 200)
        return connection_id

    def manage(self, method: str, path: str, body: bytes = b"", **fields: Any) -> Answer:
        """The answer to a call, without HTTP."""
        answer: Answer = self.run(self.api.manage(Request(method, path, body=body, **fields)))
        return answer

    def post(self, connection_id: str, body: bytes = b"hello") -> Answer:
        return self.manage("POST", self.path(connection_id), body)

    def path(self, connection_id: str) -> str:
        return f"/{self.api.options.stage}/@connections/{connection_id}"

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(HANG_S)

    def events(self, event_type: str) -> list[Event]:
        """Those of a type that the function has been given, in order."""
        events = [call.event for call in list(self.gateway.calls)]
        return [it for it in events if it["requestContext"]["eventType"] == event_type]

    def wait_for(self, event_type: str, count: int = 1) -> Event:
        """The event with that number of its type, as soon as there is one."""
        wait_until(lambda: len(self.events(event_type)) >= count)
        return self.events(event_type)[count - 1]

    def connection_id(self) -> str:
        """Of the client that came last."""
        return str(self.events("CONNECT")[-1]["requestContext"]["connectionId"])


@contextlib.contextmanager
def serving(
    function: Function = lambda event: {"statusCode": 200}, *, workers: int = 8, **options: Any
) -> Iterator[Running]:
    """The function behind an API with those options."""
    gateway = FakeGateway(function, workers)
    api = WebSocketAPI(gateway, WebSocketOptions(**options))
    with socket.create_server((HOST, 0)) as listener:
        running = Running(api, gateway, listener.getsockname()[1])
        started, ended = threading.Event(), threading.Event()
        thread = threading.Thread(target=_run, args=(running, listener, started, ended))
        thread.start()
        try:
            assert started.wait(HANG_S)
            yield running
        finally:
            ended.set()
            thread.join(HANG_S)
            gateway.close()
            assert not thread.is_alive()


def wait_until(condition: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline_s, "it does not come to pass"
        time.sleep(0.005)


def _run(
    running: Running, listener: socket.socket, started: threading.Event, ended: threading.Event
) -> None:
    """Serve with uvicorn's protocols, but without its server, which takes its time to end."""
    config = uvicorn.Config(
        _application(running.api),
        ws="websockets-sansio",
        ws_max_size=MAX_SIZE,  # type: ignore[arg-type] # it goes to websockets as it is
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        proxy_headers=False,
        log_config=None,
    )
    config.load()
    state = ServerState()

    def protocol() -> asyncio.Protocol:
        made: Any = config.http_protocol_class
        accepted: asyncio.Protocol = made(config=config, server_state=state, app_state={})
        return accepted

    async def main() -> None:
        running.loop = asyncio.get_running_loop()
        server = await running.loop.create_server(protocol, sock=listener)
        started.set()
        await asyncio.to_thread(ended.wait)
        await running.api.close()
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        while state.connections or state.tasks:  # noqa: ASYNC110 # nothing may be left
            await asyncio.sleep(0.005)

    asyncio.run(main())


def _application(api: WebSocketAPI) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await api(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = await api.manage(_read_request(scope, body))
        headers = [(key.encode(), value.encode()) for key, value in answer.headers]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    return app


def _read_request(scope: Scope, body: bytes) -> Request:
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(key.decode("latin-1"), it.decode("latin-1")) for key, it in scope["headers"]],
        body=body,
    )
