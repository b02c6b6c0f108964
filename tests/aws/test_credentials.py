"""Where credentials are found, when they are asked for again, and that they show nowhere."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mangum.aws import credentials as module
from mangum.aws.credentials import (
    CONTAINER_HOSTS,
    EARLY_S,
    ContainerCredentials,
    Credentials,
    CredentialSource,
    container_uri,
)
from mangum.exceptions import CredentialsError
from tests.aws.server import CLOSE, Answer, Server, reply, run, until
from tests.processes import output_of

SECRETS = ("SECRET", "TOKEN", "AUTHORIZATION")
HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def shown(found: Credentials) -> tuple[str, str, str]:
    return found.key_id, found.secret_key, found.token


def answer(number: int = 1, in_s: float = HOUR_S, **changes: Any) -> bytes:
    date = datetime.now(timezone.utc) + timedelta(seconds=in_s)
    body = {
        "AccessKeyId": f"KEY{number}",
        "SecretAccessKey": f"SECRET{number}",
        "Token": f"TOKEN{number}",
        "Expiration": f"{date:%Y-%m-%dT%H:%M:%SZ}",
        **changes,
    }
    return reply(200, json.dumps(body).encode())


def fresh(number: int = 1) -> tuple[str, str, str]:
    return f"KEY{number}", f"SECRET{number}", f"TOKEN{number}"


# --- the environment --------------------------------------------------------------------------


def test_environment_is_read_each_time(environment: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        source = CredentialSource()
        environment.setenv("AWS_ACCESS_KEY_ID", "KEY1")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "SECRET1")
        assert shown(await source.get()) == ("KEY1", "SECRET1", "")
        environment.setenv("AWS_ACCESS_KEY_ID", "KEY2")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "SECRET2")
        environment.setenv("AWS_SESSION_TOKEN", "TOKEN2")
        assert shown(await source.get()) == fresh(2)

    run(main())


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_a_pair_is_an_error_that_names_the_other(
    environment: pytest.MonkeyPatch, missing: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.setenv(name, "" if name == missing else "SECRET")

    async def main() -> None:
        with pytest.raises(CredentialsError, match=f"no {missing}") as caught:
            await CredentialSource().get()
        assert "SECRET" not in str(caught.value).replace(missing, "")

    run(main())


def test_secrets_do_not_show_in_the_representation() -> None:
    credentials = Credentials("KEY", "SECRET", "TOKEN")
    assert not any(it in f"{credentials} {credentials!r}" for it in SECRETS)


# --- the container's endpoint -----------------------------------------------------------------


def test_container_is_asked_once_while_its_credentials_last(
    environment: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with Server(answer(1), answer(2)) as server:
            environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/v2/id?a=b")
            environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AUTHORIZATION")
            source = CredentialSource()
            assert shown(await source.get()) == fresh(1)
            assert shown(await source.get()) == fresh(1)
            (request,) = server.requests
            assert request == (
                1,
                "GET",
                "/v2/id?a=b",
                {
                    "host": server.authority,
                    "accept": "application/json",
                    "connection": "close",
                    "authorization": "AUTHORIZATION",
                },
                b"",
            )
            await server.is_deserted()

    run(main())


def test_container_that_is_another_is_asked(environment: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Server(answer(1)) as first, Server(answer(2)) as second:
            source = CredentialSource()
            for number, server in enumerate((first, second), 1):
                environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url)
                assert shown(await source.get()) == fresh(number)

    run(main())


def test_token_file_is_read_each_time(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def main() -> None:
        async with Server(answer(1), answer(2)) as server:
            environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
            environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another")
            for number in (1, 2):
                file.write_text(f"TOKEN-{number}\n", encoding="utf-8")
                await ContainerCredentials(server.url).get()
            sent = [it.headers["authorization"] for it in server.requests]
            assert sent == ["TOKEN-1", "TOKEN-2"]

    run(main())


def test_credentials_are_renewed_ahead_of_their_end(environment: pytest.MonkeyPatch) -> None:
    environment.setattr(module, "PAUSE_S", 0)

    async def main() -> None:
        async with Server(answer(1, in_s=EARLY_S - 5), answer(2, in_s=EARLY_S + 60)) as server:
            container = ContainerCredentials(server.url)
            seen = [shown(await container.get()) for _ in range(3)]
            assert seen == [fresh(1), fresh(2), fresh(2)]

    run(main())


def test_endpoint_that_has_none_newer_is_not_asked_at_every_request() -> None:
    async def main() -> None:
        async with Server(*[answer(1, in_s=EARLY_S - 5)] * 5) as server:
            container = ContainerCredentials(server.url)
            for _ in range(5):
                assert shown(await container.get()) == fresh(1)
            assert len(server.requests) == 1

    run(main())


def test_credentials_that_still_last_serve_while_the_endpoint_fails(
    environment: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with Server(answer(1, in_s=EARLY_S - 5), *[reply(500)] * 3) as server:
            container = ContainerCredentials(server.url)
            environment.setattr(module, "PAUSE_S", 0)
            await container.get()
            environment.setattr(module, "PAUSE_S", 60)
            for _ in range(3):
                assert shown(await container.get()) == fresh(1)
            assert len(server.requests) == 4

    run(main())


def test_credentials_without_a_date_are_used_for_a_while() -> None:
    async def main() -> None:
        async with Server(answer(1, Expiration=None, Token=None)) as server:
            container = ContainerCredentials(server.url)
            for _ in range(2):
                assert shown(await container.get()) == ("KEY1", "SECRET1", "")
            assert len(server.requests) == 1

    run(main())


def test_all_who_wait_share_one_request() -> None:
    async def main() -> None:
        async with Server(Answer(pause_s=0.02, rest=answer(1))) as server:
            container = ContainerCredentials(server.url)
            found = await asyncio.gather(*(container.get() for _ in range(20)))
            assert {shown(it) for it in found} == {fresh(1)}
            assert len(server.requests) == 1

    run(main())


def test_all_who_wait_share_one_failure() -> None:
    async def main() -> None:
        async with Server(Answer(pause_s=0.02, rest=reply(404))) as server:
            container = ContainerCredentials(server.url)
            found = await asyncio.gather(
                *(container.get() for _ in range(20)), return_exceptions=True
            )
            assert {type(it) for it in found} == {CredentialsError}
            assert len(server.requests) == 1

    run(main())


def test_who_waits_asks_when_the_one_who_asked_is_cancelled() -> None:
    async def main() -> None:
        async with Server(Answer(pause_s=10), answer(2)) as server:
            container = ContainerCredentials(server.url)
            first = asyncio.ensure_future(container.get())
            await until(lambda: len(server.requests) == 1)
            others = [asyncio.ensure_future(container.get()) for _ in range(5)]
            await asyncio.sleep(0)
            others[0].cancel()
            first.cancel()
            found = await asyncio.gather(first, *others, return_exceptions=True)
            assert [type(it) for it in found[:2]] == [asyncio.CancelledError] * 2
            assert {shown(it) for it in found[2:] if isinstance(it, Credentials)} == {fresh(2)}
            assert len(server.requests) == 2

    run(main())


def test_failures_that_pass_are_tried_again() -> None:
    async def main() -> None:
        async with Server(CLOSE, reply(503), answer(3)) as server:
            assert shown(await ContainerCredentials(server.url).get()) == fresh(3)

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        reply(200, b"not JSON SECRET"),
        reply(200, b'["SECRET"]'),
        reply(200, b'{"AccessKeyId": "SECRET"}'),
        reply(200, b'\xff"SECRET"'),
        answer(in_s=-1),
        answer(Expiration="SECRET"),
        answer(Expiration=12),
        answer(SecretAccessKey=None),
        answer(AccessKeyId=["SECRET"]),
        answer(Token=1),
        reply(403, b"SECRET"),
    ],
)
def test_other_answers_are_errors_that_show_nothing(data: bytes) -> None:
    async def main() -> None:
        async with Server(data) as server:
            with pytest.raises(CredentialsError) as caught:
                await ContainerCredentials(server.url).get()
            assert not any(it in str(caught.value) for it in SECRETS)
            assert caught.value.__cause__ is None or "SECRET" not in str(caught.value.__cause__)

    run(main())


def test_endpoint_that_is_not_there_is_an_error_that_names_it() -> None:
    async def main() -> None:
        async with Server() as server:
            url = server.url
        with pytest.raises(CredentialsError, match=r"127\.0\.0\.1:\d+ can't be reached"):
            await ContainerCredentials(url).get()

    run(main())


@pytest.mark.parametrize(
    "host", ["example.org", "192.168.1.1", "169.254.169.254", "127.1.evil.com"]
)
def test_other_hosts_are_asked_over_tls_only(host: str) -> None:
    async def main() -> None:
        with pytest.raises(CredentialsError, match="without TLS"):
            await ContainerCredentials(f"http://{host}/").get()

    run(main())


def test_hosts_that_may_be_asked_are_those_of_botocore() -> None:
    from botocore.utils import ContainerMetadataFetcher

    theirs = ContainerMetadataFetcher()
    for host in (*CONTAINER_HOSTS, "127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "x.org", "fe80::1"):
        url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
        try:
            theirs._validate_allowed_url(url)
        except ValueError:
            assert not module._is_local(host)
        else:
            assert module._is_local(host)


@pytest.mark.parametrize("text", ["a\r\nb: c", "a\nb", "\x7f", "\udcff"])
def test_authorization_that_is_no_header_is_an_error_that_does_not_show_it(
    environment: pytest.MonkeyPatch, text: str
) -> None:
    environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", f"TOKEN{text}")

    async def main() -> None:
        async with Server() as server:
            with pytest.raises(CredentialsError) as caught:
                await ContainerCredentials(server.url).get()
            assert "TOKEN" not in str(caught.value)
            assert server.requests == []

    run(main())


def test_token_file_that_can_not_be_read_is_an_error(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "none"))

    async def main() -> None:
        with pytest.raises(CredentialsError, match="AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            await ContainerCredentials("http://127.0.0.1:9/").get()

    run(main())


@pytest.mark.parametrize("uri", ["nothing", "http://", "ftp://127.0.0.1/", "http://127.0.0.1/a b"])
def test_uri_that_is_none_is_an_error(uri: str) -> None:
    async def main() -> None:
        with pytest.raises(CredentialsError):
            await ContainerCredentials(uri).get()

    run(main())


def test_relative_uri_comes_first_and_is_the_container_services_own(
    environment: pytest.MonkeyPatch,
) -> None:
    assert container_uri() is None
    environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/a")
    assert container_uri() == "http://127.0.0.1/a"
    environment.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/id")
    assert container_uri() == "http://169.254.170.2/v2/credentials/id"


# --- boto3's chain ----------------------------------------------------------------------------


def profile(folder: Path, text: str) -> dict[str, str]:
    """Variables that let boto3 find a file with the text, and nothing else."""
    file = folder / "credentials"
    file.write_text(text, encoding="utf-8")
    none = str(folder / "none")
    return {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_CONFIG_FILE": none}


def test_profile_is_found_by_boto3(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "[default]\naws_access_key_id=KEY1\naws_secret_access_key=SECRET1\n"
    for name, value in profile(tmp_path, text).items():
        environment.setenv(name, value)

    async def main() -> None:
        source = CredentialSource()
        found = await asyncio.gather(*(source.get() for _ in range(5)))
        assert {shown(it) for it in found} == {("KEY1", "SECRET1", "")}

    run(main())


def test_credentials_of_a_process_are_renewed_by_boto3(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program that botocore runs hands out other ones each time, about to expire."""
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import datetime, json, pathlib
counter = pathlib.Path({str(tmp_path / "counter")!r})
number = len(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text("x" * number)
date = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
    seconds=5 if number == 1 else 3600
)
print(json.dumps({{"Version": 1, "AccessKeyId": f"KEY{{number}}",
    "SecretAccessKey": f"SECRET{{number}}", "SessionToken": f"TOKEN{{number}}",
    "Expiration": date.isoformat()}}))
