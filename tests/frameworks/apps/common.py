"""What every application serves, and the record of what it does beside answering.

    POST /json            the JSON it was sent, as {"received": …}
    GET  /items/{name}    {"name": …}; the name may hold slashes
    GET  /query           {"tags": […]}, every value of `tag`
    GET  /cookies         {"cookies": {…}} as the client sent them; sets SESSION and THEME
    POST /upload          what multipart/form-data held: {"title", "filename", "type", "data"}
    GET  /download        BINARY
    GET  /stream          STREAMED, a chunk at a time
    GET  /long            LONG_TEXT, compressed where the client accepts gzip
    GET  /redirect        307 to REDIRECT_TO
    GET  /error           raises Failure
    GET  /background      {"queued": true}, then `work_in_background`

Any other path is a 404. Startup and shutdown are recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any, TypedDict

from starlette.middleware.gzip import GZipMiddleware

from mangum.types import ASGI

BINARY = bytes(range(256))
STREAMED = ("first\n", "zweite ä\n", "third\n")
LONG_TEXT = "Compress me, ähem. " * 200
SESSION = ("session", "abc123")
THEME = ("theme", "dark")
COOKIE_EXPIRES = datetime(2041, 1, 2, 3, 4, 5, tzinfo=timezone.utc)  # its text holds a comma
COOKIE_EXPIRES_TEXT = format_datetime(COOKIE_EXPIRES, usegmt=True)
SET_COOKIES = (  # as they are written by applications that write headers themselves
    "{}={}; Path=/".format(*SESSION),
    "{}={}; Path=/; Expires={}".format(*THEME, COOKIE_EXPIRES_TEXT),
)
REDIRECT_TO = "/items/caf%C3%A9?a=1&a=2"

STARTED, STOPPED, WORKED = "started", "stopped", "worked in background"

happened: list[str] = []


class Failure(Exception):
    """What /error raises."""


class Upload(TypedDict):
    title: str
    filename: str | None
    type: str | None
    data: str


def describe_upload(title: str, filename: str | None, content_type: str | None, data: bytes) -> Any:
    return Upload(title=title, filename=filename, type=content_type, data=data.hex())


def fail() -> None:
    raise Failure("a secret of the application")


def compressed(app: Any) -> ASGI:
    """With Starlette's compression around it, for frameworks that have none."""
    return GZipMiddleware(app)


async def work_in_background() -> None:
    await asyncio.sleep(0)
    happened.append(WORKED)


async def streamed() -> AsyncIterator[bytes]:
    for text in STREAMED:
        await asyncio.sleep(0)
        yield text.encode()


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    happened.append(STARTED)
    yield
    happened.append(STOPPED)


async def start(*_args: object) -> None:
    happened.append(STARTED)


async def stop(*_args: object) -> None:
    happened.append(STOPPED)
