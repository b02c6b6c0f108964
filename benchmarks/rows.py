"""What is measured, as data: the rows, and the claims that the main table makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from benchmarks.apps import APPS, BARE
from benchmarks.events import SOURCES
from benchmarks.payloads import NONE, PAYLOADS

MEASURES = {
    "adapter": "the adapter alone: infer, scope, body, result",
    "whole": "a whole invocation: event in, result out",
    "JSON": "a whole invocation with the JSON around it, as the runtime client does it",
    "cold": "a whole invocation after 32 MiB of other memory",
}
LIFESPANS = ("off", "invocation", "environment")
LIMITED_TO_1MB = frozenset({"ALB", "ALB single", "Edge"})


@dataclass(frozen=True)
class Row:
    """One thing to measure. `lifespan` is what our adapter does with it: mangum 0.22 has it per
    invocation or not at all."""

    source: str = "v2"
    app: str = BARE
    measure: str = "whole"
    lifespan: str = "off"
    headers: int = 10
    body: str = NONE
    direction: str = ""

    @property
    def name(self) -> str:
        parts = [self.measure, self.app, self.source, f"{self.headers} headers"]
        if self.direction:
            parts.append(f"{self.body} {self.direction}")
        if self.measure != "adapter":
            parts.append(f"lifespan {self.lifespan}")
        return ", ".join(parts)

    @property
    def over_limit(self) -> bool:
        """Whether the source refuses an answer of this size: ours is a 500 that says so then."""
        return (
            self.direction == "out"
            and self.body in ("1mb", "4mb")
            and self.source in LIMITED_TO_1MB
        )


class Claim(NamedTuple):
    """A line of the main table: how many times faster than 0.22.0 each row is, and the goals."""

    title: str
    rows: tuple[Row, ...]
    goals: tuple[float, ...]
    contender: str = "compiled"

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.contender})" if self.contender == "pure" else self.title


def _each(values: str, **fields: str) -> tuple[Row, ...]:
    """A row for each of the comma-separated sources."""
    return tuple(Row(source=value, **fields) for value in values.split(", "))  # type: ignore[arg-type]


def _apps(values: str, **fields: str) -> tuple[Row, ...]:
    return tuple(Row(app=value, **fields) for value in values.split(", "))  # type: ignore[arg-type]


CLAIMS = (
    Claim(
        "adapter alone, 10 headers: v2 / REST / ALB",
        _each("v2, REST, ALB", measure="adapter"),
        (4.5, 4, 24),
    ),
    Claim(
        "whole invocation, bare app, lifespan off: v2 / REST / ALB",
        _each("v2, REST, ALB"),
        (6.8, 6, 16),
    ),
    Claim(
        "0.22's default (lifespan per call), ours per environment, bare app: v2 / REST / ALB",
        _each("v2, REST, ALB", lifespan="environment"),
        (15, 15, 25),
    ),
    Claim("Starlette route: v2 / ALB", _each("v2, ALB", app="Starlette"), (2.1, 4.2)),
    Claim("FastAPI async route: v2 / ALB", _each("v2, ALB", app="FastAPI"), (1.4, 2)),
    Claim(
        "lifespan per call in both, v2: bare / Starlette / FastAPI",
        _apps("bare, Starlette, FastAPI", lifespan="invocation"),
        (6, 2.8, 1.7),
    ),
    Claim("FastAPI sync route (thread pool), v2", _apps("FastAPI sync"), (1.7,)),
    Claim(
        "4 MB binary, adapter alone, v2: in / out",
        (
            Row(measure="adapter", body="4mb", direction="in"),
            Row(measure="adapter", body="4mb", direction="out"),
        ),
        (40, 30),
    ),
    Claim(
        "whole with JSON on both sides, v2: no body / 10 KB out / 1 MB JSON text in",
        (
            Row(measure="JSON"),
            Row(measure="JSON", body="10kb", direction="out"),
            Row(measure="JSON", body="1mb", direction="in"),
        ),
        (6, 7, 15),
    ),
    Claim(
        "cold caches (32 MiB walked between two calls), bare app: v2 / ALB",
        _each("v2, ALB", measure="cold"),
        (2.5, 4),
    ),
    Claim(
        "whole invocation, v2: bare / Starlette / FastAPI",
        _apps("bare, Starlette, FastAPI"),
        (3.6, 1.8, 1.3),
        contender="pure",
    ),
)


def main_rows() -> list[Row]:
    """The rows of the main table, each once."""
    return list(dict.fromkeys(row for claim in CLAIMS for row in claim.rows))


def matrix_rows() -> list[Row]:
    """Every application with every source, number of headers, body and lifespan."""
    return list(_matrix())


def _matrix() -> Iterator[Row]:
    for app, source, headers in product(APPS, SOURCES, (10, 30)):
        for lifespan in LIFESPANS:
            yield Row(source, app, lifespan=lifespan, headers=headers)
        if app != "FastAPI sync":  # its other routes are those of FastAPI
            for body, direction in product(PAYLOADS[1:], ("in", "out")):
                yield Row(source, app, headers=headers, body=body, direction=direction)


TABLES = {"main": main_rows, "matrix": matrix_rows}
