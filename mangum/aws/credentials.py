"""Where AWS credentials come from: the environment, the container's endpoint, or what boto3 finds.
Nothing here shows a secret.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import os
import time
from asyncio import get_running_loop, shield

from mangum.aws.connections import Pool
from mangum.aws.endpoints import parse_url
from mangum.exceptions import AWSError, ConfigurationError, CredentialsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from typing import Any

__all__ = ["CredentialSource", "Credentials", "shared"]

CONTAINER = "http://169.254.170.2"  # what AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is relative to
CONTAINER_HOSTS = ("169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost")
CONTAINER_TRIES = 3
CONTAINER_TIMEOUT_S = 2.0

EARLY_S = 10 * 60
"""How long before they expire credentials are asked for anew."""

PAUSE_S = 60
"""How long to use what is still valid before asking again: the endpoint may have none newer."""

UNDATED_S = 5 * 60
"""How long to use what has no date."""


class Credentials:
    """A key, its secret, and the token of a session (or an empty text)."""

    __slots__ = ("key_id", "secret_key", "token")

    def __init__(self, key_id: str, secret_key: str, token: str = "") -> None:
        self.key_id = key_id
        self.secret_key = secret_key
        self.token = token


class CredentialSource:
    """Asks the first source that is there, each time."""

    def __init__(self) -> None:
        self._container: tuple[str, ContainerCredentials] | None = None
        self._chain: ChainCredentials | None = None

    async def get(self) -> Credentials:
        """Raises `CredentialsError`."""
        variables = os.environ
        key_id = variables.get("AWS_ACCESS_KEY_ID")
        secret_key = variables.get("AWS_SECRET_ACCESS_KEY")
        if key_id and secret_key:
            return Credentials(key_id, secret_key, variables.get("AWS_SESSION_TOKEN", ""))
        if key_id or secret_key:
            missing = "AWS_SECRET_ACCESS_KEY" if key_id else "AWS_ACCESS_KEY_ID"
            raise CredentialsError(f"The environment has no {missing} beside the other half")
        uri = container_uri()
        if uri is not None:
            if self._container is None or self._container[0] != uri:
                self._container = uri, ContainerCredentials(uri)
            return await self._container[1].get()
        if self._chain is None:
            self._chain = ChainCredentials()
        return await self._chain.get()


def container_uri() -> str | None:
    """The endpoint that hands out credentials to a container, if there is one."""
    relative = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if relative:
        return f"{CONTAINER}/{relative.lstrip('/')}"
    return os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or None


class _Shared:
    """Loads credentials once for all who wait for them."""

    def __init__(self) -> None:
        self._pending: Future[Credentials | None] | None = None

    async def get(self) -> Credentials:
        """Raises `CredentialsError`."""
        loop = get_running_loop()
        while True:
            found = self._current()
            if found is not None:
                return found
            pending = self._pending
            if pending is None or pending.get_loop() is not loop:
                return await self._lead(loop.create_future())
            found = await shield(pending)  # else who is cancelled would cancel it for the others
            if found is not None:
                return found

    async def _lead(self, pending: Future[Credentials | None]) -> Credentials:
        self._pending = pending
        found = None
        try:
            found = await self._load()
            return found
        except CredentialsError as exc:
            pending.set_exception(exc)
            pending.exception()  # there may be nobody else to see it
            raise
        finally:
            if self._pending is pending:  # else another loop has taken over
                self._pending = None
            if not pending.done():
                pending.set_result(found)  # nothing, if this one was ended: another one leads

    def _current(self) -> Credentials | None:
        """What need not be loaded."""
        raise NotImplementedError

    async def _load(self) -> Credentials:
        raise NotImplementedError


class ContainerCredentials(_Shared):
    """The endpoint of ECS, EKS and SnapStart functions. Asked again ahead of the end."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.uri = uri
        self._credentials: Credentials | None = None
        self._expires_s = 0.0
        self._pause_s = 0.0  # until when not to ask again

    def _current(self) -> Credentials | None:
        now = time.time()
        if now < self._expires_s - EARLY_S or now < min(self._pause_s, self._expires_s):
            return self._credentials
        return None

    async def _load(self) -> Credentials:
        try:
            answer = await self._ask()
            found = answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("Token") or ""
            if not all(isinstance(it, str) for it in found):
                raise TypeError
            expires_s = _seconds(answer.get("Expiration"))
        except (AWSError, ConfigurationError) as exc:
            self._pause_s = time.time() + PAUSE_S
            if self._credentials is not None and time.time() < self._expires_s:
                return self._credentials
            raise CredentialsError(f"The container has no AWS credentials: {exc}") from exc
        except (LookupError, TypeError, ValueError, AttributeError):  # may show a part of it
            raise CredentialsError(
                "The container's endpoint answers something else than AWS credentials"
            ) from None
        if expires_s <= time.time():
            raise CredentialsError("The container's endpoint answers expired AWS credentials")
        self._credentials = Credentials(*found)
        self._expires_s = expires_s
        self._pause_s = time.time() + PAUSE_S
        return self._credentials

    async def _ask(self) -> Any:
        import json

        base, separator, path = self.uri.partition("://")
        authority, _, path = path.partition("/")
        endpoint = parse_url(f"{base}{separator}{authority}")
        if not endpoint.tls and not _is_local(endpoint.host):
            raise CredentialsError(
                f"{endpoint.host} may not be asked without TLS; only loopback addresses and "
                f"{', '.join(CONTAINER_HOSTS)}"
            )
        lines = [
            f"GET /{path} HTTP/1.1",
            f"host: {endpoint.authority}",
            "accept: application/json",
            "connection: close",
        ]
        token = _authorization()
        if token:
            lines.append(f"authorization: {token}")
        if " " in path or not "".join(lines).isprintable():
            raise CredentialsError("The container's URI or authorization token holds a line break")
        request = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        pool = Pool(endpoint, CONTAINER_TIMEOUT_S)
        try:
            return json.loads(await _fetch(pool, request))
        finally:
            pool.close()


