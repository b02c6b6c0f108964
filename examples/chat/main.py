"""A chat with rooms: a page, a WebSocket for each visitor, and a small API beside them.

Any execution environment may serve any event, so what lasts is in the database (store.py), and a
message reaches the others through a group of connections. Nothing is kept in this process.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from asyncio import to_thread
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi import Path as PathParameter
from pydantic import BaseModel, StringConstraints, ValidationError
from store import DynamoDBStore, SQLiteStore, Store

from mangum import Mangum

HERE = Path(__file__).parent
DATA = Path(os.environ.get("CHAT_DATA") or Path(tempfile.gettempdir()) / "mangum-chat")
DSN = os.environ.get("CHAT_DSN", "")
TABLE = os.environ.get("CHAT_TABLE", "")  # of DynamoDB, for messages and people
SOCKET_URL = os.environ.get("CHAT_SOCKET_URL", "")  # else the page's own host serves /ws
ENDPOINT_URL = os.environ.get("CHAT_ENDPOINT_URL")  # of @connections, for what the API tells

if not (DSN and TABLE):
    DATA.mkdir(parents=True, exist_ok=True)

Room = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,40}$")]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\n]+$")
]


class MessageIn(BaseModel):
    name: Name
    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)
    ]  # far below the 32 KB of a frame from a client


class Message(MessageIn):
    id: int
    at: float  # seconds since 1970


store: Store = DynamoDBStore(TABLE) if TABLE else SQLiteStore(DATA / "chat.db")
app = FastAPI(title="Chat")


# --- the page -------------------------------------------------------------------------------------


@app.get("/", include_in_schema=False)
def page(request: Request) -> Response:
    nonce = secrets.token_urlsafe(16)
    values = {"base": request.scope["root_path"], "socket": SOCKET_URL}
    html = (HERE / "page.html").read_text(encoding="utf-8")
    html = html.replace("{{nonce}}", nonce)
    html = html.replace("{{settings}}", json.dumps(values).replace("<", "\\u003c"))
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}';"
        " connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Response(html, media_type="text/html", headers=headers)


# --- the sockets ----------------------------------------------------------------------------------


@app.websocket("/ws")
async def chat(
    websocket: WebSocket, room: Annotated[Room, Query()], name: Annotated[Name, Query()]
) -> None:
    """One visitor. A session may go on in another environment, from the top and with the next
    message: so what is done before the loop does no harm if it is done again."""
    connection_id: str = websocket.scope["aws.connection_id"]
    await websocket.accept()
    await handler.groups.group_add(room)
    async for text in websocket.iter_text():
        match _read(text):
            case {"type": "hello"}:  # now the visitor can be written to
                await to_thread(store.enter, room, connection_id, name)
                await websocket.send_json({"type": "welcome", "room": room, "name": name})
                await tell_people(room)
            case {"type": "say", "text": str(said)}:
                try:
                    await say(room, MessageIn(name=name, text=said))
                except ValidationError:
                    problem = "A message has 1 to 2,000 characters."
                    await websocket.send_json({"type": "error", "text": problem})
            case {"type": "ping"}:  # keeps the connection open, which API Gateway else closes
                await websocket.send_json({"type": "pong"})
            case _:
                await websocket.send_json({"type": "error", "text": "What is that?"})
    await handler.groups.group_discard(room)
    await to_thread(store.leave, room, [connection_id])
    await tell_people(room)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def say(room: str, message: MessageIn) -> Message:
    """Keep a message and send it to everybody in the room."""
    number, at = await to_thread(store.add, room, message.name, message.text)
    kept = Message(id=number, at=at, name=message.name, text=message.text)
    gone = await handler.groups.group_send(room, json={"type": "message", **kept.model_dump()})
    await forget(room, gone)
    return kept


async def tell_people(room: str) -> None:
    """Send everybody in the room the names of those who are there."""
    people = await to_thread(store.people, room)
    gone = await handler.groups.group_send(room, json={"type": "people", "people": people})
    await forget(room, gone)


async def forget(room: str, gone: Collection[str]) -> None:
    """Who has left without a word is found out when a message can't be delivered. They may stay in
    the group for some time, so the others are told only of those who were thought to be there."""
    if not gone:
        return
    if await to_thread(store.leave, room, gone):
        await tell_people(room)


# --- the API --------------------------------------------------------------------------------------

InPath = Annotated[Room, PathParameter()]


@app.get("/api/rooms/{room}/messages")
def read_messages(
    room: InPath,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=10**12)] = None,
) -> list[Message]:
    """The latest messages, oldest first; with `before`, those before the one with that id."""
    return [Message(**row) for row in store.messages(room, limit, before)]


@app.post("/api/rooms/{room}/messages", status_code=201)
async def post_message(room: InPath, message: MessageIn) -> Message:
    """Say something without a socket; it reaches those who have one."""
    return await say(room, message)


@app.get("/api/rooms/{room}/people")
def read_people(room: InPath) -> list[str]:
    return store.people(room)


handler = Mangum(
    app,
    edition="2026",
    dsn=DSN or f"sqlite:///{DATA.absolute()}/chat.db",
    websocket_path="/ws",
    api_gateway_endpoint_url=ENDPOINT_URL,
)
