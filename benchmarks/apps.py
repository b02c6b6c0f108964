"""The applications: bare ASGI, Starlette and FastAPI, each imported only when it is asked for.

Every one has a lifespan. Nothing here imports mangum: which one is measured is for the process to
decide.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.payloads import NONE, payload

if TYPE_CHECKING:
    from mangum.types import ASGI, Receive, Scope, Send

BARE = "bare"
FRAMEWORKS = {
    "Starlette": ("benchmarks.starlette_app", "/items/42"),
    "FastAPI": ("benchmarks.fastapi_app", "/items/42"),
    "FastAPI sync": ("benchmarks.fastapi_app", "/sync/42"),
}
"""The module of each, and the path of its route without a body; "sync" runs in the thread pool."""

APPS = (BARE, *FRAMEWORKS)

HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"33"),
    (b"x-request-id", b"abc"),
    (b"set-cookie", b"a=1; Path=/"),
]
BODY = b'{"hello":"world","id":"42","n":1}'


def make_app(name: str, direction: str = "", body: str = NONE) -> ASGI:
    """The application of a row, whose body goes `"in"` or `"out"`."""
    if name == BARE:
        return bare(reads=direction == "in", body=body if direction == "out" else NONE)
    module, _ = FRAMEWORKS[name]
    app: ASGI = import_module(module).app
    return app


def path_of(name: str, direction: str = "", body: str = NONE) -> str:
    """The path of the route that a row calls."""
    if direction == "in":
        return "/in"
    if direction == "out":
        return f"/out/{body}"
    return "/items/42" if name == BARE else FRAMEWORKS[name][1]


def response_with(body: str) -> dict[str, Any]:
    """An answer as it reaches the adapter."""
    sent = payload(body)
    if not sent.data:
        return {"status": 200, "headers": HEADERS, "body": BODY}
    length = str(len(sent.data)).encode()
    headers = [(b"content-type", sent.content_type.encode()), (b"content-length", length)]
    return {"status": 200, "headers": headers, "body": sent.data}


def answered(half: Any, response: dict[str, Any]) -> Any:
    """The `Exchange` of a half of the hot path, when an application has answered so."""
    exchange = half.Exchange({"type": "http"}, b"")
    status, headers, body = response["status"], response["headers"], response["body"]
    exchange.take({"type": "http.response.start", "status": status, "headers": headers})
    exchange.take({"type": "http.response.body", "body": body})
    return exchange


def bare(reads: bool = False, body: str = NONE) -> ASGI:
    """The least that an application does; `reads` the request's body, answers with `body`."""
    response = response_with(body)
    status, headers, data = response["status"], response["headers"], response["body"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        while reads and (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
