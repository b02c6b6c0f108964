"""The request side that all sources share: what an event tells of the connection."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import Scope


def add_tls(scope: Scope, certificate: Any, has_tls_headers: bool = False) -> None:
    """Tell the application of the connection, as far as the event does; `has_tls_headers` says that
    the source itself writes the `x-amzn-tls-…` headers."""
    if scope["scheme"] != "https":
        return
    texts: dict[bytes, bytes] = {}
    if has_tls_headers:
        for name, value in scope["headers"]:
            if name[:11] == b"x-amzn-tls-":
                texts[name] = texts[name] + b", " + value if name in texts else value
    if certificate or texts:
        from mangum.handlers._tls import tls_extension

        extension = tls_extension(
            certificate, {name.decode(): value.decode() for name, value in texts.items()}
        )
        if extension:
            scope["extensions"] = {"tls": extension}
