"""A FastAPI application: routes with parameters and a response model, the second of them in the
thread pool, one that reads a body, one that writes one."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from benchmarks.payloads import payload

app = FastAPI()


class Item(BaseModel):
    hello: str
    id: int
    q: str | None = None


@app.get("/items/{id}", response_model=Item)
async def item(id: int, q: str | None = None, limit: int = 5) -> Any:
    return {"hello": "world", "id": id, "q": q}


@app.get("/sync/{id}", response_model=Item)
def item_in_thread(id: int, q: str | None = None, limit: int = 5) -> Any:
    return {"hello": "world", "id": id, "q": q}


@app.post("/in")
async def read(request: Request) -> Any:
    return {"bytes": len(await request.body())}


@app.get("/out/{body}")
async def write(body: str) -> Response:
    sent = payload(body)
    return Response(sent.data, media_type=sent.content_type)
