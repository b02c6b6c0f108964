"""Figures of packaged cold starts as tables, and what they are to reach. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.tables import Table

BARE, ASYNCIO = "bare handler", "bare handler with asyncio"
BARE_ASGI, STARLETTE, FASTAPI = "bare ASGI", "Starlette", "FastAPI"

THEIRS_PLAIN = "0.22.0, plain zip"
THEIRS_COMPILED = "0.22.0, zip with bytecode"
OURS_PLAIN = "ours, plain zip"
OURS_LAYER = "ours from the layer, plain zip"
ALL_LAYER = "ours and framework from the layer"
PACKAGED = "ours, mangum package"
WITH_COLUMNS = "ours, the same with columns"

KIB = 1024
NOTHING = "-"

PAGE = (THEIRS_PLAIN, THEIRS_COMPILED, OURS_PLAIN, OURS_LAYER, ALL_LAYER, PACKAGED)

COLUMNS = {PACKAGED: "those of the application, as packaged", WITH_COLUMNS: "all"}


class Spent(NamedTuple):
    """Of many processes the smallest, and the median."""

    least: float
    median: float

    def __format__(self, spec: str) -> str:
        return f"{self.least:{spec}} / {self.median:{spec}}"


class Start(NamedTuple):
    """What the starts of one function took, from the start of the process."""

    name: str
    zipped: list[int]  # bytes of the function's zip, and of the layer's if there is one
    unzipped: int
    poll_cpu_ms: Spent  # to the first request for an event
    poll_ms: Spent
    answer_cpu_ms: Spent  # to the first answer
    answer_ms: Spent
    memory_mib: Spent


class Goal(NamedTuple):
    text: str
    unit: str
    value: float | None  # `None` if it was not measured
    limit: float

    @property
    def met(self) -> str:
        if self.value is None:
            return NOTHING
        return "yes" if self.value <= self.limit else "no"


class ImportCost(NamedTuple):
    """CPU milliseconds, beyond the runtime client and asyncio."""

    import_ms: float
    making_ms: float  # of the adapter


def name_of(app: str, way: str) -> str:
    return f"{app}: {way}"


def spent(values: Sequence[float]) -> Spent:
    return Spent(min(values), statistics.median(values))


def start_from_json(value: list[object]) -> Start:
    name, zipped, unzipped, *times = value
    return Start(name, zipped, unzipped, *[Spent(*it) for it in times])  # type: ignore[arg-type, misc]


def starts_table(starts: Sequence[Start]) -> Table:
    header = ["", "poll, CPU ms", "wall ms", "answer, CPU ms", "wall ms", "MiB", "zips, KB"]
    rows = []
    for it in starts:
        times = (it.poll_cpu_ms, it.poll_ms, it.answer_cpu_ms, it.answer_ms)
        sizes = " + ".join(f"{size / KIB:,.0f}" for size in it.zipped)
        memory = f"{it.memory_mib.least:.1f}"
        rows.append([it.name, *[f"{time:.1f}" for time in times], memory, sizes])
    notes = [
        "The smallest and the median of many processes that take turns, from the start of the",
        "process to its first request for an event, and to its first answer. MiB is the peak.",
        "The second size is the layer's.",
    ]
    return Table("Cold starts, packaged", header, rows, notes)


def page_table(starts: Sequence[Start]) -> Table:
    """The least CPU time to the first poll, a way in each row; for a page of the documentation."""
    by_name = {it.name: it for it in starts}
    rows = []
    for way in PAGE:
        found = [by_name.get(name_of(app, way)) for app in (BARE_ASGI, STARLETTE, FASTAPI)]
        times = [f"{it.poll_cpu_ms.least:.0f}" if it else NOTHING for it in found]
        sizes = [f"{sum(it.zipped) / KIB**2:.1f}" if it else NOTHING for it in found[-1:]]
        rows.append([way, *times, *sizes])
    grounds = [
        f"A {name} takes {by_name[name].poll_cpu_ms.least:.0f} ms."
        for name in (BARE, ASYNCIO)
        if name in by_name
    ]
    header = ["CPU ms to the first poll", BARE_ASGI, STARLETTE, FASTAPI, "FastAPI's zips, MB"]
    return Table("Cold starts by the way of packaging", header, rows, grounds)


def imports_table(costs: Mapping[str, ImportCost]) -> Table:
    rows = [[name, f"{it.import_ms:.2f}", f"{it.making_ms:.2f}"] for name, it in costs.items()]
    return Table(
        "Import of mangum, and making the adapter, beyond the runtime client and asyncio",
        ["", "import, CPU ms", "making, CPU ms"],
        rows,
        ["The smallest of many processes each."],
    )


def counts_table(counts: Mapping[str, int]) -> Table:
    """Beside the bare handler with asyncio, which is taken for the ground."""
    ground = counts.get(ASYNCIO, 0)
    rows = [
        [name, f"{count / 1e6:,.1f}", f"{(count - ground) / 1e6:+,.1f}"]
        for name, count in counts.items()
    ]
    return Table(
        "Instructions from the start of the process to the first poll, counted by callgrind",
        ["", "millions", "beyond asyncio"],
        rows,
        ["Without those of the kernel. Two runs differ by some thousands."],
    )


def columns_table(starts: Sequence[Start]) -> Table:
    """What it costs that bytecode tells tracebacks the columns, where there is most of it."""
    rows = [
        [
            label,
            f"{it.poll_cpu_ms:.1f}",
            f"{it.memory_mib.least:.1f}",
            f"{sum(it.zipped) / KIB:,.0f}",
            f"{it.unzipped / KIB:,.0f}",
        ]
        for way, label in COLUMNS.items()
        for it in starts
        if it.name == name_of(FASTAPI, way)
    ]
    header = ["", "poll, CPU ms", "MiB", "zip, KB", "unzipped, KB"]
    return Table("FastAPI, by what its bytecode tells of columns", header, rows, [])


def goals(starts: Sequence[Start], costs: Mapping[str, ImportCost]) -> list[Goal]:
    """What the figures of one run are to reach."""
    cpu = {it.name: it.poll_cpu_ms.least for it in starts}
    layer, plain = name_of(BARE_ASGI, OURS_LAYER), name_of(FASTAPI, THEIRS_PLAIN)
    package = name_of(FASTAPI, PACKAGED)
    of_import = costs[OURS_LAYER].import_ms if OURS_LAYER in costs else None
    above = cpu[layer] - cpu[ASYNCIO] if {layer, ASYNCIO} <= {*cpu} else None
    part = cpu[package] / cpu[plain] if {package, plain} <= {*cpu} else None
    return [
        Goal("import of mangum from the layer, beyond asyncio", "ms", of_import, 1),
        Goal("bare ASGI from the layer to its first poll, beyond asyncio", "ms", above, 3),
        Goal("FastAPI from `mangum package`, beside 0.22.0 in a plain zip", "times", part, 0.5),
    ]


def goals_table(reached: Sequence[Goal]) -> Table:
    rows = [
        [
            it.text,
            NOTHING if it.value is None else f"{it.value:.2f} {it.unit}",
            f"{it.limit:g} {it.unit}",
            it.met,
        ]
        for it in reached
    ]
    return Table("Goals, CPU time", ["", "measured", "at most", "met"], rows, [])
