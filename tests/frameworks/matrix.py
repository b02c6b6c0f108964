"""The frameworks, what they can't do, and how they do what they have no means of their own for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import django
import pytest

from mangum.exceptions import LifespanFailure
from tests.builders import lambda_context

from .apps import common
from .features import FEATURES
from .visits import Framework, Visit, json_of

EDITIONS = ("classic", "2026")

FRAMEWORKS = {
    "Bare": Framework("bare_app"),
    "ASGI 2": Framework("asgi2_app"),
    "Starlette": Framework("starlette_app"),
    "FastAPI": Framework("fastapi_app"),
    "Quart": Framework("quart_app", leaves_tasks=True),
    "Sanic": Framework("sanic_app", takes_root_path=False, leaves_tasks=True),
    "Django": Framework("django_app"),
    "Channels": Framework("channels_app"),
    "Responder": Framework("responder_app", takes_root_path=False),
    "Litestar": Framework("litestar_app"),
    "Falcon": Framework("falcon_app", takes_root_path=False, leaves_tasks=True),
}


def needs_raw_path(visit: Visit) -> None:
    environment = visit.cold(lifespan_scope="environment", raise_exceptions=True)
    with pytest.raises(TypeError):
        environment(visit.event("/items/a"), lambda_context())
    environment.shutdown()


def has_no_lifespan(visit: Visit) -> None:
    insisting = visit.cold(lifespan="on")
    if visit.edition != "classic":
        with pytest.raises(LifespanFailure, match="startup did not complete: ValueError"):
            insisting.startup()
    else:
        assert json_of(visit.send_to(insisting, visit.event("/items/a"))) == {"name": "a"}
    assert json_of(visit.send("/items/a")) == {"name": "a"}
    assert common.happened == []


def has_no_background(_visit: Visit) -> None:
    if django.VERSION < (6,):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("django.tasks")
    else:
        backend = importlib.import_module("django.tasks").task_backends["default"]
        assert type(backend).__name__ == "ImmediateBackend"


@dataclass(frozen=True)
class Limit:
    reason: str
    proof: Callable[[Visit], None]
    editions: tuple[str, ...] = EDITIONS


NO_LIFESPAN = Limit("raises at the lifespan scope; is served without", has_no_lifespan)
NO_BACKGROUND = Limit("Django's tasks, since 6.0, run at once in the process", has_no_background)
NEEDS_RAW_PATH = Limit(
    "routes on raw_path, which the classic edition leaves out as mangum 0.22 does",
    needs_raw_path,
    editions=("classic",),
)

CANNOT: dict[tuple[str, str], Limit] = {
    ("Django", "lifespan"): NO_LIFESPAN,
    ("Channels", "lifespan"): NO_LIFESPAN,
    ("Django", "background"): NO_BACKGROUND,
    **{("Sanic", feature): NEEDS_RAW_PATH for feature in FEATURES},
}

NO_ERROR_PAGE = "the application raises, the adapter answers 500"
LEAVES_TASKS = "a task left on the loop: ends with the next invocation, or at shutdown"
WHOLE_PATH = 'routes on the whole path: needs root_path="" in edition 2026'
WRAPPED = "none of its own: Starlette's GZipMiddleware around it"

REMARKS: dict[tuple[str, str], str] = {
    ("Bare", "gzip"): "the application compresses",
    ("ASGI 2", "gzip"): "the application compresses",
    ("Quart", "gzip"): WRAPPED,
    ("Channels", "gzip"): WRAPPED,
    ("Falcon", "gzip"): WRAPPED,
    ("Sanic", "gzip"): "none of its own: a response middleware of the application's",
    ("Sanic", "path parameter"): "handed over percent-encoded: the view unquotes it",
    ("Channels", "upload"): "no parser of its own: Django's",
    ("Channels", "404"): "URLRouter raises for an unknown path: Django's behind the last route",
    ("Bare", "exception"): NO_ERROR_PAGE,
    ("ASGI 2", "exception"): NO_ERROR_PAGE,
    ("Channels", "exception"): NO_ERROR_PAGE,
    ("Quart", "background"): LEAVES_TASKS,
    ("Sanic", "background"): LEAVES_TASKS,
    ("Falcon", "background"): LEAVES_TASKS,
    ("Channels", "background"): "in the consumer's disconnect(), after the answer",
    ("Sanic", "stage prefix"): WHOLE_PATH,
    ("Responder", "stage prefix"): WHOLE_PATH,
    ("Falcon", "stage prefix"): WHOLE_PATH,
}
