"""The adapter as Lambda and its tools see it: its name, its one line per request, its state."""

from __future__ import annotations

import asyncio
import copy
import functools
import logging
from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import InferenceError
from mangum.types import Receive, Scope, Send
from tests.apps import Diary, Recorder, hello, respond
from tests.builders import (
    SOURCES,
    http_v2_event,
    lambda_context,
    queue_event,
    rest_event,
)

EDITIONS = ("classic", "2026")
every_edition = pytest.mark.parametrize("edition", EDITIONS)


@every_edition
@pytest.mark.parametrize("app", [Diary, Recorder, lambda: hello], ids=["full", "none", "plain"])
@pytest.mark.parametrize("source", SOURCES)
def test_request_is_one_info_line(
    source: str, app: Any, edition: Any, caplog: pytest.LogCaptureFixture
) -> None:
    event = SOURCES[source](method="PUT", path="/a%20b", query=[("token", "x")])
    if source == "REST API":
        event = SOURCES[source](method="PUT", path="/a%20b", prefix="", query=[("token", "x")])
    handler = Mangum(app(), edition=edition)
    with caplog.at_level(logging.INFO):
        handler(event, lambda_context())
        handler.shutdown()
    assert [record.getMessage() for record in caplog.records] == ["PUT /a b 200"]


@every_edition
def test_event_is_one_info_line(edition: Any, caplog: pytest.LogCaptureFixture) -> None:
    handler = Mangum(Diary(), edition=edition, events_path="/events")
    with caplog.at_level(logging.INFO):
        handler(queue_event(), lambda_context())
        handler.shutdown()
    assert [record.getMessage() for record in caplog.records] == ["POST /events 200"]


@every_edition
def test_lifespan_speaks_at_debug(edition: Any, caplog: pytest.LogCaptureFixture) -> None:
    handler = Mangum(Diary(), edition=edition)
    with caplog.at_level(logging.DEBUG, "mangum"):
        handler(rest_event(), lambda_context())
        handler.shutdown()
    levels = {record.levelno for record in caplog.records if record.name == "mangum.lifespan"}
    assert levels == {logging.DEBUG}


@every_edition
def test_nothing_is_logged_at_warning_for_a_plain_request(
    edition: Any, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Mangum(hello, edition=edition)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            handler(rest_event(), lambda_context())
    assert caplog.records == []


def test_adapter_has_a_name_so_that_decorators_can_wrap_it() -> None:
    handler = Mangum(Recorder(), lifespan="off")
    assert handler.__name__ == "Mangum"

    @functools.wraps(handler)
    def traced(event: Any, context: Any) -> Any:
        return handler(event, context)

    assert traced.__name__ == "Mangum"
    assert traced(rest_event(), lambda_context())["statusCode"] == 200


def test_subclass_has_its_own_name() -> None:
    class Traced(Mangum):
        pass

    assert Traced(Recorder()).__name__ == "Traced"


class Stateful(Diary):
    """Puts a list into the lifespan's state, and adds to what each request is given."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: list[str] = []
        self.seen: list[dict[str, Any]] = []

    async def start(self, scope: Scope, send: Send) -> None:
        scope["state"]["pool"] = self.pool
        await super().start(scope, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(dict(scope["state"]))
        assert scope["state"]["pool"] is self.pool
        scope["state"]["mine"] = True
        await respond(send, b"served")


@every_edition
@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_state_is_a_copy_of_the_lifespans_state(edition: Any, lifespan: Any) -> None:
    app = Stateful()
    handler = Mangum(app, edition=edition, lifespan=lifespan)
    handler(rest_event(), lambda_context())
    handler(http_v2_event(), lambda_context())
    handler.shutdown()
    assert app.seen == [{"pool": []}, {"pool": []}]


@every_edition
def test_asgi_gives_what_a_call_gives(edition: Any) -> None:
    handler = Mangum(Recorder(), lifespan="off", edition=edition)
    for build in SOURCES.values():
        result = asyncio.run(handler.asgi(build(), lambda_context()))
        assert result == handler(build(), lambda_context())


def test_adapter_has_the_names_that_decorators_ask_for() -> None:
    handler = Mangum(hello, lifespan="off")
    assert (handler.__name__, handler.__qualname__) == ("Mangum", "Mangum")


def test_config_of_an_older_adapter_serves() -> None:
    handler = Mangum(hello, edition="2026")
    handler.config = {
        "api_gateway_base_path": "/",
        "text_mime_types": ["text/"],
        "exclude_headers": [],
    }
    assert handler(http_v2_event(), lambda_context())["body"] == "hello"


@pytest.mark.parametrize("path", ["/a%0Ab", "/a%1B%5B31m", "/a%E2%80%A8b"])
def test_request_line_is_one_line_whatever_the_path(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Mangum(Recorder(), lifespan="off")(http_v2_event(path=path), lambda_context())
    (record,) = caplog.records
    assert record.getMessage().isprintable()


def test_application_put_in_place_of_another_has_its_own_lifespan() -> None:
    handler = Mangum(hello)
    handler(http_v2_event(), lambda_context())
    app = Stateful()
    handler.app = app
    handler(http_v2_event(), lambda_context())
    assert app.seen == [{"pool": []}]


def test_copy_of_an_adapter_starts_the_application_by_itself() -> None:
    handler = Mangum(Stateful(), edition="2026")
    handler(http_v2_event(), lambda_context())
    twin = copy.deepcopy(handler)
    assert twin(http_v2_event(), lambda_context())["statusCode"] == 200
    twin.shutdown()
    handler.shutdown()


def test_error_about_an_unknown_event_is_short_however_long_its_keys() -> None:
    event = {f"{number}" * 10_000: 0 for number in range(100)}
    with pytest.raises(InferenceError) as caught:
        Mangum(hello)(event, lambda_context())
    assert len(str(caught.value)) < 2_500


def test_an_exception_that_is_raised_on_shows_where_the_application_failed() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("oh")

    handler = Mangum(fails, lifespan="off", raise_exceptions=True)
    with pytest.raises(RuntimeError, match="oh") as caught:
        handler(http_v2_event(), lambda_context())
    assert caught.traceback[-1].name == "fails"
