"""TLS over real sockets, and whom it trusts."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import pytest
import trustme

from mangum.aws import tls
from mangum.aws.connections import Pool
from mangum.aws.endpoints import parse_url
from mangum.aws.sockets import Interrupted
from mangum.exceptions import ConfigurationError
from tests.aws.pools import TrustingPool, ask, on_linux, to
from tests.aws.server import Answer, Server, reply, run


def bundle_of(folder: Path, *authorities: trustme.CA) -> str:
    file = folder / "bundle.pem"
    file.write_bytes(b"".join(b"# a comment\n" + it.cert_pem.bytes() for it in authorities))
    return str(file)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def _trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle_of(tmp_path, authority))
    monkeypatch.setattr(tls, "_contexts", {})


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_connection_is_used_again(server_context: ssl.SSLContext, host: str) -> None:
    async def main() -> None:
        body = os.urandom(1_000_000)
        async with Server(reply(200, b"a"), reply(200, body), tls=server_context) as server:
            pool = Pool(parse_url(f"https://{host}:{server.port}"), 10)
            assert (await ask(pool, b"x")).body == b"a"
            assert (await ask(pool, body)).body == body
            assert (await ask(pool)).status == 200
            assert server.accepted == 1
            assert server.requests[1].body == body
            pool.close()
            await server.is_deserted()

    run(main())


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    "answer",
    [
        Answer(reply(), then="close"),
        Answer(reply(), 0.01, then="reset"),
        Answer(reply(), 0.01, reply(408)),
    ],
)
def test_idle_tls_connection_that_was_closed_is_replaced(
    server_context: ssl.SSLContext, answer: Answer
) -> None:
    async def main() -> None:
        async with Server(answer, answer, tls=server_context) as server:
            pool = to(server)
            for _ in range(3):
                await ask(pool)
                await asyncio.sleep(0.05)
            assert [it.connection for it in server.requests] == [1, 2, 3]
            pool.close()

    run(main())


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("then", ["close", "reset"])
def test_answer_over_tls_that_breaks_off_is_an_error(
    server_context: ssl.SSLContext, then: str
) -> None:
    async def main() -> None:
        data = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell"
        async with Server(Answer(data, 0.02, then=then), tls=server_context) as server:
            with pytest.raises(Interrupted, match="incomplete"):
                await ask(to(server))

    run(main())


@pytest.mark.usefixtures("_trusted")
@on_linux
def test_request_that_a_closed_tls_connection_has_not_taken_is_sent_again(
    server_context: ssl.SSLContext,
) -> None:
    async def main() -> None:
        async with Server(tls=server_context) as server:
            pool = TrustingPool(parse_url(server.url), 5)
            await ask(pool, b"1")
            await server.drop()
            await ask(pool, b"2")
            assert [(it.connection, it.body) for it in server.requests] == [(1, b"1"), (2, b"2")]
            pool.close()

    run(main())


@pytest.fixture
def _own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the tests' servers for AWS's."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setattr(tls, "AWS_HOSTS", ("localhost",))
    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.setattr(tls, "_aws_contexts", {})


@pytest.mark.usefixtures("_own_hosts")
@pytest.mark.parametrize(
    ("signs", "listed", "loaded"),
    [
        ("Amazon", ("A", "Amazon", "B"), 1),
        ("Starfield Technologies, Inc.", ("A", "Amazon", "Starfield Technologies, Inc."), 2),
        ("Another", ("A", "Amazon", "Another"), 3),  # all of them, at the second try
        ("Another", ("A", "Another"), 2),
    ],
)
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_of_the_authorities_those_of_aws_are_loaded_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    signs: str,
    listed: tuple[str, ...],
    loaded: int,
) -> None:
    authorities = {name: trustme.CA(organization_name=name) for name in listed}
    file = bundle_of(tmp_path, *authorities.values())
    bundle = file if variable == "AWS_CA_BUNDLE" else ""
    monkeypatch.setenv(variable, file)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authorities[signs].issue_cert("localhost").configure_cert(context)

    async def main() -> None:
        async with Server(tls=context) as server:
            pool = Pool(parse_url(f"https://localhost:{server.port}"), 10)
            assert (await ask(pool)).status == 200
            used = tls._aws_contexts[bundle] or tls._contexts[bundle]
            assert used.cert_store_stats()["x509_ca"] == loaded
            assert used.verify_mode is ssl.CERT_REQUIRED
            assert used.check_hostname
            pool.close()
            again = Pool(parse_url(f"https://localhost:{server.port}"), 10)
            assert (await ask(again)).status == 200
            assert server.accepted == 2
            again.close()

    run(main())


@pytest.mark.usefixtures("_own_hosts")
def test_authority_that_is_not_the_systems_is_refused_for_aws_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle_of(tmp_path, trustme.CA(organization_name="Amazon")))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA(organization_name="Amazon").issue_cert("localhost").configure_cert(context)

    async def main() -> None:
        async with Server(tls=context) as server:
            pool = Pool(parse_url(f"https://localhost:{server.port}"), 10)
            with pytest.raises(Interrupted, match="certificate"):
                await ask(pool)
            assert server.requests == []

    run(main())


def test_certificate_of_an_unknown_authority_is_refused(
    server_context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)

    async def main() -> None:
        async with Server(tls=server_context) as server:
            with pytest.raises(Interrupted, match="certificate"):
                await ask(to(server))
            assert server.requests == []

    run(main())


@pytest.mark.usefixtures("_trusted")
def test_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("example.org").configure_cert(context)

    async def main() -> None:
        async with Server(tls=context) as server:
            with pytest.raises(Interrupted, match="certificate"):
                await ask(to(server))
            assert server.requests == []

    run(main())


def test_what_is_no_certificate_in_a_bundle_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "bundle.pem"
    amazon = trustme.CA(organization_name="Amazon").cert_pem.bytes()
    broken = b"-----BEGIN CERTIFICATE-----\nAmazon\n-----END CERTIFICATE-----\n"
    file.write_bytes(broken + amazon + b"-----BEGIN CERTIFICATE-----")
    expected = ssl.PEM_cert_to_DER_cert(amazon.decode())
    assert tls._read_authorities(str(file)) == expected


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_bundle_that_can_not_be_read_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content, encoding="utf-8")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))

    async def main() -> None:
        async with Server() as server:
            endpoint = parse_url(server.url.replace("http:", "https:"))
            with pytest.raises(ConfigurationError, match=r"AWS_CA_BUNDLE=.*bundle\.pem"):
                await ask(Pool(endpoint, 5))

    run(main())
