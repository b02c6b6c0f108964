"""The services whose events are not requests, by what only their events have."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mangum.types import LambdaEvent

EVENT_SOURCES = frozenset(
    (
        "aws:amq",
        "aws:codecommit",
        "aws:docdb",
        "aws:dynamodb",
        "aws:kafka",
        "aws:kinesis",
        "aws:mq",
        "aws:rmq",
        "aws:s3",
        "aws:ses",
        "aws:sns",
        "aws:sqs",
        "aws:SelfManagedKafka",
        "SelfManagedKafka",
    )
)
"""What an `eventSource` may say. Anything else there is a value that somebody chose, and is not
repeated."""


def _has(*keys: str) -> Callable[[LambdaEvent], bool]:
    return lambda event: all(key in event for key in keys)


# The first that fits names the source.
RECOGNISERS: tuple[tuple[str, Callable[[LambdaEvent], bool]], ...] = (
    (
        "aws.events",
        lambda event: (
            "source" in event
            and "detail" in event
            and ("detail-type" in event or "detailType" in event)
        ),
    ),
    ("aws:firehose", _has("deliveryStreamArn", "records")),
    ("aws:logs", _has("awslogs")),
    ("aws:codepipeline", _has("CodePipeline.job")),
    ("aws:cognito-idp", _has("triggerSource", "userPoolId")),
    ("aws:cognito-sync", _has("identityPoolId", "datasetRecords")),
    ("aws:s3-batch", _has("invocationSchemaVersion", "tasks")),
    ("aws:s3-object-lambda", _has("getObjectContext")),
    ("aws:cloudformation", _has("RequestType", "ResponseURL", "StackId")),
    ("aws:config", _has("invokingEvent")),
    ("aws:bedrock-agent", _has("messageVersion", "agent")),
    ("aws:lex", _has("bot", "currentIntent")),
    ("aws:lex", _has("bot", "sessionState")),
    ("aws:connect", _has("Name", "Details")),
    ("aws:appsync", _has("info", "arguments")),
    ("alexa", _has("session", "request", "version")),
    ("aws:iot", _has("claimCertificateId", "templateArn")),
    ("aws:iot", _has("serialNumber", "clickType")),
    (
        "warmer",
        lambda event: event.get("source") == "serverless-plugin-warmup" or "warmer" in event,
    ),
)


def source_of(event: Any) -> str | None:
    """The event's source in AWS's notation, such as `"aws:sqs"` or `"aws.events"`; `None` if it is
    not known."""
    if not isinstance(event, dict):
        return None
    records = event.get("Records")
    record = records[0] if isinstance(records, list) and records else event
    if isinstance(record, dict):
        named = record.get("eventSource") or record.get("EventSource")
        if isinstance(named, str) and named in EVENT_SOURCES:
            return named
    for source, fits in RECOGNISERS:
        if fits(event):
            return source
    return None


_MAX_KEYS, _MAX_KEY = 20, 64


def describe(event: Any) -> str:
    """What is known of an event that no handler takes: its likely source and its keys, never a
    value."""
    if not isinstance(event, dict):
        return f"It is a {type(event).__name__}, not an object."
    keys = ", ".join(sorted(repr(key)[:_MAX_KEY] for key in event)[:_MAX_KEYS]) or "none"
    source = source_of(event)
    likely = f"It looks like an event of {source}. " if source else ""
    return f"{likely}Its keys: {keys}."
