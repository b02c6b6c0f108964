"""Layers: one zip of packages for several Pythons and both architectures, or one for each.

The extensions of CPython carry version and architecture in their names, and bytecode its version,
so that they lie side by side. Where two targets want different files of one name, each target gets
a zip of its own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mangum.packaging import archive, bytecode, interpreters
from mangum.packaging.application import Application, copy
from mangum.packaging.archive import Archive
from mangum.packaging.distributions import Distribution, distributions
from mangum.packaging.native import check_extensions
from mangum.packaging.prune import LeftOut, prune
from mangum.packaging.resolve import Wanted, install
from mangum.packaging.sbom import WheelBills, wheel_bills
from mangum.packaging.targets import Target

ROOT = "python"  # Lambda puts /opt/python on the path
UNPACKED = "/opt"


class Resolved(NamedTuple):
    """What one target needs, in a folder of its own."""

    target: Target
    folder: Path
    distributions: Sequence[Distribution]
    bills: WheelBills
    left_out: LeftOut
    warnings: Sequence[str]  # of the application

    @property
    def files(self) -> list[Path]:
        """Relative to the folder."""
        return sorted(it.relative_to(self.folder) for it in self.folder.rglob("*") if it.is_file())


@dataclass(frozen=True)
class Layer:
    """A zip that was written, and what it is for."""

    archive: Archive
    targets: Sequence[Target]
    distributions: Sequence[Distribution]
    bills: WheelBills
    left_out: LeftOut
    uncompiled: Sequence[str] = ()  # versions of Python that no interpreter is here for
    failures: Sequence[bytecode.Failure] = ()
    warnings: Sequence[str] = ()


def build(
    wanted: Wanted,
    targets: Sequence[Target],
    output: Path,
    work: Path,
    application: Application | None = None,
) -> list[Layer]:
    """Write `output`, or one zip for each target beside it. `work` is an empty folder.

    Raises `CannotPackage`.
    """
    resolved = []
    for target in targets:
        folder = work / f"{target.python}-{target.arch}"
        resolved.append(_resolve(wanted, target, application or Application(), folder))
    groups = [[it] for it in resolved] if _differ(resolved) else [resolved]
    return [
        _write(group, work / f"stage-{number}", _output(output, group, len(groups)))
        for number, group in enumerate(groups)
    ]


def _resolve(wanted: Wanted, target: Target, application: Application, folder: Path) -> Resolved:
    folder.mkdir()
    install(wanted, target, folder)
    found = distributions(folder)
    bills = wheel_bills(folder, found)
    left_out = prune(folder, found, application.files)
    warnings = [*application.warnings, *copy(application, folder)]
    check_extensions(folder, target)
    return Resolved(target, folder, found, bills, left_out, warnings)


def _differ(resolved: Sequence[Resolved]) -> bool:
    """Whether two targets want different files of one name, or versions of one distribution."""
    versions = {(it.key, it.version) for one in resolved for it in one.distributions}
    if len(versions) > len({key for key, _ in versions}):
        return True
    seen: dict[Path, bytes] = {}
    for it in resolved:
        for name in it.files:
            content = (it.folder / name).read_bytes()
            if seen.setdefault(name, content) != content:
                return True
    return False


def _write(group: Sequence[Resolved], stage: Path, output: Path) -> Layer:
    root = stage / ROOT
    for it in group:
        shutil.copytree(it.folder, root, dirs_exist_ok=True, copy_function=shutil.copy)
    uncompiled, failures = _compile(group, stage)
    written = archive.write(stage, output)
    return Layer(
        written,
        [it.target for it in group],
        _together(group),
        _bills(group),
        _sum(it.left_out for it in group),
        uncompiled,
        failures,
        list(dict.fromkeys(warning for it in group for warning in it.warnings)),
    )


def _compile(group: Sequence[Resolved], stage: Path) -> tuple[list[str], list[bytecode.Failure]]:
    """For each version what its own resolution brought."""
    uncompiled: list[str] = []
    failures: dict[bytecode.Failure, None] = {}
    for version in dict.fromkeys(it.target.python for it in group):
        interpreter = interpreters.find(version)
        if interpreter is None:
            uncompiled.append(version)
            continue
        names = {name for it in group if it.target.python == version for name in it.files}
        files = [stage / ROOT / name for name in names if name.suffix == ".py"]
        failures |= dict.fromkeys(
            bytecode.compile_files(interpreter, stage, UNPACKED, files, columns=False)
        )
    return uncompiled, list(failures)


def _output(output: Path, group: Sequence[Resolved], count: int) -> Path:
    [first, *_] = group
    return output if count == 1 else output_for(output, first.target)


def output_for(output: Path, target: Target) -> Path:
    """`layer.zip` → `layer-python3.13-arm64.zip`, where each target gets one."""
    return output.with_name(f"{output.stem}-{target.runtime}-{target.arch}{output.suffix}")


def _together(group: Sequence[Resolved]) -> list[Distribution]:
    """Each distribution once, with the files of all targets."""
    merged: dict[tuple[str, str], Distribution] = {}
    for it in (each for one in group for each in one.distributions):
        known = merged.get((it.key, it.version), it)
        merged[it.key, it.version] = replace(it, files=sorted({*known.files, *it.files}))
    return [merged[key] for key in sorted(merged)]


def _bills(group: Sequence[Resolved]) -> WheelBills:
    """Of each distribution those of all its wheels, each once."""
    merged: dict[str, dict[str, None]] = {}
    for it in group:
        for key, bills in it.bills.items():
            merged.setdefault(key, {}).update(dict.fromkeys(bills))
    return {key: list(bills) for key, bills in merged.items()}


def _sum(parts: Iterable[LeftOut]) -> LeftOut:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total
