# FastAPI reads the annotations below: they stay the real types.
from typing import Annotated, Any

from fastapi import BackgroundTasks, FastAPI, File, Form, Query, Request, Response, UploadFile
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

from mangum.types import ASGI

from . import common


class Order(BaseModel):
    name: str
    amounts: list[int]


def make_app() -> ASGI:
    app = FastAPI(lifespan=common.lifespan)
    app.add_middleware(GZipMiddleware)

    @app.post("/json")
    async def json(order: Order) -> dict[str, Order]:
        return {"received": order}

    @app.get("/items/{name:path}")
    def item(name: str) -> dict[str, str]:
        """Not a coroutine: runs in a thread."""
        return {"name": name}

    @app.get("/query")
    async def query(tag: Annotated[list[str], Query()]) -> dict[str, list[str]]:
        return {"tags": tag}

    @app.get("/cookies")
    async def cookies(request: Request, response: Response) -> dict[str, dict[str, str]]:
        response.set_cookie(*common.SESSION)
        response.set_cookie(*common.THEME, expires=common.COOKIE_EXPIRES)
        return {"cookies": request.cookies}

    @app.post("/upload")
    async def upload(title: Annotated[str, Form()], file: Annotated[UploadFile, File()]) -> Any:
        return common.describe_upload(title, file.filename, file.content_type, await file.read())

    @app.get("/download")
    async def download() -> Response:
        return Response(common.BINARY, media_type="application/octet-stream")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(common.streamed(), media_type="text/plain; charset=utf-8")

    @app.get("/long")
    async def long() -> PlainTextResponse:
        return PlainTextResponse(common.LONG_TEXT)

    @app.get("/redirect")
    async def redirect() -> RedirectResponse:
        return RedirectResponse(common.REDIRECT_TO)

    @app.get("/error")
    async def error() -> None:
        common.fail()

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> dict[str, bool]:
        tasks.add_task(common.work_in_background)
        return {"queued": True}

    return app
