"""Runs the project's checks, each in an environment that is made for it, and sums them up.

`python scripts/suite.py` runs everything, `python scripts/suite.py lint types` these stages only.
PYTHONS names the Python versions to test on ("3.10 3.13", `all` or `default`), PYTEST_ARGS holds
arguments for pytest, and JOBS=1 runs one stage at a time.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from environments import (
    HOME,
    SETTINGS,
    EnvironmentFailed,
    NoCompiler,
    can_compile,
    ensure,
    ensure_compiled,
)
from interpreters import ROOT, Interpreter, choose, default, find, supported
from provisions import provide

COVERAGE = HOME / "coverage" / ".coverage"
TIMEOUT_S = 1500  # one command
SKIPPED = 77  # the exit code that says so
HALVES = {"compiled": "MANGUM_REQUIRE_COMPILED", "pure": "MANGUM_PURE_PYTHON"}
"""The halves of the hot path, each with the variable that lets no other run."""

ONE_HALF = (
    "tests/aws",
    "tests/backends",
    "tests/browser",
    "tests/cli",
    "tests/local",
    "tests/packaging",
    "tests/protocols/test_idle.py",
    *(
        f"tests/websockets/test_{name}.py"
        for name in (
            "channels",
            "facade",
            "finished",
            "frameworks",
            "gateway",
            "groups",
            "subscriptions",
        )
    ),
)
"""What tells of the hot path nothing that other tests do not, and takes its time: one half's run on
the oldest and on the newest Python has it."""

ONE_RUN = (
    "tests/browser",
    "tests/cli/test_serve.py",
    "tests/examples",
    "tests/local/test_ministack.py",
    "tests/local/test_serve_under_load.py",
    "tests/test_examples.py",
    "tests/websockets/test_end_to_end.py",
)
"""What is between processes, and the same on every Python and for both halves: the run of the
newest one's compiled half has it, which no measuring of coverage slows down."""

OF_THE_LAYER = "tests/layer"  # a stage of its own has it, with the layer that it makes
LAYER = HOME / "layer"

TRACE = HOME / "trace"  # a copy of the tree, whose compiled half tells coverage the line it is on
TRACED = ("tests/speedups", "tests/handlers", "tests/test_adapter.py")
LEFT_BEHIND = (".*", "__pycache__", "*.egg-info", "*.so", "build", "dist", "site", "results")
UPSTREAM = ("3.10", "3.11", "3.12", "3.13")  # the versions the published suite passes on

COMPILED = "mangum._speedups.compiled"

Run = Callable[..., int]


@dataclass(eq=False)
class Stage:
    name: str
    body: Callable[[Run], int]
    after: list[Stage] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    result: str = ""
    seconds: float = 0.0
    output: list[str] = field(default_factory=list)

    @property
    def detail(self) -> str:
        """What the summary repeats: pytest's closing line, which half ran, the coverage, a skip, or
        that a command broke."""
        lines = [
            line.strip("= ").strip()
            for line in self.output
            if re.match(r"=* ?\d+ (passed|failed|error)|mangum: |TOTAL |SKIPPED: |broke: ", line)
        ]
        return "; ".join(dict.fromkeys(re.sub(r" +", " ", line) for line in lines))


# --- the stages -----------------------------------------------------------------------------------


def lint(run: Run) -> int:
    tools = ensure("lint", default()).parent
    path = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"  # cython-lint looks for pycodestyle
    compiled = sorted((ROOT / "mangum").rglob("*.pyx"))  # in folders it passes over some
    codes = [
        run(tools / "ruff", "check", "."),
        run(tools / "ruff", "format", "--check", "."),
        run(tools / "cython-lint", *compiled, PATH=path),
        run(tools / "typos"),
        run(tools / "python", ROOT / "scripts" / "lint_workflows.py"),
        run(tools / "python", ROOT / "scripts" / "lock.py", "check"),
    ]
    return int(any(codes))


def types(run: Run) -> int:
    python = ensure("lint", default())
    libraries = ensure("test", default())
    mypy = (python.parent / "mypy", "--python-executable", libraries)
    codes = [run(*mypy, "--python-version", it) for it in (supported()[0], supported()[-1])]
    if can_compile(default()):  # what it really has, beside what its .pyi says
        config = ("--mypy-config-file", ROOT / "scripts" / "stubtest.ini")
        codes.append(run(python, "-m", "mypy.stubtest", *config, COMPILED))
    return int(any(codes))


def docs(run: Run) -> int:
    mkdocs = (ensure("docs", default()), "-m", "mkdocs")
    return run(*mkdocs, "build", "--strict", "--quiet", NO_MKDOCS_2_WARNING="1")


