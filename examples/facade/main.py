"""A counter that everybody sees and turns, with the three callbacks of `MangumWS`.

`MangumWS` remembers no connections: that is the application's part, here in the same table as the
count (store.py), so that any execution environment can answer any message.
"""

from __future__ import annotations

import os
import tempfile
from asyncio import to_thread
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from store import DynamoDBStore, SQLiteStore, Store

from mangum import Mangum, MangumWS

TABLE = os.environ.get("COUNTER_TABLE", "")  # of DynamoDB
FILE = os.environ.get("COUNTER_FILE") or Path(tempfile.gettempdir()) / "mangum-counter.db"
SOCKET_URL = os.environ.get("COUNTER_SOCKET_URL", "")  # else the page's own host serves /ws
ENDPOINT = os.environ.get("COUNTER_ENDPOINT_URL") or os.environ.get(
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"  # which `mangum serve` sets
)
MOST = 1_000  # that a message may add

store: Store = DynamoDBStore(TABLE) if TABLE else SQLiteStore(FILE)
app = FastAPI(title="Counter")
ws = MangumWS(endpoint_url=ENDPOINT)


@ws.on_connect
async def joined(connection_id: str) -> None:
    await to_thread(store.join, connection_id)


@ws.on_message
async def turned(connection_id: str, data: Any) -> None:
    """`{"add": 1}` is for all; `{"add": 0}` only asks, as a page does when it opens."""
    add = data.get("add") if isinstance(data, dict) else None
    if type(add) is not int or abs(add) > MOST:
        await ws.send_to_connection(connection_id, {"error": f"add is a number up to {MOST}"})
    elif add == 0:
        # Who was sent something before API Gateway had let it in was taken for gone.
        await to_thread(store.join, connection_id)
        await ws.send_to_connection(connection_id, {"count": await to_thread(store.count)})
    else:
        count = await to_thread(store.add, add)
        gone = await ws.send(await to_thread(store.joined), {"count": count})
        await to_thread(store.leave, gone)


@ws.on_disconnect
async def left(connection_id: str) -> None:
    await to_thread(store.leave, [connection_id])


@app.get("/api/count")
def read_count() -> dict[str, int]:
    return {"count": store.count()}


@app.get("/", include_in_schema=False)
def page() -> Response:
    html = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    return Response(html.replace("{{socket}}", SOCKET_URL), media_type="text/html")


app.include_router(ws.router)
ws.mount(app, "/ws")  # for a server such as uvicorn; with an endpoint it does nothing
handler = Mangum(app, edition="2026", custom_handlers=[ws.handler])
