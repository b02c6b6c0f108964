"""Uploads, answers in pieces and server-sent events, as Starlette has them.

Mangum hands the request's body over whole and returns the answer whole: all of this works, but a
client sees the first piece when the last one is written. So whatever streams must come to an end.
"""

from __future__ import annotations

import hashlib
from asyncio import sleep
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mangum import Mangum

MOST = 100
PAUSE_S = 0.01  # between two pieces, in place of what makes them


async def index(request: Request) -> Response:
    return PlainTextResponse(
        "POST /uploads  a form with files\n"
        "PUT  /count    any body\n"
        "GET  /lines    text in pieces, ?count=10\n"
        "GET  /events   server-sent events, ?count=5\n"
    )


async def upload(request: Request) -> Response:
    """The files of a form: their names, sizes and digests, and the other fields."""
    files, fields = [], {}
    async with request.form(max_files=10) as form:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields[name] = value
                continue
            digest = hashlib.sha256()
            size = 0
            while chunk := await value.read(64 * 1024):
                digest.update(chunk)
                size += len(chunk)
            files.append(
                {
                    "field": name,
                    "filename": value.filename,
                    "type": value.content_type,
                    "bytes": size,
                    "sha256": digest.hexdigest(),
                }
            )
    return JSONResponse({"files": files, "fields": fields}, status_code=201)


async def count(request: Request) -> Response:
    """The body is read as it comes and never held as a whole, as far as that is up to us."""
    size = lines = chunks = 0
    async for chunk in request.stream():
        size += len(chunk)
        lines += chunk.count(b"\n")
        chunks += bool(chunk)
    return JSONResponse({"bytes": size, "lines": lines, "chunks": chunks})


async def lines(request: Request) -> Response:
    async def pieces() -> AsyncIterator[str]:
        for number in range(1, wanted + 1):
            yield f"line {number} of {wanted}\n"
            await sleep(PAUSE_S)

    wanted = _number(request.query_params.get("count", ""), 10)
    return StreamingResponse(pieces(), media_type="text/plain")


async def events(request: Request) -> Response:
    """A countdown. An `EventSource` connects again when the answer ends and says what it had last:
    it gets the rest, and a 204 when there is none, which tells it to stop."""

    async def pieces() -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        for number in range(had + 1, wanted + 1):
            yield f"id: {number}\nevent: tick\ndata: {wanted - number}\n\n"
            await sleep(PAUSE_S)

    wanted = _number(request.query_params.get("count", ""), 5)
    had = _number(request.headers.get("last-event-id", ""), 0)
    if had >= wanted:
        return Response(status_code=204)
    headers = {"cache-control": "no-store"}
    return StreamingResponse(pieces(), media_type="text/event-stream", headers=headers)


def _number(text: str, default: int) -> int:
    """What the client asks for, within bounds."""
    return min(int(text), MOST) if text.isascii() and text.isdigit() and len(text) < 9 else default


app = Starlette(
    routes=[
        Route("/", index),
        Route("/uploads", upload, methods=["POST"]),
        Route("/count", count, methods=["PUT", "POST"]),
        Route("/lines", lines),
        Route("/events", events),
    ]
)
handler = Mangum(app, edition="2026")
