"""Runs the hot path's tests on a wheel that is installed in an environment of its own."""

from __future__ import annotations

import platform
import re
import shutil
from pathlib import Path

from suite import TRACED
from wheel_build import Build, Failed, make_environment, run, unpack

SELECTIONS = {
    "all": (TRACED, ("tests/speedups", "-k", "not pure")),
    "brief": (("tests/speedups",), ("tests/speedups", "-k", "compiled and not drawn")),
}
"""What runs on this machine, and what under an emulator, which takes its time: there the compiled
half alone, and in brief not what draws events."""

GROUP = "hot-path"  # what the tests import, in pyproject.toml
WHERE = "import mangum._speedups as it; print(it.COMPILED, it.__file__)"


def run_tests(
    build: Build, python: Path | str, wheel: Path, sdist: Path, folder: Path, selection: str
) -> str:
    """What pytest says at its end: `"1254 passed in 21.50s"`. Raises `Failed`."""
    environment = folder / "environment"
    program = make_environment(environment, python, wheel, "--group", GROUP)
    source = unpack(sdist, folder / "tests")
    shutil.rmtree(source / "mangum")  # what is imported is the wheel's
    half = "MANGUM_REQUIRE_COMPILED" if build.python else "MANGUM_PURE_PYTHON"
    variables = {half: "1", "HYPOTHESIS_PROFILE": "brief"}
    where = run([program, "-c", WHERE], source, **variables).split()
    if where[0] != str(bool(build.python)) or not Path(where[1]).is_relative_to(environment):
        raise Failed(f"the tests would run on {where[1]}, compiled: {where[0]}")
    native, emulated = SELECTIONS[selection]
    chosen = native if build.machine in ("", platform.machine()) else emulated
    pytest = (program, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen)
    said = run(pytest, source, **variables)
    return closing_line(said)


def closing_line(said: str) -> str:
    lines = re.findall(r"^[= ]*(\d+ passed.*?)[= ]*$", said, re.MULTILINE)
    if not lines:
        raise Failed(f"no test passed:\n{said[-2000:]}")
    return str(lines[-1])
