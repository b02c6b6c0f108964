from __future__ import annotations

from typing import Any

from quart import Quart, Response, jsonify, redirect, request

from mangum.types import ASGI

from . import common


def make_app() -> ASGI:
    app = Quart(__name__)
    app.before_serving(common.start)
    app.after_serving(common.stop)

    @app.post("/json")
    async def json() -> dict[str, Any]:
        return {"received": await request.get_json()}

    @app.get("/items/<path:name>")
    async def item(name: str) -> dict[str, str]:
        return {"name": name}

    @app.get("/query")
    async def query() -> dict[str, list[str]]:
        return {"tags": request.args.getlist("tag")}

    @app.get("/cookies")
    async def cookies() -> Response:
        response = jsonify(cookies=request.cookies)
        response.set_cookie(*common.SESSION)
        response.set_cookie(*common.THEME, expires=common.COOKIE_EXPIRES)
        return response

    @app.post("/upload")
    async def upload() -> Any:
        file = (await request.files)["file"]
        title = (await request.form)["title"]
        return common.describe_upload(title, file.filename, file.content_type, file.read())

    @app.get("/download")
    async def download() -> Response:
        return Response(common.BINARY, mimetype="application/octet-stream")

    @app.get("/stream")
    async def stream() -> Response:
        return Response(common.streamed(), mimetype="text/plain")

    @app.get("/long")
    async def long() -> Response:
        return Response(common.LONG_TEXT, mimetype="text/plain")

    @app.get("/redirect")
    async def redirected() -> Any:
        return redirect(common.REDIRECT_TO, 307)

    @app.get("/error")
    async def error() -> str:
        common.fail()
        return ""

    @app.get("/background")
    async def background() -> dict[str, bool]:
        app.add_background_task(common.work_in_background)
        return {"queued": True}

    return common.compressed(app)
