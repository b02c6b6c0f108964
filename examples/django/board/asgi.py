"""HTTP goes to Django, WebSockets to the consumer."""

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

views = get_asgi_application()  # sets Django up, which what follows needs

from board.consumers import Board  # noqa: E402

application = ProtocolTypeRouter(
    {"http": views, "websocket": URLRouter([path("ws", Board.as_asgi())])}
)
