"""Makes the layer zips into dist/ from the wheels that lie there, and sums them up in a table.

`python scripts/layers.py` makes all of them, each twice: the two must be the same byte for byte.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import NamedTuple

from interpreters import ROOT
from tables import conclude

from mangum import __version__
from mangum.cli.layer import requirements, write_bill
from mangum.packaging import contents
from mangum.packaging.archive import MAX_UPLOAD_BYTES
from mangum.packaging.errors import CannotPackage
from mangum.packaging.layer import ROOT as PREFIX
from mangum.packaging.layer import Layer, build
from mangum.packaging.native import misfit
from mangum.packaging.prune import DEVELOPMENT
from mangum.packaging.resolve import Wanted
from mangum.packaging.targets import ARCHITECTURES, PYTHONS, Target

DIST = ROOT / "dist"
NAME = f"mangum-layer-{__version__}"
EXTRAS = ("orjson",)
"""Of Mangum, each of which gets a zip with it, for all targets."""

COLUMNS = ("file", "zipped", "unzipped", "Mangum's part", "checks", "twice")


class Recipe(NamedTuple):
    """A zip to make."""

    file: str
    targets: Sequence[Target]
    packages: Sequence[str] = ()


class Wrong(Exception):
    """One line that says what is not as it should be."""


def recipes(pythons: Sequence[str], architectures: Sequence[str]) -> Iterator[Recipe]:
    """One for everything, the same with each extra, and one for each target alone."""
    targets = [Target(*it) for it in product(pythons, architectures)]
    yield Recipe(f"{NAME}-all.zip", targets)
    for extra in EXTRAS:
        yield Recipe(f"{NAME}-{extra}.zip", targets, [extra])
    for target in targets if len(targets) > 1 else ():
        yield Recipe(f"{NAME}-{target.runtime}-{target.arch}.zip", [target])


# --- what must be true of each --------------------------------------------------------------------


def check_one_zip(layers: Sequence[Layer]) -> None:
    """The targets' files don't differ, so that they lie side by side."""
    if len(layers) != 1:
        raise Wrong(f"it fell apart into {len(layers)} zips")


def check_extensions(layer: Layer, folder: Path) -> None:
    """Each target has a compiled half, and a base64 of its own."""
    for package in ("mangum/_speedups/compiled", "pybase64/_pybase64"):
        for target in layer.targets:
            name = package + target.extension_suffix
            path = folder / PREFIX / name
            fault = misfit(path, target) if path.is_file() else "is missing"
            if fault:
                raise Wrong(f"{name} {fault}")


def check_bytecode(layer: Layer, folder: Path) -> None:
    """Each module has bytecode of each version."""
    for target in layer.targets:
        for module in (folder / PREFIX).rglob("*.py"):
            cached = module.parent / "__pycache__" / f"{module.stem}.{target.cache_tag}.pyc"
            if target.python not in layer.uncompiled and not cached.is_file():
                raise Wrong(f"{module.relative_to(folder)} has no bytecode for {target.python}")


def check_contents(layer: Layer, folder: Path) -> None:
    """Nothing that only a developer uses, and a licence of each distribution."""
    for part in DEVELOPMENT["mangum"]:
        if (folder / PREFIX / "mangum" / part).exists():
            raise Wrong(f"it has mangum/{part}")
    for distribution in layer.distributions:
        if not distribution.license_files:
            raise Wrong(f"it has no licence of {distribution.name}")


def check_size(layer: Layer, folder: Path) -> None:
    if layer.archive.size > MAX_UPLOAD_BYTES:
        raise Wrong("it is too large for a direct upload")


CHECKS: tuple[Callable[[Layer, Path], None], ...] = (
    check_extensions,
    check_bytecode,
    check_contents,
    check_size,
)


# --- making them ----------------------------------------------------------------------------------


@dataclass
class Row:
    """What is told of a zip in the table."""

    file: str
    zipped: str = ""
    unzipped: str = ""
    ours: str = ""
    checks: str = ""
    twice: str = ""
    problems: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        result = "FAILED" if self.problems else self.checks
        return self.file, self.zipped, self.unzipped, self.ours, result, self.twice


def make(recipe: Recipe, wheels: Path, output: Path, *, twice: bool) -> tuple[Row, list[str]]:
    """The zip and its bill in `output` if they are good, and the versions without bytecode."""
    row = Row(recipe.file)
    with tempfile.TemporaryDirectory(prefix="mangum-layers-") as temporary:
        folder = Path(temporary)
        try:
            layer = _build(recipe, wheels, folder / "1")
            _check(layer, folder / "unpacked", row)
            if twice:
                again = _build(recipe, wheels, folder / "2")
                row.twice = "same" if again.archive.sha256 == layer.archive.sha256 else "DIFFERENT"
                row.problems += [] if row.twice == "same" else ["two builds are different"]
        except (Wrong, CannotPackage) as error:
            row.problems.append(str(error))
            return row, []
        table = contents.rows(layer.archive, layer.distributions, f"{PREFIX}/")
        [ours] = (it for it in table if it.label.startswith("mangum "))
        row.zipped, row.unzipped, row.ours = map(
            _kb, (layer.archive.size, layer.archive.unzipped, ours.zipped)
        )
        if not row.problems:
            for path in (layer.archive.path, write_bill(layer)):
                path.replace(output / path.name)
    return row, list(layer.uncompiled)


def _build(recipe: Recipe, wheels: Path, folder: Path) -> Layer:
    work = folder / "work"
    work.mkdir(parents=True)
    wanted = Wanted(requirements(recipe.packages), find_links=[str(wheels)])
    layers = build(wanted, recipe.targets, folder / recipe.file, work)
    check_one_zip(layers)
    return layers[0]


def _check(layer: Layer, folder: Path, row: Row) -> None:
    with zipfile.ZipFile(layer.archive.path) as opened:
        opened.extractall(folder)
    passed = 0
    for check in CHECKS:
        try:
            check(layer, folder)
            passed += 1
        except Wrong as error:
            row.problems.append(str(error))
    row.checks = f"{passed} passed"


def _kb(size: int) -> str:
    return f"{contents.kb(size)} KB"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make layer", description=__doc__)
    add = parser.add_argument
    add("--python", action="append", choices=PYTHONS, help="for these versions alone")
    add("--arch", action="append", choices=ARCHITECTURES, help="for these architectures alone")
    add("--wheels", type=Path, default=DIST, metavar="DIR", help="where wheels are (dist/)")
    add("--output", type=Path, default=DIST, metavar="DIR", help="where zips go (dist/)")
    add("--once", action="store_true", help="make no zip a second time")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    uncompiled: set[str] = set()
    for recipe in recipes(options.python or PYTHONS, options.arch or list(ARCHITECTURES)):
        row, lacking = make(recipe, options.wheels, options.output, twice=not options.once)
        rows.append(row)
        uncompiled |= set(lacking)
        print(f"--- {row.file}: {'FAILED' if row.problems else 'made'}", flush=True)
    skips = [f"bytecode for {it}: no such interpreter is here" for it in sorted(uncompiled)]
    return conclude(str(options.output), COLUMNS, rows, skips)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