def tests(interpreter: Interpreter, half: str, chosen: list[Interpreter]) -> Callable[[Run], int]:
    is_oldest, is_newest = interpreter is chosen[0], interpreter is chosen[-1]
    measured = is_newest and half == "pure"  # `trace` measures the other one

    def body(run: Run) -> int:
        python = (ensure_compiled if half == "compiled" else ensure)("test", interpreter)
        is_first = half == ("compiled" if can_compile(interpreter) else "pure")
        ignored = [OF_THE_LAYER]
        if not (measured or (is_first and is_oldest and not is_newest)):
            ignored += ONE_HALF
        if not (is_first and is_newest):
            ignored += ONE_RUN
        _provisions().result()
        check = f"from mangum._speedups import COMPILED as it; assert it is {half == 'compiled'}"
        arguments = shlex.split(os.environ.get("PYTEST_ARGS", ""))
        coverage = ("-m", "coverage", "run") if measured else ()
        options = [f"--ignore={path}" for path in ignored]
        pytest = (python, *coverage, "-m", "pytest", *options, *arguments)
        variables = {HALVES[half]: "1", "COVERAGE_FILE": str(COVERAGE)}
        if not is_newest:
            variables["HYPOTHESIS_PROFILE"] = os.environ.get("HYPOTHESIS_PROFILE", "brief")
        return run(python, "-c", check, **variables) or run(*pytest, **variables)

    return body


@functools.cache
def _provisions() -> Future[list[str]]:
    """The programs that tests start are installed while the environments are made."""
    return ThreadPoolExecutor(1).submit(provide)


def trace(run: Run) -> int:
    python = ensure_compiled("test", default())
    shutil.rmtree(TRACE, ignore_errors=True)
    shutil.copytree(ROOT, TRACE, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    variables = {"MANGUM_REQUIRE_COMPILED": "1", "COVERAGE_FILE": str(COVERAGE)}
    build = (python, "setup.py", "-q", "build_ext", "--inplace")
    pytest = (python, "-m", "coverage", "run", "-m", "pytest", *TRACED)
    return run(*build, folder=TRACE, MANGUM_LINE_TRACE="1", **variables) or run(
        *pytest, folder=TRACE, **variables
    )


def coverage(run: Run) -> int:
    """Of all that ran, reported where the compiled half's C source is."""
    command = (ensure("test", default()), "-m", "coverage")
    folder = TRACE if TRACE.exists() else ROOT
    data = str(COVERAGE)
    is_partial = folder == ROOT or os.environ.get("PYTEST_ARGS")
    options = ["--fail-under=0"] if is_partial else []
    combined = run(*command, "combine", "--quiet", folder=folder, COVERAGE_FILE=data)
    return combined or run(*command, "report", *options, folder=folder, COVERAGE_FILE=data)


def layer(chosen: list[Interpreter]) -> Callable[[Run], int]:
    """The wheels, and the layer that is made of them, for some Pythons on both architectures."""

    def body(run: Run) -> int:
        if sys.platform != "linux":
            raise NoCompiler("a layer can be made anywhere, but its wheels on Linux alone")
        python, libraries = ensure("layers", default()), ensure("test", default())
        shutil.rmtree(LAYER, ignore_errors=True)
        versions = dict.fromkeys(it.version for it in (default(), chosen[-1]))
        pythons = [word for version in versions for word in ("--python", version)]
        common = (*pythons, "--output", LAYER, "--once")
        code = run(python, ROOT / "scripts" / "wheels.py", "--brief", *common)
        code = code or run(python, ROOT / "scripts" / "layers.py", "--wheels", LAYER, *common)
        code = code or run(python, ROOT / "scripts" / "emulator.py")
        if code:
            return code
        [made] = LAYER.glob("*-all.zip")
        return run(libraries, "-m", "pytest", OF_THE_LAYER, MANGUM_LAYER=str(made))

    return body


def upstream(interpreter: Interpreter) -> Callable[[Run], int]:
    return lambda run: run(ROOT / "scripts" / "upstream-suite.sh", interpreter.path)


def stages(found: list[Interpreter], chosen: list[Interpreter]) -> dict[str, list[Stage]]:
    """All stages by the name that calls for them, in the order of their start."""
    # coverage takes its time, and is the same on the others but for a few lines
    testing = [
        Stage(f"tests {it.version} {half}", tests(it, half, chosen))
        for it in reversed(chosen)  # the newest has most to do
        for half in HALVES
    ]
    tracing = Stage(f"trace {default().version}", trace)
    return {
        "tests": testing,
        "layer": [Stage("layer", layer(chosen))],
        "trace": [tracing],
        "types": [Stage("types", types)],
        "lint": [Stage("lint", lint)],
        "docs": [Stage("docs", docs)],
        "upstream": [
            Stage(f"upstream {it.version}", upstream(it)) for it in found if it.version in UPSTREAM
        ],
        "coverage": [Stage("coverage", coverage, after=[*testing, tracing])],
    }


def left_out(found: list[Interpreter], chosen: list[Interpreter]) -> dict[str, list[str]]:
    """What does not run for want of an interpreter, by the name that calls for it."""
    here = {it.version for it in found}
    testing = [f"tests {v}: Python {v} is not here" for v in supported() if v not in here]
    testing += [f"tests {it.version}: PYTHONS=all runs it" for it in found if it not in chosen]
    upstream = [f"upstream {v}: Python {v} is not here" for v in UPSTREAM if v not in here]
    return {"tests": sorted(testing), "upstream": upstream}


# --- running them ---------------------------------------------------------------------------------


_running: set[subprocess.Popen[str]] = set()


def perform(stage: Stage, live: bool) -> None:
    """Runs one stage; its output is shown as it comes, or else in one piece at the end."""
    for other in stage.after:
        other.done.wait()
    print(f"--- {stage.name}: started", flush=True)
    begin = time.monotonic()

    def tell(line: str) -> None:
        stage.output.append(line)
        if live:
            print(line, flush=True)

    def run(*command: object, folder: Path = ROOT, **variables: str) -> int:
        words = [str(word) for word in command]
        tell(f"$ {shlex.join(word.removeprefix(f'{ROOT}/') for word in words)}")
        return _run(words, folder, {**_environ(), **variables}, tell)

    try:
        code = stage.body(run)
    except NoCompiler as error:
        tell(f"SKIPPED: {error}")
        code = SKIPPED
    except EnvironmentFailed as error:
        for line in str(error).splitlines():
            tell(line)
        code = 1
    except Exception as error:  # a stage that breaks must not take the others with it
        tell(f"{type(error).__name__}: {error}")
        code = 1
    stage.seconds = time.monotonic() - begin
    stage.result = {0: "passed", SKIPPED: "SKIPPED"}.get(code, "FAILED")
    if not live:
        print(f"\n=== {stage.name}", *stage.output, sep="\n")
    print(f"--- {stage.name}: {stage.result} in {stage.seconds:.1f} s", flush=True)
    stage.done.set()


def _run(
    words: list[str], folder: Path, environ: dict[str, str], tell: Callable[[str], None]
) -> int:
    begin = time.monotonic()
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # a group of its own, so that all of it can be ended
    )
    assert process.stdout is not None
    timer = threading.Timer(TIMEOUT_S, _end, [process])
    timer.start()
    _running.add(process)
    try:
        for line in process.stdout:
            tell(line.rstrip("\n"))
        code = process.wait()
    finally:
        timer.cancel()
        _running.discard(process)
    if code not in (0, 1, SKIPPED):
        seconds = time.monotonic() - begin
        limit = f", the limit is {TIMEOUT_S} s" if seconds >= TIMEOUT_S else ""
        tell(f"broke: {_ending(code)}, after {seconds:.0f} s{limit}")
    return code


