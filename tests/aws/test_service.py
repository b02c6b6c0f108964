"""Requests to a service: what goes over the wire, and what is tried again."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from botocore import auth, awsrequest, credentials

from mangum.aws import service as module
from mangum.aws.credentials import CredentialSource
from mangum.aws.service import TRIES, Reply, Service
from mangum.exceptions import AWSError, ConfigurationError, CredentialsError
from tests.aws.server import CLOSE, STALL, Answer, Request, Server, reply, run

NAMES = ("dynamodb", "s3", "execute-api")
THROTTLED = reply(
    400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": ""}'
)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.002)


def to(server: Server, name: str = "dynamodb", **options: Any) -> Service:
    return Service(name, "eu-west-1", server.url, **options)


async def ask(service: Service, **options: Any) -> Reply:
    return await service.request("POST", "/", **options)


def signed_again(request: Request, service: str) -> dict[str, str]:
    """The headers of a request that has arrived, signed by botocore as of the same time."""
    signer = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    it: Any = signer(credentials.Credentials("testing", "testing", "testing"), service, "eu-west-1")
    given = {
        name: value
        for name, value in request.headers.items()
        if not name.startswith("x-amz-") and name not in ("authorization", "content-length")
    }
    again = awsrequest.AWSRequest(
        method=request.method,
        url=f"http://{request.headers['host']}{request.target}",
        headers=given,
        data=request.body,
    )
    again.context["timestamp"] = request.headers["x-amz-date"]
    it._modify_request_before_signing(again)
    text = it.string_to_sign(again, it.canonical_request(again))
    it._inject_signature_to_request(again, it.signature(text, again))
    return {name.lower(): value for name, value in again.headers.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("base", ["", "/prod", "/a//b%20c/.."])
def test_request_arrives_signed_as_botocore_signs_it(name: str, base: str) -> None:
    async def main() -> None:
        async with Server(reply(201, b"answer", ETag='"1"')) as server:
            service = Service(name, "eu-west-1", f"{server.url}{base}/")
            assert await service.request(
                "PUT",
                "/@connections/a%2Fb%3D",
                query="b=2&a=%2F",
                headers={"Content-Type": "text/plain", "If-None-Match": "*"},
                body=b"body",
            ) == Reply(201, {"content-length": "6", "etag": '"1"'}, b"answer")
            (request,) = server.requests
            assert request.method == "PUT"
            assert request.target == f"{base}/@connections/a%2Fb%3D?b=2&a=%2F"
            assert request.body == b"body"
            assert request.headers == {
                "content-length": "4",
                **signed_again(request, name),
            }
            assert request.headers["content-type"] == "text/plain"
            sent_s = time.mktime(time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
            assert abs(time.mktime(time.gmtime()) - sent_s) < 60
            await service.close()
            await server.is_deserted()

    run(main())


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 410, 412, 413, 501])
def test_any_other_status_is_returned_at_once(status: int) -> None:
    async def main() -> None:
        async with Server(reply(status, b"body")) as server:
            service = to(server)
            assert (await ask(service)).status == status
            assert len(server.requests) == 1
            await service.close()

    run(main())


@pytest.mark.parametrize(
    ("throttled", "repeatable"),
    [
        *[
            (throttled, repeatable)
            for throttled in (
                reply(429),
                THROTTLED,
                reply(400, b'{"__type":"ProvisionedThroughputExceededException"}'),
                reply(400, b'{"__type":"x#RequestLimitExceeded"}'),
            )
            for repeatable in (True, False)
        ],
        (reply(503, b"<Error><Code>SlowDown</Code></Error>"), True),
    ],
)
def test_throttled_request_is_tried_again(throttled: bytes, repeatable: bool) -> None:
    async def main() -> None:
        async with Server(throttled, throttled, reply(200, b"done")) as server:
            service = to(server)
            assert (await ask(service, repeatable=repeatable, body=b"x")).body == b"done"
            assert [it.body for it in server.requests] == [b"x"] * 3
            await service.close()

    run(main())


def test_what_may_have_been_taken_is_not_sent_again_for_a_503() -> None:
    async def main() -> None:
        async with Server(reply(503), reply(200)) as server:
            service = to(server)
            assert (await ask(service, repeatable=False, body=b"x")).status == 503
            assert len(server.requests) == 1
            await service.close()

    run(main())


def test_throttling_that_does_not_end_is_the_answer() -> None:
    async def main() -> None:
        async with Server(*[reply(429, b"slow")] * 20) as server:
            service = to(server)
            assert await ask(service) == Reply(429, {"content-length": "4"}, b"slow")
            assert len(server.requests) == TRIES
            await service.close()

    run(main())


def test_tries_end_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 1e9)

    async def main() -> None:
        async with Server(reply(429, b"slow"), CLOSE, CLOSE) as server:
            service = to(server)
            assert (await ask(service)).status == 429
            with pytest.raises(AWSError):
                await ask(service)
            await service.close()

    run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON: ThrottlingException",
        b'["ThrottlingException"]',
        b'{"__type": 1, "message": "ThrottlingException"}',
        b'{"message": "ThrottlingException"}',
        b'{"__type": "x#ConditionalCheckFailedException", "Item": {"a": "ThrottlingException"}}',
    ],
)
def test_other_refusals_of_dynamodb_are_not_tried_again(body: bytes) -> None:
    async def main() -> None:
        async with Server(reply(400, body)) as server:
            service = to(server)
            assert (await ask(service)).status == 400
            await service.close()

    run(main())


def test_another_services_400_is_no_throttling() -> None:
    async def main() -> None:
        async with Server(THROTTLED) as server:
            service = to(server, "s3")
            assert (await ask(service)).status == 400
            await service.close()

    run(main())


@pytest.mark.parametrize("status", [500, 502, 504])
@pytest.mark.parametrize("repeatable", [True, False])
def test_failure_of_the_service_is_tried_again_where_that_is_safe(
    status: int, repeatable: bool
) -> None:
    async def main() -> None:
        async with Server(reply(status)) as server:
            service = to(server)
            answer = await ask(service, repeatable=repeatable)
            assert answer.status == (200 if repeatable else status)
            await service.close()

    run(main())


@pytest.mark.parametrize("lost", [CLOSE, Answer(b"HTTP/1.1 200 OK\r\ncont", then="close")])
@pytest.mark.parametrize("repeatable", [True, False])
def test_lost_request_is_tried_again_where_that_is_safe(lost: Answer, repeatable: bool) -> None:
    async def main() -> None:
        async with Server(lost) as server:
            service = to(server)
            if repeatable:
                assert (await ask(service)).status == 200
            else:
                with pytest.raises(AWSError, match=f"dynamodb at {server.authority}: "):
                    await ask(service, repeatable=False)
            assert len(server.requests) == 1 + repeatable
            await service.close()

    run(main())


@pytest.mark.parametrize("repeatable", [True, False])
def test_service_that_is_not_there_for_a_while_is_tried_again(repeatable: bool) -> None:
    async def main() -> None:
        async with Server() as first:
            service = to(first)
            await ask(service)
        again = Server()
        again.port = first.port
        task = asyncio.ensure_future(ask(service, repeatable=repeatable))
        await asyncio.sleep(0)
        async with again:
            assert (await task).status == 200
            await service.close()

    run(main())


def test_service_that_is_not_there_is_an_error_that_names_it() -> None:
    async def main() -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            service = Service("s3", "eu-west-1", f"http://127.0.0.1:{port}")
            with pytest.raises(AWSError, match=rf"s3 at 127\.0\.0\.1:{port}: .* can't be reached"):
                await ask(service)

    run(main())


def test_time_out_is_an_error_at_once() -> None:
    async def main() -> None:
        async with Server(STALL) as server:
            with pytest.raises(AWSError, match=r"no answer in 0\.05 s"):
                await ask(to(server, timeout_s=0.05))
            assert len(server.requests) == 1
            await server.is_deserted()

    run(main())


def test_malformed_answer_is_an_error_at_once() -> None:
    async def main() -> None:
        async with Server(b"SSH-2.0-OpenSSH\r\n\r\n") as server:
            with pytest.raises(AWSError, match="not HTTP"):
                await ask(to(server))
            assert len(server.requests) == 1

    run(main())


def test_each_try_is_signed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of the environment may have been exchanged in between."""

    async def main() -> None:
        async with Server(reply(429)) as server:
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FIRST")
            service = to(server)
            task = asyncio.ensure_future(ask(service))
            while not server.requests:  # noqa: ASYNC110
                await asyncio.sleep(0)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SECOND")
            await task
            keys = [it.headers["authorization"].split("=")[1][:6] for it in server.requests]
            assert keys == ["FIRST/", "SECOND"]
            await service.close()

    run(main())


