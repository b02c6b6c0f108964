"""The ASGI TLS extension from what an event tells of the connection.

Source: https://asgi.readthedocs.io/en/latest/specs/tls.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TLS_VERSIONS = {
    "TLSv1": 0x0301,
    "TLSv1.0": 0x0301,
    "TLSv1.1": 0x0302,
    "TLSv1.2": 0x0303,
    "TLSv1.3": 0x0304,
}

# The suites of the security policies of API Gateway, function URLs and load balancers, by their
# numbers at IANA.
CIPHER_SUITES = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    "ECDHE-ECDSA-CHACHA20-POLY1305": 0xCCA9,
    "ECDHE-ECDSA-AES128-SHA256": 0xC023,
    "ECDHE-ECDSA-AES256-SHA384": 0xC024,
    "ECDHE-ECDSA-AES128-SHA": 0xC009,
    "ECDHE-ECDSA-AES256-SHA": 0xC00A,
    "ECDHE-RSA-AES128-GCM-SHA256": 0xC02F,
    "ECDHE-RSA-AES256-GCM-SHA384": 0xC030,
    "ECDHE-RSA-CHACHA20-POLY1305": 0xCCA8,
    "ECDHE-RSA-AES128-SHA256": 0xC027,
    "ECDHE-RSA-AES256-SHA384": 0xC028,
    "ECDHE-RSA-AES128-SHA": 0xC013,
    "ECDHE-RSA-AES256-SHA": 0xC014,
    "AES128-GCM-SHA256": 0x009C,
    "AES256-GCM-SHA384": 0x009D,
    "AES128-SHA256": 0x003C,
    "AES256-SHA256": 0x003D,
    "AES128-SHA": 0x002F,
    "AES256-SHA": 0x0035,
}


def tls_extension(certificate: Any, texts: dict[str, str]) -> dict[str, Any] | None:
    """`scope["extensions"]["tls"]`, or `None` if the event tells nothing.

    `certificate` is API Gateway's `clientCert`; `texts` are headers that the source itself wrote.
    """
    pem = name = None
    if isinstance(certificate, dict):
        pem, name = certificate.get("clientCertPem"), certificate.get("subjectDN")
    version = TLS_VERSIONS.get(texts.get("x-amzn-tls-version", ""))
    if not pem and version is None:
        return None
    extension: dict[str, Any] = {
        "server_cert": None,
        "tls_version": version,
        "cipher_suite": CIPHER_SUITES.get(texts.get("x-amzn-tls-cipher-suite", "")),
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
    }
    if (
        isinstance(pem, str) and isinstance(name, str) and pem and name
    ):  # a chain without a name is not allowed
        extension["client_cert_chain"] = [pem]
        extension["client_cert_name"] = name
    return extension
