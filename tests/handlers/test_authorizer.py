"""An authorizer's event asks whether a request is allowed: no application may answer it."""

from __future__ import annotations

from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import InferenceError
from tests.apps import Recorder
from tests.builders import authorizer_event, lambda_context, replaced

KINDS = ("REST", "HTTP 1.0", "HTTP 2.0", "WebSocket", "TOKEN")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edition", ["classic", "2026"])
@pytest.mark.parametrize("options", [{}, {"events_path": "/events"}, {"lifespan": "on"}], ids=repr)
def test_authorizer_event_never_runs_the_app(
    kind: str, edition: Any, options: dict[str, Any]
) -> None:
    app = Recorder()
    with pytest.raises(InferenceError, match="authorizer"):
        Mangum(app, edition=edition, **options)(authorizer_event(kind=kind), lambda_context())
    assert app.scopes == []


@pytest.mark.parametrize("kind", KINDS)
def test_authorizer_event_is_told_by_its_arn_whatever_that_holds(kind: str) -> None:
    event = authorizer_event(kind=kind)
    (key,) = {"methodArn", "routeArn"} & set(event)
    with pytest.raises(InferenceError, match="authorizer"):
        Mangum(Recorder()).infer(replaced(event, (key,), None), lambda_context())


def test_authorizer_error_says_what_to_do() -> None:
    with pytest.raises(InferenceError, match="a function of its own"):
        Mangum(Recorder()).infer(authorizer_event(), lambda_context())