def test_missing_credentials_are_an_error_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    async def main() -> None:
        async with Server() as server:
            with pytest.raises(CredentialsError):
                await ask(to(server, credentials=CredentialSource()))
            assert server.accepted == 0

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"path": "no/slash"},
        {"path": "/a b"},
        {"path": "/ü"},
        {"path": "/a#b"},
        {"path": "/a\r\nhost: b"},
        {"query": "a=b c"},
        {"query": "a=ü"},
        {"query": "a\nb"},
        {"headers": {"x-a": "b\r\nx-c: d"}},
        {"headers": {"x-a": "b\nx-c: d"}},
        {"headers": {"x-a": "b\rx-c: d"}},
        {"headers": {"x-a\n": "b"}},
    ],
)
def test_what_http_can_not_carry_is_refused(options: dict[str, Any]) -> None:
    async def main() -> None:
        async with Server() as server:
            with pytest.raises(ValueError, match=r"percent-encoded|line break"):
                await to(server).request("GET", options.pop("path", "/"), **options)
            assert server.accepted == 0

    run(main())


def test_credentials_with_a_line_break_are_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "TOKEN\r\nx: y")

    async def main() -> None:
        async with Server() as server:
            with pytest.raises(CredentialsError, match="line break") as caught:
                await ask(to(server))
            assert "TOKEN" not in str(caught.value)

    run(main())


def test_what_was_resolved_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    service = Service("dynamodb")
    assert service.region == "eu-north-1"
    assert service.endpoint_url == "https://dynamodb.eu-north-1.amazonaws.com"


@pytest.mark.parametrize(
    "options",
    [{"region": "no region"}, {"endpoint_url": "nowhere"}, {"endpoint_url": "http://a:b"}],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Service("s3", **options)
