"""A picture gallery on AWS Lambda, written as for any server: only the last lines know of Mangum.

Try it with a recorded event: `mangum invoke main:handler events/rest.json`
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import (
    Cookie,
    Depends,
    FastAPI,
    Form,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
)
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from mangum import Mangum


@dataclass
class Picture:
    name: str
    color: str
    image: bytes
    comments: list[str] = field(default_factory=list)


class PictureOut(BaseModel):
    name: str
    color: str
    url: str
    comments: list[str]


class CommentIn(BaseModel):
    message: str


def dot(red: int, green: int, blue: int) -> bytes:
    """A GIF of one pixel."""
    palette = bytes((red, green, blue, 0, 0, 0))
    return b"GIF89a\1\0\1\0\x80\0\0" + palette + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


# --- lifespan: what is made here once is there for every request ----------------------------------


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    gallery = {
        picture.name: picture
        for picture in (
            Picture("red-square", "red", dot(220, 40, 40)),
            Picture("blue-moon", "blue", dot(40, 80, 220)),
            Picture("green-leaf", "green", dot(40, 160, 80)),
        )
    }
    yield {"gallery": gallery}  # becomes request.state.gallery
    gallery.clear()


app = FastAPI(title="Gallery", lifespan=lifespan)


def get_gallery(request: Request) -> dict[str, Picture]:
    gallery: dict[str, Picture] = request.state.gallery
    return gallery


Gallery = Annotated[dict[str, Picture], Depends(get_gallery)]


def get_picture(name: str, gallery: Gallery) -> Picture:
    if name not in gallery:
        raise HTTPException(404, f"There is no picture {name!r}.")
    return gallery[name]


Shown = Annotated[Picture, Depends(get_picture)]


def show(picture: Picture, request: Request) -> PictureOut:
    """The URL is one that the client can follow, with the stage of a REST API for instance."""
    url = request.url_for("get_image", name=picture.name)
    return PictureOut(
        name=picture.name, color=picture.color, url=str(url), comments=picture.comments
    )


# --- JSON, path and query parameters, a cookie ----------------------------------------------------


@app.get("/")
def list_pictures(
    gallery: Gallery,
    response: Response,
    colors: Annotated[list[str] | None, Query(alias="colors[]")] = None,
    visits: Annotated[int, Cookie()] = 0,
) -> dict[str, Any]:
    response.set_cookie("visits", str(visits + 1), httponly=True, secure=True, samesite="lax")
    names = [it.name for it in gallery.values() if colors is None or it.color in colors]
    return {"visit": visits + 1, "pictures": names}


@app.get("/pictures/{name}")
def read_picture(picture: Shown, request: Request) -> PictureOut:
    return show(picture, request)


@app.put("/pictures/{name}")
def recolor_picture(picture: Shown, color: str, request: Request) -> PictureOut:
    picture.color = color
    return show(picture, request)


@app.post("/pictures/{name}/comments", status_code=201)
def comment(picture: Shown, comment: CommentIn, request: Request) -> PictureOut:
    picture.comments.append(comment.message)
    return show(picture, request)


# --- bytes in both directions ---------------------------------------------------------------------


@app.post("/pictures", status_code=201)
async def upload(
    name: Annotated[str, Form(pattern="^[a-z-]+$")],
    color: Annotated[str, Form()],
    image: UploadFile,
    gallery: Gallery,
    request: Request,
    response: Response,
) -> PictureOut:
    gallery[name] = Picture(name, color, await image.read())
    picture = show(gallery[name], request)
    response.headers["location"] = picture.url
    return picture


@app.get("/pictures/{name}/image")
def get_image(picture: Shown) -> Response:
    return Response(picture.image, media_type="image/gif")


@app.get("/picture.jpg")
def moved(request: Request) -> RedirectResponse:
    return RedirectResponse(request.url_for("get_image", name="blue-moon"), status_code=308)


@app.get("/badge.svg")
def badge(gallery: Gallery) -> Response:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20">'
        f'<text x="4" y="14">{len(gallery)} pictures</text></svg>'
    )
    return Response(svg, media_type="image/svg+xml")


# --- events that are not requests: here the messages of an SQS queue ------------------------------


@app.post("/events", include_in_schema=False)
def take_orders(event: dict[str, Any], gallery: Gallery) -> dict[str, Any]:
    """Comment the pictures that the messages name; what can't be read goes back to the queue."""
    failures = []
    for record in event["Records"]:
        try:
            order = json.loads(record["body"])
            gallery[order["picture"]].comments.append(order["message"])
        except (ValueError, LookupError):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


handler = Mangum(app, edition="2026", events_path="/events")
