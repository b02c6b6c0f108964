"""CloudFront, through Lambda@Edge.

Sources:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html,
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
"""

from __future__ import annotations

import logging

from mangum._speedups import decode_path, decode_response, encode_edge_headers, group_headers
from mangum._speedups.pure import build_scope, scheme_of
from mangum.exceptions import RequestError
from mangum.handlers import is_edge
from mangum.handlers._base import OBJECT, TEXT, Handler, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

__all__ = ["LambdaAtEdge"]

logger = logging.getLogger("mangum")

# CloudFront answers 502 to a result with a header that it does not allow.
DISALLOWED_HEADERS = frozenset(
    (
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    )
)
DISALLOWED_PREFIXES = ("x-amz-cf-", "x-edge-")
READ_ONLY_HEADERS: dict[str, frozenset[str]] = {
    "viewer-request": frozenset(("cdn-loop", "content-length", "host", "transfer-encoding", "via")),
    "origin-request": frozenset(
        (
            "accept-encoding",
            "cdn-loop",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        )
    ),
    "origin-response": frozenset(("transfer-encoding", "via")),
    "viewer-response": frozenset(
        ("warning", "via", "content-length", "content-encoding", "transfer-encoding")
    ),
}
READ_ONLY_IN_ANSWERS = READ_ONLY_HEADERS["viewer-request"] | READ_ONLY_HEADERS["origin-request"]
"""Where the event does not tell its type: only those two can be answered."""

MAX_RESULT_BYTES = {"viewer-request": 40_960, "viewer-response": 40_960}
"""By event type; 1 MB for all others. The documentation does not say what counts, so the whole
result does."""


class LambdaAtEdge(Handler):
    """A request that CloudFront received (`viewer-request`) or is about to send to the origin
    (`origin-request`)."""

    source = "Lambda@Edge"
    fields = (
        ("Records.0.cf", OBJECT),
        ("Records.0.cf.config", OBJECT),
        ("Records.0.cf.request", OBJECT),
        ("Records.0.cf.request.method", TEXT),
        ("Records.0.cf.request.uri", TEXT),
        ("Records.0.cf.request.querystring", TEXT),
        ("Records.0.cf.request.clientIp", TEXT),
        ("Records.0.cf.request.headers", OBJECT),
        ("Records.0.cf.request.body", OBJECT),
        ("Records.0.cf.request.body.data", TEXT),
    )
    required = ("Records.0.cf.request", "Records.0.cf.request.method")

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return is_edge(event)

    @property
    def max_result_bytes(self) -> int:
        return MAX_RESULT_BYTES.get(self._event_type, 1_048_576)

    @property
    def _event_type(self) -> str:
        config = self.event["Records"][0]["cf"].get("config")
        event_type = config.get("eventType") if isinstance(config, dict) else None
        return event_type if isinstance(event_type, str) else ""

    def read_scope(self) -> Scope:
        request = self.event["Records"][0]["cf"]["request"]
        uri = request.get("uri") or ("/" if self.modern else "")
        headers, texts = encode_edge_headers(request.get("headers"))
        scope = build_scope(
            self.event,
            self.context,
            self.config,
            method=request["method"],
            headers=headers,
            texts=texts,
            path=decode_path(uri),
            raw_path=uri,
            query_string=(request.get("querystring") or "").encode("utf-8", "replace"),
            client_ip=request.get("clientIp"),
            scheme=scheme_of(
                texts.get("cloudfront-forwarded-proto") or texts.get("x-forwarded-proto")
            ),
        )
        if not uri:  # as mangum 0.22
            scope["path"] = ""
        return scope

    def read_body(self) -> bytes:
        body = self.event["Records"][0]["cf"]["request"].get("body") or {}
        if body.get("inputTruncated"):
            logger.error(
                "CloudFront cut the request's body off at its limit, so it was not served."
            )
            raise RequestError(
                413, "Content Too Large: CloudFront passes on a part of this body only"
            )
        return decode(body.get("data"), body.get("encoding") == "base64")

    def write_result(self, response: Response) -> dict[str, Any]:
        config = self.config
        texts, body, is_base64 = decode_response(
            response, config["exclude_headers"], config["text_mime_types"]
        )
        read_only = READ_ONLY_HEADERS.get(self._event_type, READ_ONLY_IN_ANSWERS)
        headers = {
            name: [{"key": name, "value": value} for value in values]
            for name, values in group_headers(texts).items()
            if name not in DISALLOWED_HEADERS
            and name not in read_only
            and not name.startswith(DISALLOWED_PREFIXES)
        }
        status = response["status"]
        if not self.modern:
            return {
                "status": status,
                "headers": headers,
                "body": body,
                "isBase64Encoded": is_base64,
            }
        from mangum.handlers._reasons import reason

        result = {"status": str(status), "statusDescription": reason(status), "headers": headers}
        if body or status != 204:  # CloudFront refuses a 204 with a body, be it empty
            result.update(body=body, bodyEncoding="base64" if is_base64 else "text")
        return result
