from __future__ import annotations

from falcon import HTTP_307
from falcon.asgi import App, Request, Response

from mangum.types import ASGI

from . import common


def make_app() -> ASGI:
    app = App(middleware=[Lifespan()])
    app.add_route("/json", Json())
    app.add_route("/items/{name:path}", Item())
    app.add_route("/query", Query())
    app.add_route("/cookies", Cookies())
    app.add_route("/upload", Upload())
    app.add_route("/download", Download())
    app.add_route("/stream", Stream())
    app.add_route("/long", Long())
    app.add_route("/redirect", Redirect())
    app.add_route("/error", Error())
    app.add_route("/background", Background())
    return common.compressed(app)


class Lifespan:
    process_startup = staticmethod(common.start)
    process_shutdown = staticmethod(common.stop)


class Json:
    async def on_post(self, req: Request, resp: Response) -> None:
        resp.media = {"received": await req.get_media()}


class Item:
    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        resp.media = {"name": name}


class Query:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {"tags": req.get_param_as_list("tag")}


class Cookies:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {"cookies": req.cookies}
        resp.set_cookie(*common.SESSION)
        resp.set_cookie(*common.THEME, expires=common.COOKIE_EXPIRES)


class Upload:
    async def on_post(self, req: Request, resp: Response) -> None:
        title = ""
        async for part in await req.get_media():
            if part.name == "title":
                title = await part.get_text()
            else:
                data = await part.get_data()
                resp.media = common.describe_upload(title, part.filename, part.content_type, data)


class Download:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = "application/octet-stream"
        resp.data = common.BINARY


class Stream:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = "text/plain; charset=utf-8"
        resp.stream = common.streamed()


class Long:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = "text/plain; charset=utf-8"
        resp.text = common.LONG_TEXT


class Redirect:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.status = HTTP_307
        resp.location = common.REDIRECT_TO


class Error:
    async def on_get(self, req: Request, resp: Response) -> None:
        common.fail()


class Background:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {"queued": True}
        resp.schedule(common.work_in_background)
