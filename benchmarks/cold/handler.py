"""No application and no adapter: what Python and the runtime client cost."""

from __future__ import annotations


def handler(event: object, context: object) -> dict[str, object]:
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"hello":"world"}',
        "isBase64Encoded": False,
    }
