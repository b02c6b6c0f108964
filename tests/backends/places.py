"""A fresh place for records on each backend, and what an older version would have written there."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from mangum.backends import WebSocketBackend, make_backend
from tests import servers
from tests.servers import HOST, PASSWORD, QUOTED_PASSWORD, Server

SCOPE = '{"type": "websocket", "path": "/"}'
_numbers = itertools.count(1)


class Place(NamedTuple):
    """Where one test keeps its records."""

    kind: str
    dsn: str
    server: Server | None

    def backend(self) -> WebSocketBackend:
        """One environment's."""
        return make_backend(self.dsn)

    def write_old(self, connection_id: str, json_scope: str) -> None:
        """Store a record as versions 0.9 and 0.12 did, in the table that they would have made."""
        WRITERS[self.kind](self, connection_id, json_scope)


def make_place(kind: str, folder: Path) -> Place:
    number = next(_numbers)
    if kind == "sqlite":
        return Place(kind, f"sqlite:///{folder}/records{number}.db", None)
    server = SERVERS[kind]()
    address = f"{HOST}:{server.port}"
    endpoint = f"endpoint_url=http://{address}"
    dsn = {
        "postgresql": f"postgresql://mangum:{QUOTED_PASSWORD}@{address}/postgres"
        f"?table_name=records_{number}",
        "redis": f"redis://:{QUOTED_PASSWORD}@{address}/{number % 16}",
        "dynamodb": f"dynamodb://records-{number}?region=eu-west-1&{endpoint}",
        "s3": f"s3://records-{number}/some/prefix?region=eu-west-1&{endpoint}",
    }[kind]
    place = Place(kind, dsn, server)
    if kind == "redis":  # it has sixteen databases
        with redis_client(place) as client:
            client.flushdb()
    return place


def table_of(place: Place) -> str:
    return place.dsn.rpartition("table_name=")[2]


def asyncpg_dsn(place: Place) -> str:
    return place.dsn.partition("?")[0]


def redis_client(place: Place) -> Any:
    from redis import Redis

    return Redis.from_url(place.dsn, decode_responses=True)


def aws_client(place: Place) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        place.kind,
        region_name="eu-west-1",
        endpoint_url=place.dsn.rpartition("endpoint_url=")[2],
        config=Config(s3={"addressing_style": "path"}),
    )


def bucket_of(place: Place) -> str:
    return urlsplit(place.dsn).netloc


def _to_sqlite(place: Place, connection_id: str, json_scope: str) -> None:
    connection = sqlite3.connect(place.dsn.removeprefix("sqlite:///"))
    connection.execute(
        "create table if not exists mangum_websockets"
        " (id varchar(64) primary key, initial_scope text)"
    )
    connection.execute("insert into mangum_websockets values (?, ?)", (connection_id, json_scope))
    connection.commit()
    connection.close()


def _to_postgresql(place: Place, connection_id: str, json_scope: str) -> None:
    import asyncpg

    async def write() -> None:
        connection = await asyncpg.connect(asyncpg_dsn(place))
        table = table_of(place)
        await connection.execute(
            f"create table if not exists {table} (id varchar(64) primary key, initial_scope text)"
        )
        await connection.execute(f"insert into {table} values ($1, $2)", connection_id, json_scope)
        await connection.close()

    asyncio.run(write())


def _to_redis(place: Place, connection_id: str, json_scope: str) -> None:
    with redis_client(place) as client:
        client.set(connection_id, json_scope)


def _to_dynamodb(place: Place, connection_id: str, json_scope: str) -> None:
    client = aws_client(place)
    client.create_table(
        TableName=bucket_of(place),
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    item = {"connectionId": {"S": connection_id}, "initial_scope": {"S": json_scope}}
    client.put_item(TableName=bucket_of(place), Item=item)
    client.close()


def _to_s3(place: Place, connection_id: str, json_scope: str) -> None:
    client = aws_client(place)
    bucket = bucket_of(place)
    where = {"LocationConstraint": "eu-west-1"}
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    client.put_object(Bucket=bucket, Key=f"/some/prefix/{connection_id}", Body=json_scope.encode())
    client.close()


def _redis_server() -> Server:
    return servers.redis("--requirepass", PASSWORD)


SERVERS: dict[str, Callable[[], Server]] = {
    "postgresql": servers.postgresql,
    "redis": _redis_server,
    "dynamodb": servers.moto,
    "s3": servers.moto,
}
WRITERS: dict[str, Callable[[Place, str, str], None]] = {
    "sqlite": _to_sqlite,
    "postgresql": _to_postgresql,
    "redis": _to_redis,
    "dynamodb": _to_dynamodb,
    "s3": _to_s3,
}
KINDS = tuple(WRITERS)


def on(*kinds: str) -> pytest.MarkDecorator:
    """For a test that asks for a place, and makes sense on these backends only."""
    return pytest.mark.parametrize("place", kinds, indirect=True)
