"""Visits: one client's requests to one application, through one event source."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from mangum import Mangum
from mangum.types import ASGI
from tests import builders
from tests.builders import Answer, Event

SOURCES: dict[str, Callable[..., Event]] = {
    "REST": partial(builders.rest_event, prefix=""),
    "HTTP 1.0": builders.http_v1_event,
    "HTTP 2.0": builders.http_v2_event,
    "URL": builders.function_url_event,
    "ALB": builders.alb_event,
    "ALB multi": partial(builders.alb_event, multi_value=True),
    "Edge": builders.edge_event,
    "Lattice v1": builders.lattice_v1_event,
    "Lattice v2": builders.lattice_v2_event,
}
STAGED_SOURCES: dict[str, Callable[..., Event]] = {
    "REST": builders.rest_event,
    "HTTP 1.0": partial(builders.http_v1_event, stage="prod"),
    "HTTP 2.0": partial(builders.http_v2_event, stage="prod"),
}


class Framework(NamedTuple):
    module: str  # of `apps`
    takes_root_path: bool = True  # off `scope["path"]`, as the specification has it
    leaves_tasks: bool = False  # on the loop, for its background

    def make_app(self) -> ASGI:
        module = importlib.import_module(f"{__package__}.apps.{self.module}")
        app: ASGI = module.make_app()
        return app


@dataclass(frozen=True)
class Visit:
    """One client of one application, behind one source."""

    framework: Framework
    environment: Mangum  # warm: earlier visits have used it
    source: str
    edition: str

    def cold(self, **options: Any) -> Mangum:
        """An environment of this visit's own."""
        return Mangum(self.framework.make_app(), **edition_options(self.edition), **options)

    def event(self, path: str, *, staged: bool = False, **request: Any) -> Event:
        return (STAGED_SOURCES if staged else SOURCES)[self.source](path=path, **request)

    def send(self, path: str, **request: Any) -> Answer:
        return self.send_to(self.environment, self.event(path, **request))

    def send_to(self, environment: Mangum, event: Event) -> Answer:
        result = environment(event, builders.lambda_context())
        json.dumps(result)  # as the runtime does
        return builders.decode_result(result)


def edition_options(edition: str) -> dict[str, Any]:
    """The classic edition is what an application gets that asks for nothing."""
    return {} if edition == "classic" else {"edition": edition}


def json_of(answer: Answer) -> Any:
    assert answer.status == 200, answer
    assert answer.header("content-type").startswith("application/json")
    return json.loads(answer.body)
