"""The application behind the shortest adapter that makes the same calls with boto3's clients.

It makes its clients once and keeps its loop, and does of the rest no more than the calls need: no
checks, no headers of the client, one answer.
"""

from __future__ import annotations

import asyncio
import json
import os
from functools import cache, partial

import boto3
from botocore.config import Config

from benchmarks.sockets.app import app

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from typing import Any

TABLE = "boto3"
THREADS = 64

loop = asyncio.new_event_loop()
dynamodb = boto3.client("dynamodb")
gateway = boto3.client("apigatewaymanagementapi", config=Config(max_pool_connections=THREADS))
parked: dict[str, Any] = {}


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    connection_id = event["requestContext"]["connectionId"]
    key = {"connectionId": {"S": connection_id}}
    if event["requestContext"]["eventType"] == "CONNECT":
        scope = {"type": "websocket", "path": "/", "headers": [*event["headers"].items()]}
        item = {**key, "initial_scope": {"S": json.dumps(scope)}, "sequence": {"N": "0"}}
        dynamodb.put_item(TableName=TABLE, Item=item)
    elif os.environ["MODE"] == "message":
        item = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]
        loop.run_until_complete(run(connection_id, item, event["body"]))
    else:
        item = dynamodb.update_item(
            TableName=TABLE,
            Key=key,
            UpdateExpression="ADD #s :one",
            ConditionExpression="attribute_exists(connectionId)",
            ExpressionAttributeNames={"#s": "sequence"},
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        loop.run_until_complete(run(connection_id, item, event["body"]))
    return {"statusCode": 200}


async def run(connection_id: str, item: dict[str, Any], text: str) -> None:
    scope = json.loads(item["initial_scope"]["S"])
    messages: list[dict[str, Any]] = [
        {"type": "websocket.disconnect", "code": 1000},
        {"type": "websocket.receive", "text": text},
        {"type": "websocket.connect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            data = message["text"].encode()
            gateway.post_to_connection(ConnectionId=connection_id, Data=data)

    await app(scope, receive, send)


def fan_out(connection_ids: Sequence[str], data: bytes) -> None:
    post = partial(gateway.post_to_connection, Data=data)
    for _ in threads().map(lambda connection_id: post(ConnectionId=connection_id), connection_ids):
        pass


def one_by_one(connection_ids: Sequence[str], data: bytes) -> None:
    for connection_id in connection_ids:
        gateway.post_to_connection(ConnectionId=connection_id, Data=data)


@cache
def threads() -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(THREADS)
