"""API Gateway: REST APIs, HTTP APIs with either payload, and Lambda function URLs.

Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

from mangum._speedups import http_result, http_scope, rest_result, rest_scope
from mangum._speedups.constants import LIMITS
from mangum.handlers import is_http, is_rest
from mangum.handlers._base import LIST, MAP, OBJECT, PROXY_FIELDS, TEXT, Handler
from mangum.handlers._request import add_tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

__all__ = ["APIGateway", "HTTPGateway"]


class APIGateway(Handler):
    """A REST API; it reads the payload 1.0 of an HTTP API too, which is the same but for the
    stage."""

    source = "a REST API"
    fields = (
        *PROXY_FIELDS,
        ("requestContext", OBJECT),
        ("requestContext.path", TEXT),
        ("requestContext.stage", TEXT),
        ("requestContext.domainName", TEXT),
        ("requestContext.identity", OBJECT),
        ("requestContext.identity.sourceIp", TEXT),
    )
    required = ("httpMethod",)

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_rest(event)

    def read_scope(self) -> Scope:
        scope = rest_scope(self.event, self.context, self.config)
        if self.modern:
            identity = self.event["requestContext"].get("identity") or {}
            add_tls(scope, identity.get("clientCert"))
        return scope

    def write_result(self, response: Response) -> dict[str, Any]:
        config = self.config
        return rest_result(response, config["exclude_headers"], config["text_mime_types"])


class HTTPGateway(Handler):
    """An HTTP API, and a function URL. Payload 1.0 is a REST API's but for the limit of headers, so
    `APIGateway` reads and writes it."""

    source = "an HTTP API or function URL"
    fields = (
        ("rawPath", TEXT),
        ("rawQueryString", TEXT),
        ("headers", MAP),
        ("cookies", LIST),
        ("body", TEXT),
        ("requestContext", OBJECT),
        ("requestContext.domainName", TEXT),
        ("requestContext.stage", TEXT),
        ("requestContext.http", OBJECT),
        ("requestContext.http.method", TEXT),
        ("requestContext.http.path", TEXT),
        ("requestContext.http.sourceIp", TEXT),
    )
    required = ("requestContext.http.method",)

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_http(event)

    @property
    def max_header_bytes(self) -> int | None:
        event = self.event
        if event.get("version") != "1.0" and _is_function_url(event["requestContext"]):
            return None
        return LIMITS["HTTPGateway"][1]

    def read_scope(self) -> Scope:
        if self.event.get("version") == "1.0":
            return APIGateway(self.event, self.context, self.config).scope
        scope = http_scope(self.event, self.context, self.config)
        if self.modern:
            request_context = self.event["requestContext"]
            authentication = request_context.get("authentication") or {}
            add_tls(scope, authentication.get("clientCert"), _is_function_url(request_context))
        return scope

    def write_result(self, response: Response) -> dict[str, Any]:
        if self.event.get("version") == "1.0":
            return APIGateway(self.event, self.context, self.config).write_result(response)
        config = self.config
        return http_result(
            response,
            config["exclude_headers"],
            config["text_mime_types"],
            "" if self.modern else "application/json",
        )


def _is_function_url(request_context: dict[str, Any]) -> bool:
    return ".lambda-url." in (request_context.get("domainName") or "")
