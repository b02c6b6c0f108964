"""The application behind this project's adapter, with connections in DynamoDB."""

from __future__ import annotations

import os
from functools import cache

from benchmarks.sockets.app import app
from mangum import Mangum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence
    from typing import Any

    from mangum.websockets.gateway import ConnectionGateway

MODE: Any = os.environ["MODE"]
handler = Mangum(
    app,
    lifespan="off",
    edition="2026",
    websocket_mode=MODE,
    dsn="dynamodb://ours",
)


def fan_out(connection_ids: Sequence[str], data: bytes) -> None:
    from mangum.websockets.groups import post_all

    loop, gateway = way_out()
    assert loop.run_until_complete(post_all(gateway, connection_ids, data)) == set()


@cache
def way_out() -> tuple[AbstractEventLoop, ConnectionGateway]:
    from asyncio import new_event_loop

    from mangum.websockets.gateway import ConnectionGateway

    return new_event_loop(), ConnectionGateway(
        os.environ["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"]
    )
