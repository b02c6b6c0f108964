"""An example function: of all that is installed it needs Mangum alone, which a layer brings."""

from __future__ import annotations

import json
import os
from typing import Any

from mangum import Mangum
from mangum.types import Receive, Scope, Send

FIELDS = ("method", "path", "root_path", "scheme", "http_version", "server", "client")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await PROTOCOLS[scope["type"]](scope, receive, send)


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """`/reversed` gets its body back from the end, `/broken` raises, all else sees its scope."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"].endswith("/broken"):
        raise RuntimeError("on purpose")
    is_reversed = scope["path"].endswith("/reversed")
    kind = b"application/octet-stream" if is_reversed else b"application/json"
    headers = [(b"content-type", kind), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[::-1] if is_reversed else _seen(scope)})


def _seen(scope: Scope) -> bytes:
    seen: dict[str, Any] = {field: scope[field] for field in FIELDS}
    seen["query"] = scope["query_string"].decode("latin-1")
    seen["headers"] = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    return json.dumps(seen).encode()


async def talk(scope: Scope, receive: Receive, send: Send) -> None:
    """Says each message again, loudly."""
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        else:
            return


PROTOCOLS = {"lifespan": live, "http": answer, "websocket": talk}

handler = Mangum(
    app,
    lifespan="on",
    dsn=os.environ.get("CONNECTIONS_DSN"),
    api_gateway_endpoint_url=os.environ.get("CONNECTIONS_URL"),
)
