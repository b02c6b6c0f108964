"""Which event is it? An event is recognised by what only its source sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import ConfigurationError, InferenceError, MangumError
from mangum.handlers import (
    ALB,
    APIGateway,
    HTTPGateway,
    LambdaAtEdge,
    VPCLattice,
    VPCLatticeV1,
)
from mangum.handlers.websocket_gateway import WebSocketGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope
from tests import builders
from tests.apps import Recorder
from tests.builders import (
    SOURCES,
    Event,
    agent_event,
    alb_event,
    authorizer_event,
    edge_event,
    function_url_event,
    http_v1_event,
    http_v2_event,
    lambda_context,
    lattice_v1_event,
    lattice_v2_event,
    queue_event,
    replaced,
    rest_event,
    schedule_event,
    websocket_event,
    without,
)

CONFIG_OF_0_22 = LambdaConfig(
    api_gateway_base_path="/", text_mime_types=["text/"], exclude_headers=[]
)

REQUESTS: dict[str, tuple[Event, type]] = {
    "Lambda@Edge": (edge_event(), LambdaAtEdge),
    "Lambda@Edge, viewer request": (edge_event(event_type="viewer-request"), LambdaAtEdge),
    "ALB": (alb_event(), ALB),
    "ALB with multi-value headers": (alb_event(multi_value=True), ALB),
    "VPC Lattice v2": (lattice_v2_event(), VPCLattice),
    "VPC Lattice v2 by its service alone": (
        without(lattice_v2_event(), ("requestContext", "serviceNetworkArn")),
        VPCLattice,
    ),
    "VPC Lattice v2 by its network alone": (
        without(lattice_v2_event(), ("requestContext", "serviceArn")),
        VPCLattice,
    ),
    "VPC Lattice v1": (lattice_v1_event(), VPCLatticeV1),
    "HTTP API 2.0": (http_v2_event(), HTTPGateway),
    "function URL": (function_url_event(), HTTPGateway),
    "REST API": (rest_event(), APIGateway),
    "HTTP API 1.0": (http_v1_event(), HTTPGateway),
    "a REST API behind a mapped domain that sends rawPath": (
        {**rest_event(), "rawPath": "/"},
        APIGateway,
    ),
    "a REST API without resource, as some emulators send it": (
        without(rest_event(), ("resource",)),
        APIGateway,
    ),
    "a REST API whose context names a connection, but no WebSocket event": (
        replaced(rest_event(), ("requestContext", "connectionId"), "ATfSdcRDvHcCEmA="),
        APIGateway,
    ),
    "a REST API whose context names an event type of its own": (
        replaced(rest_event(), ("requestContext", "eventType"), "MESSAGE"),
        APIGateway,
    ),
    "an ALB whose context names a stage": (
        replaced(alb_event(), ("requestContext", "stage"), "prod"),
        ALB,
    ),
    "an HTTP API that names a type": ({**http_v2_event(), "type": "REQUEST"}, HTTPGateway),
    "an HTTP API with a header named like an authorizer's key": (
        http_v2_event(headers=[("methodArn", "x"), ("type", "REQUEST")]),
        HTTPGateway,
    ),
    "a Lattice request with a stray list of records": (
        {**lattice_v2_event(), "Records": []},
        VPCLattice,
    ),
}

NO_REQUESTS: dict[str, Any] = {
    "a queue's event, which has Records": queue_event(),
    "an empty list of records": {"Records": []},
    "records that are no list": {"Records": {"0": {"cf": {}}}},
    "a record that is no object": {"Records": ["cf"]},
    "null records": {"Records": None},
    "a second record of CloudFront": {"Records": [{}, {"cf": {}}]},
    "a bucket's event": {"Records": [{"eventSource": "aws:s3", "s3": {"object": {}}}]},
    "a schedule, which has a version": schedule_event(),
    "a Bedrock agent's call, which has httpMethod": agent_event(),
    "a trigger of a user pool, which has a version and a request": {
        "version": "1",
        "triggerSource": "PreSignUp_SignUp",
        "userPoolId": "us-west-2_aaa",
        "request": {},
        "response": {},
    },
    "a version 2.0 without requestContext.http": {
        "version": "2.0",
        "requestContext": {"requestId": "1"},
    },
    "a version 2.0 whose requestContext.http is a text": {
        "version": "2.0",
        "requestContext": {"http": "GET"},
    },
    "a request context without a method": {"resource": "/", "requestContext": {}},
    "a method without a request context": {"httpMethod": "GET", "path": "/"},
    "a null request context": {"httpMethod": "GET", "requestContext": None},
    "a request context that is a text": {"httpMethod": "GET", "requestContext": "elb serviceArn"},
    "a request context that is a list": {"httpMethod": "GET", "requestContext": ["elb"]},
    "a null load balancer and no method": {"requestContext": {"elb": None}},
    "a raw_path without a method": {"raw_path": "/"},
    "an AppSync resolver's event": {"info": {}, "arguments": {}, "request": {"headers": {}}},
    "an object without keys": {},
    "a text": "GET / HTTP/1.1",
    "a list": [rest_event()],
    "a number": 5,
    "null": None,
}


@pytest.mark.parametrize(("event", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_request_is_recognised_by_what_only_its_source_sends(event: Event, expected: type) -> None:
    handler = Mangum(Recorder()).infer(event, lambda_context())
    assert type(handler) is expected


@pytest.mark.parametrize("event", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_event_that_is_no_request_never_runs_the_app(event: Any) -> None:
    app = Recorder()
    with pytest.raises(InferenceError):
        Mangum(app, lifespan="off")(event, lambda_context())
    assert app.scopes == []


@pytest.mark.parametrize("event_type", ["CONNECT", "MESSAGE", "DISCONNECT"])
@pytest.mark.parametrize(
    "lucky_keys",
    [{}, {"httpMethod": "GET", "path": "/", "resource": "/"}, {"version": "2.0"}],
    ids=["plain", "with httpMethod and path", "with version"],
)
def test_websocket_event_is_never_taken_for_a_request(
    event_type: str, lucky_keys: dict[str, str]
) -> None:
    app = Recorder()
    event = {**websocket_event(event_type=event_type), **lucky_keys}
    handler = Mangum(app, lifespan="off", events_path="/events")
    assert type(handler.infer(event, lambda_context())) is WebSocketGateway
    with pytest.raises(ConfigurationError, match="`dsn`"):
        handler(event, lambda_context())
    assert app.scopes == []


@pytest.mark.parametrize(
    ("event", "source"),
    [
        (queue_event(), "aws:sqs"),
        (schedule_event(), "aws.events"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "aws:sns"),
        (agent_event(), "bedrock"),
    ],
    ids=["queue", "schedule", "topic", "agent"],
)
def test_error_names_the_guessed_source_the_keys_and_the_way_out(event: Event, source: str) -> None:
    with pytest.raises(InferenceError) as caught:
        Mangum(Recorder()).infer(event, lambda_context())
    message = str(caught.value)
    assert source in message
    assert "events_path" in message
    assert all(key in message for key in event)
    assert isinstance(caught.value, RuntimeError)  # as mangum 0.22 raises
    assert isinstance(caught.value, MangumError)


class Pigeon:
    """A handler of a user's own."""

    def __init__(self, *args: Any) -> None:
        self.event, self.context, self.config = args

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return "coo" in event

    @property
    def body(self) -> bytes:
        return b"crumbs"

    @property
    def scope(self) -> Scope:
        return builders.http_scope(self.event, path="/roof")

    def __call__(self, response: Response) -> dict[str, Any]:
        return {"coo": response["body"].decode()}


