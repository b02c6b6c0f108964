"""What the benchmarks feed the adapter with: events, bodies, applications, arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.apps import APPS, make_app, path_of
from benchmarks.cases import CASES, arguments, without_case
from benchmarks.events import SOURCES
from benchmarks.payloads import KIB, MIB, NONE, PAYLOADS, payload
from benchmarks.rows import main_rows, matrix_rows
from mangum import Mangum, _speedups
from tests.apps import Recorder
from tests.builders import lambda_context
from tests.processes import output_of

SIZES = {NONE: 0, "10kb": 10 * KIB, "1mb": MIB, "4mb": 4 * MIB}
HANDLERS = {
    "v2": "HTTPGateway",
    "REST": "APIGateway",
    "ALB": "ALB",
    "ALB single": "ALB",
    "Edge": "LambdaAtEdge",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("headers", [10, 30])
def test_an_event_has_its_source_and_its_headers(source: str, headers: int) -> None:
    event = SOURCES[source](path="/items/42", headers=headers, body=NONE)
    app = Recorder()
    adapter = Mangum(app, lifespan="off")
    assert json.loads(json.dumps(event)) == event
    assert type(adapter.infer(event, lambda_context())).__name__ == HANDLERS[source]
    adapter(event, lambda_context())
    (scope,) = app.scopes
    assert (scope["method"], scope["path"]) == ("GET", "/items/42")
    assert len(scope["headers"]) == headers + 1  # the cookies
    assert scope["query_string"].startswith((b"q=hello%20world&tag=", b"q=hello+world&tag="))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("body", PAYLOADS)
def test_an_event_carries_its_body(source: str, body: str) -> None:
    app = Recorder()
    event = SOURCES[source](path="/in", headers=10, body=body)
    Mangum(app, lifespan="off")(event, lambda_context())
    assert app.bodies == [payload(body).data]


@pytest.mark.parametrize("body", PAYLOADS)
def test_a_body_has_the_size_that_it_is_named_after(body: str) -> None:
    assert len(payload(body).data) == SIZES[body]


def test_the_megabyte_of_text_is_json() -> None:
    assert json.loads(payload("1mb").data)[1]["name"] == "item 1"


@pytest.mark.parametrize("name", APPS)
def test_an_application_answers_on_its_route(name: str) -> None:
    adapter = Mangum(make_app(name), edition="2026")
    result = adapter(SOURCES["v2"](path=path_of(name), headers=10, body=NONE), lambda_context())
    adapter.shutdown()
    assert result["statusCode"] == 200
    assert json.loads(result["body"])["hello"] == "world"


def test_rows_have_names_of_their_own() -> None:
    rows = matrix_rows()
    assert len({row.name for row in rows}) == len(rows) == len(set(rows))
    assert len({row.name for row in main_rows()}) == len(main_rows())


def test_every_hot_function_has_a_case() -> None:
    assert without_case(_speedups.__all__) == set(), "benchmarks/cases.py has no arguments for it"


def test_every_case_has_its_function() -> None:
    assert {*CASES} - {*_speedups.__all__} == set(), "benchmarks/cases.py has cases left over"


@pytest.mark.parametrize("function", CASES)
def test_a_case_can_be_called(function: str) -> None:
    call: Callable[..., Any] = getattr(_speedups, function)
    for case in CASES[function]:
        call(*arguments(_speedups, function, case))


def test_nothing_that_a_process_loads_first_imports_mangum() -> None:
    source = "import sys; import benchmarks.worker; print('mangum' in sys.modules)"
    assert output_of(source) == ["False"]
