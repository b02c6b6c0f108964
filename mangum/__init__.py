"""Mangum runs any ASGI application on AWS Lambda."""

from __future__ import annotations

from mangum.adapter import Mangum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.websockets.facade import MangumWS

__version__ = "1.0.0.dev0"

__all__ = ["Mangum", "MangumWS", "__version__"]

_MODULES = ("handlers", "protocols", "types")


def __getattr__(name: str) -> Any:
    """`MangumWS` at its first use; `mangum.types` after `import mangum` alone, as it was when all
    were imported at once."""
    if name == "MangumWS":
        from mangum.websockets.facade import MangumWS

        return MangumWS
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f"{__name__}.{name}")
