"""The @connections calls: where they go, what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mangum.exceptions import (
    AWSError,
    ConfigurationError,
    ConnectionGone,
    MalformedEvent,
    MessageRefused,
    WebSocketError,
)
from mangum.websockets.gateway import (
    MAX_MESSAGE_BYTES,
    ConnectionGateway,
    endpoint_of,
    region_of,
)
from tests.aws.server import CLOSE, Answer, Server, reply, run

OWN_HOST = "abc123.execute-api.eu-west-1.amazonaws.com"


@pytest.fixture
def _nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)


def event(**context: Any) -> dict[str, Any]:
    return {
        "requestContext": {
            "domainName": OWN_HOST,
            "stage": "prod",
            "apiId": "abc123",
            "connectionId": "id=",
            **context,
        }
    }


def gateway(server: Server, path: str = "/prod") -> ConnectionGateway:
    return ConnectionGateway(server.url + path, "eu-west-1")


# --- calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/prod", "/prod/", "/prod/@connections", "/prod/@connections/"])
def test_message_is_posted_to_the_quoted_connection(path: str) -> None:
    async def main() -> None:
        async with Server() as server:
            connections = gateway(server, path)
            await connections.post("a/b+c=", b"\xff\0")
            (request,) = server.requests
            assert request.method == "POST"
            assert request.target == "/prod/@connections/a%2Fb%2Bc%3D"
            assert request.body == b"\xff\0"
            assert "/eu-west-1/execute-api/aws4_request" in request.headers["authorization"]
            await connections.close()
            await server.is_deserted()

    run(main())


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_one(status: int) -> None:
    async def main() -> None:
        async with Server(reply(status), reply(status)) as server:
            connections = gateway(server)
            await connections.post("id", b"")
            await connections.delete("id")
            assert [it.method for it in server.requests] == ["POST", "DELETE"]
            await connections.close()

    run(main())


def test_client_that_has_left_is_gone_for_messages_and_no_matter_for_its_end() -> None:
    async def main() -> None:
        async with Server(reply(410), reply(410)) as server:
            connections = gateway(server)
            with pytest.raises(ConnectionGone) as caught:
                await connections.post("id", b"x")
            assert isinstance(caught.value, OSError)
            await connections.delete("id")
            await connections.close()

    run(main())


def test_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    async def main() -> None:
        async with Server() as server:
            connections = gateway(server)
            with pytest.raises(MessageRefused, match=f"{MAX_MESSAGE_BYTES + 1} bytes"):
                await connections.post("id", bytes(MAX_MESSAGE_BYTES + 1))
            assert server.requests == []
            await connections.post("id", bytes(MAX_MESSAGE_BYTES))
            assert len(server.requests[0].body) == MAX_MESSAGE_BYTES
            await connections.close()

    run(main())


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (reply(413), MessageRefused, r"3 bytes \(413\)"),
        (
            reply(403, b"SECRET", x_amzn_errortype="AccessDeniedException:http://internal"),
            WebSocketError,
            r"\(403 AccessDeniedException\).*execute-api:ManageConnections",
        ),
        (reply(403, x_amzn_errortype="not a name"), WebSocketError, r"\(403\)"),
        (reply(400, b"SECRET"), WebSocketError, r"\(400\)"),
        (reply(301), WebSocketError, r"\(301\)"),
        (reply(500), WebSocketError, r"\(500\)"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", WebSocketError, "not HTTP"),
        (CLOSE, WebSocketError, "execute-api at 127"),
    ],
)
def test_refusals_are_errors_of_their_kind(
    answer: Answer | bytes, error: type[WebSocketError], message: str
) -> None:
    async def main() -> None:
        async with Server(answer) as server:
            connections = gateway(server)
            with pytest.raises(error, match=message) as caught:
                await connections.post("id", b"abc")
            assert type(caught.value) is error
            assert "SECRET" not in str(caught.value)
            assert len(server.requests) == 1
            await connections.close()

    run(main())


def test_refusal_to_disconnect_is_an_error() -> None:
    async def main() -> None:
        async with Server(reply(403)) as server:
            connections = gateway(server)
            with pytest.raises(WebSocketError, match="refuses to disconnect"):
                await connections.delete("id")
            await connections.close()

    run(main())


def test_disconnection_is_tried_again() -> None:
    async def main() -> None:
        async with Server(CLOSE, reply(500), reply(204)) as server:
            connections = gateway(server)
            await connections.delete("id")
            assert len(server.requests) == 3
            await connections.close()

    run(main())


def test_throttled_message_is_tried_again() -> None:
    async def main() -> None:
        async with Server(reply(429)) as server:
            connections = gateway(server)
            await connections.post("id", b"abc")
            assert [it.body for it in server.requests] == [b"abc"] * 2
            await connections.close()

    run(main())


@pytest.mark.parametrize("connection_id", ["", ".", "..", "\ud800"])
def test_what_is_no_id_is_refused(connection_id: str) -> None:
    async def main() -> None:
        async with Server() as server:
            connections = gateway(server)
            for call in (connections.post(connection_id, b""), connections.delete(connection_id)):
                with pytest.raises(WebSocketError, match="not the id"):
                    await call
            assert server.requests == []

    run(main())


def test_missing_credentials_are_an_error_with_their_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    async def main() -> None:
        async with Server() as server:
            with pytest.raises(WebSocketError, match="AWS_ACCESS_KEY_ID") as caught:
                await gateway(server).post("id", b"")
            assert isinstance(caught.value.__cause__, AWSError)

    run(main())


def test_many_messages_go_out_at_once_over_few_sockets() -> None:
    async def main() -> None:
        async with Server(*[reply(200), reply(410)] * 250) as server:
            connections = gateway(server)
            outcomes = await asyncio.gather(
                *(connections.post(f"id{number}", b"x") for number in range(500)),
                return_exceptions=True,
            )
            gone = [it for it in outcomes if isinstance(it, ConnectionGone)]
            assert len(gone) == 250
            assert outcomes.count(None) == 250
            assert len({it.target for it in server.requests}) == 500
            await connections.close()
            await server.is_deserted()

    run(main())


# --- endpoints --------------------------------------------------------------------------------


@pytest.mark.usefixtures("_nothing_is_configured")
def test_endpoint_is_the_host_that_the_client_has_connected_to() -> None:
    assert endpoint_of(event()) == f"https://{OWN_HOST}/prod"


@pytest.mark.usefixtures("_nothing_is_configured")
@pytest.mark.parametrize(
    ("region", "domain"), [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")]
)
def test_endpoint_of_a_custom_domain_is_the_apis_own_host(
    monkeypatch: pytest.MonkeyPatch, region: str, domain: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    expected = f"https://abc123.execute-api.{region}.{domain}/prod"
    assert endpoint_of(event(domainName="chat.example.org")) == expected
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert endpoint_of(event(domainName="chat.example.org"), region=region) == expected


@pytest.mark.usefixtures("_nothing_is_configured")
def test_endpoint_of_a_custom_domain_needs_a_region() -> None:
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        endpoint_of(event(domainName="chat.example.org"))


@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:1/x", "http://127.0.0.1:1/x/", "http://127.0.0.1:1/x/@connections"]
)
def test_endpoint_that_is_given_comes_first(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:2")
    assert endpoint_of(event(), given) == "http://127.0.0.1:1/x"
    assert endpoint_of({}, given) == "http://127.0.0.1:1/x"


def test_endpoint_of_the_environment_comes_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert endpoint_of(event()) == "http://127.0.0.1:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:2/prod")
    assert endpoint_of(event()) == "http://127.0.0.1:2/prod"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert endpoint_of(event()) == f"https://{OWN_HOST}/prod"


@pytest.mark.parametrize("given", ["wss://127.0.0.1", "127.0.0.1", "http://user:SECRET@host/prod"])
def test_wrong_endpoint_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoint_of(event(), given)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        ConnectionGateway(given)


@pytest.mark.usefixtures("_nothing_is_configured")
@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"requestContext": None},
        {"requestContext": {"domainName": OWN_HOST}},
        event(stage=None),
        event(domainName=None),
        event(domainName="chat.example.org", apiId="evil.com/"),
        event(domainName="chat.example.org", apiId=""),
        event(domainName="chat.example.org", apiId=None),
        event(stage="\ud800"),
    ],
)
def test_event_that_names_no_endpoint_is_malformed(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent, match="api_gateway_endpoint_url"):
        endpoint_of(wrong)


@pytest.mark.usefixtures("_nothing_is_configured")
@pytest.mark.parametrize(
    "domain",
    [
        "abc.execute-api.eu-west-1.amazonaws.com.evil.com",
        "abc.execute-api.evil.com",
        "abc.execute-api..amazonaws.com",
        "evil.com/abc.execute-api.eu-west-1.amazonaws.com",
        "u@abc.execute-api.eu-west-1.amazonaws.com",
        ".execute-api.eu-west-1.amazonaws.com",
    ],
)
def test_signed_calls_go_to_no_host_that_only_looks_like_awss(
    monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    """The session's token goes with them."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert endpoint_of(event(domainName=domain)) == f"https://{OWN_HOST}/prod"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (OWN_HOST, "eu-west-1"),
        ("abc.execute-api.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("vpce-1-2.execute-api.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("abc.execute-api.us-east-1.api.aws", "us-east-1"),
        ("abc.execute-api.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("chat.example.org", None),
        ("127.0.0.1", None),
    ],
)
def test_region_is_told_by_the_host(host: str, region: str | None) -> None:
    assert region_of(host) == region


@pytest.mark.usefixtures("_nothing_is_configured")
def test_region_of_the_signature_is_given_or_the_hosts_or_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ConnectionGateway(f"https://{OWN_HOST}/prod").region == "eu-west-1"
    assert ConnectionGateway(f"https://{OWN_HOST}/prod", "us-east-1").region == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert ConnectionGateway(f"https://{OWN_HOST}/prod").region == "eu-west-1"
    assert ConnectionGateway("https://chat.example.org/prod").region == "eu-north-1"
