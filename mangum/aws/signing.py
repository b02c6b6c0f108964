"""Signature Version 4: the headers that prove who sends a request. Knows no clock and no network.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

from mangum.exceptions import CredentialsError

try:  # hashlib has OpenSSL list all that it can do, which takes longer than a request
    from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,no-redef,unused-ignore]
    except ImportError:
        from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mangum.aws.credentials import Credentials

__all__ = ["quote", "sign"]

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MAX_KEYS = 16
LONG_BYTES = 8 * 1024  # from here on OpenSSL's instructions for it are worth its import

# What servers between here and there may change.
UNSIGNED = frozenset(
    "authorization baggage connection expect keep-alive proxy-authenticate proxy-authorization te"
    " traceparent tracestate trailer transfer-encoding upgrade user-agent x-amzn-trace-id".split()
)

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUOTED = {byte: f"%{byte:02X}" for byte in range(256) if byte not in _SAFE}
_QUOTED_PATH = {byte: text for byte, text in _QUOTED.items() if byte != ord("/")}

_keys: dict[tuple[str, str, str, str], bytes] = {}


def sign(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    region: str,
    service: str,
    timestamp: str,
) -> dict[str, str]:
    """The headers to send: those given, the date, the session token, the signature.

    `path` and `query` are percent-encoded as they are sent, the names of `headers` are in lower
    case and hold `host`, `timestamp` is `"20261121T030405Z"`.
    """
    signed = {**headers, "x-amz-date": timestamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    payload = _payload_hash(body) if body else EMPTY_SHA256
    if service == "s3":
        signed["x-amz-content-sha256"] = payload
    names = sorted(signed.keys() - UNSIGNED)
    lines = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
    listed = ";".join(names)
    request = (
        f"{method}\n{_canonical_path(path, service)}\n{_canonical_query(query)}\n"
        f"{lines}\n{listed}\n{payload}"
    )
    day = timestamp[:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    try:
        key = _keys.get((credentials.secret_key, day, region, service))
        if key is None:
            key = _derive(credentials.secret_key, day, region, service)
        hashed = sha256(request.encode()).hexdigest()
    except UnicodeEncodeError:  # its own text would show the secret's place and a character of it
        raise CredentialsError("The AWS credentials hold bytes that are not text") from None
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"
    signature = hmac_digest(key, text.encode()).hex()
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.key_id}/{scope}, "
        f"SignedHeaders={listed}, Signature={signature}"
    )
    return signed


def quote(text: str) -> str:
    """The text percent-encoded as AWS wants a label of a path, or a part of a query."""
    return text.encode().decode("latin-1").translate(_QUOTED)


def _canonical_path(path: str, service: str) -> str:
    """S3 takes a path as it is sent; all others encode it once more."""
    if service == "s3":
        return path
    if "//" in path or "/." in path:
        path = _without_dots(path)
    return path.encode().decode("latin-1").translate(_QUOTED_PATH)


def _without_dots(path: str) -> str:
    """Without empty, `.` and `..` segments."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return f"/{'/'.join(kept)}{'/' if kept and path.endswith('/') else ''}"


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted([pair.partition("=")[::2] for pair in query.split("&")])
    return "&".join([f"{name}={value}" for name, value in pairs])


def _derive(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The day's key of a service, which AWS derives from the secret in the same four steps."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac_digest(key, part.encode())
    if len(_keys) >= MAX_KEYS:  # days and rotated secrets go by
        _keys.clear()
    _keys[secret_key, day, region, service] = key
    return key


def _payload_hash(body: bytes) -> str:
    if len(body) < LONG_BYTES:
        return str(sha256(body).hexdigest())
    import hashlib

    return hashlib.sha256(body).hexdigest()


_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def hmac_digest(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256.

    Source: https://www.rfc-editor.org/rfc/rfc2104
    """
    if len(key) > 64:
        key = sha256(key).digest()
    key = key.ljust(64, b"\0")
    inner = sha256(key.translate(_INNER) + message).digest()
    digest: bytes = sha256(key.translate(_OUTER) + inner).digest()
    return digest
