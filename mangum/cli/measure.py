"""Measures cold starts: processes of a function, one after another, against a Runtime API.

Knows no command line and prints nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import statistics
import tempfile
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from mangum.cli.importtime import Module, Names, charge, parse, smallest
from mangum.cli.probe import Plan, Probe, Variant, environment_of
from mangum.local.environment import RUNTIME, Process, variables
from mangum.local.invocations import Fault, InitFailed, Invocation
from mangum.local.runtime_api import RuntimeAPI

IMPORT_RUNS = 5
"""Runs with `-X importtime`, beside the measured ones: it makes every import dearer."""

PHASES = ("initialisation", "first invocation", "second invocation")
TAIL_LINES = 20
FAILED_STEP = "failed"  # with an error that the runtime reported

T = TypeVar("T")

_LAMBDA_IMAGE = ("awslambdaric", "simplejson", "snapshot_restore_py")
"""Packages that come with Lambda's Python and are not in a function's zip."""

_RUN_WITH_IMPORTS_SEEN = f"""
import importlib, runpy, sys
original = importlib.import_module
def import_module(name, package=None):
    if name.startswith("."):
        return original(name, package)
    __import__(name)
    return sys.modules[name]
importlib.import_module = import_module
runpy.run_module({RUNTIME!r}, run_name="__main__", alter_sys=True)
"""
"""Python reports no import that `importlib.import_module` makes, such as that of the function."""


class Sample(NamedTuple):
    """One cold start. What the system can't tell is `None`."""

    init_ms: float  # from the start of the process to its first `next`
    first_ms: float  # from the event that is handed out to the answer that has arrived
    second_ms: float
    cpu_ms: float  # user and system time of the whole process
    init_cpu_ms: float | None
    first_cpu_ms: float | None
    memory_mib: float  # the peak


@dataclass(frozen=True)
class Result:
    variant: Variant
    probe: Probe
    status: int | None  # of the HTTP answer, if it is one
    samples: Sequence[Sample]
    modules: Sequence[Module]

    def values(self, name: str) -> list[float]:
        """One field of all samples, empty if the system can't tell it."""
        values = (getattr(sample, name) for sample in self.samples)
        return [value for value in values if value is not None]

    def summary(self, name: str) -> tuple[float, float] | None:
        """Minimum and median of a field."""
        values = self.values(name)
        return (min(values), statistics.median(values)) if values else None


class Failed(Exception):
    """A function that can't be measured: `report` is what Lambda would log, or what it printed."""

    def __init__(self, variant: Variant, phase: str, what: str, report: str = "") -> None:
        super().__init__(f"{variant.label} {what} in its {phase}")
        self.variant = variant
        self.phase = phase
        self.what = what
        self.report = report


class _Run(NamedTuple):
    sample: Sample
    result: bytes
    reports: tuple[str, str]  # of `-X importtime`: of the init phase, of the first invocation


async def measure(
    variants: Sequence[Variant],
    plan: Plan,
    probes: Sequence[Probe],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Result]:
    """Run every variant in turn, again and again. Raises `Failed`.

    A first run of each is not counted: it writes the bytecode, into a temporary folder.
    """
    import_runs = min(plan.runs, IMPORT_RUNS)
    total = len(variants) * (1 + plan.runs + import_runs)
    done = 0
    with tempfile.TemporaryDirectory(prefix="mangum-coldstart-") as folder:
        runners = [
            _Runner(variant, plan, Path(folder) / f"bytecode-{variant.bytecode}")
            for variant in variants
        ]
        for runner, found in zip(runners, probes, strict=True):
            await runner.run(write_bytecode=True)
            if not runner.variant.bytecode:
                _remove_bytecode(runner.pycache, found)
            progress(done := done + 1, total)
        for runner in runners:
            for package in runner.variant.packages:
                _copy_bytecode(package.resolve(), runner.pycache)
        runs: list[list[_Run]] = [[] for _ in variants]
        imports: list[list[_Run]] = [[] for _ in variants]
        for turn in range(plan.runs + import_runs):
            for index in _rotated(len(variants), turn):
                kind = runs if turn < plan.runs else imports
                kind[index].append(await runners[index].run(importtime=kind is imports))
                progress(done := done + 1, total)
    installed = {name for found in probes for name in found.packages}
    return [
        Result(
            variant,
            found,
            _status(measured[-1].result),
            [run.sample for run in measured],
            smallest([_charged(run, _names(variant, found, installed)) for run in reported]),
        )
        for variant, found, measured, reported in zip(variants, probes, runs, imports, strict=True)
    ]


