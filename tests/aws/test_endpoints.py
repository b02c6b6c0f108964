"""Where a service is taken to be, beside what boto3 says."""

from __future__ import annotations

import pytest
from botocore.session import Session

from mangum.aws.endpoints import Endpoint, configured_url, find_region, find_url, parse_url
from mangum.exceptions import ConfigurationError

NAMES = {"dynamodb": "DYNAMODB", "execute-api": "APIGATEWAYMANAGEMENTAPI", "s3": "S3"}


@pytest.fixture(autouse=True)
def _nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


REGIONS = (
    "us-east-2",  # for S3 in the first one boto3 keeps an older endpoint
    "eu-west-1",
    "us-gov-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "us-isof-south-1",
    "eusc-de-east-1",
    "xx-new-1",
)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", ["dynamodb", "s3"])
def test_own_endpoints_are_those_of_boto3(session: Session, service: str, region: str) -> None:
    client = session.create_client(service, region_name=region)
    assert find_url(service, region) == client.meta.endpoint_url


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        {"OWN": "http://127.0.0.1:2"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "OWN": "http://127.0.0.1:2/path"},
        {"OWN": "http://127.0.0.1:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"},
        {"OWN": "http://127.0.0.1:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    ],
)
def test_environment_names_endpoints_as_it_does_for_boto3(
    monkeypatch: pytest.MonkeyPatch, service: str, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        own = f"AWS_ENDPOINT_URL_{NAMES[service]}"
        monkeypatch.setenv(own if name == "OWN" else name, value)
    name = "apigatewaymanagementapi" if service == "execute-api" else service
    client = Session().create_client(name, region_name="eu-west-1")
    assert find_url(service, "eu-west-1") == client.meta.endpoint_url


def test_the_url_given_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2")
    assert find_url("s3", "eu-west-1", "http://127.0.0.1:3") == "http://127.0.0.1:3"
    assert find_url("s3", "eu-west-1", "") == "http://127.0.0.1:2"


def test_empty_variables_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert configured_url("s3") is None
    assert find_region() == "eu-north-1"


def test_region_is_the_one_given_or_that_of_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert find_region() == "eu-west-1"
    assert find_region("eu-west-3") == "eu-west-3"


def test_without_a_region_the_error_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        find_region()


@pytest.mark.parametrize("region", ["a/b", "a.b", "-a", "a-", "a@b", "a b", "ü", "-", "a\r\nb"])
def test_region_that_can_be_none_is_refused(region: str) -> None:
    with pytest.raises(ConfigurationError):
        find_region(region)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://s3.x.com", Endpoint(True, "s3.x.com", 443, "s3.x.com", "")),
        ("HTTPS://S3.X.com:443/", Endpoint(True, "s3.x.com", 443, "s3.x.com", "")),
        ("http://x:8000/a/b/", Endpoint(False, "x", 8000, "x:8000", "/a/b")),
        ("http://x:80//a", Endpoint(False, "x", 80, "x", "//a")),
        ("http://x:/a%20b", Endpoint(False, "x", 80, "x", "/a%20b")),
        ("https://x:80", Endpoint(True, "x", 80, "x:80", "")),
        ("http://[::1]", Endpoint(False, "::1", 80, "[::1]", "")),
        ("http://[FD00::23]:81/x", Endpoint(False, "fd00::23", 81, "[fd00::23]:81", "/x")),
    ],
)
def test_urls_are_taken_apart(url: str, expected: Endpoint) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.com",
        "//x.com",
        "ftp://x.com",
        "wss://x.com",
        "http://",
        "http:///path",
        "http://:80",
        "http://.x",
        "http://x:0",
        "http://x:65536",
        "http://x:1x",
        "http://x:²",
        "http://[::1",
        "http://[::1]x",
        "http://[]",
        "http://x y",
        "http://x/a b",
        "http://x/?a=b",
        "http://x#a",
        "http://x/ü",
        "http://x\r\nhost: y",
        "http://x\x7f",
    ],
)
def test_what_is_no_url_of_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_url(url)


def test_the_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url("http://user:secret@x.com")
    assert "secret" not in str(caught.value)
