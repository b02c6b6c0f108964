"""Answers with the scope that it is called with, or with what the header `x-answer` says."""

from __future__ import annotations

import base64
import json
from typing import Any

from mangum import Mangum
from mangum.types import Receive, Scope, Send
from tests.apps import read_body, respond

FIELDS = ("method", "path", "root_path", "scheme", "server", "client", "http_version")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(receive)
    asked = [value for name, value in scope["headers"] if name == b"x-answer"]
    if asked:
        answer = json.loads(asked[0])
        await respond(
            send,
            base64.b64decode(answer["body"]),
            status=answer["status"],
            headers=[(name.encode(), value.encode()) for name, value in answer["headers"]],
        )
        return
    seen: dict[str, Any] = {field: scope[field] for field in FIELDS}
    seen["raw_path"] = scope["raw_path"].decode("latin-1")
    seen["query"] = scope["query_string"].decode("latin-1")
    seen["headers"] = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    seen["body"] = base64.b64encode(body).decode()
    await respond(send, json.dumps(seen).encode(), headers=[(b"content-type", b"application/json")])


handler = Mangum(app, edition="2026", lifespan="off")
