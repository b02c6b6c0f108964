"""From what was measured to tables and charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.compare import Timing
from benchmarks.contenders import COMPILED, CONTENDERS, PURE, UPSTREAM
from benchmarks.instructions import GOALS
from benchmarks.plots import Group, bar_chart
from benchmarks.rows import CLAIMS, Claim, Row
from benchmarks.spread import spread
from benchmarks.tables import Table

OURS = (COMPILED, PURE)
NOTHING = "-"
Counts = dict[str, dict[Row, int]]


def claims_table(timings: Iterable[Timing], *, goals: bool = True) -> Table:
    """The main table: how many times faster than 0.22.0, beside the goals."""
    by_row = {timing.row: timing for timing in timings}
    header = ["times faster than mangum 0.22.0", *OURS]
    rows = []
    for claim in CLAIMS:
        if not any(row in by_row for row in claim.rows):
            continue
        if not goals and claim.contender == PURE:  # its rows are in others
            continue
        cells = [claim.heading, *[_speedups(claim.rows, by_row, name) for name in OURS]]
        if goals:
            wanted = " / ".join(f"{goal:g}" for goal in claim.goals)
            cells += [wanted, _verdict(claim, by_row)]
        rows.append(cells)
    notes = [f"{timing.row.name}: {note}" for timing in by_row.values() for note in timing.notes]
    if goals:
        header += ["goal", "met"]
        notes += _never_slower(by_row.values())
    return Table("Whole invocations and their parts, medians", header, rows, notes)


def times_table(timings: Iterable[Timing], title: str) -> Table:
    """Each row in microseconds, with the spread."""
    rows = []
    notes = []
    for timing in timings:
        times = [_cell(timing.times_us.get(name), ".1f") for name in CONTENDERS]
        speedups = [_cell(timing.speedups.get(name), ".2f") for name in OURS]
        rows.append([timing.row.name, *times, *speedups])
        notes += [f"{timing.row.name}: {note}" for note in [*timing.notes, *_slower(timing)]]
    header = ["row", *[f"{name}, us" for name in CONTENDERS], *[f"{name}, times" for name in OURS]]
    return Table(f"{title}: median (tenth to ninetieth percentile)", header, rows, notes)


def instructions_table(counts: Counts, *, goals: bool = True) -> Table:
    """Instructions per invocation."""
    rows = []
    for row, limit in GOALS.items():
        cells = [row.name, *[_count(counts.get(name, {}).get(row)) for name in CONTENDERS]]
        if goals:
            counted = counts.get(COMPILED, {}).get(row)
            met = NOTHING if limit is None or counted is None else _yes(counted <= limit)
            cells += [NOTHING if limit is None else f"{limit:,}", met]
        rows.append(cells)
    header = ["instructions per invocation", *CONTENDERS, *(["at most", "met"] if goals else [])]
    return Table("Instructions, counted by callgrind", header, rows, [])


def speedups_chart(timings: Iterable[Timing], title: str) -> str:
    groups = [
        Group(it.row.name, {name: it.speedups[name] for name in OURS if name in it.speedups})
        for it in timings
    ]
    return bar_chart(title, "x", OURS, groups, ratios=True)


def times_chart(timings: Iterable[Timing], title: str) -> str:
    groups = [Group(timing.row.name, timing.times_us) for timing in timings]
    return bar_chart(title, " us", CONTENDERS, groups)


def instructions_chart(counts: Counts) -> str:
    counted = [name for name in CONTENDERS if name in counts]
    groups = [
        Group(row.name, {name: spread([counts[name][row]]) for name in counted}) for row in GOALS
    ]
    return bar_chart("Instructions per invocation", "", CONTENDERS, groups)


def _speedups(rows: Sequence[Row], by_row: dict[Row, Timing], contender: str) -> str:
    found = [by_row[row].speedups.get(contender) if row in by_row else None for row in rows]
    return " / ".join(NOTHING if it is None else _times(it.median) for it in found)


def _verdict(claim: Claim, by_row: dict[Row, Timing]) -> str:
    found = [by_row[row].speedups.get(claim.contender) for row in claim.rows if row in by_row]
    reached = [it.median for it in found if it is not None]
    if len(reached) < len(claim.goals):
        return NOTHING
    return _yes(all(it >= goal for it, goal in zip(reached, claim.goals, strict=True)))


def _slower(timing: Timing) -> list[str]:
    """Says of ours that is slower by more than the spread."""
    speedups = {name: timing.speedups[name] for name in OURS if name in timing.speedups}
    slow = [name for name, speedup in speedups.items() if speedup.high < 1]
    return [
        f"{name} is slower than {UPSTREAM}, {speedups[name]:.2f} times its speed" for name in slow
    ]


def _never_slower(timings: Iterable[Timing]) -> list[str]:
    speedups = {it.row.name: it.speedups[PURE] for it in timings if PURE in it.speedups}
    if not speedups:
        return []
    name = min(speedups, key=lambda name: speedups[name].median)
    return [
        f"The pure half's worst row is `{name}`: {speedups[name]:.2f} times {UPSTREAM}'s speed."
    ]


def _cell(value: object, spec: str) -> str:
    return NOTHING if value is None else format(value, spec)


def _count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def _times(value: float) -> str:
    return f"{value:.0f}x" if value >= 20 else f"{value:.1f}x"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
