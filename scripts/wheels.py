"""Builds the sdist and the wheels into dist/, checks and tests each, and sums them up in a table.

Compiled wheels are built twice, in different folders, and must be the same byte for byte. Their
tests run where a Python of their version and machine is at hand, or can be unpacked.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import interpreters
from interpreters import ROOT
from pythons import NotThere, ensure, headers
from tables import conclude
from wheel_build import Build, Failed, build_sdist, build_wheel, make_environment
from wheel_checks import Wheel, check, check_sdist, deflated
from wheel_tests import run_tests

MACHINES = ("x86_64", "aarch64")
HOST = platform.machine()
COLUMNS = ("file", "size", ".so", "deflated", "checks", "twice", "tests")


@dataclass
class Row:
    """What is told of a file in the table."""

    file: str
    size: str = ""
    extension: str = ""
    deflated: str = ""
    checks: str = ""
    twice: str = ""
    tests: str = ""
    problems: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        result = "FAILED" if self.problems else self.checks
        return (
            self.file,
            self.size,
            self.extension,
            self.deflated,
            result,
            self.twice,
            self.tests,
        )


@dataclass
class Workshop:
    """What all builds share."""

    folder: Path
    output: Path
    options: argparse.Namespace
    sdist: Path = Path()
    pythons: dict[str, Path] = field(default_factory=dict)  # of this machine, by version
    builders: dict[str, Path] = field(default_factory=dict)  # the same with setuptools and Cython
    skips: list[str] = field(default_factory=list)


def prepare(shop: Workshop) -> None:
    """Find or unpack an interpreter of each version, with headers, and set it up for building."""
    here = {it.version: it.path for it in interpreters.find()}

    def one(version: str) -> None:
        try:
            is_complete = version in here and headers(here[version])
            python = Path(here[version]) if is_complete else ensure(version, HOST)
        except NotThere as error:
            shop.skips.append(f"wheels for {version}: no Python with headers is here, and {error}")
            return
        shop.pythons[version] = python
        environment = shop.folder / f"build-{version}"
        shop.builders[version] = make_environment(environment, python, "--group", "build")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, shop.options.python))


def make_sdist(shop: Workshop) -> Row:
    folder = shop.folder / "sdist"
    folder.mkdir()
    shop.sdist = build_sdist(folder)
    row = Row(shop.sdist.name, kilobytes(shop.sdist.stat().st_size))
    passed, row.problems = check_sdist(shop.sdist)
    row.checks = f"{passed} passed"
    keep(shop, shop.sdist, row)
    return row


def make_wheel(shop: Workshop, build: Build) -> Row:
    """Build it, twice, check it and test it."""
    begin = time.monotonic()
    row = Row(f"… {build.tag}")
    folder = shop.folder / f"{build.tag}"
    try:
        version = build.python or next(iter(shop.builders))
        wheel = Wheel(build_wheel(build, shop.builders[version], shop.sdist, folder / "1"), build)
        row.file, row.size = wheel.path.name, kilobytes(wheel.path.stat().st_size)
        if build.python:
            extension = wheel.extension()
            row.extension, row.deflated = kilobytes(len(extension)), kilobytes(deflated(extension))
        passed, row.problems = check(wheel)
        row.checks = f"{passed} passed"
        if not shop.options.once:
            again = build_wheel(build, shop.builders[version], shop.sdist, folder / "a" / "second")
            is_same = again.read_bytes() == wheel.path.read_bytes()
            row.twice = "same" if is_same else "DIFFERENT"
            row.problems += [] if is_same else ["two builds are different"]
        row.tests = test(shop, build, version, wheel.path, folder)
    except Failed as error:
        row.problems.append(str(error))
    keep(shop, folder / "1" / row.file, row)
    shutil.rmtree(folder, ignore_errors=True)
    result = "FAILED" if row.problems else f"built, tests: {row.tests}"
    print(f"--- {build}: {result}, {time.monotonic() - begin:.0f} s", flush=True)
    return row


def test(shop: Workshop, build: Build, version: str, wheel: Path, folder: Path) -> str:
    if shop.options.tests == "none":
        return "left out"
    emulated = build.machine not in ("", HOST)
    try:
        python = ensure(version, build.machine) if emulated else shop.pythons[version]
    except NotThere as error:
        shop.skips.append(f"tests of {build}: {error}")
        return "SKIPPED"
    passed = run_tests(build, python, wheel, shop.sdist, folder / "tests", shop.options.tests)
    return f"{passed} (QEMU)" if emulated else passed


def keep(shop: Workshop, file: Path, row: Row) -> None:
    """Only what is good gets into the output folder."""
    kept = shop.output / row.file
    kept.unlink(missing_ok=True)
    if not row.problems:
        shop.output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, kept)


def kilobytes(number: int) -> str:
    return f"{number / 1000:.1f} KB"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make wheels", description=__doc__)
    versions = interpreters.supported()
    add = partial(parser.add_argument, action="append", default=[])
    add("--python", choices=versions, help="build for these versions alone")
    add("--arch", choices=MACHINES, help="build for these machines alone")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="instead of dist/")
    parser.add_argument(
        "--no-tests", dest="tests", action="store_const", const="none", default="all"
    )
    parser.add_argument(
        "--brief", dest="tests", action="store_const", const="brief", help="test less"
    )
    parser.add_argument("--once", action="store_true", help="build no wheel a second time")
    options = parser.parse_args(arguments)
    options.python = [it for it in versions if it in options.python] or versions
    options.arch = options.arch or list(MACHINES)
    return options


def work(shop: Workshop) -> list[Row]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sdist = pool.submit(make_sdist, shop)
        prepare(shop)
        rows = [sdist.result()]
        builds = [Build(version, it) for it in shop.options.arch for version in shop.builders]
        builds.sort(key=lambda build: build.machine == HOST)  # the tests of others take longer
        rows += pool.map(partial(make_wheel, shop), [*builds, Build()] if shop.builders else [])
    return rows


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if sys.platform != "linux":
        raise SystemExit("make wheels: it runs on Linux alone, where its wheels are for")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mangum-wheels-") as folder:
        shop = Workshop(Path(folder), options.output.resolve(), options)
        try:
            rows = work(shop)
        except Failed as error:
            print(error)
            return 1
    rows.sort(key=lambda row: row.file)
    return conclude(
        f"{shop.output} after {time.monotonic() - begin:.0f} s", COLUMNS, rows, sorted(shop.skips)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
