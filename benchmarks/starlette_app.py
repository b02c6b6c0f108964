"""A Starlette application: a route with a parameter, one that reads a body, one that writes one."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.payloads import payload


async def item(request: Request) -> Response:
    query = request.query_params.get("q")
    return JSONResponse({"hello": "world", "id": request.path_params["id"], "q": query})


async def read(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def write(request: Request) -> Response:
    sent = payload(request.path_params["body"])
    return Response(sent.data, media_type=sent.content_type)


app = Starlette(
    routes=[
        Route("/items/{id}", item),
        Route("/in", read, methods=["POST"]),
        Route("/out/{body}", write),
    ]
)