class GreyPigeon(Pigeon):
    """Takes what the other one takes."""


def test_custom_handler_reads_the_event_and_writes_the_result() -> None:
    app = Recorder()
    handler = Mangum(app, lifespan="off", custom_handlers=[Pigeon])
    assert handler({"coo": 1}, lambda_context()) == {"coo": "ok"}
    assert app.bodies == [b"crumbs"]
    assert [scope["path"] for scope in app.scopes] == ["/roof"]


@pytest.mark.parametrize("order", [[Pigeon, GreyPigeon], [GreyPigeon, Pigeon]])
def test_custom_handlers_are_asked_in_the_order_given(order: list[type]) -> None:
    handler = Mangum(Recorder(), custom_handlers=order)
    assert type(handler.infer({"coo": 1}, lambda_context())) is order[0]


@pytest.mark.parametrize("source", SOURCES)
def test_custom_handlers_are_asked_before_every_source(source: str) -> None:
    event = {**SOURCES[source](), "coo": 1}
    handler = Mangum(Recorder(), custom_handlers=[Pigeon])
    assert type(handler.infer(event, lambda_context())) is Pigeon


@pytest.mark.parametrize(
    "event",
    [authorizer_event(), websocket_event(), queue_event()],
    ids=["authorizer", "websocket", "queue"],
)
def test_custom_handlers_may_take_what_the_adapter_refuses(event: Event) -> None:
    handler = Mangum(Recorder(), lifespan="off", custom_handlers=[Pigeon])
    assert handler({**event, "coo": 1}, lambda_context()) == {"coo": "ok"}


@pytest.mark.parametrize(
    ("handler_class", "event"),
    [
        (APIGateway, rest_event(method="POST", body=b"hi")),
        (HTTPGateway, http_v2_event(method="POST", body=b"hi")),
        (HTTPGateway, function_url_event(method="POST", body=b"hi")),
        (HTTPGateway, http_v1_event(method="POST", body=b"hi")),
        (ALB, alb_event(method="POST", body=b"hi")),
        (LambdaAtEdge, edge_event(method="POST", body=b"hi")),
    ],
    ids=["REST API", "HTTP API 2.0", "function URL", "HTTP API 1.0", "ALB", "Lambda@Edge"],
)
def test_class_of_0_22_works_by_itself_with_the_config_of_0_22(
    handler_class: Any, event: Event
) -> None:
    handler = handler_class(event, lambda_context(), CONFIG_OF_0_22)
    assert handler.body == b"hi"
    assert handler.scope["method"] == "POST"
    assert handler.scope["aws.event"] is event
    result = handler({"status": 200, "headers": [[b"content-type", b"text/a"]], "body": b"ok"})
    assert builders.decode_result(result) == builders.Answer(
        200, [("content-type", "text/a")], [], b"ok"
    )


@pytest.mark.parametrize(
    ("handler_class", "event"),
    [
        (APIGateway, rest_event()),
        (HTTPGateway, http_v2_event()),
        (HTTPGateway, http_v1_event()),
        (ALB, alb_event()),
        (LambdaAtEdge, edge_event()),
    ],
    ids=["REST API", "HTTP API 2.0", "HTTP API 1.0", "ALB", "Lambda@Edge"],
)
def test_class_of_0_22_infers_its_own_event_alone(handler_class: Any, event: Event) -> None:
    assert handler_class.infer(event, lambda_context(), CONFIG_OF_0_22) is True
    assert handler_class.infer(queue_event(), lambda_context(), CONFIG_OF_0_22) is False


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_survives_a_round_through_json(source: str) -> None:
    event = json.loads(json.dumps(SOURCES[source]()))
    assert event == SOURCES[source]()
