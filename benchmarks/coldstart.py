"""Cold starts: a bare handler, this project and mangum 0.22.0, with and without a framework.

`python -m benchmarks.coldstart` measures it alone. The parts are those of `mangum coldstart`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import results
from benchmarks.contenders import COMPILED, CONTENDERS, PURE, ROOT, UPSTREAM, fetch_upstream
from benchmarks.tables import Table
from mangum.cli.chart import Chart, Stack, svg
from mangum.cli.measure import Result, measure
from mangum.cli.probe import Plan, Probe, Variant, prepare
from mangum.cli.report import as_json, imports_chart
from mangum.cli.sample import HTTP_EVENT
from mangum.local.environment import FOREIGN, Function

NAME = "coldstart"
FOLDER = Path(__file__).parent / "cold"
BARE_HANDLER = "bare handler"
APPS = {"bare ASGI": "bare_app", "Starlette": "with_starlette", "FastAPI": "with_fastapi"}

TIMEOUT_S = 60


class Effort(NamedTuple):
    runs: int  # processes of each function
    imports: int  # processes of each import


QUICK, FULL = Effort(5, 10), Effort(30, 40)

_IMPORT = """
import json, os, resource, sys, time
import asyncio, awslambdaric.bootstrap
def memory_bytes():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
memory, start = memory_bytes(), time.process_time_ns()
import mangum
end = time.process_time_ns()
print(json.dumps([(end - start) / 1e6, (memory_bytes() - memory) / 2**20]))
"""


def run(quick: bool, output: Path, python: str = sys.executable) -> dict[str, Any]:
    """Measure, print the tables, and leave `coldstart.json` and `coldstart.svg` in `output`.

    Raises `ContenderFailed`, `InterpreterFailed` or `Failed`.
    """
    fetch_upstream()
    effort = QUICK if quick else FULL
    plan = Plan(python, json.dumps(HTTP_EVENT).encode(), effort.runs, TIMEOUT_S)
    variants, probes = _to_be_had(*prepare(_variants(), plan))
    contenders = [it for it in CONTENDERS if any(it in variant.label for variant in variants)]
    with tempfile.TemporaryDirectory(prefix="mangum-coldstart-") as pycache:
        imports = _measure_imports(python, contenders, effort.imports, Path(pycache))
    measured = asyncio.run(measure(variants, plan, probes, _progress))
    _progress(0, 0)
    for table in (imports_table(imports), starts_table(measured)):
        print(f"\n{table.text()}\n", flush=True)
    figures = {
        "about": results.about(_about(variants, probes), pace="quick" if quick else "full"),
        "imports": imports,
        **as_json(measured, plan),
    }
    results.save(output, NAME, figures)
    results.write(output, f"{NAME}.svg", chart(measured))
    return figures


def imports_table(imports: dict[str, dict[str, float]]) -> Table:
    rows = [[it, f"{of['cpu_ms']:.2f}", f"{of['memory_mib']:.2f}"] for it, of in imports.items()]
    return Table(
        "Import of mangum, after the runtime client and asyncio",
        ["", "CPU, ms", "memory, MiB"],
        rows,
        ["The smallest of many processes each."],
    )


def starts_table(measured: Sequence[Result]) -> Table:
    fields = {
        "init_ms": "init, ms",
        "first_ms": "first call",
        "second_ms": "second call",
        "cpu_ms": "CPU, ms",
        "memory_mib": "memory, MiB",
    }
    rows = []
    for result in measured:
        summaries = [result.summary(name) for name in fields]
        rows.append([result.variant.label, *(_cell(summary) for summary in summaries)])
    return Table(
        "Cold starts",
        ["", *fields.values()],
        rows,
        [
            "The smallest and the median of each. Init is from the start of the process to its",
            "first request for an event, CPU of the whole process with both calls.",
        ],
    )


def chart(measured: Sequence[Result]) -> str:
    """CPU time of the phases, and the imports by group."""
    cpu = [Stack(it.variant.label, _phases(it)) for it in measured]
    return svg([Chart("CPU, ms, smallest", cpu), imports_chart(measured)])


def _variants() -> list[Variant]:
    bare = Variant(BARE_HANDLER, _function("handler"), _environ(PURE))
    return [
        bare,
        *(
            Variant(f"{app}, {contender}", _function(module), _environ(contender))
            for app, module in APPS.items()
            for contender in CONTENDERS
        ),
    ]


def _function(module: str) -> Function:
    return Function(f"{module}.handler", FOLDER, module)


def _environ(contender: str) -> dict[str, str]:
    folder = fetch_upstream() if contender == UPSTREAM else ROOT
    return {
        "PYTHONPATH": str(folder),
        "PYTHONHASHSEED": "0",
        "MANGUM_PURE_PYTHON": "1" if contender == PURE else "",
        "MANGUM_REQUIRE_COMPILED": "",
        "MANGUM_MARSHALLER": "",
    }


def _to_be_had(
    variants: Sequence[Variant], probes: Sequence[Probe]
) -> tuple[list[Variant], list[Probe]]:
    """Without the compiled ones where there is no compiled half."""
    kept = [
        (variant, found)
        for variant, found in zip(variants, probes, strict=True)
        if found.compiled or not variant.label.endswith(COMPILED)
    ]
    if len(kept) < len(variants):
        print("compiled is left out: this build of mangum has no compiled half")
    return [variant for variant, _ in kept], [found for _, found in kept]


def _measure_imports(
    python: str, contenders: Sequence[str], count: int, pycache: Path
) -> dict[str, dict[str, float]]:
    """The smallest of each; the first process, which writes the bytecode, does not count."""
    found: dict[str, list[list[float]]] = {contender: [] for contender in contenders}
    for turn in range(count + 1):
        for contender in contenders:
            done = subprocess.run(
                [python, "-c", _IMPORT],
                cwd=FOLDER,
                env={
                    **{name: it for name, it in os.environ.items() if name not in FOREIGN},
                    **_environ(contender),
                    "PYTHONPYCACHEPREFIX": str(pycache),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=TIMEOUT_S,
            )
            if turn:
                found[contender].append(json.loads(done.stdout))
    names = ("cpu_ms", "memory_mib")
    return {
        contender: {name: min(it) for name, it in zip(names, zip(*taken, strict=True), strict=True)}
        for contender, taken in found.items()
    }


def _phases(result: Result) -> dict[str, float]:
    """Init, first call and the rest, where the system tells them apart."""
    total, init, first = map(result.summary, ("cpu_ms", "init_cpu_ms", "first_cpu_ms"))
    assert total is not None
    if init is None or first is None:
        return {"all": total[0]}
    rest = max(0.0, total[0] - init[0] - first[0])
    return {"init": init[0], "first call": first[0], "second call": rest}


def _about(variants: Sequence[Variant], probes: Sequence[Probe]) -> dict[str, Any]:
    return {
        variant.label: {"python": found.python, "version": found.mangum or UPSTREAM}
        for variant, found in zip(variants, probes, strict=True)
    }


def _cell(summary: tuple[float, float] | None) -> str:
    return f"{summary[0]:.1f} / {summary[1]:.1f}" if summary else "-"


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        text = f"{NAME} {done}/{total}" if total else ""
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.coldstart", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer processes")
    parser.add_argument("--python", default=sys.executable, help="which to run on")
    parser.add_argument("--output", type=Path, default=results.FOLDER, help="where to write to")
    options = parser.parse_args(arguments)
    run(options.quick, options.output, options.python)
    print(f"Written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
