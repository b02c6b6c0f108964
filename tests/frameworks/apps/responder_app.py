from __future__ import annotations

import responder
from responder import Request, Response

from mangum.types import ASGI

from . import common


def make_app() -> ASGI:
    api = responder.API(secret_key="a secret of the application" * 2, lifespan=common.lifespan)
    api.add_route("/json", json, methods=["POST"])
    api.add_route("/items/{name:path}", item)
    api.add_route("/query", query)
    api.add_route("/cookies", cookies)
    api.add_route("/upload", upload, methods=["POST"])
    api.add_route("/download", download)
    api.add_route("/stream", stream)
    api.add_route("/long", long)
    api.add_route("/redirect", redirect)
    api.add_route("/error", error)
    api.add_route("/background", background)
    return api


async def json(req: Request, resp: Response) -> None:
    resp.media = {"received": await req.media()}


async def item(req: Request, resp: Response, *, name: str) -> None:
    resp.media = {"name": name}


async def query(req: Request, resp: Response) -> None:
    resp.media = {"tags": req.params.get_list("tag")}


async def cookies(req: Request, resp: Response) -> None:
    resp.media = {"cookies": req.cookies}
    resp.set_cookie(*common.SESSION)
    resp.set_cookie(*common.THEME, expires=common.COOKIE_EXPIRES_TEXT)


async def upload(req: Request, resp: Response) -> None:
    title = (await req.media("form"))["title"]
    file = (await req.media("files"))["file"]
    resp.media = common.describe_upload(title, file.filename, file.content_type, await file.read())
    await file.close()


async def download(req: Request, resp: Response) -> None:
    resp.content = common.BINARY
    resp.mimetype = "application/octet-stream"


async def stream(req: Request, resp: Response) -> None:
    resp.stream(common.streamed)
    resp.mimetype = "text/plain; charset=utf-8"


async def long(req: Request, resp: Response) -> None:
    resp.text = common.LONG_TEXT


async def redirect(req: Request, resp: Response) -> None:
    resp.redirect(common.REDIRECT_TO, status_code=307)


async def error(req: Request, resp: Response) -> None:
    common.fail()


async def background(req: Request, resp: Response) -> None:
    resp.media = {"queued": True}
    resp.background(common.work_in_background)
