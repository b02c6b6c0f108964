"""Consumers of Channels, as its documentation has them: below Django's own URLs."""

from __future__ import annotations

import json as jsonlib
from io import BytesIO
from typing import Any

from channels.generic.http import AsyncHttpConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.urls import path, re_path

from mangum.types import ASGI

from . import common, django_app


def make_app() -> ASGI:
    django_app.set_up_django()
    routes = [path(route, consumer.as_asgi()) for route, consumer in CONSUMERS.items()]
    routes.append(re_path("", get_asgi_application()))
    return common.compressed(ProtocolTypeRouter({"http": URLRouter(routes)}))


class Consumer(AsyncHttpConsumer):
    def request(self, body: bytes = b"") -> ASGIRequest:
        """Django's view of the request: Channels has no parsers of its own."""
        return ASGIRequest(self.scope, BytesIO(body))

    async def answer(self, content: bytes, content_type: str, *more: tuple[bytes, bytes]) -> None:
        headers = [(b"content-type", content_type.encode()), *more]
        await self.send_response(200, content, headers=headers)

    async def answer_json(self, value: object, *more: tuple[bytes, bytes]) -> None:
        await self.answer(jsonlib.dumps(value).encode(), "application/json", *more)


class Json(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer_json({"received": jsonlib.loads(body)})


class Item(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer_json({"name": self.scope["url_route"]["kwargs"]["name"]})


class Query(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer_json({"tags": self.request().GET.getlist("tag")})


class Cookies(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer_json(
            {"cookies": self.request().COOKIES},
            *((b"set-cookie", line.encode()) for line in common.SET_COOKIES),
        )


class Upload(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer_json(django_app.describe_upload(self.request(body)))


class Download(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer(common.BINARY, "application/octet-stream")


class Stream(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.send_headers(headers=[(b"content-type", b"text/plain; charset=utf-8")])
        async for chunk in common.streamed():
            await self.send_body(chunk, more_body=True)
        await self.send_body(b"")


class Long(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer(common.LONG_TEXT.encode(), "text/plain; charset=utf-8")


class Redirect(Consumer):
    async def handle(self, body: bytes) -> None:
        location = (b"location", common.REDIRECT_TO.encode())
        await self.send_response(307, b"", headers=[location])


class Error(Consumer):
    async def handle(self, body: bytes) -> None:
        common.fail()


class Background(Consumer):
    async def handle(self, body: bytes) -> None:
        await self.answer_json({"queued": True})

    async def disconnect(self) -> None:
        """Channels' place for what comes after the answer."""
        await common.work_in_background()


CONSUMERS: dict[str, Any] = {
    "json": Json,
    "items/<path:name>": Item,
    "query": Query,
    "cookies": Cookies,
    "upload": Upload,
    "download": Download,
    "stream": Stream,
    "long": Long,
    "redirect": Redirect,
    "error": Error,
    "background": Background,
}
