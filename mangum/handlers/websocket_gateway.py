"""API Gateway's WebSocket APIs.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
"""

from __future__ import annotations

from mangum.handlers import is_websocket
from mangum.handlers._base import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent


class WebSocketGateway(Refusal):
    """Refused: this version of the adapter serves HTTP only."""

    source = "a WebSocket API"
    refusal = (
        "This is an event of an API Gateway WebSocket API, "
        "which this version of Mangum does not serve."
    )

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_websocket(event)
