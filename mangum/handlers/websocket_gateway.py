"""API Gateway's WebSocket APIs.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
"""

from __future__ import annotations

from mangum.handlers._base import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent

EVENT_TYPES = ("CONNECT", "MESSAGE", "DISCONNECT")


class WebSocketGateway(Refusal):
    """Refused: this version of the adapter serves HTTP only."""

    source = "a WebSocket API"
    refusal = (
        "This is an event of an API Gateway WebSocket API, "
        "which this version of Mangum does not serve."
    )

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        request_context = event.get("requestContext")
        return (
            isinstance(request_context, dict)
            and "connectionId" in request_context
            and request_context.get("eventType") in EVENT_TYPES
        )
