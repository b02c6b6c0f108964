"""A bare application: answers each word of a message on its own, and closes when it is told to."""

from __future__ import annotations

from mangum.types import Receive, Scope, Send

from .served import adapt, note, serve


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert (await receive()) == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message["text"] == "close":
            await send({"type": "websocket.close", "code": 4000, "reason": "as you wish"})
            return
        for word in message["text"].split():
            await send({"type": "websocket.send", "text": word})
    note(message["code"], message.get("reason"))


handler = serve(adapt(app))
