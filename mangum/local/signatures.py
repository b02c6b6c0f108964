"""Signature Version 4 from the other side: whether a request is signed by who it says it is from.

Nothing here shows a secret, or what a signature should have been.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from __future__ import annotations

import calendar
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple

from mangum.aws.credentials import Credentials
from mangum.aws.signing import ALGORITHM, sign
from mangum.local.messages import Request

__all__ = ["MAX_SKEW_S", "BadSignature", "verify"]

MAX_SKEW_S = 5 * 60
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
PARAMETERS = ("Credential", "Signature", "SignedHeaders")


class BadSignature(Exception):
    """Why a request is refused: the type of AWS's error, and its words."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class _Claim(NamedTuple):
    """What an `Authorization` header says."""

    key_id: str
    day: str
    region: str
    service: str
    terminator: str
    signed: list[str]  # names of headers in lower case
    signature: str


def verify(
    request: Request,
    credentials: Mapping[str, str],
    *,
    region: str,
    service: str = "execute-api",
    now_s: float | None = None,
) -> str:
    """The id of the key that the request is signed with. Raises `BadSignature`.

    `credentials` are secrets by the ids of their keys; any session token will do. Headers that
    servers may change on the way, `mangum.aws.signing.UNSIGNED`, can't be signed.
    """
    claim = _read_claim(request.header("authorization"))
    timestamp = request.header("x-amz-date")
    _check_date(timestamp, time.time() if now_s is None else now_s)
    _check_scope(claim, timestamp, region, service)
    if "host" not in claim.signed:
        raise _incomplete(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    secret_key = credentials.get(claim.key_id)
    if secret_key is None:
        raise BadSignature(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    if not _same(claim.signature, _expected(request, claim, secret_key, timestamp)):
        raise BadSignature(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check"
            " your AWS Secret Access Key and signing method. Consult the service documentation for"
            " details.",
        )
    return claim.key_id


def _read_claim(authorization: str) -> _Claim:
    if not authorization:
        raise BadSignature("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm'; {ALGORITHM} is needed.")
    parameters = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    missing = [name for name in PARAMETERS if not parameters.get(name)]
    if missing:
        raise _incomplete(
            " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    scope = parameters["Credential"].split("/")
    if len(scope) < 5:
        raise _incomplete(
            "Credential must have at least 5 slash-delimited elements, e.g."
            f" keyid/date/region/service/term, got {len(scope)}."
        )
    day, region, service, terminator = scope[-4:]
    return _Claim(
        key_id="/".join(scope[:-4]),
        day=day,
        region=region,
        service=service,
        terminator=terminator,
        signed=parameters["SignedHeaders"].split(";"),
        signature=parameters["Signature"],
    )


def _check_date(timestamp: str, now_s: float) -> None:
    if not timestamp:
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    try:
        signed_s = calendar.timegm(time.strptime(timestamp, DATE_FORMAT))
    except ValueError:
        raise _incomplete("Date must be in ISO-8601 'basic format'.") from None
    now = _timestamp(now_s)
    if signed_s < now_s - MAX_SKEW_S:
        limit = _timestamp(now_s - MAX_SKEW_S)
        raise _invalid(
            f"Signature expired: {timestamp} is now earlier than {limit} ({now} - 5 min.)"
        )
    if signed_s > now_s + MAX_SKEW_S:
        limit = _timestamp(now_s + MAX_SKEW_S)
        raise _invalid(
            f"Signature not yet current: {timestamp} is still later than {limit} ({now} + 5 min.)"
        )


def _check_scope(claim: _Claim, timestamp: str, region: str, service: str) -> None:
    if claim.terminator != "aws4_request":
        raise _invalid("Credential should be scoped with a valid terminator: 'aws4_request'.")
    if claim.service != service:
        raise _invalid(f"Credential should be scoped to correct service: '{service}'.")
    if claim.region != region:
        raise _invalid(f"Credential should be scoped to a valid region: '{region}'.")
    if claim.day != timestamp[:8]:
        raise _invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from"
            " HTTP."
        )


def _expected(request: Request, claim: _Claim, secret_key: str, timestamp: str) -> str:
    """The signature that whoever has the secret makes for these headers."""
    headers = {name: _joined(request, name) for name in claim.signed}
    token = headers.pop("x-amz-security-token", "")
    headers.pop("x-amz-date", None)  # which `sign` adds
    signed = sign(
        request.method,
        request.path,
        request.query,
        headers,
        request.body,
        credentials=Credentials(claim.key_id, secret_key, token),
        region=claim.region,
        service=claim.service,
        timestamp=timestamp,
    )
    return signed["authorization"].rpartition("Signature=")[2]


def _joined(request: Request, name: str) -> str:
    return ",".join(value.strip() for key, value in request.headers if key == name)


def _same(one: str, other: str) -> bool:
    """Without telling by the time it takes how much of it is the same."""
    return hmac.compare_digest(one.encode(), other.encode())


def _timestamp(time_s: float) -> str:
    return time.strftime(DATE_FORMAT, time.gmtime(time_s))


def _incomplete(message: str) -> BadSignature:
    return BadSignature("IncompleteSignatureException", message)


def _invalid(message: str) -> BadSignature:
    return BadSignature("InvalidSignatureException", message)
