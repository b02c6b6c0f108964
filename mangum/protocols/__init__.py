"""The ASGI connections that the adapter serves. Each is imported at its first need."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.protocols.http import HTTPCycle
    from mangum.protocols.lifespan import LifespanCycle
    from mangum.protocols.states import LifespanCycleState, WebSocketCycleState
    from mangum.protocols.websockets import WebSocketCycle

__all__ = [
    "HTTPCycle",
    "LifespanCycle",
    "LifespanCycleState",
    "WebSocketCycle",
    "WebSocketCycleState",
]

_MODULES = {
    "HTTPCycle": "http",
    "LifespanCycle": "lifespan",
    "LifespanCycleState": "states",
    "WebSocketCycle": "websockets",
    "WebSocketCycleState": "states",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("http", "lifespan", "websockets"):
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
