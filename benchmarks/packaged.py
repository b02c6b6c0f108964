"""Cold starts of functions as they are deployed: from plain zips, from the layer, packaged.

`python -m benchmarks.packaged` measures it alone. Each function is unpacked into a folder of its
own and runs with the bytecode that it brings, as in a read-only /var/task, by an interpreter that
has Lambda's runtime client and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import instructions, kit, results, starts, zips
from benchmarks.contenders import ContenderFailed
from benchmarks.kit import Kit
from benchmarks.packaged_tables import (
    ALL_LAYER,
    ASYNCIO,
    BARE,
    BARE_ASGI,
    FASTAPI,
    OURS_LAYER,
    OURS_PLAIN,
    PACKAGED,
    STARLETTE,
    THEIRS_COMPILED,
    THEIRS_PLAIN,
    WITH_COLUMNS,
    ImportCost,
    Start,
    columns_table,
    counts_table,
    goals,
    goals_table,
    imports_table,
    name_of,
    page_table,
    spent,
    start_from_json,
    starts_table,
)
from benchmarks.tables import Table
from benchmarks.zips import Unpacked
from mangum.cli.chart import Chart, Stack, svg
from mangum.cli.measure import Failed, Result, measure
from mangum.cli.probe import InterpreterFailed, Plan, Variant, prepare
from mangum.cli.report import as_json, imports_chart
from mangum.cli.sample import HTTP_EVENT
from mangum.local.environment import Function
from mangum.packaging.resolve import CannotResolve

NAME = "packaged"
TIMEOUT_S = 60

HANDLERS = {BARE: "handler", ASYNCIO: "bare_asyncio"}
"""What a start costs without an application: the modules in benchmarks/cold/."""

APPS = {BARE_ASGI: "bare_app", STARLETTE: "with_starlette", FASTAPI: "with_fastapi"}

WAYS: dict[str, Callable[[Kit, str], Unpacked]] = {
    THEIRS_PLAIN: zips.upstream_plain,
    THEIRS_COMPILED: zips.upstream_compiled,
    OURS_PLAIN: zips.ours_plain,
    OURS_LAYER: zips.ours_in_layer,
    ALL_LAYER: zips.all_in_layer,
    PACKAGED: zips.packaged,
    WITH_COLUMNS: zips.with_columns,
}

ONLY = {
    ALL_LAYER: (STARLETTE, FASTAPI),  # without a framework it is the layer alone
    WITH_COLUMNS: (FASTAPI,),
}
"""The applications that a way is for, if not for all."""

IMPORTED = (THEIRS_PLAIN, THEIRS_COMPILED, OURS_PLAIN, OURS_LAYER, PACKAGED)
COUNTED = (BARE, ASYNCIO, *(name_of(BARE_ASGI, way) for way in IMPORTED))
COUNTED_QUICKLY = (BARE, ASYNCIO, name_of(BARE_ASGI, OURS_LAYER))
"""Without a framework: callgrind would take minutes."""

FAILURES = (CannotResolve, ContenderFailed, Failed, InterpreterFailed)
"""What can't be made or measured."""


class Effort(NamedTuple):
    runs: int  # processes of each function
    imports: int  # processes of each import
    counted: Sequence[str]  # functions whose instructions are counted


QUICK, FULL = Effort(5, 10, COUNTED_QUICKLY), Effort(25, 40, COUNTED)


class Made(NamedTuple):
    """A function that is ready to be started."""

    name: str
    module: str
    unpacked: Unpacked


def run(quick: bool, output: Path, python: str = sys.executable) -> dict[str, Any]:
    """Make, measure, print the tables, and leave `packaged.json` and `packaged.svg` in `output`.

    Raises one of `FAILURES`.
    """
    effort = QUICK if quick else FULL
    own = kit.runtime(python)
    plan = Plan(own, json.dumps(HTTP_EVENT).encode(), effort.runs, TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix="mangum-packaged-") as work:
        _progress("the zips are made")
        made = make_all(kit.make(python, Path(work)))
        files = [_files(it) for it in made]
        variants, probes = prepare([_variant(it, Path(work)) for it in made], plan)
        measured = asyncio.run(measure(variants, plan, probes, _count))
        costs = _import_costs(own, made, effort.imports)
        counts = _count_instructions(own, made, effort.counted)
        _check_unwritten(made, files)
    _progress("")
    begun = [_start(it, found) for it, found in zip(made, measured, strict=True)]
    for table in tables(begun, costs, counts):
        print(f"\n{table.text()}\n", flush=True)
    figures = {
        "about": results.about(_about(measured), pace="quick" if quick else "full"),
        "starts": begun,
        "imports": costs,
        "instructions": counts,
        "goals": [{**it._asdict(), "met": it.met} for it in goals(begun, costs)],
        **as_json(measured, plan),
    }
    results.save(output, NAME, figures)
    results.write(output, f"{NAME}.svg", chart(begun, measured))
    return figures


