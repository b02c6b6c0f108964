"""Events from AWS, from its documentation and from other projects: what becomes of each.

`tests/events/README.md` lists them with their origins.
"""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from mangum import Mangum
from mangum.exceptions import ConfigurationError, InferenceError, MalformedEvent, MangumError
from mangum.handlers._sources import EVENT_SOURCES, RECOGNISERS
from mangum.types import Edition, Scope
from tests.apps import Recorder, sending
from tests.builders import Answer, decode_result, lambda_context

EVENTS = Path(__file__).with_name("events")
EDITIONS: tuple[Edition, ...] = ("classic", "2026")

REQUESTS = (
    "alb",
    "apigw-httpapi-v1",
    "apigw-httpapi-v2",
    "apigw-rest-v1",
    "function-url",
    "lambda-edge",
    "vpc-lattice-v1",
    "vpc-lattice-v2",
)
AUTHORIZER = "apigw-authorizer"
WEBSOCKET = "apigw-websocket"

# --- the tables -------------------------------------------------------------------------------

NO_CONTEXT = "no `requestContext`, which API Gateway always sends"
NO_METHOD = "neither `httpMethod` nor the `version` of payload 2.0"

REFUSED: dict[str, tuple[type[MangumError], str]] = {
    "apigw-httpapi-v1/apig-wsgi-v1-header-multi.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-minimal-single-headers.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-minimal.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-no-headers.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-query-empty-dict.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-query-multi-plus-value.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-request-context-null.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v1/apig-wsgi-v1-special-headers.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v2/fastify-v2-cookies-minimal.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v2/fastify-v2-multipart-base64.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v2/fastify-v2-multipart.json": (InferenceError, NO_CONTEXT),
    "apigw-httpapi-v2/fastify-v2-shape-with-mvh.json": (InferenceError, NO_METHOD),
    "apigw-rest-v1/awsgi-rest-minimal-unicode-query.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/chalice-rest-empty-headers.json": (InferenceError, NO_METHOD),
    "apigw-rest-v1/dotnet-missing-resource-request.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/fastify-path-only.json": (InferenceError, NO_METHOD),
    "apigw-rest-v1/serverless-http-body-only-unicode.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/serverless-http-path-without-leading-slash.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/serverless-http-rest-query-multi-minimal.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/serverless-http-stage-in-path.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/vapor-rest-content-length-number.json": (InferenceError, NO_CONTEXT),
    "apigw-rest-v1/zappa-rest-no-request-context.json": (InferenceError, NO_CONTEXT),
    "lambda-edge/sam-cli-generate-cloudfront-modify-response-header.json": (
        MalformedEvent,
        "a response that passes CloudFront: it has no `request`",
    ),
}
"""HTTP-like events that are no requests to us, and why."""

NOT_BASE64 = {
    "alb/dotnet-alb-request-single-value.json",
    "apigw-httpapi-v1/powertools-py-api-gateway-proxy-event-another-path.json",
    "apigw-httpapi-v1/powertools-py-api-gateway-proxy-event-path-trailing-slash.json",
    "apigw-httpapi-v2/awsdocs-lambda-sampleapp-java-events-apigateway-v2.json",
    "apigw-httpapi-v2/java-container-core-httpapiv2proxyrequesttest-no-auth-proxy.json",
    "apigw-rest-v1/powertools-py-api-gateway-proxy-event-no-version-auth.json",
}
"""Fixtures that say `isBase64Encoded` of a body which is plain text: a 400."""

NO_EVENT_TYPE = {
    "apigw-websocket/chalice-ws-minimal-default.json",
    "apigw-websocket/chalice-ws-minimal-disconnect.json",
}
"""Fixtures of WebSocket events without the `eventType` that API Gateway sends: unknown events."""