class _Runner:
    def __init__(self, variant: Variant, plan: Plan, pycache: Path) -> None:
        self.variant = variant
        self.plan = plan
        self.pycache = pycache

    async def run(self, *, importtime: bool = False, write_bytecode: bool = False) -> _Run:
        """One process from its start to its third `next`, where it is killed. Raises `Failed`."""
        with (
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
        ):
            async with RuntimeAPI() as api:
                process = Process(
                    self._command(importtime),
                    self.variant.function.folder,
                    self._environ(api.address, write_bytecode),
                    stdout,
                    stderr,
                )
                try:
                    return await self._watch(api, process, stdout, stderr)
                finally:
                    await process.end()

    async def _watch(
        self, api: RuntimeAPI, process: Process, stdout: IO[bytes], stderr: IO[bytes]
    ) -> _Run:
        async def step(what: Coroutine[Any, Any, T], phase: str) -> T:
            return await self._step(what, process, phase, (stdout, stderr))

        ready_s = await step(api.ready(), PHASES[0])
        cpu = [process.cpu_s()]
        marks = [0, os.fstat(stderr.fileno()).st_size]
        outcomes = []
        for phase in PHASES[1:]:
            outcome = await step(api.invoke(self._invocation()), phase)
            if outcome.fault:
                raise Failed(self.variant, phase, FAILED_STEP, log_of(outcome.fault))
            outcomes.append(outcome)
            await step(api.ready(), phase)
            cpu.append(process.cpu_s())
            marks.append(os.fstat(stderr.fileno()).st_size)
        peak = process.peak_memory_bytes()
        end = await process.end()
        first, second = (1000 * (it.answered_s - it.taken_s) for it in outcomes)
        sample = Sample(
            init_ms=1000 * (ready_s - process.started_s),
            first_ms=first,
            second_ms=second,
            cpu_ms=1000 * end.cpu_s,
            init_cpu_ms=_ms(None, cpu[0]),
            first_cpu_ms=_ms(cpu[0], cpu[1]),
            memory_mib=(end.max_rss_bytes if peak is None else peak) / 2**20,
        )
        reports = tuple(_between(stderr, *marks[i : i + 2]) for i in range(2))
        return _Run(sample, outcomes[0].body, (reports[0], reports[1]))

    async def _step(
        self,
        what: Coroutine[Any, Any, T],
        process: Process,
        phase: str,
        output: Sequence[IO[bytes]],
    ) -> T:
        """Await what the process does next. Raises `Failed` if it does something else instead."""
        task = asyncio.ensure_future(what)
        events: set[asyncio.Future[Any]] = {task, process.ended}
        try:
            await asyncio.wait(
                events, timeout=self.plan.timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if task.done():
                return task.result()
            if not process.ended.done():
                what_happened = f"did not end within {self.plan.timeout_s:g} s"
            else:
                what_happened = _death(process.ended.result().exit_code)
            raise Failed(self.variant, phase, what_happened, _tail(output))
        except InitFailed as error:
            raise Failed(self.variant, phase, FAILED_STEP, log_of(error.fault)) from None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _command(self, importtime: bool) -> list[str]:
        handler = self.variant.function.handler
        if importtime:
            return [self.plan.python, "-X", "importtime", "-c", _RUN_WITH_IMPORTS_SEEN, handler]
        return [self.plan.python, "-m", RUNTIME, handler]

    def _environ(self, api_address: str, write_bytecode: bool) -> dict[str, str]:
        environ = variables(self.variant.function, api_address, environment_of(self.variant))
        environ["PYTHONPYCACHEPREFIX"] = str(self.pycache)
        if not (self.variant.bytecode or write_bytecode):
            environ["PYTHONDONTWRITEBYTECODE"] = "1"
        return environ

    def _invocation(self) -> Invocation:
        return Invocation(self.plan.event, self.variant.function.arn, self.plan.timeout_s)


def log_of(fault: Fault) -> str:
    """The lines that Lambda logs for it."""
    title = f"[ERROR] {fault.error_type}: {fault.message}".removesuffix(": ")
    if not fault.stack_trace:
        return title
    trace = "".join(line.rstrip("\n") + "\n" for line in fault.stack_trace)
    return f"{title}\nTraceback (most recent call last):\n{trace.rstrip()}"


def _rotated(count: int, turn: int) -> list[int]:
    """Every index once, beginning with another one in each turn."""
    return [(turn + index) % count for index in range(count)]


def _remove_bytecode(pycache: Path, found: Probe) -> None:
    """Leave only what is part of Lambda's image: the standard library and the runtime client."""
    for path in pycache.rglob("*.pyc"):
        folder = Path("/", *path.parent.relative_to(pycache).parts)
        installed = {"site-packages", "dist-packages"} & {*folder.parts}
        library = any(folder.is_relative_to(it) for it in found.library_folders) and not installed
        if not library and not {*_LAMBDA_IMAGE} & {*folder.parts}:
            path.unlink()


def _copy_bytecode(folder: Path, pycache: Path) -> None:
    """What lies in `__pycache__` within a package, to where Python looks for it here instead."""
    for path in folder.rglob("__pycache__/*.pyc"):
        copy = pycache.joinpath(*path.parent.parent.parts[1:], path.name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _names(variant: Variant, found: Probe, installed: Collection[str]) -> Names:
    """Own is the function's module, and what lies beside it and was not installed.

    `installed` is what any variant knows to be: a package for Lambda does not tell it of itself.
    """
    own = {variant.function.handler.partition(".")[0]}
    known = {*found.standard_library, *(installed if variant.packages else found.packages)}
    own |= {path.name.partition(".")[0] for path in variant.function.folder.iterdir()} - known
    return Names(frozenset(found.standard_library), own)


def _charged(run: _Run, names: Names) -> list[Module]:
    init, first = run.reports
    return charge({"init": parse(init), "first": parse(first)}, names)


def _between(file: IO[bytes], start: int, end: int) -> str:
    return os.pread(file.fileno(), end - start, start).decode("utf-8", "replace")


def _tail(output: Sequence[IO[bytes]]) -> str:
    """The last lines that the process printed."""
    lines: list[str] = []
    for file in output:
        lines += _between(file, 0, os.fstat(file.fileno()).st_size).splitlines()[-TAIL_LINES:]
    return "\n".join(lines)


def _death(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


def _status(result: bytes) -> int | None:
    try:
        answer = json.loads(result)
        return int(answer.get("statusCode", answer.get("status")))
    except (AttributeError, TypeError, ValueError):
        return None


def _ms(start_s: float | None, end_s: float | None) -> float | None:
    return None if end_s is None else 1000 * (end_s - (start_s or 0.0))
