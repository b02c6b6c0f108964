"""Runs the pytest-benchmark modules and reads what they found."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contenders import COMPILED, PURE, ROOT, environment
from benchmarks.plots import Group, bar_chart
from benchmarks.spread import Spread
from benchmarks.tables import Table

NS_PER_S = 1e9
MODULES = {
    "test_speedups": ("Hot functions", (PURE, COMPILED)),
    "test_base64": ("Base64 by size", ("binascii", "pybase64")),
    "test_loop": (
        "Ways to drive the event loop",
        ("asyncio_run", "runner_that_is_kept", "run_until_complete", "mangum"),
    ),
}
"""The title of each module's table, and what it compares: the first is what the last is held
against."""


class FunctionTiming(NamedTuple):
    """One benchmark: of which module, of what (`group`), and by which of the ways."""

    module: str
    group: str
    way: str
    time_ns: Spread
    import_us: float | None


class FunctionsFailed(Exception):
    """pytest did not get through; the message is what it printed."""


def measure(python: str, max_time_s: float) -> list[FunctionTiming]:
    """Run all modules. Raises `FunctionsFailed`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "benchmarks.json")
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"benchmarks/{module}.py" for module in MODULES]
        command += [f"--benchmark-json={file}", f"--benchmark-max-time={max_time_s}"]
        command += ["--benchmark-min-rounds=5", "--benchmark-warmup=on"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(COMPILED), capture_output=True, text=True
        )
        if done.returncode:
            raise FunctionsFailed(done.stdout + done.stderr)
        found = json.loads(file.read_text(encoding="utf-8"))
    return [_timing(benchmark) for benchmark in found["benchmarks"]]


def tables(timings: Iterable[FunctionTiming]) -> list[Table]:
    """One for each module; nanoseconds, and how many times faster the last way is than the
    first."""
    timings = list(timings)
    made = []
    for module, (title, ways) in MODULES.items():
        rows = []
        for group, times in _groups(timings, module).items():
            medians = [f"{times[way].median:,.0f}" if way in times else "-" for way in ways]
            first, last = times.get(ways[0]), times.get(ways[-1])
            ratio = f"{first.median / last.median:.1f}x" if first and last else "-"
            rows.append([group, *medians, ratio])
        header = ["", *[f"{way}, ns" for way in ways], f"{ways[-1]}, times faster"]
        made.append(Table(f"{title}, medians", header, rows, _notes(timings, module)))
    return made


def charts(timings: Iterable[FunctionTiming]) -> dict[str, str]:
    """How many times faster than the first way each other one is, by the name of the file."""
    timings = list(timings)
    made = {}
    for module, (title, ways) in MODULES.items():
        groups = []
        for group, times in _groups(timings, module).items():
            if ways[0] in times and len(times) > 1:
                base = times[ways[0]].median
                ratios = {
                    way: Spread(base / times[way].median, base / times[way].high, base / it.low)
                    for way, it in times.items()
                    if way != ways[0]
                }
                groups.append(Group(group, ratios))
        if groups:
            heading = f"{title}: times faster than {ways[0]}"
            made[module.removeprefix("test_")] = bar_chart(
                heading, "x", ways[1:], groups, ratios=True
            )
    return made


def from_json(values: Iterable[list[Any]]) -> list[FunctionTiming]:
    return [FunctionTiming(it[0], it[1], it[2], Spread(*it[3]), it[4]) for it in values]


def _timing(benchmark: dict[str, Any]) -> FunctionTiming:
    module = Path(benchmark["fullname"].partition("::")[0]).stem
    params = benchmark["params"] or {}
    function = benchmark["name"].partition("[")[0].removeprefix("test_")
    way = params.get("half") or params.get("library") or function
    stats = benchmark["stats"]
    time_ns = Spread(*[stats[key] * NS_PER_S for key in ("median", "q1", "q3")])
    import_us = benchmark["extra_info"].get("import_us")
    return FunctionTiming(module, benchmark["group"], way, time_ns, import_us)


def _groups(timings: Iterable[FunctionTiming], module: str) -> dict[str, dict[str, Spread]]:
    """The times of each group by their way, in an order in which numbers count as such."""
    groups: dict[str, dict[str, Spread]] = {}
    for it in timings:
        if it.module == module and it.import_us is None:
            groups.setdefault(it.group, {})[it.way] = it.time_ns
    numbers = re.compile(r"\d+")
    return dict(
        sorted(
            groups.items(),
            key=lambda item: (
                numbers.sub("", item[0]),
                [int(number) for number in numbers.findall(item[0])],
            ),
        )
    )


def _notes(timings: Iterable[FunctionTiming], module: str) -> list[str]:
    imports_us = [it.import_us for it in timings if it.module == module and it.import_us]
    return [line for import_us in imports_us for line in _first_use(timings, module, import_us)]


def _first_use(timings: Iterable[FunctionTiming], module: str, import_us: float) -> Iterator[str]:
    """What the import of pybase64 costs, and how large a body has to be to make it good at once."""
    yield f"The first use of pybase64 in a process imports it: {import_us / 1000:.2f} ms."
    for group, times in _groups(timings, module).items():
        found = re.match(r"(\w+) 65536 ", group)
        if found and len(times) > 1:
            saved_us = (times["binascii"].median - times["pybase64"].median) / 1000
            kib = 64 * import_us / saved_us
            yield f"One body of {kib:,.0f} KiB to {found[1]} makes that good."