SOURCES: dict[str, str | None] = {
    "bedrock-agent": "aws:bedrock-agent",
    "codepipeline": "aws:codepipeline",
    "cognito": "aws:cognito-idp",
    "dynamodb": "aws:dynamodb",
    "eventbridge": "aws.events",
    "iot": "aws:iot",
    "kinesis": "aws:kinesis",
    "s3": "aws:s3",
    "ses": "aws:ses",
    "sns": "aws:sns",
    "sqs": "aws:sqs",
    "stepfunctions": None,
    "warmer": "warmer",
    # what differs from its folder
    "cognito/rust-example-cognito-event.json": "aws:cognito-sync",
    "eventbridge/rust-example-cloudwatch-cloudtrail-assumed-role.json": None,  # the detail alone
    "iot/own-rule-action.json": None,  # a rule passes on what the device sent
    "misc/awsdocs-lambda-codecommit.json": "aws:codecommit",
    "misc/awsdocs-lambda-sampleapp-java-events-codecommit-push.json": "aws:codecommit",
    "misc/bref-kafka.json": "aws:SelfManagedKafka",
    "misc/go-s3-object-lambda-event-get-object-iam.json": "aws:s3-object-lambda",
    "misc/own-raw-console-hello-world.json": None,
    "misc/own-raw-empty-array.json": None,
    "misc/own-raw-empty-records.json": None,
    "misc/own-raw-number.json": None,
    "misc/own-raw-string.json": None,
    "misc/powertools-py-cloudformation-custom-resource-create.json": "aws:cloudformation",
    "misc/powertools-py-connect-contact-flow-event-min.json": "aws:connect",
    "misc/powertools-py-kafka-event-msk.json": "aws:kafka",
    "misc/powertools-py-kinesis-firehose-put-event.json": "aws:firehose",
    "misc/powertools-py-rabbitmq-event.json": "aws:rmq",
    "misc/powertools-py-s3-batch-operation-event-schemav1.json": "aws:s3-batch",
    "misc/powertools-py-s3-object-eventiam-user.json": "aws:s3-object-lambda",
    "misc/rust-example-documentdb-insert-event.json": "aws:docdb",
    "misc/rust-example-firehose-event.json": "aws:firehose",
    "misc/rust-example-lex-event.json": "aws:lex",
    "misc/sam-cli-generate-alexa-skills-kit-start-session.json": "alexa",
    "misc/sam-cli-generate-appsync-resolver.json": "aws:appsync",
    "misc/sam-cli-generate-batch-submit-job.json": None,
    "misc/sam-cli-generate-cloudformation-create-request.json": "aws:cloudformation",
}
"""`aws.event_source` of events that are no requests, by folder, and by file where that differs."""

_V2_ENCODED = "AWS sends the path of payload 2.0 decoded; the fixture has it encoded"
_STAGE_STRIPPED = "that project strips the stage, which this event has in its path"
_HEADER_ADDED = "that project adds the headers that the client left out"

NOT_HELD: dict[tuple[str, str], str] = {
    ("apigw-httpapi-v1/bref-ag-v1-body-base64.json", "headers"): _HEADER_ADDED,
    ("apigw-httpapi-v1/bref-ag-v1-body-form-multipart.json", "headers"): _HEADER_ADDED,
    ("apigw-httpapi-v2/apig-wsgi-v2-path-percent2f.json", "path"): _V2_ENCODED,
    ("apigw-httpapi-v2/bref-ag-v2-body-form-multipart-arrays.json", "headers"): _HEADER_ADDED,
    ("apigw-httpapi-v2/bref-ag-v2-body-form-multipart-files.json", "headers"): _HEADER_ADDED,
    ("apigw-httpapi-v2/bref-ag-v2-body-form-multipart.json", "headers"): _HEADER_ADDED,
    ("apigw-httpapi-v2/bref-ag-v2-body-form.json", "headers"): _HEADER_ADDED,
    (
        "apigw-httpapi-v2/dotnet-rawtarget-escaped-percent-in-path-httpapi-v2.json",
        "path_encoded",
    ): _V2_ENCODED,
    (
        "apigw-httpapi-v2/dotnet-rawtarget-escaped-percent-slash-in-path-httpapi-v2.json",
        "path_encoded",
    ): _V2_ENCODED,
    ("apigw-httpapi-v2/serverless-wsgi-v2-path-space.json", "path"): _V2_ENCODED,
    ("apigw-httpapi-v2/zappa-v2-stage-dev-in-rawpath.json", "path"): _STAGE_STRIPPED,
    ("apigw-rest-v1/fastify-rest-stage-in-path.json", "path"): _STAGE_STRIPPED,
    (
        "apigw-rest-v1/rust-apigw-proxy-request.json",
        "path",
    ): "that project puts the stage before the path on the domain of API Gateway",
}
"""Expectations of other projects that do not hold here, by event and kind, and why not."""

