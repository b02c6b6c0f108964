"""What an import, a constructor and a first request load: Lambda does each of them cold.

Every test runs in a process of its own, without `site`, so that nothing else has loaded anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mangum
from mangum._speedups import COMPILED
from mangum.types import Edition
from tests import builders
from tests.processes import run_python

EDITIONS: tuple[Edition, ...] = ("classic", "2026")

BARE = ("-I", "-S", "-W", "error")

IMPORTED = {"mangum", "mangum.adapter", "mangum.exceptions", "mangum.options"}
"""The modules of ours that `import mangum` loads."""

FREE = {"__future__", "binascii"}
"""Modules of the standard library that cost nothing."""

HALF = (
    {"mangum._speedups.compiled"}
    if COMPILED
    else {"mangum._speedups.pure", "mangum._speedups.text"}
)

CONSTRUCTED = HALF | {
    "mangum._speedups",
    "mangum._speedups.constants",
    "mangum.protocols",
    "mangum.protocols.http",
    "mangum.protocols.loop",
}
"""The modules of ours that the constructor loads."""

LIFESPAN = {"mangum.protocols.lifespan", "mangum.protocols.states"}
"""What it loads beyond those unless the lifespan is off."""

# what the compiled half has no short cut for
FALLBACK = {"mangum._speedups.pure", "mangum._speedups.text"} - HALF
HANDLERS = {"mangum.handlers", "mangum.handlers._base"}
GATEWAY = HANDLERS | {"mangum.handlers._request", "mangum.handlers.api_gateway"}
ALB = HANDLERS | {"mangum.handlers._request", "mangum.handlers.alb"}
EDGE = HANDLERS | FALLBACK | {"mangum.handlers.lambda_at_edge"}
LATTICE = HANDLERS | FALLBACK | {"mangum.handlers.vpc_lattice"}
SIGTERM = {"mangum.protocols.termination"}

REASONS = {"mangum.handlers._reasons"}
NOTHING: set[str] = set()

REQUESTS: dict[str, tuple[builders.Event, set[str], set[str]]] = {
    "REST API": (builders.rest_event(), NOTHING, NOTHING),
    "HTTP API 1.0": (builders.http_v1_event(), GATEWAY, GATEWAY | FALLBACK),
    "HTTP API 2.0": (builders.http_v2_event(), NOTHING, NOTHING),
    "function URL": (builders.function_url_event(), NOTHING, NOTHING),
    "ALB": (builders.alb_event(), ALB, ALB | REASONS),
    "ALB, multi-value": (builders.alb_event(multi_value=True), NOTHING, ALB | REASONS),
    "Lambda@Edge": (builders.edge_event(), EDGE, EDGE | REASONS),
    "VPC Lattice 1": (builders.lattice_v1_event(), LATTICE | REASONS, LATTICE | REASONS),
    "VPC Lattice 2": (builders.lattice_v2_event(), LATTICE | REASONS, LATTICE | REASONS),
}
"""A plain request of each source, and what it loads in the classic and in the 2026 edition."""

SETUP = f"""
import sys
sys.path.insert(0, {str(Path(mangum.__file__).parent.parent)!r})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        if LIFESPAN:
            for moment in ("startup", "shutdown"):
                await receive()
                await send({{"type": f"lifespan.{{moment}}.complete"}})
        return
    await receive()
    headers = [[b"content-type", CONTENT_TYPE], [b"set-cookie", b"a=1"], [b"set-cookie", b"b=2"]]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": b"Hello"}})

LIFESPAN = False
CONTENT_TYPE = b"text/plain"
"""


def loaded_by(*steps: str) -> list[set[str]]:
    """The modules that each step loads beyond those before it."""
    counted = "\n".join(
        f"{step}\nprint(*sorted({{*sys.modules}} - known)); known = {{*sys.modules}}"
        for step in steps
    )
    done = run_python(f"{SETUP}\nknown = {{*sys.modules}}\n{counted}", options=BARE)
    assert (done.stderr, done.returncode) == ("", 0)
    return [{*filter(_is_module, line.split())} for line in done.stdout.splitlines()]


def _is_module(name: str) -> bool:
    """Whether it is more than a name that Cython keeps its types under."""
    return name != "cython_runtime" and not name.startswith("_cython_")


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "mangum"}


def test_import_loads_the_modules_of_ours_that_are_listed_and_no_others() -> None:
    _, loaded = loaded_by("import logging", "import mangum")
    assert ours(loaded) == IMPORTED


def test_import_loads_nothing_of_the_library_beyond_logging() -> None:
    """Not asyncio, typing, inspect, dataclasses, json, base64, urllib, http, email or ssl."""
    _, loaded = loaded_by("import logging", "import mangum")
    assert loaded - ours(loaded) - FREE == set()


def test_the_constructor_loads_less_where_the_lifespan_is_off() -> None:
    _, loaded = loaded_by("import mangum, asyncio, logging", "mangum.Mangum(app, lifespan='off')")
    assert loaded == CONSTRUCTED


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_constructor_loads_asyncio_and_nothing_else(edition: Edition) -> None:
    _, _, loaded = loaded_by(
        "import mangum, asyncio", "import logging", f"mangum.Mangum(app, edition={edition!r})"
    )
    assert loaded == CONSTRUCTED | LIFESPAN
    _, loaded = loaded_by("import mangum", f"mangum.Mangum(app, edition={edition!r})")
    assert "asyncio" in loaded


def handling(
    event: builders.Event, edition: Edition, lifespan: str = "off", **constants: Any
) -> tuple[str, ...]:
    """The steps to a request that is answered."""
    assignments = "; ".join(f"{name} = {value!r}" for name, value in constants.items()) or "pass"
    return (
        assignments,
        "import mangum",
        f"handler = mangum.Mangum(app, edition={edition!r}, lifespan={lifespan!r})",
        f"assert handler({event!r}, None)",
    )


@pytest.mark.parametrize("source", REQUESTS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_plain_request_loads_nothing_but_what_is_listed(source: str, edition: Edition) -> None:
    event, *expected = REQUESTS[source]
    *_, loaded = loaded_by(*handling(event, edition))
    assert loaded == expected[EDITIONS.index(edition)]


@pytest.mark.parametrize("has_lifespan", [True, False])
@pytest.mark.parametrize("edition", EDITIONS)
def test_lifespan_loads_what_shuts_it_down_where_it_lasts(
    edition: Edition, has_lifespan: bool
) -> None:
    *_, loaded = loaded_by(*handling(builders.rest_event(), edition, "auto", LIFESPAN=has_lifespan))
    assert loaded == (SIGTERM if edition == "2026" and has_lifespan else NOTHING)


@pytest.mark.parametrize("edition", EDITIONS)
def test_small_binary_bodies_load_nothing(edition: Edition) -> None:
    event = builders.rest_event(method="POST", body=b"\xff", query=[("ü", "a b")], path="/%C3%BC")
    *_, loaded = loaded_by(*handling(event, edition, CONTENT_TYPE=b"image/png"))
    assert loaded == set()


def test_the_constructor_makes_no_loop_and_opens_nothing() -> None:
    """A process that is frozen, or forked, between the two has nothing to lose."""
    done = run_python(
        f"""
{SETUP}
import asyncio, gc, os, mangum
before = os.listdir("/dev/fd")
handler = mangum.Mangum(app)
assert os.listdir("/dev/fd") == before, "a descriptor is open"
gc.collect()
loops = [it for it in gc.get_objects() if isinstance(it, asyncio.AbstractEventLoop)]
assert loops == [], loops
        """,
        options=BARE,
    )
    assert (done.stderr, done.returncode) == ("", 0)
