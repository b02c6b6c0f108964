"""Runs one application over a recorded event of each source and prints what comes out.

`python examples/gallery/demo.py` exits with 1 if an answer is not the expected one.
"""

from __future__ import annotations

import sys
import textwrap
import time
from pathlib import Path
from typing import Any, NamedTuple

from main import handler

from mangum.cli.answers import read_answer, write_answer, write_json
from mangum.cli.context import Context
from mangum.cli.events import read_event, recognise
from mangum.cli.terminal import painter

EVENTS = Path(__file__).parent / "events"


class Case(NamedTuple):
    file: str
    title: str
    status: int | None  # None where the result is no HTTP answer
    excerpt: str  # of the body, or of the result


CASES = (
    Case("http-1.0.json", "HTTP API, payload 1.0: a list, and a cookie", 200, '"visit":1'),
    Case("rest.json", "REST API: JSON in, JSON out", 201, "hello from the public internet"),
    Case("url.json", "Function URL: a download of bytes", 200, "GIF89a"),
    Case("http-2.0.json", "HTTP API, payload 2.0: an upload", 201, "/pictures/yellow-sun/image"),
    Case("alb-single.json", "Load balancer: PUT with a query string", 200, '"dark green"'),
    Case(
        "alb-multi.json",
        "Load balancer, multi-value headers: a filter",
        200,
        '["red-square","blue-moon"]',
    ),
    Case("edge.json", "Lambda@Edge: a redirect", 308, ""),
    Case("lattice-v1.json", "VPC Lattice, version 1: what is not there", 404, "'black hole'"),
    Case("lattice-v2.json", "VPC Lattice, version 2: an SVG that is text", 200, "4 pictures"),
    Case("sqs.json", "SQS queue: one message taken, one handed back", None, "2e1424d4-f796-"),
)
"""In this order: the upload is still there when VPC Lattice asks, as in a warm function."""


def main() -> int:
    paint = painter(sys.stdout)
    started = time.perf_counter()
    surprises = [line for case in CASES if (line := show(case))]
    handler.shutdown()
    seconds = time.perf_counter() - started
    for line in surprises:
        print(paint("red", line), file=sys.stderr)
    if surprises:
        return 1
    verdict = f"{len(CASES)} events, one application, every answer as expected ({seconds:.2f} s)."
    print(paint("green", verdict))
    return 0


def show(case: Case) -> str | None:
    """Print an event and its answer; returns what is wrong with that, if anything."""
    paint = painter(sys.stdout)
    event = read_event(str(EVENTS / case.file))
    context: Any = Context("demo", timeout_s=30)
    print(paint("bold", case.title))
    print(paint("dim", f"  {case.file}: {request_line(event, context)}"))
    result = handler(event, context)
    answer = read_answer(result, recognise(event))
    if answer is None:
        status, text, shown = None, write_json(result), write_json(result)
    else:
        status, text = answer.status, answer.body.decode("latin-1")
        shown = write_answer(answer, paint)
    print(textwrap.indent(shown, "  "), end="\n\n")
    if status != case.status or case.excerpt not in text:
        return f"{case.file}: expected {case.status} with {case.excerpt!r}, got {status}: {text}"
    return None


def request_line(event: Any, context: Any) -> str:
    """What the application is asked: `"GET /items?page=2"`."""
    scope = handler.infer(event, context).scope
    query = "?" + scope["query_string"].decode() if scope["query_string"] else ""
    return f"{scope['method']} {scope['raw_path'].decode()}{query}"


if __name__ == "__main__":
    sys.exit(main())
