"""One visitor of the board. `groups` makes Channels add and remove it by itself."""

from __future__ import annotations

import json
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

GROUP = "board"
MOST_CHARACTERS = 500


def notice(text: str) -> dict[str, str]:
    """The message to the group that `Board.board_notice` handles."""
    return {"type": "board.notice", "text": text[:MOST_CHARACTERS]}


class Board(AsyncJsonWebsocketConsumer):
    """Nothing is kept in `self`: a consumer may be brought up in another environment for each
    message."""

    groups = (GROUP,)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        try:
            return json.loads(text_data)
        except ValueError:
            return None

    async def receive_json(self, content: Any, **_: Any) -> None:
        match content:
            case {"pin": str(text)} if text.strip():
                await self.channel_layer.group_send(GROUP, notice(text.strip()))
            case _:
                await self.send_json({"error": 'That is no {"pin": "…"}.'})

    async def board_notice(self, message: dict[str, Any]) -> None:
        await self.send_json({"notice": message["text"]})
