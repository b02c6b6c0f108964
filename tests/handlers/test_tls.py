"""The TLS extension of the scope: from whom a word on the connection is taken."""

from __future__ import annotations

import functools
import ssl
from typing import Any

import pytest

from tests.apps import scope_of
from tests.builders import SOURCES, Event, Keys, Pairs, replaced

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CERTIFICATE = {
    "clientCertPem": PEM,
    "subjectDN": "CN=client,O=Example",
    "issuerDN": "CN=root",
    "serialNumber": "1",
    "validity": {
        "notBefore": "Aug  5 00:28:21 2019 GMT",
        "notAfter": "Aug  5 00:28:21 2029 GMT",
    },
}
TLS: Pairs = [
    ("x-amzn-tls-version", "TLSv1.3"),
    ("x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256"),
]
CERTIFICATE_KEYS: dict[str, Keys] = {
    "REST API": ("requestContext", "identity", "clientCert"),
    "HTTP API 1.0": ("requestContext", "identity", "clientCert"),
    "HTTP API 2.0": ("requestContext", "authentication"),
}
TOLD_BY_HEADERS = ("function URL", "ALB", "ALB multi-value")

# Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
SUITES = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA256",
    "AES128-SHA",
    "AES256-SHA",
]


@functools.cache
def _numbers() -> dict[str, int]:
    """Every cipher suite that Python's ssl module knows, by OpenSSL's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {suite["name"]: suite["id"] & 0xFFFF for suite in context.get_ciphers()}


def _extension(**fields: Any) -> dict[str, Any]:
    return {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": None,
        "cipher_suite": None,
        **fields,
    }


def _with_certificate(source: str, certificate: Any) -> Event:
    keys = CERTIFICATE_KEYS[source]
    value = {"clientCert": certificate} if keys[-1] == "authentication" else certificate
    return replaced(SOURCES[source](), keys, value)


@pytest.mark.parametrize("source", SOURCES)
def test_classic_edition_has_no_extensions(source: str) -> None:
    event = SOURCES[source](headers=TLS)
    if source in CERTIFICATE_KEYS:
        event = _with_certificate(source, CERTIFICATE)
    assert "extensions" not in scope_of(event)


@pytest.mark.parametrize("source", SOURCES)
def test_plain_event_has_no_extensions(source: str) -> None:
    assert "extensions" not in scope_of(SOURCES[source](), edition="2026")


@pytest.mark.parametrize("source", CERTIFICATE_KEYS)
def test_client_certificate_is_api_gateways(source: str) -> None:
    scope = scope_of(_with_certificate(source, CERTIFICATE), edition="2026")
    assert scope["extensions"] == {
        "tls": _extension(client_cert_chain=[PEM], client_cert_name="CN=client,O=Example")
    }


@pytest.mark.parametrize("source", CERTIFICATE_KEYS)
@pytest.mark.parametrize("certificate", [None, {}, {"clientCertPem": None}, {"clientCertPem": ""}])
def test_missing_client_certificate_is_no_extension(source: str, certificate: Any) -> None:
    assert "extensions" not in scope_of(_with_certificate(source, certificate), edition="2026")


@pytest.mark.parametrize("source", TOLD_BY_HEADERS)
def test_version_and_cipher_are_told_by_the_source(source: str) -> None:
    scope = scope_of(SOURCES[source](headers=TLS), edition="2026")
    assert scope["extensions"] == {"tls": _extension(tls_version=0x0304, cipher_suite=0x1301)}


@pytest.mark.parametrize("source", sorted(set(SOURCES) - set(TOLD_BY_HEADERS)))
def test_version_and_cipher_are_not_taken_from_the_client(source: str) -> None:
    assert "extensions" not in scope_of(SOURCES[source](headers=TLS), edition="2026")


@pytest.mark.parametrize("source", SOURCES)
def test_client_certificate_is_not_taken_from_headers(source: str) -> None:
    forged = [
        ("x-amzn-mtls-clientcert", PEM.replace("\n", "%0A")),
        ("x-amzn-mtls-clientcert-leaf", PEM.replace("\n", "%0A")),
        ("x-amzn-mtls-clientcert-subject", "CN=admin"),
        ("x-forwarded-client-cert", "Subject=CN=admin"),
    ]
    scope = scope_of(SOURCES[source](headers=[*forged, *TLS]), edition="2026")
    tls = scope.get("extensions", {}).get("tls", _extension())
    assert (list(tls["client_cert_chain"]), tls["client_cert_name"]) == ([], None)


@pytest.mark.parametrize(
    ("sent", "version"),
    [("TLSv1", 0x0301), ("TLSv1.1", 0x0302), ("TLSv1.2", 0x0303), ("TLSv1.3", 0x0304)],
)
def test_version_is_the_number_of_the_protocol(sent: str, version: int) -> None:
    scope = scope_of(SOURCES["ALB"](headers=[("x-amzn-tls-version", sent)]), edition="2026")
    assert scope["extensions"]["tls"] == _extension(tls_version=version)
    names = {member.value: member.name for member in ssl.TLSVersion}
    assert names[version] == sent.replace(".", "_")


def test_unknown_cipher_suite_has_no_number() -> None:
    headers = [("x-amzn-tls-version", "TLSv1.2"), ("x-amzn-tls-cipher-suite", "NEW-SUITE")]
    scope = scope_of(SOURCES["ALB"](headers=headers), edition="2026")
    assert scope["extensions"]["tls"] == _extension(tls_version=0x0303)


def test_plain_http_has_no_tls_extension() -> None:
    headers = [*TLS, ("x-forwarded-proto", "http")]
    assert "extensions" not in scope_of(SOURCES["ALB"](headers=headers), edition="2026")


@pytest.mark.parametrize("suite", SUITES)
def test_cipher_suite_has_the_number_that_python_knows(suite: str) -> None:
    headers = [("x-amzn-tls-version", "TLSv1.2"), ("x-amzn-tls-cipher-suite", suite)]
    scope = scope_of(SOURCES["ALB"](headers=headers), edition="2026")
    number = scope["extensions"]["tls"]["cipher_suite"]
    assert type(number) is int
    assert number == _numbers().get(suite, number)


def test_python_knows_most_cipher_suites() -> None:
    assert len(set(SUITES) & set(_numbers())) > len(SUITES) / 2
