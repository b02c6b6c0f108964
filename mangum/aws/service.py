"""Signed requests to one AWS service, repeated where that is safe and of use."""

from __future__ import annotations

import time
from asyncio import sleep

from mangum.aws.connections import Pool
from mangum.aws.credentials import shared
from mangum.aws.endpoints import find_region, find_url, parse_url
from mangum.aws.replies import Reply
from mangum.aws.signing import sign
from mangum.aws.sockets import Interrupted
from mangum.exceptions import AWSError, CredentialsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mangum.aws.credentials import CredentialSource

__all__ = ["Reply", "Service"]

TIMEOUT_S = 10.0
TRIES = 4
FIRST_PAUSE_S = 0.1  # at most; twice as much after each further try

THROTTLED = (429, 503)  # S3's SlowDown is a 503
FAILED = (500, 502, 504)  # nobody knows whether the request was taken

THROTTLES = (
    b"ProvisionedThroughputExceededException",
    b"RequestLimitExceeded",
    b"ThrottlingException",
)
"""The types of DynamoDB's errors, all of them answers with the status 400."""


class Service:
    """A service at its endpoint in a region: `"dynamodb"`, `"s3"` or `"execute-api"`.

    The endpoint is the one given, or that of `AWS_ENDPOINT_URL_…`, or AWS's own. `timeout_s` is for
    one answer; no further try begins when the first one is as long ago.
    """

    def __init__(
        self,
        name: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        *,
        timeout_s: float | None = None,
        credentials: CredentialSource = shared,
    ) -> None:
        self.name = name
        self.region = find_region(region)
        self.endpoint_url = find_url(name, self.region, endpoint_url)
        self.timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._endpoint = parse_url(self.endpoint_url)
        self._credentials = credentials
        self._pool = Pool(self._endpoint, self.timeout_s)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        repeatable: bool = True,
    ) -> Reply:
        """Send a request below the endpoint's path; `path` and `query` go out as they are.

        Throttling is answered by waiting and trying again. A request that is not `repeatable` is
        sent again only if the service can't have taken it. An answer of any status is returned.
        Raises `AWSError` if there is none, `CredentialsError`, and `ValueError` for what HTTP can't
        carry.
        """
        path = self._endpoint.path + path
        ends_s = time.monotonic() + self.timeout_s
        tried = 0
        while True:
            tried += 1
            request = await self._signed(method, path, query, headers, body)
            try:
                reply = await self._pool.exchange(request, method, repeatable=repeatable)
            except Interrupted as exc:
                if tried == TRIES or not (repeatable or exc.is_untaken):
                    raise self._failure(exc) from exc
                failure: AWSError | None = exc
            except AWSError as exc:
                raise self._failure(exc) from exc
            else:
                if tried == TRIES or not self._is_worth_another(reply, repeatable):
                    return reply
                failure = None
            pause_s = _pause_s(tried)
            if time.monotonic() + pause_s > ends_s:
                if failure is None:
                    return reply
                raise self._failure(failure) from failure
            await sleep(pause_s)

    async def close(self) -> None:
        self._pool.close()

    async def _signed(
        self, method: str, path: str, query: str, headers: Mapping[str, str] | None, body: bytes
    ) -> bytes:
        credentials = await self._credentials.get()
        given = {"host": self._endpoint.authority}
        if headers:
            for name, value in headers.items():
                given[name.lower()] = value
        sent = sign(
            method,
            path,
            query,
            given,
            body,
            credentials=credentials,
            region=self.region,
            service=self.name,
            timestamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        )
        target = f"{path}?{query}" if query else path
        if not path.startswith("/") or not target.isascii() or " " in target or "#" in target:
            raise ValueError("The path or the query is not percent-encoded")
        sent["content-length"] = str(len(body))
        lines = [f"{name}: {value}" for name, value in sent.items()]
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
        if head.count("\n") != len(lines) + 2 or head.count("\r") != len(lines) + 2:
            if not f"{credentials.key_id}{credentials.token}".isprintable():
                raise CredentialsError("The AWS credentials hold a line break")
            raise ValueError("A header, the path or the query holds a line break")
        return head.encode() + body

    def _is_worth_another(self, reply: Reply, repeatable: bool) -> bool:
        status = reply.status
        if status < 400:
            return False
        if status == 400:
            return self.name == "dynamodb" and _is_throttle(reply.body)
        if status == 503 and not repeatable:
            return False  # only of a 429 is it certain that nothing was taken
        return status in THROTTLED or (repeatable and status in FAILED)

    def _failure(self, exc: AWSError) -> AWSError:
        return AWSError(f"{self.name} at {self._endpoint.authority}: {exc}")


def _is_throttle(body: bytes) -> bool:
    """Whether DynamoDB's error is of such a type; its message may name it, too."""
    if not any(name in body for name in THROTTLES):
        return False
    import json

    try:
        error_type = json.loads(body)["__type"]
        return error_type.rpartition("#")[2].encode() in THROTTLES
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _pause_s(tried: int) -> float:
    """Anything up to a limit that doubles, lest all who were turned away come back at once."""
    from random import random

    return random() * FIRST_PAUSE_S * (1 << tried - 1)
