"""The report of `mangum coldstart`: as text, as JSON, as a picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mangum.cli.chart import FULL, Chart, Stack, svg, text_bars
from mangum.cli.importtime import GROUPS, by_group, by_package, largest
from mangum.cli.measure import IMPORT_RUNS, Result, Sample
from mangum.cli.probe import Plan
from mangum.cli.terminal import Painter, painter, plain

FIELDS = {
    "init_ms": "init: start to first `next`, wall ms",
    "init_cpu_ms": "  its CPU, ms",
    "first_ms": "first invocation, wall ms",
    "first_cpu_ms": "  its CPU, ms",
    "second_ms": "second invocation, wall ms",
    "cpu_ms": "CPU of the whole process, ms",
    "memory_mib": "peak memory, MiB",
}
"""The rows of the table: fields of `Sample`."""

LARGEST = 12  # packages and modules that are printed; JSON has all of them


def print_results(results: Sequence[Result], plan: Plan, *, event: str = "") -> None:
    """The whole report, on the standard output."""
    paint = painter(sys.stdout)
    blocks = _can_write(FULL)
    print("\n".join(_heading(results, plan, event)))
    print()
    print("\n".join(_table(results, paint)))
    for letter, result in zip(_letters(results), results, strict=True):
        groups = by_group(result.modules)
        total = sum(groups.values())
        rows = {GROUPS[group]: ms for group, ms in groups.items()}
        print()
        print(paint("bold", f"imports{letter and f' of {letter}'}: {total:.1f} ms by group"))
        print("\n".join(text_bars(rows, total=total, blocks=blocks)))
    main = results[0]
    total = sum(it.self_ms for it in main.modules)
    packages = dict([*by_package(main.modules).items()][:LARGEST])
    modules = {_title(it.name, it.phase): it.self_ms for it in largest(main.modules)[:LARGEST]}
    for name, rows in (("packages", packages), ("modules", modules)):
        print()
        print(paint("bold", f"largest {name}{' of A' if len(results) > 1 else ''}, ms"))
        print("\n".join(text_bars(rows, total=total, blocks=blocks)))


def as_json(results: Sequence[Result], plan: Plan) -> dict[str, Any]:
    """Everything, for another program; the event is not in it."""
    return {
        "runs": plan.runs,
        "import_runs": min(plan.runs, IMPORT_RUNS),
        "variants": [_result_as_json(result) for result in results],
    }


def imports_chart(results: Sequence[Result]) -> Chart:
    """The imports by group of every variant."""
    return Chart(
        "Imports by group, ms",
        [
            Stack(
                it.variant.label,
                {title: by_group(it.modules).get(group, 0.0) for group, title in GROUPS.items()},
            )
            for it in results
        ],
    )


def as_svg(results: Sequence[Result]) -> str:
    """The imports by group of every variant, and the packages of the first."""
    packages = [*by_package(results[0].modules).items()][:LARGEST]
    return svg(
        [
            imports_chart(results),
            Chart(
                f"Largest packages of {results[0].variant.label}, ms",
                [Stack(name, {"": ms}) for name, ms in packages],
            ),
        ]
    )


def _result_as_json(result: Result) -> dict[str, Any]:
    variant, probe = result.variant, result.probe
    figures = {}
    for name in Sample._fields:
        summary = result.summary(name)
        figures[name] = summary and {
            "min": summary[0],
            "median": summary[1],
            "all": result.values(name),
        }
    return {
        "name": variant.label,
        "handler": variant.function.handler,
        "folder": str(variant.function.folder),
        "environment": dict(variant.environ),
        "bytecode": variant.bytecode,
        "python": {
            "implementation": probe.implementation,
            "version": probe.python,
            "system": probe.system,
            "machine": probe.machine,
        },
        "awslambdaric": probe.runtime,
        "mangum": {"version": probe.mangum, "compiled": probe.compiled} if probe.mangum else None,
        "status": result.status,
        **figures,
        "imports": {
            "groups_ms": by_group(result.modules),
            "packages_ms": by_package(result.modules),
            "modules": [asdict(it) for it in largest(result.modules)],
        },
    }


def _heading(results: Sequence[Result], plan: Plan, event: str) -> list[str]:
    probe = results[0].probe
    where = (
        f"{probe.implementation} {probe.python}, awslambdaric {probe.runtime},"
        f" {probe.system} {probe.machine}"
    )
    how = f"{plan.runs} {'run' if plan.runs == 1 else 'runs'}"
    how += " of each, interleaved" if len(results) > 1 else ""
    lines = [where, f"{how}; {event}" if event else how]
    for letter, result in zip(_letters(results), results, strict=True):
        lines.append(f"{letter}  {result.variant.label}{_mangum(result)}".strip())
    return lines


def _mangum(result: Result) -> str:
    probe = result.probe
    if not probe.mangum or not any(it.name == "mangum" for it in result.modules):
        return ""
    half = {True: ", compiled", False: ", pure Python", None: ""}[probe.compiled]
    return f"  (mangum {probe.mangum}{half})"


def _letters(results: Sequence[Result]) -> list[str]:
    """`A`, `B`, … to tell variants apart, nothing for a single one."""
    if len(results) == 1:
        return [""]
    return [chr(ord("A") + index) if index < 26 else str(index) for index in range(len(results))]


def _table(results: Sequence[Result], paint: Painter = plain) -> list[str]:
    """Minimum and median of each field, and the difference of the minimum from the first one's."""
    width = max(map(len, FIELDS.values()))
    titles = ["".join((f"{f'{letter} min':>9}", f"{'median':>9}")) for letter in _letters(results)]
    titles[1:] = [f"{title}{'from A':>9}" for title in titles[1:]]
    lines = [paint("bold", f"{'':<{width}}{''.join(titles)}")]
    for name, title in FIELDS.items():
        summaries = [result.summary(name) for result in results]
        if any(summaries):
            lines.append(f"{title:<{width}}{''.join(_cells(summaries))}")
    return lines


def _cells(summaries: Sequence[tuple[float, float] | None]) -> Iterator[str]:
    base = summaries[0]
    for index, summary in enumerate(summaries):
        yield f"{summary[0]:9.1f}{summary[1]:9.1f}" if summary else f"{'':18}"
        if index:
            yield f"{summary[0] - base[0]:+9.1f}" if summary and base else f"{'':9}"


def _title(module: str, phase: str) -> str:
    return module if phase == "init" else f"{module} (in the first call)"


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
