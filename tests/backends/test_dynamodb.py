"""What is DynamoDB's own: the table, its items, and answers that moto never gives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mangum.backends import LIFETIME_S, Record, make_backend
from mangum.exceptions import UnknownConnection, WebSocketError
from tests.aws.server import Server, reply
from tests.backends.places import SCOPE, Place, aws_client, bucket_of, on


def run(place: Place, test: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Run the test with a backend, and a client of its own."""

    async def main() -> None:
        client = aws_client(place)
        async with place.backend() as backend:
            await test(backend, client)
        client.close()

    asyncio.run(main())


@on("dynamodb")
def test_table_is_made_as_it_should_be(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        table = client.describe_table(TableName=bucket_of(place))["Table"]
        assert table["KeySchema"] == [{"AttributeName": "connectionId", "KeyType": "HASH"}]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        found = client.describe_time_to_live(TableName=bucket_of(place))
        assert found["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "expires",
        }

    run(place, test)


@on("dynamodb")
def test_record_is_an_item_that_older_versions_can_read(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one=", json_scope=SCOPE)
        key = {"connectionId": {"S": "one="}}
        item = client.get_item(TableName=bucket_of(place), Key=key)["Item"]
        expires = int(item.pop("expires")["N"])
        assert abs(expires - time.time() - LIFETIME_S) < 60
        assert item == {**key, "initial_scope": {"S": SCOPE}, "sequence": {"N": "0"}}

    run(place, test)


@on("dynamodb")
def test_members_are_spread_over_items_that_expire(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        for number in range(100):
            await backend.group_add("room", f"member-{number}")
        items = client.scan(TableName=bucket_of(place))["Items"]
        keys = {item["connectionId"]["S"] for item in items}
        assert keys == {f"mangum:group:{shard}:room" for shard in range(16)}
        assert sum(len(item["members"]["SS"]) for item in items) == 100
        assert all(int(item["expires"]["N"]) > time.time() for item in items)
        with pytest.raises(UnknownConnection):
            await backend.retrieve("mangum:group:0:room")

    run(place, test)


@on("dynamodb")
def test_discarding_makes_no_item(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.group_discard("room", ["one", "two", "three"])
        assert client.scan(TableName=bucket_of(place))["Count"] == 0

    run(place, test)


def calls(server: Server) -> list[str]:
    return [it.headers["x-amz-target"].partition(".")[2] for it in server.requests]


def refusal(name: str, status: int = 400, message: str = "no") -> bytes:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message}
    return reply(status, json.dumps(body).encode())


def answer(**fields: Any) -> bytes:
    return reply(200, json.dumps(fields).encode())


def against(server: Server, test: Callable[[Any], Awaitable[None]]) -> None:
    """Run the test with a backend whose DynamoDB is this server."""

    async def main() -> None:
        async with server:
            dsn = f"dynamodb://table?region=eu-west-1&endpoint_url={server.url}"
            async with make_backend(dsn) as backend:
                await test(backend)

    asyncio.run(main())


def test_keys_that_a_batch_left_over_are_read_again() -> None:
    left = {"table": {"Keys": [{"connectionId": {"S": "mangum:group:3:room"}}]}}
    first = {"table": [{"members": {"SS": ["a"]}, "expires": {"N": "99999999999"}}]}
    second = {"table": [{"members": {"SS": ["b", "c"]}}, {"expires": {"N": "99999999999"}}]}
    server = Server(
        answer(Responses=first, UnprocessedKeys=left),
        answer(Responses={}, UnprocessedKeys=left),
        answer(Responses=second, UnprocessedKeys={}),
    )

    async def test(backend: Any) -> None:
        assert await backend.group_members("room") == ["a", "b", "c"]
        bodies = [json.loads(it.body)["RequestItems"] for it in server.requests]
        assert len(bodies[0]["table"]["Keys"]) == 16
        assert bodies[1:] == [left, left]

    against(server, test)


def test_batch_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mangum.backends.dynamodb.READS", 2)
    left = {"table": {"Keys": [{"connectionId": {"S": "x"}}]}}
    server = Server(*[answer(Responses={}, UnprocessedKeys=left)] * 2)

    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match="too busy"):
            await backend.group_members("room")

    against(server, test)


def test_table_that_somebody_else_is_making_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mangum.backends.dynamodb.POLL_S", 0.001)
    server = Server(
        refusal("ResourceNotFoundException"),
        refusal("ResourceInUseException"),
        refusal("ResourceNotFoundException"),
        answer(Table={"TableStatus": "CREATING"}),
        answer(Table={"TableStatus": "ACTIVE"}),
        answer(),
    )

    async def test(backend: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        assert calls(server) == ["PutItem", "CreateTable", *["DescribeTable"] * 3, "PutItem"]

    against(server, test)


def test_table_without_expiry_is_used_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(
        refusal("ResourceNotFoundException"),
        answer(),
        answer(Table={"TableStatus": "ACTIVE"}),
        refusal("AccessDeniedException", message="may not UpdateTimeToLive"),
        answer(),
    )

    async def test(backend: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        assert calls(server)[1:4] == ["CreateTable", "DescribeTable", "UpdateTimeToLive"]

    against(server, test)
    assert "Expired records will stay in the table" in caplog.text


@pytest.mark.parametrize("place_in_turn", [1, 2])
def test_user_who_may_not_make_the_table_is_told_so(place_in_turn: int) -> None:
    refused = refusal("AccessDeniedException", message="may not")
    server = Server(
        refusal("ResourceNotFoundException"), *[answer()] * (place_in_turn - 1), refused
    )

    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match="AccessDeniedException may not"):
            await backend.save("one", json_scope=SCOPE)

    against(server, test)


def test_table_that_never_gets_ready_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mangum.backends.dynamodb.CREATION_S", 0.0)
    server = Server(refusal("ResourceNotFoundException"), answer())

    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match="was not ready"):
            await backend.save("one", json_scope=SCOPE)

    against(server, test)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (refusal("AccessDeniedException", 400, "User: x may not"), "AccessDenied.*User: x"),
        (reply(403, b"<html>"), "status 403"),
        (refusal("ValidationException", 400, "too large"), "ValidationException too large"),
    ],
)
def test_refusal_is_told_with_its_reason(data: bytes, reason: str) -> None:
    async def test(backend: Any) -> None:
        for call in (
            backend.save("one", json_scope=SCOPE),
            backend.advance("one"),
            backend.group_discard("room", ["one"]),
        ):
            server.answers.append(data)
            with pytest.raises(WebSocketError, match=reason):
                await call

    server = Server()
    against(server, test)


def test_advance_and_take_are_one_request() -> None:
    attributes = {"initial_scope": {"S": SCOPE}, "sequence": {"N": "5"}}
    server = Server(answer(Attributes=attributes), answer(Attributes=attributes))

    async def test(backend: Any) -> None:
        assert await backend.advance("one") == Record(SCOPE, 5)
        assert await backend.take("one") == Record(SCOPE, 5)
        assert calls(server) == ["UpdateItem", "DeleteItem"]

    against(server, test)
