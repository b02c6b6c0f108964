"""Signatures that others have made, and requests that were changed afterwards."""

from __future__ import annotations

import calendar
import time
from dataclasses import replace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

import tests.profiles  # noqa: F401
from mangum.aws.credentials import Credentials
from mangum.aws.signing import UNSIGNED, sign
from mangum.local.messages import Request
from mangum.local.signatures import BadSignature, verify

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2lu+/=="
KNOWN = {"AKIDOTHER": "something else", KEY: SECRET}
REGION = "eu-west-1"
TIMESTAMP = "20261121T030405Z"
NOW_S = calendar.timegm(time.strptime(TIMESTAMP, "%Y%m%dT%H%M%SZ"))
PATH = "/prod/@connections/d4NsecoByQ0CH-Q%3D"
HOST = "127.0.0.1:8000"


def signed(**changes: Any) -> Request:
    """A request with our own signature."""
    given = {
        "method": "POST",
        "path": PATH,
        "query": "",
        "headers": {"host": HOST},
        "body": b"hello",
        "credentials": Credentials(KEY, SECRET),
        "region": REGION,
        "service": "execute-api",
        "timestamp": TIMESTAMP,
        **changes,
    }
    headers = sign(**given)
    fields = {name: given[name] for name in ("method", "path", "query", "body")}
    return Request(**fields, headers=list(headers.items()))


def with_header(request: Request, name: str, value: str | None) -> Request:
    others = [pair for pair in request.headers if pair[0] != name]
    return replace(request, headers=others if value is None else [*others, (name, value)])


def check(request: Request, now_s: float = NOW_S) -> str:
    return verify(request, KNOWN, region=REGION, now_s=now_s)


def refusal(request: Request, now_s: float = NOW_S) -> tuple[str, str]:
    with pytest.raises(BadSignature) as caught:
        check(request, now_s)
    return caught.value.error_type, str(caught.value)


MISMATCH = (
    "InvalidSignatureException",
    (
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method. Consult the service documentation for details."
    ),
)


def test_our_own_signature_is_right() -> None:
    assert check(signed()) == KEY


def test_so_is_one_with_a_session_token() -> None:
    assert check(signed(credentials=Credentials(KEY, SECRET, TOKEN))) == KEY


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", PATH, "", b"hello"),
        ("POST", "/prod/%40connections/abc%3D", "", b"\0\xff"),
        ("GET", PATH, "b=2&a=1", b""),
        ("DELETE", PATH, "", b""),
    ],
)
def test_botocores_signature_is_right(
    method: str, path: str, query: str, body: bytes, token: str | None
) -> None:
    url = f"http://{HOST}{path}{'?' if query else ''}{query}"
    sent = AWSRequest(method, url, {"X-Test": " a  b ", "User-Agent": "me"}, body)
    SigV4Auth(BotocoreCredentials(KEY, SECRET, token), "execute-api", REGION).add_auth(sent)
    headers = [(name.lower(), value) for name, value in sent.headers.items()]
    request = Request(method, path, query, [*headers, ("host", HOST)], body)
    assert verify(request, KNOWN, region=REGION) == KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "DELETE"},
        {"path": PATH.replace("d4", "e4")},
        {"query": "a=1"},
        {"body": b"hellO"},
        {"body": b""},
    ],
)
def test_a_changed_request_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(replace(signed(), **changes)) == MISMATCH


def test_a_changed_header_is_refused() -> None:
    assert refusal(with_header(signed(), "host", "elsewhere")) == MISMATCH


def test_a_changed_token_is_refused() -> None:
    request = signed(credentials=Credentials(KEY, SECRET, TOKEN))
    assert refusal(with_header(request, "x-amz-security-token", "another")) == MISMATCH


def test_a_header_that_is_not_signed_may_change() -> None:
    assert check(with_header(signed(), "x-forwarded-for", "203.0.113.1")) == KEY


def test_another_secret_is_refused() -> None:
    assert refusal(signed(credentials=Credentials(KEY, "guessed"))) == MISMATCH


def test_an_unknown_key_is_refused() -> None:
    assert refusal(signed(credentials=Credentials("AKIDNOBODY", SECRET))) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


def test_a_request_without_a_signature_is_refused() -> None:
    assert refusal(Request("POST", PATH)) == (
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    )


