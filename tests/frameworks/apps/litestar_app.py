# Litestar reads the annotations below: they stay the real types.
from datetime import datetime, timezone
from typing import Annotated, Any

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.datastructures import UploadFile
from litestar.params import FromPath, JSONBody, MultipartBody, QueryParameter
from litestar.response import Redirect, Stream
from litestar.status_codes import HTTP_200_OK, HTTP_307_TEMPORARY_REDIRECT

from mangum.types import ASGI

from . import common


def make_app() -> ASGI:
    app: Any = Litestar(
        [
            json,
            item,
            query,
            cookies,
            upload,
            download,
            stream,
            long,
            redirect,
            error,
            background,
        ],
        compression_config=CompressionConfig(backend="gzip"),
        lifespan=[common.lifespan],
    )
    return app


@post("/json", status_code=HTTP_200_OK)
async def json(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    return {"received": data}


@get("/items/{name:path}")
async def item(name: FromPath[str]) -> dict[str, str]:
    return {"name": name.removeprefix("/")}  # a path of Litestar's starts with its slash


@get("/query")
async def query(tags: Annotated[list[str], QueryParameter(name="tag")]) -> dict[str, list[str]]:
    return {"tags": tags}


@get("/cookies")
async def cookies(request: Request[Any, Any, Any]) -> Response[dict[str, dict[str, str]]]:
    response = Response({"cookies": request.cookies})
    response.set_cookie(*common.SESSION)
    response.set_cookie(*common.THEME, expires=seconds_to_expiry())
    return response


def seconds_to_expiry() -> int:
    return round((common.COOKIE_EXPIRES - datetime.now(timezone.utc)).total_seconds())


@post("/upload", status_code=HTTP_200_OK)
async def upload(data: MultipartBody[dict[str, Any]]) -> dict[str, Any]:
    file: UploadFile = data["file"]
    return dict(
        common.describe_upload(data["title"], file.filename, file.content_type, await file.read())
    )


@get("/download", media_type="application/octet-stream")
async def download() -> bytes:
    return common.BINARY


@get("/stream", media_type="text/plain; charset=utf-8")
async def stream() -> Stream:
    return Stream(common.streamed())


@get("/long", media_type=MediaType.TEXT)
async def long() -> str:
    return common.LONG_TEXT


@get("/redirect", status_code=HTTP_307_TEMPORARY_REDIRECT)
async def redirect() -> Redirect:
    return Redirect(common.REDIRECT_TO, status_code=HTTP_307_TEMPORARY_REDIRECT)


@get("/error")
async def error() -> None:
    common.fail()


@get("/background")
async def background() -> Response[dict[str, bool]]:
    return Response({"queued": True}, background=BackgroundTask(common.work_in_background))
