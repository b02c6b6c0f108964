"""What is left of a connection when its event loop has gone."""

from __future__ import annotations

import contextlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def abandon(transport: Any) -> None:
    """Close the socket of a transport whose event loop is closed, and so can't do it."""
    transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
    with contextlib.suppress(Exception):
        transport.abort()
    with contextlib.suppress(Exception):
        transport._call_connection_lost(None)  # what the loop would have called
