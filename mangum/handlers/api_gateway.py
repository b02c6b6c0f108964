"""API Gateway: REST APIs, HTTP APIs with either payload, and Lambda function URLs.

Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

from mangum._speedups import (
    decode_path,
    encode_headers,
    encode_multi_value_headers,
    encode_query_string,
    fold_headers,
    split_headers,
)
from mangum.handlers._base import LIST, MAP, OBJECT, PROXY_FIELDS, TEXT, Handler
from mangum.handlers._request import build_scope, strip_prefix
from mangum.handlers._response import read_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

__all__ = ["APIGateway", "HTTPGateway"]

MAX_HTTP_API_HEADER_BYTES = 10_240
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""


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
        return bool(event.get("httpMethod")) and isinstance(event.get("requestContext"), dict)

    def read_scope(self) -> Scope:
        event = self.event
        request_context = event["requestContext"]
        identity = request_context.get("identity") or {}
        path = event.get("path") or "/"
        stage = ""
        if self.modern and event.get("version") == "1.0":
            stage, path = _split_http_stage(path, request_context)
        elif self.modern:
            stage = _rest_stage(path, request_context)
        headers, texts = encode_multi_value_headers(
            event.get("headers"), event.get("multiValueHeaders"), split=self.modern
        )
        return build_scope(
            event,
            self.context,
            self.config,
            method=event["httpMethod"],
            headers=headers,
            texts=texts,
            path=decode_path(path),
            raw_path=path,
            stage=stage,
            query_string=encode_query_string(
                event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            ),
            client_ip=identity.get("sourceIp"),
            protocol=request_context.get("protocol"),
            client_certificate=identity.get("clientCert"),
        )

    def write_result(self, response: Response) -> dict[str, Any]:
        texts, body, is_base64 = read_response(response, self.config)
        headers, multi_value_headers = split_headers(texts)
        return {
            "statusCode": response["status"],
            "headers": headers,
            "multiValueHeaders": multi_value_headers,
            "body": body,
            "isBase64Encoded": is_base64,
        }


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
        version = event.get("version")
        if version == "1.0":
            return APIGateway.infer(event, context, config)
        request_context = event.get("requestContext")
        return (
            version == "2.0"
            and isinstance(request_context, dict)
            and isinstance(request_context.get("http"), dict)
        )

    @property
    def max_header_bytes(self) -> int | None:
        if not self._is_version_1 and _is_function_url(self.event["requestContext"]):
            return None
        return MAX_HTTP_API_HEADER_BYTES

    @property
    def _is_version_1(self) -> bool:
        return self.event.get("version") == "1.0"

    def read_scope(self) -> Scope:
        if self._is_version_1:
            return APIGateway(self.event, self.context, self.config).scope
        event = self.event
        request_context = event["requestContext"]
        http = request_context["http"]
        is_function_url = _is_function_url(request_context)
        stage = ""
        raw_path = path = event.get("rawPath")
        if path is None:
            path = http.get("path") or "/"
        elif is_function_url:
            path = decode_path(path)
        else:
            path = path if path.isascii() else path.encode("utf-8", "replace").decode()
            if self.modern:
                stage, path = _split_http_stage(path, request_context)
        headers, texts = encode_headers(event.get("headers"), event.get("cookies"))
        return build_scope(
            event,
            self.context,
            self.config,
            method=http["method"],
            headers=headers,
            texts=texts,
            path=path,
            raw_path=raw_path if is_function_url else None,
            stage=stage,
            query_string=(event.get("rawQueryString") or "").encode("utf-8", "replace"),
            client_ip=http.get("sourceIp"),
            protocol=http.get("protocol"),
            client_certificate=(request_context.get("authentication") or {}).get("clientCert"),
            tls_headers=is_function_url,
        )

    def write_result(self, response: Response) -> dict[str, Any]:
        if self._is_version_1:
            return APIGateway(self.event, self.context, self.config).write_result(response)
        default_content_type = "" if self.modern else "application/json"
        texts, body, is_base64 = read_response(response, self.config, default_content_type)
        headers, cookies = fold_headers(texts)
        result: dict[str, Any] = {
            "statusCode": response["status"],
            "body": body,
            "isBase64Encoded": is_base64,
        }
        if headers:
            result["headers"] = headers
        if cookies:
            result["cookies"] = cookies
        return result


def _is_function_url(request_context: dict[str, Any]) -> bool:
    return ".lambda-url." in (request_context.get("domainName") or "")


def _rest_stage(path: str, request_context: dict[str, Any]) -> str:
    """A REST API's stage, if the client's path begins with it: `/prod` for `/items` that the client
    calls `/prod/items`. On a domain of one's own it does not."""
    client_path = request_context.get("path") or ""
    stage = f"/{request_context.get('stage')}"
    return stage if client_path != path and strip_prefix(client_path, stage) is not None else ""


def _split_http_stage(path: str, request_context: dict[str, Any]) -> tuple[str, str]:
    """The stage that the client sees, and the path behind it; `("", path)` if it has none.

    An HTTP API puts a named stage before the path. On its default domain the client sees it too; on
    a domain of one's own, where a mapping adds it, the client does not.
    """
    stage = f"/{request_context.get('stage') or '$default'}"
    rest = strip_prefix(path, stage)
    if rest is None:
        return "", path
    domain = request_context.get("domainName") or ""
    return (stage, rest) if not domain or ".execute-api." in domain else ("", rest or "/")
