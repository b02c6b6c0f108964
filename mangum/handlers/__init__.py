"""The event sources, and the order in which an event is held against them."""

from __future__ import annotations

from mangum.handlers.alb import ALB
from mangum.handlers.api_gateway import APIGateway, HTTPGateway
from mangum.handlers.authorizer import Authorizer
from mangum.handlers.lambda_at_edge import LambdaAtEdge
from mangum.handlers.passthrough import PassThrough
from mangum.handlers.vpc_lattice import VPCLattice, VPCLatticeV1
from mangum.handlers.websocket_gateway import WebSocketGateway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mangum.types import LambdaHandler

__all__ = [
    "ALB",
    "APIGateway",
    "HTTPGateway",
    "LambdaAtEdge",
    "PassThrough",
    "VPCLattice",
    "VPCLatticeV1",
]

# The most specific first; each row says what would go wrong below it.
DETECTION: tuple[type[LambdaHandler], ...] = (
    LambdaAtEdge,  # has `Records`, as queues have
    ALB,  # has `httpMethod` and `requestContext`, as REST APIs have
    Authorizer,  # looks like a request, or like a WebSocket's CONNECT
    WebSocketGateway,  # may carry `httpMethod` and `path`
    VPCLattice,  # has `version` "2.0"
    VPCLatticeV1,
    HTTPGateway,  # `version` "2.0" and `requestContext.http`, or "1.0" and what the next row has
    APIGateway,  # `httpMethod` and `requestContext`
    PassThrough,  # anything else, if `events_path` says so
)
