"""Whether a compiled extension is one that a target can load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mangum.packaging.errors import CannotPackage
from mangum.packaging.targets import Target

MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
MAGIC = b"\x7fELF"
MACOS = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")  # for one machine, for several

_CPYTHON = re.compile(r"\.(cpython-\d+[a-z]*)[-.]")
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)")


def is_native(path: Path) -> bool:
    """Whether it is a library, by its first bytes: others are texts for a linker."""
    return _magic(path) in (MAGIC, *MACOS)


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(MAGIC))


def libraries(folder: Path) -> Iterator[Path]:
    """Those below it, by name."""
    found = (it for it in sorted(folder.rglob("*.so*")) if it.is_file())
    return (it for it in found if is_native(it))


def check_extensions(folder: Path, target: Target) -> None:
    """Raise `CannotPackage` if a library in `folder` is none that the target can load."""
    for path in libraries(folder):
        fault = misfit(path, target)
        if fault:
            name = path.relative_to(folder).as_posix()
            raise CannotPackage(f"{name} {fault}, which {target} can't load")


def misfit(path: Path, target: Target) -> str:
    """Why `target` can't load the library, `"is for x86_64"`; "" if it can."""
    named = _CPYTHON.search(path.name)
    if named and named[1] != target.cache_tag:
        return f"is for {named[1]}"
    if _magic(path) in MACOS:
        return "is for macOS"
    machine, needed = _examine(path)
    if machine != target.machine:
        return f"is for {machine}"
    if needed > target.glibc:
        return "needs glibc {}.{}, and {} has {}.{}".format(*needed, target, *target.glibc)
    return ""


def _examine(path: Path) -> tuple[str, tuple[int, int]]:
    """The machine it is for, and the newest glibc of which it needs a symbol."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            machine = str(elf["e_machine"])
            versions = [(int(major), int(minor)) for major, minor in _glibc_versions(elf)]
    except ELFError as error:
        return f"no machine, for it is broken ({error})", (0, 0)
    return MACHINES.get(machine, machine), max(versions, default=(0, 0))


def _glibc_versions(elf: object) -> Iterator[tuple[str, str]]:
    section = elf.get_section_by_name(".gnu.version_r")  # type: ignore[attr-defined]
    if section is None:
        return
    for _, versions in section.iter_versions():
        for version in versions:
            yield from _GLIBC.findall(version.name)
