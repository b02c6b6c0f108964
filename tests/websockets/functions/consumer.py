"""The rooms of `chat.py` as a consumer of Channels, with a layer for all environments."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from django.conf import settings

from .served import adapt, serve

settings.configure(
    CHANNEL_LAYERS={"default": {"BACKEND": "mangum.websockets.channels.ChannelLayer"}}
)
django.setup()


class Chat(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        query = dict(parse_qsl(self.scope["query_string"].decode()))
        self.room, self.name = query["room"], query["name"]
        await self.accept()
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.tell(f"{self.name} is here")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        said = json.loads(text_data or "")["say"]
        await self.tell(json.dumps({"from": self.name, "said": said}))

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)
        await self.tell(f"{self.name} has left")

    async def tell(self, text: str) -> None:
        await self.channel_layer.group_send(self.room, {"type": "chat.told", "text": text})

    async def chat_told(self, message: dict[str, Any]) -> None:
        await self.send(message["text"])


handler = serve(adapt(ProtocolTypeRouter({"websocket": Chat.as_asgi()})))
