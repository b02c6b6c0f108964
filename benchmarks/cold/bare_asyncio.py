"""No application and no adapter, beside asyncio, which every ASGI application needs."""

from __future__ import annotations

import asyncio

__all__ = ["asyncio", "handler"]


def handler(event: object, context: object) -> dict[str, object]:
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"hello":"world"}',
        "isBase64Encoded": False,
    }
