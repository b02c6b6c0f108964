"""The Lambda function of a Django project: its HTTP views and its Channels consumers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "board.settings")

from board.asgi import application

from mangum import Mangum

handler = Mangum(
    application,
    edition="2026",
    lifespan="off",  # Django has none
    dsn=os.environ.get("BOARD_DSN")
    or f"sqlite:///{Path(tempfile.gettempdir()).absolute() / 'mangum-board.db'}",
    websocket_path="/ws",
    api_gateway_endpoint_url=os.environ.get("BOARD_ENDPOINT_URL"),
)
