"""The events of one connection, as API Gateway sends them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONNECTION_ID = "L0SM9cOFvHcCIhw="
HOST = "70ixmpl4fl.execute-api.us-east-2.amazonaws.com"
HEADERS = {
    "Cache-Control": "no-cache",
    "Host": HOST,
    "Origin": "https://www.example.com",
    "Pragma": "no-cache",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Key": "ZXhhbXBsZSBrZXkgaGVyZQ==",
    "Sec-WebSocket-Version": "13",
    "User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "X-Amzn-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
    "X-Forwarded-For": "205.255.255.176",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}


def connect() -> dict[str, Any]:
    return {
        "headers": HEADERS,
        "multiValueHeaders": {name: [value] for name, value in HEADERS.items()},
        **_event("CONNECT", "$connect"),
    }


def message(text: str) -> dict[str, Any]:
    event = _event("MESSAGE", "$default")
    event["requestContext"]["messageId"] = "MXmpl4EtvHcCIxw="
    return {**event, "body": text}


def _event(kind: str, route: str) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": route,
            "eventType": kind,
            "extendedRequestId": "MXmplH1fPHcFrgw=",
            "requestTime": "10/Mar/2020:05:16:23 +0000",
            "messageDirection": "IN",
            "stage": "production",
            "connectedAt": 1583817383220,
            "requestTimeEpoch": 1583817383220,
            "identity": {"userAgent": HEADERS["User-Agent"], "sourceIp": "205.255.255.176"},
            "requestId": "MXmplH1fPHcFrgw=",
            "domainName": HOST,
            "connectionId": CONNECTION_ID,
            "apiId": "70ixmpl4fl",
        },
        "isBase64Encoded": False,
    }