# --- what the tests share ---------------------------------------------------------------------


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


EXPECTATIONS = load("expectations.json")


def names(*folders: str) -> list[str]:
    return sorted(
        f"{folder}/{path.name}" for folder in folders for path in EVENTS.glob(f"{folder}/*")
    )


def folders() -> list[str]:
    return sorted(path.name for path in EVENTS.iterdir() if path.is_dir())


def entries(key: str) -> list[Any]:
    return [
        pytest.param(entry, id=f"{entry['event'].removesuffix('.json')}-{number}")
        for number, entry in enumerate(EXPECTATIONS[key])
    ]


def observe(name: str, **options: Any) -> tuple[Scope, bytes]:
    """The scope and the body that an application sees of the event."""
    app = Recorder()
    Mangum(app, lifespan="off", **options)(load(name), lambda_context())
    return app.scopes[0], app.bodies[0]


OTHERS = [folder for folder in folders() if folder not in (*REQUESTS, AUTHORIZER, WEBSOCKET)]
NO_REQUESTS = names(*OTHERS) + sorted(NO_EVENT_TYPE)

either_edition = pytest.mark.parametrize("edition", EDITIONS)
with_and_without_events_path = pytest.mark.parametrize("events_path", [None, "/events"])

PACKAGE_TEXT = "".join(
    path.read_text(encoding="utf-8")
    for path in (Path(__file__), *Path(Mangum.__init__.__code__.co_filename).parent.rglob("*.py"))
)


