"""What the tables of the README and the pages of the documentation say is so."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import inspect
import logging
import re
from ast import literal_eval
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from mangum import Mangum, exceptions, options
from mangum.exceptions import MangumError
from mangum.handlers import _sources
from mangum.types import Receive, Scope, Send
from tests import builders
from tests.apps import Diary, hello, result_of, scope_of
from tests.builders import Event, lambda_context

ROOT = Path(__file__).parent.parent
README, ADAPTER, EVENT_SOURCES, HTTP = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/adapter.md", "docs/events.md", "docs/http.md")
)
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
EDITIONS: tuple[Literal["classic", "2026"], ...] = ("classic", "2026")

Edition = Any  # one of EDITIONS: mypy takes no text for it in **options
Row = dict[str, str]


def table(section: str, page: str = README) -> list[Row]:
    """The rows of the first table below a heading, each as `{column: cell}`."""
    text = re.split(rf"^#+ {section}$", page, flags=re.MULTILINE)[1]
    (lines,) = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[:1]
    head, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def values(cell: str) -> list[Any]:
    """The values in a cell: what Python makes of each piece of code, or else its text."""
    return [_value(code) for code in re.findall(r"`([^`]+)`", cell)]


def _value(code: str) -> Any:
    try:
        return literal_eval(code)
    except (SyntaxError, ValueError):
        return code


OPTIONS = table("Options")
SOURCES = table("Event sources")
DIFFERENCES = table("Editions")


# --- options --------------------------------------------------------------------------------------


def test_options_are_those_of_the_signature_in_its_order() -> None:
    assert [values(row["option"]) for row in OPTIONS] == [[n] for n in options.names(Mangum)]


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row["option"].strip("`"))
def test_an_option_is_described_as_in_the_docstring(row: Row) -> None:
    described = " ".join((inspect.getdoc(Mangum) or "").split())
    (name,) = values(row["option"])
    assert f"* **{name}**: {row['what it does']} " in described + " "


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row["option"].strip("`"))
def test_an_option_has_the_default_that_its_row_says(row: Row, edition: Edition) -> None:
    (name,) = values(row["option"])
    default = inspect.signature(Mangum).parameters[name].default
    default = options.EDITION_DEFAULTS.get(name, {}).get(edition, default)
    assert values(row[f"default, {edition}"]) == [edition if name == "edition" else default]


@pytest.mark.parametrize("name", options.CHOICES)
def test_choices_are_listed(name: str) -> None:
    (row,) = (row for row in OPTIONS if values(row["option"]) == [name])
    assert values(row["values"]) == list(options.CHOICES[name])


def test_every_option_has_a_section_of_its_own() -> None:
    sections = re.split("^## ", ADAPTER, flags=re.MULTILINE)
    (section,) = (section for section in sections if section.startswith("Options"))
    assert set(re.findall("^### (.*)$", section, re.MULTILINE)) == set(options.names(Mangum))


def test_older_options_are_named() -> None:
    (sentence,) = re.findall(r"Two names of\nolder versions, (.*), are still taken", README)
    assert values(sentence) == list(options.SUCCESSORS)


# --- event sources --------------------------------------------------------------------------------

EVENTS: dict[str, Event] = {
    "REST API": builders.rest_event(),
    "HTTP API, payload 1.0": builders.http_v1_event(),
    "HTTP API, payload 2.0": builders.http_v2_event(),
    "Function URL": builders.function_url_event(),
    "Load balancer": builders.alb_event(),
    "Load balancer, multi-value headers": builders.alb_event(multi_value=True),
    "Lambda@Edge, origin": builders.edge_event(),
    "Lambda@Edge, viewer": builders.edge_event(event_type="viewer-request"),
    "VPC Lattice, version 1": builders.lattice_v1_event(),
    "VPC Lattice, version 2": builders.lattice_v2_event(),
}


def test_every_source_has_a_row() -> None:
    assert [row["source"] for row in SOURCES] == list(EVENTS)


@pytest.mark.parametrize("row", SOURCES, ids=lambda row: row["source"])
def test_a_source_gets_the_result_that_its_row_says(row: Row) -> None:
    cookie = (b"set-cookie", b"a=1")
    result = result_of(EVENTS[row["source"]], headers=[(b"content-type", b"text/plain"), cookie])
    assert set(values(row["result"])) == set(result)


@pytest.mark.parametrize("row", SOURCES, ids=lambda row: row["source"])
def test_a_source_has_the_limits_that_its_row_says(row: Row) -> None:
    handler: Any = Mangum(hello).infer(EVENTS[row["source"]], lambda_context())
    result, _, headers = row["limits in bytes"].replace(",", "").partition("; headers ")
    assert handler.max_result_bytes == int(result)
    assert handler.max_header_bytes == (int(headers) if headers else None)


@pytest.mark.parametrize("row", table("Sizes", HTTP), ids=lambda row: row["sources"])
def test_limits_are_the_same_on_the_page_of_http(row: Row) -> None:
    limits = {source["limits in bytes"] for source in SOURCES if source["source"] in row["sources"]}
    headers = f"; headers {row['headers']}" if row["headers"] else ""
    assert limits == {row["the result as JSON"] + headers}


def test_every_source_of_other_events_is_named() -> None:
    names = [values(row["`aws.event_source`"]) for row in table("The source's name", EVENT_SOURCES)]
    known = {*_sources.EVENT_SOURCES, *(name for name, _ in _sources.RECOGNISERS), None}
    assert {name for row in names for name in row} == known


# --- errors ---------------------------------------------------------------------------------------

ERRORS = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, MangumError) and error is not MangumError
]


def test_every_error_has_a_row_with_its_bases() -> None:
    rows = table("Errors", ADAPTER)
    assert {row["error"].strip("`"): values(row["also a"]) for row in rows} == {
        error.__name__: [base.__name__ for base in error.__bases__ if base is not MangumError]
        for error in ERRORS
    }


# --- editions -------------------------------------------------------------------------------------


class FailingShutdown(Diary):
    async def stop(self, scope: Scope, send: Send) -> None:
        await send({"type": "lifespan.shutdown.failed", "message": "no"})


class FailingStartup(Diary):
    async def start(self, scope: Scope, send: Send) -> None:
        raise ValueError("no")


async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await hello(scope, receive, send)


def outcome(app: Any, edition: Edition, lifespan: Literal["auto", "on"] = "auto") -> Any:
    """The status of an answer behind which the application is shut down, or the error instead."""
    try:
        handler = Mangum(app, lifespan=lifespan, edition=edition)
        result = handler(builders.http_v2_event(), lambda_context())
        handler.shutdown()
    except MangumError as error:
        return type(error).__name__
    return result["statusCode"]


def insisted_on(edition: Edition) -> Any:
    outcomes = {outcome(app, edition, "on") for app in (without_lifespan, FailingStartup())}
    (only,) = outcomes
    return only


def place(event: Event, **config: Any) -> tuple[str, str]:
    scope = scope_of(event, **config)
    return scope["root_path"], scope["path"]


def custom_domain(edition: Edition) -> Any:
    event = builders.http_v2_event(path="/items", stage="prod")
    event["requestContext"]["domainName"] = "api.example.org"
    return place(event, edition=edition)


def http_2(edition: Edition) -> Any:
    event = builders.http_v2_event()
    event["requestContext"]["http"]["protocol"] = "HTTP/2.0"
    return scope_of(event, edition=edition)["http_version"]


def extensions(edition: Edition) -> Any:
    headers = [("X-Amzn-Tls-Version", "TLSv1.3")]
    found = scope_of(builders.alb_event(headers=headers), edition=edition).get("extensions")
    return found and list(found)


def port(edition: Edition) -> Any:
    event = builders.http_v2_event()
    del event["headers"]["x-forwarded-port"]
    return scope_of(event, edition=edition)["server"][1]


def repeated_headers(edition: Edition) -> Any:
    sent = [("Accept", "text/html"), ("Accept", "text/plain")]
    scope = scope_of(builders.rest_event(headers=sent), edition=edition)
    return [value.decode() for name, value in scope["headers"] if name == b"accept"]


def unknown_client(edition: Edition) -> Any:
    event = builders.alb_event()
    del event["headers"]["x-forwarded-for"]
    return scope_of(event, edition=edition)["client"]


def alb_query(edition: Edition) -> Any:
    event = builders.alb_event()
    event["queryStringParameters"] = {"q": "a%20b/c"}
    return scope_of(event, edition=edition)["query_string"]


def is_text(media_type: bytes, **config: Any) -> bool:
    headers = [(b"content-type", media_type)]
    return not result_of(builders.rest_event(), headers=headers, **config)["isBase64Encoded"]


DIFFER: dict[str, Callable[[Edition], Any]] = {
    "Lifespan": lambda edition: Mangum(hello, edition=edition).lifespan_scope,
    '`lifespan="on"` and the application has none, or raises': insisted_on,
    "The application reports that its shutdown failed": (
        lambda edition: outcome(FailingShutdown(), edition)
    ),
    "A WebSocket API calls the application": (
        lambda edition: Mangum(hello, edition=edition).config["websocket_mode"]
    ),
    "`raw_path`": lambda edition: scope_of(
        builders.rest_event(path="/caf%C3%A9", prefix=""), edition=edition
    )["raw_path"],
    '`asgi["spec_version"]`': (
        lambda edition: scope_of(builders.rest_event(), edition=edition)["asgi"]["spec_version"]
    ),
    "Stage of a REST API": (
        lambda edition: place(builders.rest_event(path="/items"), edition=edition)
    ),
    "Stage of an HTTP API": (
        lambda edition: place(builders.http_v2_event(path="/items", stage="prod"), edition=edition)
    ),
    "Stage of an HTTP API behind a custom domain": custom_domain,
    '`api_gateway_base_path="/shop"`': lambda edition: place(
        builders.function_url_event(path="/shop/items"),
        edition=edition,
        api_gateway_base_path="/shop",
    ),
    "`http_version`": http_2,
    "`extensions`": extensions,
    "Port of the server where no header names it": port,
    "Repeated request headers of a REST API": repeated_headers,
    "`client` when it is not known": unknown_client,
    "Query string of a load balancer": alb_query,
    "Result for a load balancer": (
        lambda edition: result_of(builders.alb_event(), edition=edition).get("statusDescription")
    ),
    "Result for Lambda@Edge": lambda edition: sorted(
        result_of(builders.edge_event(), edition=edition)
    ),
    "`status` for Lambda@Edge": lambda edition: result_of(builders.edge_event(), edition=edition)[
        "status"
    ],
    "Lambda@Edge with an empty `uri`": (
        lambda edition: scope_of(builders.edge_event(path=""), edition=edition)["path"]
    ),
    "Text types": lambda edition: is_text(b"application/yaml", edition=edition),
    "`text_mime_types=`": lambda edition: is_text(
        b"application/json", edition=edition, text_mime_types=["application/vnd.foo"]
    ),
    "Payload 2.0 and an answer without a content type": (
        lambda edition: (
            result_of(builders.http_v2_event(), headers=(), edition=edition)
            .get("headers", {})
            .get("content-type")
        )
    ),
}
"""Each difference of the editions by its name in the table, with the value that shows it."""


def test_every_difference_has_a_row() -> None:
    assert [row["what"] for row in DIFFERENCES] == list(DIFFER)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row["what"])
def test_an_edition_does_what_its_column_says(
    row: Row, edition: Edition, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "mangum")
    assert values(row[edition])[-1:] == [DIFFER[row["what"]](edition)]


@pytest.mark.parametrize("what", DIFFER)
def test_a_difference_is_one(what: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "mangum")
    classic, modern = (DIFFER[what](edition) for edition in EDITIONS)
    assert classic != modern


# --- names ----------------------------------------------------------------------------------------

LOGGERS = {"mangum.http", "mangum.lifespan", "mangum.websocket"}
HOMES = (exceptions, builtins, asyncio)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_nothing_that_does_not_exist(path: Path) -> None:
    assert list(unknown(path.read_text(encoding="utf-8"))) == []


def unknown(text: str) -> Iterator[str]:
    """The names of ours and the errors in a text that are nowhere, and those that are said to be
    gone and are not."""
    for line in text.splitlines():
        if "| gone |" in line:
            yield from (name for name in named(line.split(" | ")[0]) if exists(name))
        else:
            yield from (name for name in named(line) if not exists(name))
        errors = re.findall(r"`([A-Z]\w+(?:Error|Event|Failure|Message|Running))`", line)
        yield from (name for name in errors if not any(hasattr(it, name) for it in HOMES))


def named(line: str) -> list[str]:
    return [name for name in re.findall(r"`(mangum\.[\w.]+)", line) if name not in LOGGERS]


def exists(name: str) -> bool:
    module, _, attributes = name.partition(".")
    found: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        module = f"{module}.{attribute}"
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
    return True
