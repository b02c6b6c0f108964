"""Events as the sources send them: one logical request, with 10 or 30 headers and any body.

The request is `GET /items/42?q=hello world&tag=a&tag=b&limit=10` with three cookies, or a `POST`
with a body, as a browser behind the source would send it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.payloads import NONE, Payload, payload

Event = dict[str, Any]

ACCOUNT_ID = "123456789012"
API_ID = "r3pmxmplak"
HOST = f"{API_ID}.execute-api.us-east-2.amazonaws.com"
CLIENT_IP = "205.255.255.176"
COOKIES = ["session=abcdef0123456789abcdef0123456789", "theme=dark", "_ga=GA1.2.1234567.89"]
TIME = "10/Mar/2020:05:16:23 +0000"
TIME_EPOCH_MS = 1583817383220

TEN_HEADERS = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-US,en;q=0.8",
    "content-length": "0",
    "host": HOST,
    "user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
    "x-forwarded-for": CLIENT_IP,
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
}
TWENTY_MORE = {
    "authorization": f"Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{'a' * 300}.{'b' * 80}",
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "origin": "https://www.example.com",
    "referer": "https://www.example.com/a/long/path/page.html?x=1&y=2",
    "sec-ch-ua": '"Not_A Brand";v="8", "Chromium";v="120", "Google Chrome";v="120"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"macOS"',
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
    "sec-fetch-user": "?1",
    "upgrade-insecure-requests": "1",
    "dnt": "1",
    "via": "2.0 abc.cloudfront.net (CloudFront)",
    "x-amz-cf-id": "J4fx8zzz4lSmFvHpUJqXmplXmplXmplXmplXmpl==",
    "if-none-match": 'W/"abcdef"',
    "x-request-id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "cloudfront-viewer-country": "US",
    "x-api-key": "k" * 40,
}
HEADERS = {10: TEN_HEADERS, 30: {**TEN_HEADERS, **TWENTY_MORE}}


class Context:
    """What the Python runtime passes as context."""

    function_name = "function"
    function_version = "$LATEST"
    invoked_function_arn = f"arn:aws:lambda:us-east-2:{ACCOUNT_ID}:function:function"
    memory_limit_in_mb = "1769"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def http_event(*, path: str, headers: int, body: str) -> Event:
    """An HTTP API's event, payload format 2.0."""
    sent = payload(body)
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "q=hello%20world&tag=a&tag=b&limit=10",
        "cookies": COOKIES,
        "headers": _headers(headers, sent),
        "queryStringParameters": {"q": "hello world", "tag": "a,b", "limit": "10"},
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "domainName": HOST,
            "domainPrefix": API_ID,
            "http": {
                "method": _method(body),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": CLIENT_IP,
                "userAgent": TEN_HEADERS["user-agent"],
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": TIME,
            "timeEpoch": TIME_EPOCH_MS,
        },
        "isBase64Encoded": sent.is_binary,
    }
    return event if body == NONE else {**event, "body": sent.text}


def rest_event(*, path: str, headers: int, body: str) -> Event:
    """A REST API's event, payload format 1.0, with both maps of headers."""
    sent = payload(body)
    fields = {**_headers(headers, sent), "cookie": "; ".join(COOKIES)}
    fields = {name.title(): value for name, value in fields.items()}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": _method(body),
        "headers": fields,
        "multiValueHeaders": _lists(fields),
        "queryStringParameters": {"q": "hello world", "tag": "b", "limit": "10"},
        "multiValueQueryStringParameters": {
            "q": ["hello world"],
            "tag": ["a", "b"],
            "limit": ["10"],
        },
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "resourceId": "us4z18",
            "stage": "Prod",
            "requestId": "41b45ea3-70b5-11e6-b7bd-69b5aaebc7d9",
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "apiKey": None,
                "sourceIp": CLIENT_IP,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": TEN_HEADERS["user-agent"],
                "user": None,
            },
            "resourcePath": "/{proxy+}",
            "httpMethod": _method(body),
            "apiId": API_ID,
            "path": f"/Prod{path}",
            "protocol": "HTTP/1.1",
            "requestTime": TIME,
            "requestTimeEpoch": TIME_EPOCH_MS,
            "domainName": HOST,
        },
        "body": None if body == NONE else sent.text,
        "isBase64Encoded": sent.is_binary,
    }


def alb_event(*, path: str, headers: int, body: str) -> Event:
    """A load balancer's event, its target group in multi-value mode."""
    event = alb_single_event(path=path, headers=headers, body=body)
    del event["queryStringParameters"]
    fields = event.pop("headers")
    query = {"q": ["hello%20world"], "tag": ["a", "b"], "limit": ["10"]}
    return {
        **event,
        "multiValueQueryStringParameters": query,
        "multiValueHeaders": _lists(fields),
    }


def alb_single_event(*, path: str, headers: int, body: str) -> Event:
    """A load balancer's event, its target group in single-value mode."""
    sent = payload(body)
    group = "lambda-279XGJDqGZ5rsrHC2Fjr/49e9d65c45c6791a"
    arn = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT_ID}:targetgroup/{group}"
    return {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": _method(body),
        "path": path,
        "queryStringParameters": {"q": "hello%20world", "tag": "b", "limit": "10"},
        "headers": {**_headers(headers, sent), "cookie": "; ".join(COOKIES)},
        "body": "" if body == NONE else sent.text,
        "isBase64Encoded": sent.is_binary,
    }


def edge_event(*, path: str, headers: int, body: str) -> Event:
    """CloudFront's event on its way to the origin."""
    sent = payload(body)
    fields = {**_headers(headers, sent), "cookie": "; ".join(COOKIES)}
    request: Event = {
        "clientIp": CLIENT_IP,
        "headers": {name: [{"key": name.title(), "value": it}] for name, it in fields.items()},
        "method": _method(body),
        "origin": {"custom": {"domainName": "example.org", "path": "", "protocol": "https"}},
        "querystring": "q=hello%20world&tag=a&tag=b&limit=10",
        "uri": path,
    }
    if body != NONE:
        encoding = "base64" if sent.is_binary else "text"
        request["body"] = {
            "action": "read-only",
            "data": sent.text,
            "encoding": encoding,
            "inputTruncated": False,
        }
    config = {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": "origin-request",
        "requestId": "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==",
    }
    return {"Records": [{"cf": {"config": config, "request": request}}]}


SOURCES: dict[str, Callable[..., Event]] = {
    "v2": http_event,
    "REST": rest_event,
    "ALB": alb_event,
    "ALB single": alb_single_event,
    "Edge": edge_event,
}


def _method(body: str) -> str:
    return "GET" if body == NONE else "POST"


def _headers(count: int, sent: Payload) -> dict[str, str]:
    if not sent.data:
        return dict(HEADERS[count])
    return {
        **HEADERS[count],
        "content-type": sent.content_type,
        "content-length": str(len(sent.data)),
    }


def _lists(fields: dict[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in fields.items()}
