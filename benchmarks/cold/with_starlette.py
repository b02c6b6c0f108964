"""A Starlette application with one route."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mangum import Mangum


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": "world"})


handler = Mangum(Starlette(routes=[Route("/", hello)]), lifespan="off")