def leaves(value: Any) -> Iterator[str]:
    """Every value of an event, as text."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def leaked(event: Any, error: MangumError) -> list[str]:
    """The event's values that the error's message or its traceback shows; its keys may be shown."""
    shown = "".join(traceback.format_exception(error))
    keys = {*event} if isinstance(event, dict) else set()
    return [
        text
        for text in leaves(event)
        if len(text) > 3 and text in shown and text not in PACKAGE_TEXT and text not in keys
    ]


# --- every event ------------------------------------------------------------------------------


@either_edition
@pytest.mark.parametrize("name", sorted({*names(*REQUESTS)} - {*REFUSED} - NOT_BASE64))
def test_a_request_is_served(name: str, edition: Edition) -> None:
    app = Recorder(body=b"Hello")
    result = Mangum(app, lifespan="off", edition=edition)(load(name), lambda_context())
    assert json.loads(json.dumps(result)) == result
    assert decode_result(result) == Answer(200, [("content-type", "text/plain")], [], b"Hello")
    assert len(app.scopes) == 1


@either_edition
@pytest.mark.parametrize("name", sorted(NOT_BASE64))
def test_a_body_that_is_no_base64_is_answered_with_400(name: str, edition: Edition) -> None:
    app = Recorder()
    result = Mangum(app, lifespan="off", edition=edition)(load(name), lambda_context())
    assert decode_result(result).status == 400
    assert app.scopes == []


@either_edition
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_an_event_that_aws_does_not_send_is_refused(name: str, edition: Edition) -> None:
    app, event = Recorder(), load(name)
    with pytest.raises(REFUSED[name][0]) as caught:
        Mangum(app, lifespan="off", edition=edition)(event, lambda_context())
    assert leaked(event, caught.value) == []
    assert app.scopes == []


@either_edition
@pytest.mark.parametrize("name", NO_REQUESTS)
def test_an_event_that_is_no_request_is_an_error_without_its_values(
    name: str, edition: Edition
) -> None:
    app, event = Recorder(), load(name)
    with pytest.raises(InferenceError) as caught:
        Mangum(app, lifespan="off", edition=edition)(event, lambda_context())
    assert leaked(event, caught.value) == []
    assert app.scopes == []


@either_edition
@pytest.mark.parametrize("name", NO_REQUESTS)
def test_an_event_that_is_no_request_goes_to_events_path(name: str, edition: Edition) -> None:
    app, event = Recorder(body=b"done"), load(name)
    handler = Mangum(app, lifespan="off", edition=edition, events_path="/events")
    assert handler(event, lambda_context()) == "done"
    [scope], [body] = app.scopes, app.bodies
    assert (scope["method"], scope["path"]) == ("POST", "/events")
    assert json.loads(body) == event
    folder = name.partition("/")[0]
    source = None if name in NO_EVENT_TYPE else SOURCES[name if name in SOURCES else folder]
    assert scope["aws.event_source"] == source


@either_edition
@with_and_without_events_path
@pytest.mark.parametrize("name", names(AUTHORIZER))
def test_an_authorizer_event_never_reaches_the_application(
    name: str, edition: Edition, events_path: str | None
) -> None:
    app, event = Recorder(), load(name)
    with pytest.raises(InferenceError, match="authorizer") as caught:
        Mangum(app, edition=edition, events_path=events_path)(event, lambda_context())
    assert leaked(event, caught.value) == []
    assert app.scopes == []


@either_edition
@with_and_without_events_path
@pytest.mark.parametrize("name", sorted({*names(WEBSOCKET)} - NO_EVENT_TYPE))
def test_a_websocket_event_is_no_request(
    name: str, edition: Edition, events_path: str | None
) -> None:
    app, event = Recorder(), load(name)
    with pytest.raises(ConfigurationError, match="WebSocket connections") as caught:
        Mangum(app, edition=edition, events_path=events_path)(event, lambda_context())
    assert leaked(event, caught.value) == []
    assert app.scopes == []


# --- what is known of some events -------------------------------------------------------------


def by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def decoded(query_string: str) -> dict[str, list[str]]:
    return by_name(parse_qsl(query_string, keep_blank_values=True))


def headers_of(scope: Scope) -> dict[str, list[str]]:
    return by_name([(name.decode(), value.decode()) for name, value in scope["headers"]])


def as_bytes(value: Any) -> bytes:
    if isinstance(value, dict):
        return base64.b64decode(value["$bytes_b64"])
    return (value or "").encode()


def compare_headers(scope: Scope, body: bytes, expected: Any) -> tuple[Any, Any]:
    """Those headers that are named; value by value in the edition that keeps them apart."""
    wanted = {
        name.lower(): value if isinstance(value, list) else [value]
        for name, value in expected.items()
    }
    seen = {name: values for name, values in headers_of(scope).items() if name in wanted}
    if scope["raw_path"] is not None:
        return seen, wanted
    joined = [{name: ", ".join(values) for name, values in it.items()} for it in (seen, wanted)]
    return joined[0], joined[1]


def compare_path(scope: Scope, body: bytes, expected: Any) -> tuple[Any, Any]:
    """With the prefix that `root_path` names, or without: some projects mean this, some that."""
    path = scope["path"]
    return path if path == expected else path.removeprefix(scope["root_path"]) or "/", expected


def compare_raw_path(scope: Scope, body: bytes, expected: Any) -> tuple[Any, Any]:
    if scope["raw_path"] is None:
        return None, None
    root_path = quote(scope["root_path"]).encode()
    return scope["raw_path"].removeprefix(root_path).decode(), expected


def compare_cookies(scope: Scope, body: bytes, expected: Any) -> tuple[Any, Any]:
    [header] = headers_of(scope).get("cookie", [""])
    cookies = [cookie for cookie in header.split("; ") if cookie]
    if isinstance(expected, dict):
        pairs = dict(cookie.split("=", 1) for cookie in cookies)
        return {name: pairs.get(name) for name in expected}, expected
    return cookies, expected


def compare_some_query(scope: Scope, body: bytes, expected: Any) -> tuple[Any, Any]:
    seen = decoded(scope["query_string"].decode())
    return {name: seen.get(name) for name in expected}, {n: [v] for n, v in expected.items()}


KINDS: dict[str, Callable[[Scope, bytes, Any], tuple[Any, Any]]] = {
    "method": lambda scope, body, expected: (scope["method"], expected),
    "path": compare_path,
    "path_encoded": compare_raw_path,
    "query": lambda scope, body, expected: (
        decoded(scope["query_string"].decode()),
        decoded(expected),
    ),
    "query_decoded": lambda scope, body, expected: (
        decoded(scope["query_string"].decode()),
        expected,
    ),
    "query_decoded_contains": compare_some_query,
    "headers": compare_headers,
    "header_names": lambda scope, body, expected: (
        sorted({*headers_of(scope)} - {"cookie"}),
        sorted({*expected} - {"cookie"}),
    ),
    "cookie": lambda scope, body, expected: (headers_of(scope).get("cookie"), [expected]),
    "cookies": compare_cookies,
    "body": lambda scope, body, expected: (body, as_bytes(expected)),
    "body_hex": lambda scope, body, expected: (body, bytes.fromhex(expected)),
    "client_ip": lambda scope, body, expected: (scope["client"][0], expected),
    "server": lambda scope, body, expected: ([*scope["server"]], expected),
}
"""How a kind of fact is read off a scope: what is seen, and the expectation in the same terms."""


def deviations(entry: Any, edition: Edition) -> dict[str, tuple[Any, Any]]:
    """The kinds in which the application sees something else than expected: seen, expected."""
    scope, body = observe(entry["event"], edition=edition)
    compared = {kind: KINDS[kind](scope, body, value) for kind, value in entry["expected"].items()}
    return {kind: pair for kind, pair in compared.items() if pair[0] != pair[1]}


@either_edition
@pytest.mark.parametrize("entry", entries("recorded"))
def test_what_aws_recorded_is_what_the_application_sees(entry: Any, edition: Edition) -> None:
    assert deviations(entry, edition) == {}


@either_edition
@pytest.mark.parametrize("entry", entries("others"))
def test_what_other_projects_expect_is_what_the_application_sees(
    entry: Any, edition: Edition
) -> None:
    found = deviations(entry, edition)
    assert {
        kind: pair for kind, pair in found.items() if (entry["event"], kind) not in NOT_HELD
    } == {}


def test_every_expectation_that_does_not_hold_is_needed() -> None:
    found = {
        (entry["event"], kind)
        for entry in EXPECTATIONS["others"]
        for edition in EDITIONS
        for kind in deviations(entry, edition)
    }
    assert {*NOT_HELD} - found == set()


def test_the_tables_name_files_that_exist() -> None:
    named = {*REFUSED} | NOT_BASE64 | NO_EVENT_TYPE | {name for name in SOURCES if "/" in name}
    assert named - {*names(*folders())} == set()
    known = {*EVENT_SOURCES} | {source for source, _ in RECOGNISERS} | {None}
    assert {*SOURCES.values()} - known == set()


# --- mangum 0.22 ------------------------------------------------------------------------------


def as_message(message: dict[str, Any]) -> dict[str, Any]:
    """The application's message with the bytes that JSON has no place for."""
    converted = dict(message)
    if "headers" in message:
        converted["headers"] = [[as_bytes(part) for part in pair] for pair in message["headers"]]
    if "body" in message:
        converted["body"] = as_bytes(message["body"])
    return converted


@pytest.mark.parametrize("entry", entries("mangum_requests"))
def test_the_classic_scope_is_that_of_mangum_0_22(entry: Any) -> None:
    scope, body = observe(entry["event"], **entry.get("options", {}))
    expected = {**entry["scope"]}
    expected["headers"] = [[as_bytes(part) for part in pair] for pair in expected["headers"]]
    expected["query_string"] = expected["query_string"].encode()
    expected["server"] = tuple(expected["server"])
    expected["client"] = tuple(expected["client"])
    seen = {name: value for name, value in scope.items() if not name.startswith("aws.")}
    assert (seen, body) == (expected, as_bytes(entry["body"]))


@pytest.mark.parametrize("entry", entries("mangum_responses"))
def test_the_classic_result_is_that_of_mangum_0_22(entry: Any) -> None:
    app = sending([as_message(message) for message in entry["sent"]])
    handler = Mangum(app, lifespan="off", **entry.get("options", {}))
    assert handler(load(entry["event"]), lambda_context()) == entry["result"]
