"""The zips whose cold starts are compared, each made in the way that it stands for.

A way takes the kit and the name of a module in benchmarks/cold/, and returns the function unpacked.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.contenders import ContenderFailed
from benchmarks.kit import FRAMEWORKS, OURS, THEIRS, Kit, run, versions
from mangum.packaging import archive, bytecode, interpreters
from mangum.packaging.function import TASK
from mangum.packaging.layer import ROOT as LAYER_ROOT
from mangum.packaging.resolve import Wanted, install

FOLDER = Path(__file__).parent / "cold"


class Unpacked(NamedTuple):
    """A function as it is on Lambda, and what its zips take."""

    function: Path  # what /var/task would be
    layer: Path | None  # and /opt
    zipped: Sequence[int]  # bytes of the function's zip, and of the layer's if there is one
    unzipped: int

    @property
    def folders(self) -> list[Path]:
        return [it for it in (self.function, self.layer) if it is not None]

    @property
    def environ(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.layer / LAYER_ROOT) if self.layer else ""}


def alone(kit: Kit, module: str) -> Unpacked:
    """A module without any package."""
    return _unzipped(kit, _zipped(kit, _application(kit, module)))


def upstream_plain(kit: Kit, module: str) -> Unpacked:
    return _unzipped(kit, _zipped(kit, _installed(kit, module, THEIRS)))


def upstream_compiled(kit: Kit, module: str) -> Unpacked:
    folder = _installed(kit, module, THEIRS)
    _compile(kit, folder)
    return _unzipped(kit, _zipped(kit, folder))


def ours_plain(kit: Kit, module: str) -> Unpacked:
    return _unzipped(kit, _zipped(kit, _installed(kit, module, OURS)))


def ours_in_layer(kit: Kit, module: str) -> Unpacked:
    """The layer has Mangum alone, as it is meant to be used; the framework is in a plain zip."""
    return _unzipped(kit, _zipped(kit, _installed(kit, module, "")), _layer(kit))


def all_in_layer(kit: Kit, module: str) -> Unpacked:
    """The layer has the framework too, and the function's zip the application alone."""
    file = _requirements_file(kit, module)
    return _unzipped(kit, _zipped(kit, _application(kit, module)), _layer(kit, file))


def packaged(kit: Kit, module: str) -> Unpacked:
    """What `mangum package` makes."""
    return _unzipped(kit, _package(kit, module))


def with_columns(kit: Kit, module: str) -> Unpacked:
    """The same files, but for the bytecode of the dependencies, which tells columns here."""
    folder = kit.folder()
    with zipfile.ZipFile(_package(kit, module)) as file:
        file.extractall(folder)
    _compile(kit, folder)
    return _unzipped(kit, _zipped(kit, folder))


# --- what goes into a zip -------------------------------------------------------------------------


def _application(kit: Kit, module: str) -> Path:
    folder = kit.folder()
    shutil.copy(FOLDER / f"{module}.py", folder)
    return folder


def _installed(kit: Kit, module: str, mangum: str) -> Path:
    """The application, and beside it what an installer leaves in a folder: no bytecode."""
    folder = _application(kit, module)
    wanted = [name for name in (FRAMEWORKS[module], mangum) if name]
    if wanted:
        links = [str(kit.wheels)] if mangum == OURS else []
        install(Wanted(wanted, find_links=links, constraints=kit.pins), kit.target, folder)
    return folder


def _compile(kit: Kit, folder: Path) -> None:
    """As compileall does by default, but for the dates."""
    interpreter = interpreters.find(kit.target.python)
    if interpreter is None:
        raise ContenderFailed(f"no interpreter of Python {kit.target.python} compiles here")
    bytecode.compile_files(interpreter, folder, TASK, folder.rglob("*.py"))


def _requirements_file(kit: Kit, module: str, *more: str) -> Path:
    """Every version of what the application needs."""
    path = kit.folder() / "requirements.txt"
    stated = [*versions(_installed(kit, module, "")), *more]
    path.write_text("\n".join(stated) + "\n", encoding="utf-8")
    return path


# --- the project's commands -----------------------------------------------------------------------


def _layer(kit: Kit, requirements: Path | None = None) -> Path:
    path = kit.work / "layer.zip" if requirements is None else kit.folder() / "layer.zip"
    if not path.exists():
        options = [] if requirements is None else ["--requirements", str(requirements)]
        _mangum(kit, "layer", *options, "-o", str(path))
    return path


def _package(kit: Kit, module: str) -> Path:
    path = kit.work / f"{module}.zip"
    if not path.exists():
        requirements = ("--requirements", str(_requirements_file(kit, module, OURS)))
        folder = str(_application(kit, module))
        _mangum(kit, "package", folder, *requirements, "--no-check", "-o", str(path))
    return path


def _mangum(kit: Kit, verb: str, *arguments: str) -> None:
    """Raises `ContenderFailed`."""
    target = ("--python", kit.target.python, "--arch", kit.target.arch)
    links = ("--find-links", str(kit.wheels))
    run([sys.executable, "-m", "mangum", verb, *arguments, *target, *links])


# --- zipping and unpacking ------------------------------------------------------------------------


def _zipped(kit: Kit, folder: Path) -> Path:
    return archive.write(folder, kit.folder() / "function.zip").path


def _unzipped(kit: Kit, function: Path, layer: Path | None = None) -> Unpacked:
    """Into folders of their own."""
    zips = [function, layer] if layer else [function]
    folders = [kit.folder() for _ in zips]
    unzipped = 0
    for path, folder in zip(zips, folders, strict=True):
        with zipfile.ZipFile(path) as file:
            file.extractall(folder)
            unzipped += sum(info.file_size for info in file.infolist())
    sizes = [path.stat().st_size for path in zips]
    return Unpacked(folders[0], folders[1] if layer else None, sizes, unzipped)
