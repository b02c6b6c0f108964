"""What is S3's own: keys, addresses, conditional writes, and answers that moto never gives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mangum.backends import LIFETIME_S, Record, make_backend
from mangum.backends.s3 import S3Backend
from mangum.exceptions import UnknownConnection, WebSocketError
from tests.aws.server import Server, reply
from tests.backends.places import SCOPE, Place, aws_client, bucket_of, on


def run(place: Place, test: Callable[[Any, Any], Awaitable[None]], dsn: str = "") -> None:
    """Run the test with a backend, and a client of its own."""

    async def main() -> None:
        client = aws_client(place)
        async with make_backend(dsn or place.dsn) as backend:
            await test(backend, client)
        client.close()

    asyncio.run(main())


def keys(client: Any, place: Place) -> list[str]:
    found = client.list_objects_v2(Bucket=bucket_of(place)).get("Contents", ())
    return [it["Key"] for it in found]


@on("s3")
@pytest.mark.parametrize(
    ("path", "prefix"),
    [("", ""), ("/", ""), ("/a", "/a/"), ("/a/", "/a/"), ("/a/b", "/a/b/"), ("/a%20b", "/a%20b/")],
)
def test_keys_are_those_of_0_12(place: Place, path: str, prefix: str) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one=", json_scope=SCOPE)
        await backend.group_add("the/room", "one=")
        assert keys(client, place) == [
            f"{prefix}mangum-groups/the%2Froom/one=",
            f"{prefix}one=",
        ]

    run(place, test, place.dsn.replace("/some/prefix", path))


@on("s3")
def test_bucket_is_made_in_its_region(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        location = client.get_bucket_location(Bucket=bucket_of(place))
        assert location["LocationConstraint"] == "eu-west-1"

    run(place, test)


@on("s3")
def test_old_object_expires_by_the_time_of_its_writing(place: Place) -> None:
    place.write_old("old", SCOPE)

    async def test(backend: Any, client: Any) -> None:
        clock = backend.clock
        backend.clock = lambda: clock() + LIFETIME_S - 60
        assert await backend.retrieve("old") == SCOPE
        assert await backend.advance("old") == Record(SCOPE, 1)
        backend.clock = lambda: clock() + LIFETIME_S + 60
        with pytest.raises(UnknownConnection):  # being written again has not prolonged its life
            await backend.retrieve("old")

    run(place, test)


@pytest.mark.parametrize(
    ("dsn", "url", "base"),
    [
        ("s3://bucket", "https://bucket.s3.eu-west-1.amazonaws.com", ""),
        ("s3://bucket?addressing=path", "https://s3.eu-west-1.amazonaws.com", "/bucket"),
        ("s3://buck.et", "https://s3.eu-west-1.amazonaws.com", "/buck.et"),
        ("s3://bucket?region=cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn", ""),
        ("s3://bucket?endpoint_url=http://minio:9000", "http://minio:9000", "/bucket"),
        (
            "s3://bucket?endpoint_url=http://minio:9000&addressing=virtual",
            "http://bucket.minio:9000",
            "",
        ),
        ("s3://BUCKET", "https://bucket.s3.eu-west-1.amazonaws.com", ""),
    ],
)
def test_bucket_is_addressed_by_its_host_or_by_the_path(
    dsn: str, url: str, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    async def main() -> None:
        backend = make_backend(dsn)
        assert isinstance(backend, S3Backend)
        assert backend._opened().endpoint_url == url
        assert backend._base == base
        await backend.close()

    asyncio.run(main())


def test_endpoint_of_the_environment_is_addressed_by_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    async def main() -> None:
        async with server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
            async with make_backend("s3://bucket/a") as backend:
                await backend.save("b=/ü", json_scope=SCOPE)
        assert [(it.method, it.target) for it in server.requests] == [
            ("PUT", "/bucket//a/b%3D/%C3%BC")
        ]

    asyncio.run(main())


def refusal(status: int, code: str, **headers: str) -> bytes:
    return reply(status, f"<Error><Code>{code}</Code></Error>".encode(), **headers)


def against(server: Server, test: Callable[[Any], Awaitable[None]]) -> None:
    """Run the test with a backend whose S3 is this server."""

    async def main() -> None:
        async with server:
            dsn = f"s3://bucket?region=eu-west-1&endpoint_url={server.url}"
            async with make_backend(dsn) as backend:
                await test(backend)

    asyncio.run(main())


def stored(sequence: int, etag: str) -> bytes:
    body = f"mangum 1 {sequence} 99999999999\n{SCOPE}".encode()
    return reply(200, body, etag=f'"{etag}"')


@pytest.mark.parametrize("status", [409, 412])
def test_write_that_another_was_quicker_than_begins_anew(status: int) -> None:
    server = Server(stored(1, "a"), refusal(status, "TooLate"), stored(2, "b"), reply())

    async def test(backend: Any) -> None:
        assert await backend.advance("one") == Record(SCOPE, 3)
        assert [it.method for it in server.requests] == ["GET", "PUT", "GET", "PUT"]
        assert [it.headers.get("if-match") for it in server.requests] == [None, '"a"', None, '"b"']
        assert server.requests[3].body.decode() == f"mangum 1 3 99999999999\n{SCOPE}"

    against(server, test)


def test_record_that_goes_between_read_and_write_is_unknown() -> None:
    server = Server(stored(1, "a"), refusal(404, "NoSuchKey"))

    async def test(backend: Any) -> None:
        with pytest.raises(UnknownConnection):
            await backend.advance("one")

    against(server, test)


def test_record_that_all_write_at_once_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mangum.backends.s3.WRITES", 2)
    server = Server(*[stored(1, "a"), refusal(412, "PreconditionFailed")] * 2)

    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match="too many environments"):
            await backend.advance("one")

    against(server, test)


def test_bucket_that_somebody_else_makes_is_used() -> None:
    server = Server(
        refusal(404, "NoSuchBucket"),
        refusal(409, "BucketAlreadyOwnedByYou"),
        reply(),
    )

    async def test(backend: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        assert [(it.method, it.target) for it in server.requests] == [
            ("PUT", "/bucket/one"),
            ("PUT", "/bucket"),
            ("PUT", "/bucket/one"),
        ]
        assert b"<LocationConstraint>eu-west-1<" in server.requests[1].body

    against(server, test)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (refusal(403, "AccessDenied"), "403 AccessDenied; without s3:ListBucket"),
        (
            refusal(301, "PermanentRedirect", x_amz_bucket_region="us-west-2"),
            "the bucket is in us-west-2: add region=us-west-2",
        ),
        (refusal(400, "InvalidRequest"), "400 InvalidRequest"),
    ],
)
def test_refusal_is_told_with_its_reason(data: bytes, reason: str) -> None:
    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match=reason):
            await backend.retrieve("one")

    against(Server(data), test)


def test_bucket_of_somebody_else_is_a_clear_error() -> None:
    server = Server(refusal(404, "NoSuchBucket"), refusal(409, "BucketAlreadyExists"))

    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match=r"making the bucket.*BucketAlreadyExists"):
            await backend.save("one", json_scope=SCOPE)

    against(server, test)


def page(*members: str, token: str = "") -> bytes:
    entries = "".join(
        f"<Contents><Key>mangum-groups/room/{it}</Key>"
        "<LastModified>2999-01-01T00:00:00.000Z</LastModified></Contents>"
        for it in members
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return reply(200, f"<ListBucketResult>{more}{entries}</ListBucketResult>".encode())


def test_members_are_read_page_by_page() -> None:
    server = Server(page("a", "b&amp;c", token="1+/&amp;="), page("d%20e"))

    async def test(backend: Any) -> None:
        assert await backend.group_members("room") == ["a", "b&c", "d%20e"]
        assert "continuation-token=1%2B%2F%26%3D&" in server.requests[1].target

    against(server, test)


def test_member_that_can_not_be_deleted_is_an_error() -> None:
    body = b"<DeleteResult><Error><Key>x</Key><Code>AccessDenied</Code></Error></DeleteResult>"

    async def test(backend: Any) -> None:
        with pytest.raises(WebSocketError, match="deleting failed with AccessDenied"):
            await backend.group_discard("room", ["a", "b"])

    against(Server(reply(200, body)), test)
