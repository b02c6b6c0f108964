"""API Gateway's authorizer events: they look like requests, but ask whether a request is allowed.

Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

from mangum.handlers import is_authorizer
from mangum.handlers._base import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent


class Authorizer(Refusal):
    """Refused, so that an application never answers "200 OK" to the question whether someone may
    enter."""

    source = "an API Gateway authorizer"
    refusal = (
        "This is an event of an API Gateway Lambda authorizer, not a request. "
        "Give the authorizer a function of its own, or look for `methodArn` and `routeArn` before "
        "you call the adapter."
    )

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_authorizer(event)
