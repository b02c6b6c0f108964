"""No framework: what the ASGI specification alone gives."""

from __future__ import annotations

import gzip
import json as jsonlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from email.message import Message as EmailMessage
from email.parser import BytesParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from mangum.types import ASGI, Receive, Scope, Send

from . import common

Header = tuple[bytes, bytes]


@dataclass
class Exchange:
    scope: Scope
    receive: Receive
    send: Send

    @property
    def path(self) -> str:
        path: str = self.scope["path"]
        return path.removeprefix(self.scope.get("root_path", ""))

    def header(self, name: bytes) -> bytes:
        return dict(self.scope["headers"]).get(name, b"")

    async def body(self) -> bytes:
        body, more_body = b"", True
        while more_body:
            message = await self.receive()
            body += message.get("body", b"")
            more_body = message.get("more_body", False)
        return body

    async def answer(
        self, body: bytes, content_type: bytes, *headers: Header, status: int = 200
    ) -> None:
        await self.start(status, (b"content-type", content_type), *headers)
        await self.send({"type": "http.response.body", "body": body})

    async def answer_json(self, value: object, *headers: Header) -> None:
        await self.answer(jsonlib.dumps(value).encode(), b"application/json", *headers)

    async def start(self, status: int, *headers: Header) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})


def make_app() -> ASGI:
    return app


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    exchange = Exchange(scope, receive, send)
    first = exchange.path.split("/")[1]
    await ROUTES.get(first, not_found)(exchange)


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await common.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await common.stop()
    await send({"type": "lifespan.shutdown.complete"})


async def json(exchange: Exchange) -> None:
    await exchange.answer_json({"received": jsonlib.loads(await exchange.body())})


async def item(exchange: Exchange) -> None:
    await exchange.answer_json({"name": exchange.path.removeprefix("/items/")})


async def query(exchange: Exchange) -> None:
    tags = parse_qs(exchange.scope["query_string"].decode())["tag"]
    await exchange.answer_json({"tags": tags})


async def cookies(exchange: Exchange) -> None:
    sent = SimpleCookie(exchange.header(b"cookie").decode())
    await exchange.answer_json(
        {"cookies": {name: morsel.value for name, morsel in sent.items()}},
        *((b"set-cookie", line.encode()) for line in common.SET_COOKIES),
    )


async def upload(exchange: Exchange) -> None:
    head = b"Content-Type: " + exchange.header(b"content-type") + b"\r\n\r\n"
    title, file = _parts(BytesParser().parsebytes(head + await exchange.body()))
    await exchange.answer_json(
        common.describe_upload(
            _content(title).decode(), file.get_filename(), file.get_content_type(), _content(file)
        )
    )


async def download(exchange: Exchange) -> None:
    await exchange.answer(common.BINARY, b"application/octet-stream")


async def stream(exchange: Exchange) -> None:
    await exchange.start(200, (b"content-type", b"text/plain; charset=utf-8"))
    chunks: AsyncIterator[bytes] = common.streamed()
    async for chunk in chunks:
        await exchange.send({"type": "http.response.body", "body": chunk, "more_body": True})
    await exchange.send({"type": "http.response.body", "body": b""})


async def long(exchange: Exchange) -> None:
    body = common.LONG_TEXT.encode()
    encodings: list[Header] = []
    if b"gzip" in exchange.header(b"accept-encoding"):
        body = gzip.compress(body)
        encodings = [(b"content-encoding", b"gzip")]
    await exchange.answer(body, b"text/plain; charset=utf-8", *encodings)


async def redirect(exchange: Exchange) -> None:
    await exchange.start(307, (b"location", common.REDIRECT_TO.encode()))
    await exchange.send({"type": "http.response.body"})


async def error(exchange: Exchange) -> None:
    common.fail()


async def background(exchange: Exchange) -> None:
    await exchange.answer_json({"queued": True})
    await common.work_in_background()


async def not_found(exchange: Exchange) -> None:
    await exchange.answer(b"Not Found", b"text/plain", status=404)


def _parts(form: EmailMessage) -> list[Any]:
    payload = form.get_payload()
    assert isinstance(payload, list)
    return payload


def _content(part: Any) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


ROUTES: dict[str, Callable[[Exchange], Awaitable[None]]] = {
    "json": json,
    "items": item,
    "query": query,
    "cookies": cookies,
    "upload": upload,
    "download": download,
    "stream": stream,
    "long": long,
    "redirect": redirect,
    "error": error,
    "background": background,
}