@pytest.mark.parametrize(
    ("service", "region", "words"),
    [
        ("execute-api", "us-east-1", "Credential should be scoped to a valid region: 'eu-west-1'."),
        ("s3", REGION, "Credential should be scoped to correct service: 'execute-api'."),
    ],
)
def test_another_scope_is_refused(service: str, region: str, words: str) -> None:
    request = signed(service=service, region=region)
    assert refusal(request) == ("InvalidSignatureException", words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("aws4_request", "aws5_request", "scoped with a valid terminator: 'aws4_request'"),
        ("/20261121/", "/20261120/", "Date in Credential scope does not match"),
        (f"{KEY}/", "", "at least 5 slash-delimited elements"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "Unsupported AWS 'algorithm'"),
        ("AWS4-HMAC-SHA256", "Bearer", "Unsupported AWS 'algorithm'"),
        ("Signature=", "Sign=", "Authorization header requires 'Signature' parameter."),
        ("SignedHeaders=", "Headers=", "Authorization header requires 'SignedHeaders' parameter."),
        (
            "SignedHeaders=host;",
            "SignedHeaders=",
            "'Host' or ':authority' must be a 'SignedHeader'",
        ),
        ("Credential=", "", "Authorization header requires 'Credential' parameter."),
    ],
)
def test_another_authorization_is_refused_with_the_reason(old: str, new: str, words: str) -> None:
    request = signed()
    header = request.header("authorization")
    assert old in header
    _, message = refusal(with_header(request, "authorization", header.replace(old, new)))
    assert words in message


@pytest.mark.parametrize(
    ("late_s", "words"),
    [
        (
            301,
            (
                "Signature expired: 20261121T030405Z is now earlier than 20261121T030406Z"
                " (20261121T030906Z - 5 min.)"
            ),
        ),
        (
            -301,
            (
                "Signature not yet current: 20261121T030405Z is still later than 20261121T030404Z"
                " (20261121T025904Z + 5 min.)"
            ),
        ),
    ],
)
def test_a_clock_that_is_off_by_more_than_five_minutes_is_refused(late_s: int, words: str) -> None:
    assert refusal(signed(), NOW_S + late_s) == ("InvalidSignatureException", words)


@pytest.mark.parametrize("late_s", [300, -300])
def test_a_clock_may_be_off_by_five_minutes(late_s: int) -> None:
    assert check(signed(), NOW_S + late_s) == KEY


@pytest.mark.parametrize("date", [None, "", "yesterday", "20261121", "2026-11-21T03:04:05Z", "ü"])
def test_a_request_needs_a_date(date: str | None) -> None:
    error_type, message = refusal(with_header(signed(), "x-amz-date", date))
    assert error_type == "IncompleteSignatureException"
    assert "Date" in message


@pytest.mark.parametrize("name", ["x-amz-date", "user-agent"])
def test_the_list_of_signed_headers_is_signed_too(name: str) -> None:
    assert name == "x-amz-date" or name in UNSIGNED
    request = signed()
    header = request.header("authorization").replace(
        "SignedHeaders=host;x-amz-date", f"SignedHeaders=host;{name};x-other"
    )
    assert refusal(with_header(request, "authorization", header)) == MISMATCH


LATIN_1 = st.text(st.characters(max_codepoint=255))


@given(st.text("AWS4-HMACSHA256 Credential=Signature,/;0ü") | LATIN_1, LATIN_1, LATIN_1)
def test_whatever_comes_is_refused_without_a_word_of_what_is_secret(
    authorization: str, date: str, host: str
) -> None:
    for sent in (authorization, f"AWS4-HMAC-SHA256 {authorization}"):
        request = with_header(signed(), "authorization", sent)
        request = with_header(with_header(request, "host", host), "x-amz-date", date)
        try:
            check(request)
        except BadSignature as error:
            assert SECRET not in str(error)  # noqa: PT017
        else:
            raise AssertionError(sent)


@given(LATIN_1, LATIN_1)
def test_no_wrong_signature_is_taken_or_told_the_right_one(signature: str, credential: str) -> None:
    request = signed()
    header = request.header("authorization")
    expected = header.rpartition("=")[2]
    changed = header.replace(expected, signature)
    if changed.rpartition("=")[2].strip() == expected:
        return
    for sent in (changed, changed.replace(KEY, f"{credential}{KEY}")):
        error_type, message = refusal(with_header(request, "authorization", sent))
        assert expected not in message
        assert SECRET not in message
        assert error_type.endswith("Exception")
