"""What `mangum serve` adds to a request, beside MiniStack: HTTP in, event, Runtime API, the
environment, result, HTTP out, with a bare application behind it.

`python -m benchmarks.gateway` measures it alone; with `--minute` it does something else: a thousand
requests a second for a minute, whether the answers come or not, and counts what is lost or left.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import gateway_minute, results
from benchmarks.gateway_contenders import MAIN, MINISTACK, OURS, MiniStack, Ours, Usage
from benchmarks.gateway_load import (
    PERCENTILES,
    Connection,
    LoadFailed,
    percentiles,
    requests_per_second,
    times_ms,
    wrk_missing,
)
from benchmarks.spread import Spread, ratios, spread
from benchmarks.tables import Table

NAME = "gateway"
GOAL_MS = 3.0
CONNECTIONS = (1, 4, 64)
SHARED = 4  # with more of them MiniStack starts more processes
NOTHING = "-"


class Effort(NamedTuple):
    rounds: int
    requests: int  # of a round, to each source
    starts: int
    wrk_s: int


QUICK, FULL = Effort(5, 50, 3, 2), Effort(9, 100, 5, 3)

Gateway = Ours | MiniStack
Times = dict[str, dict[str, list[list[float]]]]  # by gateway and source, round by round


class Latency(NamedTuple):
    """Of a source: percentiles of all requests, in milliseconds, by the gateway's name."""

    source: str
    percentiles: dict[str, list[float]]
    times_less: Spread | None  # of the rounds' medians; `None` where MiniStack lacks the source


class Load(NamedTuple):
    """wrk's connections, each with one request after the other."""

    gateway: str
    connections: int
    requests_per_s: Spread
    gateway_us: Spread  # processor time of a request
    others_us: Spread  # that of the processes which the gateway has started


class Memory(NamedTuple):
    gateway: str
    gateway_mb: float
    others_mb: list[float]


def run(quick: bool, output: Path) -> dict[str, Any]:
    """Measure, print the tables, and leave `gateway.json` in `output`. Raises `LoadFailed`."""
    effort = QUICK if quick else FULL
    starts = {option: measure_starts(option, effort.starts) for option in ("0", "1")}
    with ExitStack() as stack:
        gateways: list[Gateway] = [
            stack.enter_context(closing(Ours())),
            stack.enter_context(closing(MiniStack())),
        ]
        latencies = compare(measure_latency(gateways, effort))
        missing = wrk_missing()
        loads = [] if missing else measure_load(gateways, effort)
        memory = [Memory(it.name, *Usage(it.pid).memory_mb()) for it in gateways]
    tables = [latency_table(latencies), load_table(loads, missing), other_table(starts, memory)]
    for table in tables:
        print(f"\n{table.text()}\n", flush=True)
    figures = {
        "about": results.about({"python": sys.executable}, pace="quick" if quick else "full"),
        "latency": [it._asdict() for it in latencies],
        "load": [it._asdict() for it in loads],
        "starts_ms": starts,
        "memory": [it._asdict() for it in memory],
    }
    results.save(output, NAME, figures)
    return figures


# --- measuring ------------------------------------------------------------------------------------


def measure_starts(warm: str, count: int) -> list[float]:
    """Milliseconds from the start of the process to its first answer."""
    taken = []
    for _ in range(count):
        begins_s = time.perf_counter()
        with closing(Ours("--warm", warm)) as gateway:
            with closing(Connection(gateway.urls[MAIN])) as connection:
                connection.get()
            taken.append(1000 * (time.perf_counter() - begins_s))
    return taken


def measure_latency(gateways: Sequence[Gateway], effort: Effort) -> Times:
    """One request after the other; the gateways take turns. A round more, to begin with, does not
    count."""
    times: Times = {it.name: {source: [] for source in it.urls} for it in gateways}
    for _ in range(1 + effort.rounds):
        for source in gateways[0].urls:
            for gateway in gateways:
                if source in gateway.urls:
                    with closing(Connection(gateway.urls[source])) as connection:
                        taken = times_ms(connection, effort.requests)
                    times[gateway.name][source].append(taken)
    return {name: {it: of[it][1:] for it in of} for name, of in times.items()}


