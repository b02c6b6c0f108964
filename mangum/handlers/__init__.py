"""The event sources, and the order in which an event is held against them.

Each source's module is imported when its first event arrives.
"""

from __future__ import annotations

from mangum._speedups import recognise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mangum.handlers.alb import ALB
    from mangum.handlers.api_gateway import APIGateway, HTTPGateway
    from mangum.handlers.authorizer import Authorizer
    from mangum.handlers.lambda_at_edge import LambdaAtEdge
    from mangum.handlers.passthrough import PassThrough
    from mangum.handlers.vpc_lattice import VPCLattice, VPCLatticeV1
    from mangum.handlers.websocket_gateway import WebSocketGateway
    from mangum.types import LambdaHandler

__all__ = [
    "ALB",
    "APIGateway",
    "Authorizer",
    "HTTPGateway",
    "LambdaAtEdge",
    "PassThrough",
    "VPCLattice",
    "VPCLatticeV1",
    "WebSocketGateway",
]

MODULES = {
    "ALB": "alb",
    "APIGateway": "api_gateway",
    "Authorizer": "authorizer",
    "HTTPGateway": "api_gateway",
    "LambdaAtEdge": "lambda_at_edge",
    "PassThrough": "passthrough",
    "VPCLattice": "vpc_lattice",
    "VPCLatticeV1": "vpc_lattice",
    "WebSocketGateway": "websocket_gateway",
}
"""The module of each handler."""

WEBSOCKET_EVENT_TYPES = ("CONNECT", "MESSAGE", "DISCONNECT")


def is_edge(event: dict[str, Any]) -> bool:
    records = event.get("Records")
    return (
        isinstance(records, list)
        and bool(records)
        and isinstance(records[0], dict)
        and "cf" in records[0]
    )


def is_alb(event: dict[str, Any]) -> bool:
    request_context = event.get("requestContext")
    return isinstance(request_context, dict) and request_context.get("elb") is not None


def is_authorizer(event: dict[str, Any]) -> bool:
    return event.get("type") in ("REQUEST", "TOKEN") and (
        "methodArn" in event or "routeArn" in event
    )


def is_websocket(event: dict[str, Any]) -> bool:
    request_context = event.get("requestContext")
    return (
        isinstance(request_context, dict)
        and "connectionId" in request_context
        and request_context.get("eventType") in WEBSOCKET_EVENT_TYPES
    )


def is_lattice(event: dict[str, Any]) -> bool:
    request_context = event.get("requestContext")
    return isinstance(request_context, dict) and (
        "serviceArn" in request_context or "serviceNetworkArn" in request_context
    )


def is_lattice_v1(event: dict[str, Any]) -> bool:
    return "raw_path" in event and bool(event.get("method"))


def is_http(event: dict[str, Any]) -> bool:
    version = event.get("version")
    if version == "1.0":
        return is_rest(event)
    request_context = event.get("requestContext")
    return (
        version == "2.0"
        and isinstance(request_context, dict)
        and isinstance(request_context.get("http"), dict)
    )


def is_rest(event: dict[str, Any]) -> bool:
    return bool(event.get("httpMethod")) and isinstance(event.get("requestContext"), dict)


# The most specific first; each row says what would go wrong below it.
DETECTION: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
    ("LambdaAtEdge", is_edge),  # has `Records`, as queues have
    ("ALB", is_alb),  # has `httpMethod` and `requestContext`, as REST APIs have
    ("Authorizer", is_authorizer),  # looks like a request, or like a WebSocket's CONNECT
    ("WebSocketGateway", is_websocket),  # may carry `httpMethod` and `path`
    ("VPCLattice", is_lattice),  # has `version` "2.0"
    ("VPCLatticeV1", is_lattice_v1),
    ("HTTPGateway", is_http),  # `version` "2.0" and `requestContext.http`, or as the next, "1.0"
    ("APIGateway", is_rest),  # `httpMethod` and `requestContext`
)


def find(event: Any) -> type[LambdaHandler] | None:
    """The handler class of an event that is a request; `None` for any other event."""
    if not isinstance(event, dict):
        return None
    name = recognise(event)
    if name is None:
        name = next((name for name, fits in DETECTION if fits(event)), None)
        if name is None:
            return None
    found: type[LambdaHandler] | None = globals().get(name)
    return __getattr__(name) if found is None else found


def __getattr__(name: str) -> Any:
    from importlib import import_module

    module = MODULES.get(name)
    if module is None:
        if name == "utils" or name in MODULES.values():
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    handler = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return handler