def tables(
    begun: Sequence[Start], costs: Mapping[str, ImportCost], counts: Mapping[str, int]
) -> list[Table]:
    shown = [starts_table(begun), columns_table(begun), imports_table(costs)]
    if counts:
        shown.append(counts_table(counts))
    return [*shown, goals_table(goals(begun, costs))]


def markdown(folder: Path) -> str:
    """The short table of the last run."""
    found = results.load(folder, NAME)
    if found is None:
        return f"Nothing was measured yet: {folder} has no {NAME}.json."
    return page_table([start_from_json(it) for it in found["starts"]]).markdown()


def chart(begun: Sequence[Start], measured: Sequence[Result]) -> str:
    """CPU time to the first poll and from there to the first answer, and the imports by group."""
    cpu = [
        Stack(
            it.name,
            {
                "to the first poll": it.poll_cpu_ms.least,
                "to the first answer": max(0.0, it.answer_cpu_ms.least - it.poll_cpu_ms.least),
            },
        )
        for it in begun
    ]
    return svg([Chart("CPU, ms, smallest", cpu), imports_chart(measured)])


def make_all(ready: Kit) -> list[Made]:
    """Every function in every way that is for it."""
    alone = [Made(name, module, zips.alone(ready, module)) for name, module in HANDLERS.items()]
    return alone + [
        Made(name_of(app, way), module, make(ready, module))
        for app, module in APPS.items()
        for way, make in WAYS.items()
        if app in ONLY.get(way, APPS)
    ]


# --- measuring ------------------------------------------------------------------------------------


def _variant(made: Made, work: Path) -> Variant:
    environ = {
        **made.unpacked.environ,
        "PYTHONHASHSEED": "0",
        # of the probe, which imports mangum: the processes that are measured write none
        "PYTHONPYCACHEPREFIX": str(work / "probe"),
        **dict.fromkeys(("MANGUM_PURE_PYTHON", "MANGUM_REQUIRE_COMPILED", "MANGUM_MARSHALLER"), ""),
    }
    function = Function(f"{made.module}.handler", made.unpacked.function, made.module)
    folders = made.unpacked.folders
    return Variant(made.name, function, environ, bytecode=False, packages=folders)


def _start(made: Made, result: Result) -> Start:
    samples = result.samples
    polls_cpu_ms = [it.init_cpu_ms or it.cpu_ms for it in samples]
    answers_cpu_ms = [
        it.cpu_ms
        if it.init_cpu_ms is None or it.first_cpu_ms is None
        else it.init_cpu_ms + it.first_cpu_ms
        for it in samples
    ]
    return Start(
        made.name,
        [*made.unpacked.zipped],
        made.unpacked.unzipped,
        poll_cpu_ms=spent(polls_cpu_ms),
        poll_ms=spent([it.init_ms for it in samples]),
        answer_cpu_ms=spent(answers_cpu_ms),
        answer_ms=spent([it.init_ms + it.first_ms for it in samples]),
        memory_mib=spent([it.memory_mib for it in samples]),
    )


def _import_costs(python: str, made: Sequence[Made], count: int) -> dict[str, ImportCost]:
    """Of the bare application's ways; the framework's own imports are none of mangum's."""
    _progress("imports")
    unpacked = {it.name: it.unpacked for it in made}
    functions = {way: unpacked[name_of(BARE_ASGI, way)] for way in IMPORTED}
    return starts.import_costs(python, functions, count)


def _count_instructions(python: str, made: Sequence[Made], names: Sequence[str]) -> dict[str, int]:
    """Why there are none is printed."""
    reason = instructions.unavailable()
    if reason:
        print(reason)
        return {}
    counts = {}
    for it in made:
        if it.name in names:
            _progress(f"instructions: {it.name}")
            counts[it.name] = starts.count_instructions(python, it.module, it.unpacked)
    return counts


def _files(made: Made) -> set[Path]:
    return {path for folder in made.unpacked.folders for path in folder.rglob("*")}


def _check_unwritten(made: Sequence[Made], files: Sequence[set[Path]]) -> None:
    """Raise `ContenderFailed` if a function was not left as it was unpacked."""
    for it, before in zip(made, files, strict=True):
        if _files(it) != before:
            raise ContenderFailed(f"{it.name}: a process wrote into the function's folder")


def _about(measured: Sequence[Result]) -> dict[str, Any]:
    return {
        it.variant.label: {
            "python": it.probe.python,
            "version": it.probe.mangum,
            "compiled": it.probe.compiled,
        }
        for it in measured
    }


def _count(done: int, total: int) -> None:
    _progress(f"{NAME} {done}/{total}")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.packaged", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer processes")
    parser.add_argument("--python", default=sys.executable, help="which to run on")
    parser.add_argument("--output", type=Path, default=results.FOLDER, help="where to write to")
    parser.add_argument("--markdown", action="store_true", help="print the last run's short table")
    options = parser.parse_args(arguments)
    if options.markdown:
        print(markdown(options.output))
        return 0
    try:
        run(options.quick, options.output, options.python)
    except FAILURES as exc:
        sys.exit(str(exc))
    print(f"Written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