def compare(times: Times) -> list[Latency]:
    latencies = []
    for source, ours in times[OURS].items():
        by_name = {name: of[source] for name, of in times.items() if source in of}
        found = {name: _percentiles(rounds) for name, rounds in by_name.items()}
        theirs = by_name.get(MINISTACK)
        less = theirs and ratios(_medians(theirs), _medians(ours))
        latencies.append(Latency(source, found, less or None))
    return latencies


def _medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.median(it) for it in rounds]


def _percentiles(rounds: Sequence[Sequence[float]]) -> list[float]:
    return percentiles([it for one in rounds for it in one])


def measure_load(gateways: Sequence[Gateway], effort: Effort) -> list[Load]:
    """With wrk; the first run of each, in which environments start, does not count."""
    loads = []
    for connections in CONNECTIONS:
        taken: dict[str, list[tuple[float, float, float]]] = {it.name: [] for it in gateways}
        for turn in range(1 + effort.starts):
            for gateway in gateways if connections <= SHARED else gateways[:1]:
                usage = Usage(gateway.pid)
                rate, count = requests_per_second(gateway.urls[MAIN], connections, effort.wrk_s)
                if turn and count:
                    taken[gateway.name].append((rate, *usage.per_request_us(count)))
        loads += [
            Load(name, connections, *[spread(column) for column in zip(*it, strict=True)])
            for name, it in taken.items()
            if it
        ]
    return loads


# --- tables ---------------------------------------------------------------------------------------


def latency_table(latencies: Sequence[Latency]) -> Table:
    names = (OURS, MINISTACK)
    header = ["a request, ms", *[f"{name} p{it}" for name in names for it in PERCENTILES]]
    rows = []
    for one in latencies:
        cells = [one.source]
        for name in names:
            found = one.percentiles.get(name)
            cells += [f"{it:.2f}" for it in found] if found else [NOTHING] * len(PERCENTILES)
        less = NOTHING if one.times_less is None else f"{one.times_less:.1f}"
        met = "yes" if one.percentiles[OURS][0] < GOAL_MS else "no"
        rows.append([*cells, less, f"{GOAL_MS:g}", met])
    notes = [
        "One request after the other, on a connection that is kept alive. Times less: medians of",
        "rounds, and between which values the middle eighty of a hundred lie. MiniStack waits",
        "50 ms for what a function may have logged, and for more than a line another 5 ms.",
    ]
    title = "The gateway's overhead, from request to answer"
    return Table(title, [*header, "times less", "goal p50", "met"], rows, notes)


def load_table(loads: Sequence[Load], missing: str | None) -> Table:
    header = ["connections", "requests/s", "gateway, µs CPU", "environments, µs CPU"]
    rows = [
        [
            f"{it.gateway}, {it.connections}",
            f"{it.requests_per_s:.0f}",
            f"{it.gateway_us:.0f}",
            f"{it.others_us:.0f}",
        ]
        for it in loads
    ]
    notes = [missing] if missing else ["Processor time is that of one request, medians."]
    return Table("Requests per second, as wrk counts them", header, rows, notes)


def other_table(starts: Mapping[str, Sequence[float]], memory: Sequence[Memory]) -> Table:
    rows = [
        [f"start to the first answer, --warm {warm}", f"{spread(taken):.0f} ms"]
        for warm, taken in starts.items()
    ]
    for it in memory:
        others = ", ".join(f"{mb:.0f}" for mb in sorted(it.others_mb))
        rows.append([f"memory, {it.gateway}", f"{it.gateway_mb:.0f} MB"])
        rows.append([f"of its processes, {it.gateway}", f"{others} MB"])
    return Table("Start and memory", ["what", "how much"], rows, [])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--minute", action="store_true", help="a thousand a second for a minute")
    parser.add_argument(
        "--rate", type=int, default=gateway_minute.RATE, help="of the minute, a second"
    )
    parser.add_argument(
        "--seconds", type=int, default=gateway_minute.SECONDS, help="how long the minute is"
    )
    parser.add_argument("--output", type=Path, default=results.FOLDER, help="where to write to")
    options = parser.parse_args(arguments)
    try:
        if options.minute:
            gateway_minute.run(options.output, options.rate, options.seconds)
        else:
            run(options.quick, options.output)
    except LoadFailed as exc:
        sys.exit(str(exc))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
