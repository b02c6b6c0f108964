from __future__ import annotations

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from mangum.types import ASGI

from . import common


def make_app() -> ASGI:
    return Starlette(
        routes=[
            Route("/json", json, methods=["POST"]),
            Route("/items/{name:path}", item),
            Route("/query", query),
            Route("/cookies", cookies),
            Route("/upload", upload, methods=["POST"]),
            Route("/download", download),
            Route("/stream", stream),
            Route("/long", long),
            Route("/redirect", redirect),
            Route("/error", error),
            Route("/background", background),
        ],
        middleware=[Middleware(GZipMiddleware)],
        lifespan=common.lifespan,
    )


async def json(request: Request) -> Response:
    return JSONResponse({"received": await request.json()})


async def item(request: Request) -> Response:
    return JSONResponse({"name": request.path_params["name"]})


async def query(request: Request) -> Response:
    return JSONResponse({"tags": request.query_params.getlist("tag")})


async def cookies(request: Request) -> Response:
    response = JSONResponse({"cookies": request.cookies})
    response.set_cookie(*common.SESSION)
    response.set_cookie(*common.THEME, expires=common.COOKIE_EXPIRES)
    return response


async def upload(request: Request) -> Response:
    async with request.form() as form:
        title, file = form["title"], form["file"]
        assert isinstance(title, str)
        assert isinstance(file, UploadFile)
        described = common.describe_upload(
            title, file.filename, file.content_type, await file.read()
        )
    return JSONResponse(described)


async def download(_request: Request) -> Response:
    return Response(common.BINARY, media_type="application/octet-stream")


async def stream(_request: Request) -> Response:
    return StreamingResponse(common.streamed(), media_type="text/plain; charset=utf-8")


async def long(_request: Request) -> Response:
    return PlainTextResponse(common.LONG_TEXT)


async def redirect(_request: Request) -> Response:
    return RedirectResponse(common.REDIRECT_TO)


async def error(_request: Request) -> Response:
    common.fail()
    return Response()


async def background(_request: Request) -> Response:
    return JSONResponse({"queued": True}, background=BackgroundTask(common.work_in_background))
