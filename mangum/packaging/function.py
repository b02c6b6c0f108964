"""A function's zip: its dependencies for the target, its own files, and the bytecode of both."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from mangum.packaging import bytecode, interpreters
from mangum.packaging.application import Application, copy
from mangum.packaging.archive import MAX_UNZIPPED_BYTES
from mangum.packaging.distributions import Distribution, distributions
from mangum.packaging.errors import CannotPackage
from mangum.packaging.native import check_extensions
from mangum.packaging.prune import LeftOut, leave_to_lambda, narrowed, prune
from mangum.packaging.resolve import Wanted, install, named
from mangum.packaging.sbom import WheelBills, wheel_bills
from mangum.packaging.targets import Target

TASK = "/var/task"  # where Lambda unpacks a function

MB = 1024**2
LARGEST = 3  # that are named where a function is too large

EXCLUDED = "what --exclude names"


@dataclass(frozen=True)
class Plan:
    """What is asked for."""

    application: Application
    wanted: Wanted
    target: Target
    exclude: Sequence[str] = ()  # patterns of paths within the zip
    lambda_boto3: bool = False  # whether AWS's SDK is Lambda's own
    sources: bool = True  # beside the bytecode


@dataclass
class Staged:
    """A folder with what is to be zipped, and what became of the rest."""

    folder: Path
    distributions: Sequence[Distribution]
    by_lambda: Sequence[Distribution]  # left out because Lambda brings them
    left_out: LeftOut
    bills: WheelBills
    compiled: bool = False
    uncompilable: int = 0  # files of dependencies
    warnings: list[str] = field(default_factory=list)

    @property
    def pins(self) -> list[str]:
        """The same versions for another machine, `["fastapi==0.135.0", …]`."""
        return [f"{it.name}=={it.version}" for it in (*self.distributions, *self.by_lambda)]


def stage(plan: Plan, folder: Path) -> Staged:
    """Fill `folder`, which is made.

    Raises `CannotPackage`.
    """
    folder.mkdir()
    _install(plan.wanted, plan.target, folder)
    every = distributions(folder)
    kept = leave_to_lambda(folder, every, named(plan.wanted)) if plan.lambda_boto3 else every
    by_lambda = [it for it in every if it not in kept]
    bills = wheel_bills(folder, kept)
    links = [it for it in kept if _is_link(folder, it)]
    staged = Staged(folder, kept, by_lambda, prune(folder, kept, plan.application.files), bills)
    _remove_links(staged, links)
    staged.warnings += [
        f"{it}, and Lambda's version may be another" for it in narrowed(kept, by_lambda)
    ]
    staged.warnings += plan.application.warnings
    staged.warnings += copy(plan.application, folder)
    _exclude(staged, plan.exclude)
    check_extensions(folder, plan.target)
    _compile(staged, plan)
    check_size(folder)
    return staged


def plain(plan: Plan, staged: Staged, folder: Path) -> None:
    """Fill `folder` with what `pip install --target` and a copy of the application leave."""
    folder.mkdir()
    _install(replace(plan.wanted, constraints=staged.pins), plan.target, folder)
    for path in folder.rglob("__pycache__/*.pyc"):  # if uv is configured to write it
        path.unlink()
    copy(plan.application, folder)


def _install(wanted: Wanted, target: Target, folder: Path) -> None:
    if wanted.requirements or wanted.files:
        install(wanted, target, folder)


def check_size(folder: Path, limit: int = MAX_UNZIPPED_BYTES) -> None:
    """Raise `CannotPackage` for more than Lambda unpacks."""
    parts: Counter[str] = Counter()
    for path in _files(folder):
        parts[path.relative_to(folder).parts[0]] += path.stat().st_size
    if parts.total() > limit:
        largest = ", ".join(
            f"{name} {size / MB:,.1f} MB" for name, size in parts.most_common(LARGEST)
        )
        raise CannotPackage(
            f"it takes {parts.total() / MB:,.1f} MB unzipped and Lambda takes {limit / MB:,.0f} MB;"
            f" the largest parts are {largest}: leave some out with --exclude, or deploy an image"
        )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _exclude(staged: Staged, patterns: Sequence[str]) -> None:
    """A pattern is matched with the path of a file and with those of the folders it is in."""
    unused = dict.fromkeys(patterns)
    for path in _files(staged.folder) if patterns else ():
        name = path.relative_to(staged.folder)
        names = [it.as_posix() for it in (name, *name.parents[:-1])]
        for pattern in patterns:
            if any(fnmatchcase(it, pattern.rstrip("/")) for it in names):
                unused.pop(pattern, None)
                size = path.stat().st_size
                staged.left_out[EXCLUDED] = staged.left_out.get(EXCLUDED, 0) + size
                path.unlink()
                break
    staged.warnings += [f"--exclude {pattern} names nothing that is there" for pattern in unused]


def _is_link(folder: Path, distribution: Distribution) -> bool:
    """Whether it is required by `-e`, so that nothing but a link to its source was installed.

    Source: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    notes = (folder / name for name in distribution.files if name.endswith("/direct_url.json"))
    return any(json.loads(it.read_bytes()).get("dir_info", {}).get("editable") for it in notes)


def _remove_links(staged: Staged, links: Sequence[Distribution]) -> None:
    for distribution in links:
        for name in distribution.files:
            if ".dist-info/" not in name:
                (staged.folder / name).unlink(missing_ok=True)
        staged.warnings.append(
            f"{distribution.name} is required with -e, as a link to its folder: the zip has of it"
            " what lies in the folder of the function; or build a wheel, and name the wheel's"
            " folder with --find-links"
        )


def _compile(staged: Staged, plan: Plan) -> None:
    """The application keeps the columns that tracebacks mark; dependencies load faster without."""
    interpreter = interpreters.find(plan.target.python)
    if interpreter is None:
        _miss_interpreter(staged, plan)
        return
    modules = [path for path in _files(staged.folder) if path.suffix == ".py"]
    own = {staged.folder / name for name in plan.application.files}
    for files, columns in (
        ([it for it in modules if it in own], True),
        ([it for it in modules if it not in own], False),
    ):
        if not files:
            continue
        failures = bytecode.compile_files(
            interpreter, staged.folder, TASK, files, sources=plan.sources, columns=columns
        )
        if columns:
            staged.warnings += [
                f"{it.path}:{it.line} is no Python {plan.target.python}: {it.reason}"
                for it in failures
            ]
        else:
            staged.uncompilable = len(failures)
    staged.compiled = True
    if not plan.sources:
        _remove_sources(staged, modules)


def _miss_interpreter(staged: Staged, plan: Plan) -> None:
    missing = f"no interpreter of Python {plan.target.python} is here"
    advice = f"install one, `uv python install {plan.target.python}` for example"
    if not plan.sources:
        raise CannotPackage(f"{missing}, and --no-sources needs one to compile: {advice}")
    staged.warnings.append(
        f"{missing} to write bytecode: each cold start will compile every module; {advice}"
    )


def _remove_sources(staged: Staged, modules: Collection[Path]) -> None:
    """What could not be compiled stays as it is."""
    removed = 0
    for path in modules:
        if path.with_suffix(".pyc").exists():
            removed += path.stat().st_size
            path.unlink()
    staged.left_out["sources"] = removed
