from __future__ import annotations

import gzip
import itertools
from urllib.parse import unquote

from sanic import Request, Sanic, response
from sanic.response import HTTPResponse

from mangum.types import ASGI

from . import common

MIN_COMPRESSED_BYTES = 500

_numbers = itertools.count(1)  # Sanic keeps its applications by name for the whole process


def make_app() -> ASGI:
    app = Sanic(f"Application{next(_numbers)}", configure_logging=False)
    app.config.TOUCHUP = False  # it rewrites Sanic's classes, for one application per process
    app.before_server_start(common.start)
    app.after_server_stop(common.stop)

    @app.post("/json")
    async def json(request: Request) -> HTTPResponse:
        return response.json({"received": request.json})

    @app.get("/items/<name:path>")
    async def item(_request: Request, name: str) -> HTTPResponse:
        return response.json({"name": unquote(name)})  # a path is handed over as it was sent

    @app.get("/query")
    async def query(request: Request) -> HTTPResponse:
        return response.json({"tags": request.args.getlist("tag")})

    @app.get("/cookies")
    async def cookies(request: Request) -> HTTPResponse:
        sent = {name: request.cookies.get(name) for name in request.cookies}
        answer = response.json({"cookies": sent})
        answer.add_cookie(*common.SESSION)
        answer.add_cookie(*common.THEME, expires=common.COOKIE_EXPIRES)
        return answer

    @app.post("/upload")
    async def upload(request: Request) -> HTTPResponse:
        assert request.form is not None
        assert request.files is not None
        title, file = request.form["title"][0], request.files["file"][0]
        return response.json(common.describe_upload(title, file.name, file.type, file.body))

    @app.get("/download")
    async def download(_request: Request) -> HTTPResponse:
        return response.raw(common.BINARY, content_type="application/octet-stream")

    @app.get("/stream")
    async def stream(request: Request) -> None:
        answer = await request.respond(content_type="text/plain; charset=utf-8")
        async for chunk in common.streamed():
            await answer.send(chunk)
        await answer.eof()

    @app.get("/long")
    async def long(_request: Request) -> HTTPResponse:
        return response.text(common.LONG_TEXT)

    @app.get("/redirect")
    async def redirect(_request: Request) -> HTTPResponse:
        return response.redirect(common.REDIRECT_TO, status=307)

    @app.get("/error")
    async def error(_request: Request) -> HTTPResponse:
        common.fail()
        return response.empty()

    @app.get("/background")
    async def background(request: Request) -> HTTPResponse:
        request.app.add_task(common.work_in_background())
        return response.json({"queued": True})

    app.on_response(compress)
    return app


async def compress(request: Request, answer: HTTPResponse) -> None:
    """Sanic has no compression; Starlette's, around it, would lose headers that are an iterator."""
    body = answer.body or b""
    if "gzip" in request.headers.get("accept-encoding", "") and len(body) > MIN_COMPRESSED_BYTES:
        answer.body = gzip.compress(body)
        answer.headers["content-encoding"] = "gzip"
