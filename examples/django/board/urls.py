"""The page, and a view that pins a notice without a socket."""

from __future__ import annotations

from channels.layers import get_channel_layer
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from board.consumers import GROUP, notice


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "board.html", {"socket": settings.SOCKET_URL})


@require_POST
async def pin(request: HttpRequest) -> JsonResponse:
    text = request.POST.get("text", "").strip()
    if not text:
        return JsonResponse({"error": "A notice has a text."}, status=400)
    await get_channel_layer().group_send(GROUP, notice(text))
    return JsonResponse({"pinned": text}, status=201)


urlpatterns = [path("", page), path("notices", pin)]
