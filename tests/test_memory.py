"""A warm process answers tens of thousands of requests and is no bigger for it.

What the first round of requests leaves behind may be caches and free lists; a second round must
leave nothing. All cases together are some 140,000 requests.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from mangum.types import Edition
from tests import builders
from tests.processes import output_of

EVENTS = [builders.rest_event(), builders.http_v2_event(), builders.alb_event()]
SOURCE = """
import asyncio, gc, json, logging, sys

from mangum import Mangum

logging.disable(logging.CRITICAL)
EVENTS = {events!r}
CONTEXT = object()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for moment in ("startup", "shutdown"):
            await receive()
            await send({{"type": f"lifespan.{{moment}}.complete"}})
        return
    await receive()
    if {suspends}:
        await asyncio.sleep(0)
    headers = [[b"content-type", b"text/plain"], [b"set-cookie", b"a=1"], [b"set-cookie", b"b=2"]]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": b"Hello"}})


handler = Mangum(app, lifespan={lifespan!r}, edition={edition!r})


def serve(requests):
    for number in range(requests):
        handler(EVENTS[number % len(EVENTS)], CONTEXT)
    gc.collect()
    return len(gc.get_objects()), sys.getallocatedblocks()


def living(kind):
    gc.collect()
    return [it for it in gc.get_objects() if isinstance(it, kind)]


serve(3_000)  # fills caches and free lists
first_objects, first_blocks = serve({rounds})
second_objects, second_blocks = serve({rounds})
loops = living(asyncio.AbstractEventLoop)
print(json.dumps({{
    "objects": second_objects - first_objects,
    "blocks": second_blocks - first_blocks,
    "loops": len(loops),
    "ready": len(loops[0]._ready),
    "scheduled": len(loops[0]._scheduled),
    "pending tasks": len(asyncio.all_tasks(loops[0])),
    "done tasks": len([it for it in living(asyncio.Task) if it.done()]),
    "pending futures": len([
        it for it in living(asyncio.Future) if not isinstance(it, asyncio.Task) and not it.done()
    ]),
}}))
"""


def measure(**settings: Any) -> dict[str, int]:
    [line] = output_of(SOURCE.format(events=EVENTS, **settings))
    counts: dict[str, int] = json.loads(line)
    return counts


@pytest.mark.parametrize(
    ("edition", "lifespan", "suspends", "rounds"),
    [
        ("classic", "auto", False, 8_000),  # a lifespan for each request
        ("classic", "auto", True, 4_000),
        ("classic", "off", False, 25_000),
        ("classic", "off", True, 8_000),
        ("2026", "auto", False, 25_000),  # a lifespan that lasts
    ],
)
def test_a_second_round_of_requests_leaves_nothing_behind(
    edition: Edition, lifespan: str, suspends: bool, rounds: int
) -> None:
    counts = measure(edition=edition, lifespan=lifespan, suspends=suspends, rounds=rounds)
    # one object for a hundred requests would be a leak; a few come and go with the interpreter
    assert counts.pop("objects") < 20
    assert counts.pop("blocks") < 100
    lasting = int(edition == "2026")  # the lifespan waits for its end
    assert counts.pop("done tasks") <= lasting
    assert counts == {
        "loops": 1,
        "ready": 0,
        "scheduled": 0,
        "pending tasks": lasting,
        "pending futures": lasting,
    }