class ChainCredentials(_Shared):
    """Whatever boto3 finds: profiles, roles, single sign-on, the instance's metadata. It blocks, so
    a thread does it, unless there is nothing to load."""

    def __init__(self) -> None:
        super().__init__()
        self._found: Any = None

    def _current(self) -> Credentials | None:
        found = self._found
        if found is None or _is_due(found):
            return None
        return _frozen(found)

    async def _load(self) -> Credentials:
        try:
            return await get_running_loop().run_in_executor(None, self._load_blocking)
        except CredentialsError:
            raise
        except Exception as exc:  # botocore's errors have no base, and may show what it has read
            raise CredentialsError(
                f"boto3 can't load AWS credentials: {type(exc).__name__}"
            ) from None

    def _load_blocking(self) -> Credentials:
        found = self._found
        if found is None:
            try:
                from botocore.session import Session
            except ImportError:
                raise CredentialsError(
                    "There are no AWS credentials: set AWS_ACCESS_KEY_ID and"
                    " AWS_SECRET_ACCESS_KEY, or install mangum[aws] for profiles and roles"
                ) from None
            found = Session().get_credentials()
            if found is None:
                raise CredentialsError(
                    "There are no AWS credentials, and boto3 finds none: set AWS_ACCESS_KEY_ID and"
                    " AWS_SECRET_ACCESS_KEY, or a profile, or a role"
                )
        credentials = _frozen(found)  # here it may load or refresh them
        self._found = found
        return credentials


shared = CredentialSource()
"""The source of the process."""


async def _fetch(pool: Pool, request: bytes) -> bytes:
    """The body of the container's answer."""
    failure: AWSError
    for _ in range(CONTAINER_TRIES):
        try:
            reply = await pool.exchange(request, "GET", repeatable=True)
        except AWSError as exc:
            failure = exc
        else:
            if reply.status == 200:
                return reply.body
            failure = AWSError(f"the endpoint answers {reply.status}")
            if reply.status < 500 and reply.status != 429:
                break
    raise failure


def _is_due(found: Any) -> bool:
    """Whether botocore would ask somebody for newer credentials."""
    refresh_needed = getattr(found, "refresh_needed", None)
    return refresh_needed is not None and bool(refresh_needed())


def _frozen(found: Any) -> Credentials:
    frozen = found.get_frozen_credentials()
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")


def _is_local(host: str) -> bool:
    """Whether credentials may go over the wire to it unencrypted: the same hosts as for boto3."""
    import socket

    if host in CONTAINER_HOSTS or host == "::1":
        return True
    try:
        return socket.inet_pton(socket.AF_INET, host)[0] == 127
    except OSError:
        return False


def _authorization() -> str:
    """The token for the container's endpoint. Its file is read each time: it changes."""
    path = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if not path:
        return os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise CredentialsError(
            f"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE can't be read: {type(exc).__name__}"
        ) from None


def _seconds(date: str | None) -> float:
    """`"2026-11-21T03:04:05Z"` as a time of `time.time`."""
    if not date:
        return time.time() + EARLY_S + UNDATED_S
    from datetime import datetime

    return datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()