""",
        encoding="utf-8",
    )
    text = f"[default]\ncredential_process={sys.executable} {program}\n"
    for name, value in profile(tmp_path, text).items():
        environment.setenv(name, value)

    async def main() -> None:
        source = CredentialSource()
        await source.get()  # the first ones, or those that replace them at once
        found = await source.get()
        assert found.key_id != "KEY1"
        assert shown(found) == fresh(int(found.key_id[3:])) == shown(await source.get())

    run(main())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[default]\ncredential_process=false SECRET\n", "boto3 can't load AWS credentials: Cred"),
        ("[default]\naws_access_key_id=SECRET\n", "boto3 can't load AWS credentials: Partial"),
        ("", "boto3 finds none: set AWS_ACCESS_KEY_ID"),
    ],
)
def test_failure_of_boto3_is_an_error_that_shows_nothing(
    environment: pytest.MonkeyPatch, tmp_path: Path, text: str, message: str
) -> None:
    for name, value in profile(tmp_path, text).items():
        environment.setenv(name, value)

    async def main() -> None:
        with pytest.raises(CredentialsError, match=message) as caught:
            await CredentialSource().get()
        assert not any(
            it in str(caught.value).replace("AWS_SECRET_ACCESS_KEY", "") for it in SECRETS
        )
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    run(main())


def test_without_boto3_the_error_says_what_to_set_or_to_install() -> None:
    printed = output_of(
        """
        import asyncio, os, sys
        for name in [*os.environ]:
            if name.startswith("AWS_"):
                del os.environ[name]
        sys.modules["botocore"] = None  # what `import` finds where it is not installed
        from mangum.aws.credentials import CredentialSource
        from mangum.exceptions import CredentialsError
        try:
            asyncio.run(CredentialSource().get())
        except CredentialsError as exc:
            print(exc)
        """
    )
    (message,) = printed
    assert message == (
        "There are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install"
        " mangum[aws] for profiles and roles"
    )
