from __future__ import annotations

import json as jsonlib
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from mangum.types import ASGI

from . import common


def make_app() -> ASGI:
    set_up_django()
    return get_asgi_application()


def set_up_django() -> None:
    """Once per process: Django's settings are the process's."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],
            ROOT_URLCONF=__name__,
            SECRET_KEY="a secret of the application",
        )
        django.setup()


async def json(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"received": jsonlib.loads(request.body)})


def item(_request: HttpRequest, name: str) -> HttpResponse:
    """Not a coroutine: runs in a thread."""
    return JsonResponse({"name": name})


async def query(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"tags": request.GET.getlist("tag")})


async def cookies(request: HttpRequest) -> HttpResponse:
    response = JsonResponse({"cookies": request.COOKIES})
    response.set_cookie(*common.SESSION)
    response.set_cookie(*common.THEME, expires=common.COOKIE_EXPIRES)
    return response


async def upload(request: HttpRequest) -> HttpResponse:
    return JsonResponse(describe_upload(request))


def describe_upload(request: HttpRequest) -> Any:
    file = request.FILES["file"]
    title = request.POST["title"]
    return common.describe_upload(title, file.name, file.content_type, file.read())


async def download(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(common.BINARY, content_type="application/octet-stream")


async def stream(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(common.streamed(), content_type="text/plain; charset=utf-8")


async def long(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(common.LONG_TEXT, content_type="text/plain; charset=utf-8")


async def redirect(_request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(common.REDIRECT_TO, status=307)


async def error(_request: HttpRequest) -> HttpResponse:
    common.fail()
    return HttpResponse()


urlpatterns = [
    path("json", json),
    path("items/<path:name>", item),
    path("query", query),
    path("cookies", cookies),
    path("upload", upload),
    path("download", download),
    path("stream", stream),
    path("long", long),
    path("redirect", redirect),
    path("error", error),
]
