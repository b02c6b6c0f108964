"""Times rows: the contenders take turns, so that whatever else the machine does meets them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from benchmarks.contenders import UPSTREAM
from benchmarks.process import Process, RowFailed
from benchmarks.rows import Row
from benchmarks.spread import Spread, ratios, spread

NS_PER_US = 1000
COLD_CALLS = 5  # between two of them 32 MiB are walked, which takes much longer than the call


class Effort(NamedTuple):
    """How often each contender takes its turn, and for how long."""

    rounds: int
    round_ns: int


class Timing(NamedTuple):
    """The outcome of a row: microseconds per call, and how many times faster than 0.22.0."""

    row: Row
    times_us: dict[str, Spread]
    speedups: dict[str, Spread]
    notes: list[str]
    equal: bool


def measure(row: Row, processes: dict[str, Process], effort: Effort) -> Timing:
    """Hold the results against 0.22.0's, then time those that are equal."""
    outlines, notes = look(row, processes)
    unequal = differing(row, outlines)
    ready = {name: processes[name] for name in outlines if name not in unequal}
    if row.over_limit and not unequal:
        notes.append(f"not timed: the source takes 1 MB, ours answers 500, {UPSTREAM} passes it on")
        ready = {}
    notes += [f"{it}: not {UPSTREAM}'s result, {'; '.join(unequal[it])}" for it in unequal]
    taken = _take_turns(row, ready, effort)
    times = {name: spread([ns / NS_PER_US for ns in taken[name]]) for name in taken}
    theirs = taken.get(UPSTREAM)
    speedups = {name: ratios(theirs, taken[name]) for name in taken} if theirs else {}
    return Timing(row, times, speedups, notes, equal=not unequal)


def look(row: Row, processes: dict[str, Process]) -> tuple[dict[str, Any], list[str]]:
    """What each contender gives, in outline; and why one gives nothing."""
    outlines, notes = {}, []
    for name, process in processes.items():
        try:
            outlines[name] = process.check(row)
        except RowFailed as exc:
            notes.append(f"{name}: {exc}")
    return outlines, notes


def differing(row: Row, outlines: dict[str, Any]) -> dict[str, list[str]]:
    """Where ours are not the results of mangum 0.22.0, less what is known to differ."""
    ours = {name: outline for name, outline in outlines.items() if name != UPSTREAM}
    if UPSTREAM not in outlines:
        return {}
    theirs = outlines[UPSTREAM]
    if row.over_limit:
        ours = {name: _status(outline) for name, outline in ours.items()}
        theirs = 500
    elif row.source == "Edge":
        # CloudFront answers 502 to it; 0.22.0 passes it on, ours does not
        headers = {**theirs["headers"]}
        headers.pop("content-length", None)
        theirs = {**theirs, "headers": headers}
    found = {name: list(_paths(outline, theirs)) for name, outline in ours.items()}
    return {name: paths for name, paths in found.items() if paths}


def _status(result: dict[str, Any]) -> Any:
    return result.get("statusCode", result.get("status"))


def _paths(ours: Any, theirs: Any, path: str = "") -> Iterable[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*ours, *theirs]):
            yield from _paths(ours.get(key), theirs.get(key), f"{path}.{key}" if path else key)
    elif ours != theirs:
        yield f"{path or 'status'} {ours!r} for {theirs!r}"


def _take_turns(row: Row, processes: dict[str, Process], effort: Effort) -> dict[str, list[float]]:
    """Nanoseconds per call of each round."""
    calls = {name: _calls(row, process, effort.round_ns) for name, process in processes.items()}
    taken: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(effort.rounds):
        for name, process in processes.items():
            taken[name].append(process.time_ns(calls[name]) / calls[name])
    return taken


def _calls(row: Row, process: Process, round_ns: int) -> int:
    """How many calls fill a round; finding out warms the process up."""
    if row.measure == "cold":
        process.time_ns(COLD_CALLS)
        return COLD_CALLS
    calls = 1
    while (taken := process.time_ns(calls)) < round_ns // 2:
        calls = max(calls + 1, min(10 * calls, calls * round_ns // max(taken, 1)))
    return max(1, calls * round_ns // taken)
