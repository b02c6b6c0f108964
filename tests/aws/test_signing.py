"""Every signature, held byte for byte against botocore's."""

from __future__ import annotations

import string
from typing import Any, NamedTuple

import pytest
from botocore import auth, awsrequest, credentials, utils
from hypothesis import example, given
from hypothesis import strategies as st

import tests.profiles  # noqa: F401
from mangum.aws import signing
from mangum.aws.credentials import Credentials
from mangum.exceptions import CredentialsError

HOST = "abc123.execute-api.eu-west-1.amazonaws.com"
TIMESTAMP = "20261121T030405Z"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEPT//////////wEaCWV1LXdlc3QtMSJHMEUCIQD+/=="

IDS = (
    "abc=",
    "d4NsecoByQ0CH-Q=",
    "a/b+c=",
    "%",
    "%2F",
    "100%25",
    "..",
    "a b",
    "ü€😀",
    "~-._",
    "@$&,;:!'()*[]",
)
PATHS = (
    "/",
    "//",
    "/.",
    "/..",
    "/../a",
    "/a/..",
    "/a/../",
    "/a/./b",
    "/a//b/",
    "/.hidden/..a/b.",
    "/prod/@connections/abc%3D",
    "/prod/%40connections/a%2Fb%2Bc%3D",
    "/table/%C3%BC~-._",
    "/bucket/key%20with%2Fslash//twice/../up",
)
QUERIES = (
    "",
    "list-type=2&prefix=a%2Fb",
    "b=2&a=1&a=0&a",
    "a=1=2",
    "&&",
    "=&a=&=b",
    "x-id=PutItem",
    "a%20b=c%2B&a=d",
)


class Case(NamedTuple):
    method: str = "POST"
    path: str = "/prod/@connections/abc%3D"
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012
    body: bytes = b"hello"
    key_id: str = "AKIDEXAMPLE"
    secret_key: str = SECRET
    token: str = ""
    region: str = "eu-west-1"
    service: str = "execute-api"
    timestamp: str = TIMESTAMP


def ours(case: Case) -> dict[str, str]:
    return signing.sign(
        case.method,
        case.path,
        case.query,
        {"host": HOST, **case.headers},
        case.body,
        credentials=Credentials(case.key_id, case.secret_key, case.token),
        region=case.region,
        service=case.service,
        timestamp=case.timestamp,
    )


def theirs(case: Case) -> dict[str, str]:
    """What `add_auth` does, at another time than now."""
    signer = auth.S3SigV4Auth if case.service == "s3" else auth.SigV4Auth
    keys = credentials.Credentials(case.key_id, case.secret_key, case.token or None)
    it: Any = signer(keys, case.service, case.region)
    query = f"?{case.query}" if case.query else ""
    request = awsrequest.AWSRequest(
        method=case.method,
        url=f"https://{HOST}{case.path}{query}",
        headers=dict(case.headers),
        data=case.body,
    )
    request.context["timestamp"] = case.timestamp
    it._modify_request_before_signing(request)
    text = it.string_to_sign(request, it.canonical_request(request))
    it._inject_signature_to_request(request, it.signature(text, request))
    return {"host": HOST, **{name.lower(): value for name, value in request.headers.items()}}


def agree(case: Case) -> None:
    assert ours(case) == theirs(case)


SERVICES = ("execute-api", "dynamodb", "s3")
services = pytest.mark.parametrize("service", SERVICES)


@services
@pytest.mark.parametrize("path", PATHS)
def test_paths_are_signed_as_botocore_signs_them(path: str, service: str) -> None:
    agree(Case(path=path, service=service))


@services
@pytest.mark.parametrize("query", QUERIES)
def test_queries_are_signed_as_botocore_signs_them(query: str, service: str) -> None:
    agree(Case(query=query, service=service))


@pytest.mark.parametrize("connection_id", IDS)
@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
def test_connections_are_signed_as_botocore_signs_them(method: str, connection_id: str) -> None:
    quoted = signing.quote(connection_id)
    assert quoted == utils.percent_encode(connection_id)
    agree(Case(method=method, path=f"/prod/@connections/{quoted}", token=TOKEN))


