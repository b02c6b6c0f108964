"""What clients of AWS got for results of functions, as others recorded it there.

Sources: the snapshots of LocalStack that were taken from AWS (tests/aws/services/apigateway and
lambda_, November 2024 and 2025), and those of the .NET Lambda test tool (aws/aws-lambda-dotnet,
Tools/LambdaTestTool-v2, April 2025); both are under the Apache License 2.0.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Recorded(NamedTuple):
    source: str
    result: Any
    status: int
    headers: dict[str, Any]  # some of them; several values are a list, or joined
    body: str | None  # `None` if it was not noted


RECORDED = (
    Recorded("rest", {"statusCode": 200}, 200, {}, ""),
    Recorded(
        "rest",
        {"statusCode": 200, "headers": None},
        200,
        {"content-type": "application/json"},
        None,
    ),
    Recorded("rest", {}, 502, {}, None),
    Recorded(
        "rest",
        {"statusCode": 200, "body": "dGVzdC1kYXRh", "isBase64Encoded": True},
        200,
        {},
        "dGVzdC1kYXRh",
    ),
    Recorded(
        "rest",
        {"statusCode": 200, "multiValueHeaders": {"test-multi": ["value1", "value2"]}},
        200,
        {"test-multi": "value1, value2"},
        None,
    ),
    Recorded(
        "rest",
        {
            "statusCode": 200,
            "headers": {"test-multi": "value-solo"},
            "multiValueHeaders": {"tesT-Multi": ["value-multi"]},
        },
        200,
        {"tesT-Multi": "value-multi, value-solo"},
        None,
    ),
    Recorded(
        "rest",
        {"statusCode": 200, "multiValueHeaders": {"test-multi": "value-multi"}},
        502,
        {},
        None,
    ),
    Recorded("rest", {"statusCode": "201"}, 201, {}, None),
    Recorded("rest", {"headers": {"test-header": "value"}}, 200, {}, None),
    Recorded(
        "rest",
        {"statusCode": 200, "body": "Hello, World!"},
        200,
        {"content-type": "application/json"},
        "Hello, World!",
    ),
    Recorded(
        "http",
        {"statusCode": 200, "body": "Hello, World!"},
        200,
        {"content-type": "text/plain; charset=utf-8"},
        "Hello, World!",
    ),
    Recorded(
        "http-1",
        {"statusCode": 0, "body": '{"key":"This body should be replaced"}'},
        500,
        {"content-type": "application/json"},
        None,
    ),
    Recorded(
        "http",
        {"statusCode": 0, "body": '{"key":"This body should be replaced"}'},
        500,
        {"content-type": "application/json"},
        None,
    ),
    Recorded(
        "http-1",
        {
            "statusCode": 200,
            "headers": {
                "Content-Type": "application/json",
                "X-Custom-Header": "single-value",
                "Combined-Header": "single-value",
            },
            "multiValueHeaders": {
                "X-Multi-Header": ["multi-value1", "multi-value2"],
                "Combined-Header": ["multi-value1", "multi-value2"],
            },
            "body": '{"message":"With Combined Headers"}',
        },
        200,
        {"Combined-Header": ["single-value", "multi-value1", "multi-value2"]},
        None,
    ),
    Recorded(
        "http-1",
        {
            "statusCode": 200,
            "multiValueHeaders": {"X-Multi-Header": ["Value1", "Value2"]},
            "body": '{"message":"With MultiValueHeaders"}',
        },
        200,
        {"X-Multi-Header": ["Value1", "Value2"]},
        None,
    ),
    Recorded(
        "http",
        {
            "statusCode": 200,
            "body": "eyJtZXNzYWdlIjoiSGVsbG8sIEFQSSBHYXRld2F5IHYyISJ9",
            "isBase64Encoded": True,
        },
        200,
        {},
        '{"message":"Hello, API Gateway v2!"}',
    ),
    Recorded(
        "http",
        {
            "statusCode": 201,
            "headers": {"Content-Type": "application/xml"},
            "body": '{"key":"value"}',
        },
        201,
        {"content-type": "application/xml"},
        None,
    ),
    Recorded("http", "Hello, World!", 200, {"content-type": "application/json"}, "Hello, World!"),
    Recorded("http", 42, 200, {"content-type": "application/json"}, "42"),
    Recorded("http", [1, 2, 3, 4, 5], 200, {"content-type": "application/json"}, "[1, 2, 3, 4, 5]"),
    Recorded("http", "", 200, {"content-type": "application/json"}, ""),
    Recorded(
        "url", {"hello": "world"}, 200, {"content-type": "application/json"}, '{"hello":"world"}'
    ),
    Recorded("url", "hello", 200, {"content-type": "application/json"}, "hello"),
    Recorded("url", 3.1, 200, {"content-type": "application/json"}, "3.1"),
    Recorded("url", True, 200, {"content-type": "application/json"}, "true"),
    Recorded(
        "url",
        {"statusCode": 200, "body": '{"hello": "world"}'},
        200,
        {"content-type": "application/json"},
        '{"hello": "world"}',
    ),
)
