"""TLS over two buffers, and the authorities that are trusted. Knows no sockets."""

from __future__ import annotations

import os
from binascii import a2b_base64
from contextlib import suppress

from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

__all__ = ["Secure", "distrust", "find_context"]

AWS_HOSTS = (".amazonaws.com", ".api.aws")
AWS_AUTHORITIES = (b"Amazon", b"Starfield")  # who signs their certificates

_contexts: dict[str, ssl.SSLContext] = {}  # by the path of a bundle of authorities, or ""
_aws_contexts: dict[str, ssl.SSLContext | None] = {}


class Secure:
    """One end of a connection: cheaper than asyncio's, and tied to no loop."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        from ssl import MemoryBIO, SSLWantReadError, SSLZeroReturnError

        self.incoming = MemoryBIO()
        self.outgoing = MemoryBIO()
        self.ssl = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.wants_more = SSLWantReadError
        self.closed = SSLZeroReturnError

    def is_silent(self) -> bool:
        """Whether what has arrived since the answer is of TLS alone, such as a session ticket."""
        try:
            self.ssl.read(1)
        except self.wants_more:
            return True
        except OSError:
            pass
        return False


def find_context(host: str) -> tuple[ssl.SSLContext, bool]:
    """The authorities that are trusted, of AWS_CA_BUNDLE or of the system; and whether those are
    only the ones that sign for AWS. Raises `ConfigurationError`."""
    bundle = os.environ.get("AWS_CA_BUNDLE", "")
    if host.endswith(AWS_HOSTS):
        if bundle not in _aws_contexts:
            _aws_contexts[bundle] = _aws_context(bundle)
        context = _aws_contexts[bundle]
        if context is not None:
            return context, True
    if bundle not in _contexts:
        _contexts[bundle] = _context(bundle)
    return _contexts[bundle], False


def distrust(context: ssl.SSLContext) -> None:
    """The authorities that sign for AWS did not do: somebody in between signs with another."""
    for bundle, known in _aws_contexts.items():
        if known is context:
            _aws_contexts[bundle] = None


def _context(bundle: str) -> ssl.SSLContext:
    from ssl import create_default_context

    try:
        context = create_default_context(cafile=bundle or None)
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigurationError(f"AWS_CA_BUNDLE={bundle}: {reason}") from exc
    context.set_alpn_protocols(["http/1.1"])
    return context


def _aws_context(bundle: str) -> ssl.SSLContext | None:
    """To load a hundred others takes 20 ms of a cold start. Nothing, if there are none."""
    from ssl import create_default_context, get_default_verify_paths

    with suppress(OSError):
        file = bundle or get_default_verify_paths().cafile
        authorities = _read_authorities(file) if file else b""
        if authorities:
            context = create_default_context(cadata=authorities)
            context.set_alpn_protocols(["http/1.1"])
            return context
    return None


def _read_authorities(path: str) -> bytes:
    """The certificates in a bundle that name one of AWS_AUTHORITIES, in DER."""
    with open(path, "rb") as file:
        bundle = file.read()
    found = []
    for part in bundle.split(b"-----BEGIN CERTIFICATE-----")[1:]:
        try:
            certificate = a2b_base64(part.partition(b"-----END")[0])
        except ValueError:
            continue
        if any(name in certificate for name in AWS_AUTHORITIES):
            found.append(certificate)
    return b"".join(found)