@services
@pytest.mark.parametrize("body", [b"", b"\0", b"\xff\xfe", "ü€😀".encode(), b"x" * 200_000])
@pytest.mark.parametrize("token", ["", TOKEN])
def test_bodies_and_tokens_are_signed_as_botocore_signs_them(
    token: str, body: bytes, service: str
) -> None:
    agree(Case(body=body, token=token, service=service))


@services
def test_headers_are_trimmed_as_botocore_trims_them(service: str) -> None:
    headers = {
        "content-type": "  application/x-amz-json-1.0 ;  q=1\t",
        "x-amz-target": "DynamoDB_20120810.PutItem",
        "x-amz-meta-ü": "ü \u00a0 € \u2003 x",
        "if-none-match": "*",
    }
    agree(Case(headers=headers, service=service))


def test_headers_that_servers_change_are_sent_but_not_signed() -> None:
    unsigned = {*auth.SIGNED_HEADERS_BLACKLIST}  # longer in newer versions of botocore
    assert unsigned <= signing.UNSIGNED
    headers = dict.fromkeys(unsigned, "x")
    agree(Case(headers=headers))
    sent = ours(Case(headers=headers))
    assert headers.items() <= sent.items()
    assert "SignedHeaders=host;x-amz-date," in sent["authorization"]


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_keys_are_derived_for_each_secret_day_region_and_service(region: str) -> None:
    for _ in range(2):  # the second time they are known
        for service in SERVICES:
            for timestamp in (TIMESTAMP, "20261122T000000Z"):
                for secret_key in (SECRET, "another"):
                    agree(
                        Case(
                            region=region,
                            service=service,
                            timestamp=timestamp,
                            secret_key=secret_key,
                        )
                    )


def test_keys_of_days_gone_by_are_forgotten() -> None:
    for day in range(1, 2 * signing.MAX_KEYS):
        agree(Case(timestamp=f"202601{day:02}T000000Z"))
        assert len(signing._keys) <= signing.MAX_KEYS


UNRESERVED = string.ascii_letters + string.digits + "-._~"
segments = st.sampled_from(["", ".", "..", "...", "@connections", "%2F", "%25", "%C3%BC"]) | (
    st.text(UNRESERVED + "@!$&'()*+,;=:%", max_size=8)
)
paths = st.lists(segments, max_size=6).map(lambda parts: "/" + "/".join(parts))
queries = st.text("ab=&%2F+-._~", max_size=20)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
cases = st.builds(
    Case,
    method=st.sampled_from(["POST", "GET", "DELETE", "PUT", "HEAD"]),
    path=paths,
    query=queries,
    headers=st.dictionaries(
        st.text(string.ascii_lowercase + string.digits + "-", min_size=1).map("x-m-{}".format),
        words,
        max_size=3,
    ),
    body=st.binary(),
    key_id=st.text(UNRESERVED, min_size=1),
    secret_key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    token=st.text(UNRESERVED + "/+=", max_size=30),
    region=st.sampled_from(["us-east-1", "eu-central-1"]),
    service=st.sampled_from(SERVICES),
    timestamp=st.datetimes().map("{:%Y%m%dT%H%M%SZ}".format),
)


@given(cases)
@example(Case(path="/a/../..//b/.", query="b&a=2&a=1", headers={"x-m-a": "  1   2 "}))
def test_any_request_is_signed_as_botocore_signs_it(case: Case) -> None:
    agree(case)


@given(st.text("%+/=~-._ü€\ud800\0 aA0") | st.text())
def test_any_text_is_quoted_as_botocore_quotes_it(text: str) -> None:
    try:
        expected = utils.percent_encode(text)
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            signing.quote(text)
    else:
        assert signing.quote(text) == expected


def test_credentials_that_are_not_text_do_not_show_in_the_error() -> None:
    with pytest.raises(CredentialsError) as caught:
        ours(Case(secret_key="sec\udcffret"))
    assert "ret" not in str(caught.value)
    assert caught.value.__suppress_context__
