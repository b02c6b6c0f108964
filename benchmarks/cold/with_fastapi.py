"""A FastAPI application with one route."""

from __future__ import annotations

from fastapi import FastAPI

from mangum import Mangum

app = FastAPI()


@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


handler = Mangum(app, lifespan="off")