def _ending(code: int) -> str:
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code}"


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the command and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _environ() -> dict[str, str]:
    """This process's environment, with what no test may see taken out or replaced."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "AWS_PROFILE", *SETTINGS)
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    lines = (ROOT / "tests" / "aws.env").read_text(encoding="utf-8").split()
    return environ | dict(line.split("=", 1) for line in lines)


def main(names: list[str]) -> int:
    found = find()
    chosen = choose(found, os.environ.get("PYTHONS", ""))
    known = stages(found, chosen)
    unknown = set(names) - set(known)
    if unknown:
        raise SystemExit(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = [stage for name in known if name in (names or known) for stage in known[name]]
    missing = left_out(found, chosen)
    for name in set(known) - set(names or known):
        for stage in known[name]:
            stage.done.set()  # nobody waits for what does not run
    skips = [line for name in missing if name in (names or known) for line in missing[name]]
    if "tests" in (names or known):
        _provisions()

    print("Python:", ", ".join(f"{it.release} ({it.path})" for it in found))
    for line in skips:
        print(f"SKIPPED  {line}", flush=True)
    if "tests" in (names or known):
        shutil.rmtree(TRACE, ignore_errors=True)
        shutil.rmtree(COVERAGE.parent, ignore_errors=True)
        COVERAGE.parent.mkdir(parents=True)

    jobs = int(os.environ.get("JOBS") or (os.cpu_count() or 1) + 1)  # they wait now and then
    jobs = min(jobs, len(wanted))
    begin = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(lambda stage: perform(stage, live=jobs == 1), wanted))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in _running:
                _end(process)
            raise SystemExit("interrupted") from None

    if "tests" in (names or known):
        lacking = _provisions().result()
        skips += [f"tests that need {it} (Debian: apt-get install {it})" for it in lacking]
    print(f"\n=== summary after {time.monotonic() - begin:.0f} s")
    for stage in wanted:
        print(f"{stage.result:8} {stage.name:19} {stage.seconds:6.1f} s  {stage.detail}".rstrip())
    for line in skips:
        print(f"SKIPPED  {line}")
    failed = [stage.name for stage in wanted if stage.result == "FAILED"]
    print(f"FAILED: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
