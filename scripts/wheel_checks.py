"""What must be true of a wheel, apart from that its tests pass."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from wheel_build import GLIBC, Build, Failed, run

LIMITS = {
    "wheel": 520_000,
    "extension": 236_000,
    "extension, deflated": 100_000,
}
"""Bytes at the most: what is more than this has grown unnoticed."""

ELF_MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
LIBRARIES = {"libc.so.6", "libpthread.so.0", "libm.so.6"}
EXPORTED = {"PyInit_compiled"}


class Wrong(Exception):
    """One line that says what is not as it should be."""


class Wheel(NamedTuple):
    path: Path
    build: Build

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as archive:
            return archive.namelist()

    def extension(self) -> bytes:
        """The compiled half; nothing in the pure wheel."""
        with zipfile.ZipFile(self.path) as archive:
            return b"".join(map(archive.read, self.extensions()))

    def extensions(self) -> list[str]:
        return [name for name in self.names() if name.endswith((".so", ".pyd"))]


def deflated(data: bytes) -> int:
    """Its size in a zip."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return len(compressor.compress(data)) + len(compressor.flush())


def check_name(wheel: Wheel) -> None:
    """The tag is in the file's name, and the same in its metadata."""
    tag = wheel.build.tag
    if not wheel.path.stem.endswith(f"-{tag}"):
        raise Wrong(f"it is called {wheel.path.name}, and not …-{tag}.whl")
    with zipfile.ZipFile(wheel.path) as archive:
        [name] = (it for it in archive.namelist() if it.endswith(".dist-info/WHEEL"))
        stated = re.findall(r"^Tag: (.+)$", archive.read(name).decode(), re.MULTILINE)
    if stated != [tag]:
        raise Wrong(f"its metadata has the tags {stated}, and not {tag}")


def check_contents(wheel: Wheel) -> None:
    """The one extension that it should have, and nothing that was generated."""
    suffix = wheel.build.extension_suffix
    expected = [f"mangum/_speedups/compiled{suffix}"] if wheel.build.python else []
    if wheel.extensions() != expected:
        raise Wrong(f"it has the extensions {wheel.extensions()}, and not {expected}")
    for name in wheel.names():
        if name.endswith((".c", ".pyx", ".pyc")) or not name.startswith("mangum"):
            raise Wrong(f"it has {name}")


def check_size(wheel: Wheel) -> None:
    extension = wheel.extension()
    sizes = (wheel.path.stat().st_size, len(extension), deflated(extension))
    for (what, limit), size in zip(LIMITS.items(), sizes, strict=True):
        if size > limit:
            raise Wrong(f"{what}: {size:,} bytes, the limit is {limit:,}")


def check_elf(wheel: Wheel) -> None:
    """The machine, old versions of the libraries that each Linux has, and no path to others."""
    elf = ELFFile(BytesIO(wheel.extension()))
    if elf["e_machine"] != ELF_MACHINES[wheel.build.machine]:
        raise Wrong(f"the extension is for {elf['e_machine']}")
    for tag in _dynamic(elf):
        if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            raise Wrong(f"the extension has {tag}")
        if tag.entry.d_tag == "DT_NEEDED" and tag.needed not in LIBRARIES:
            raise Wrong(f"the extension needs {tag.needed}")
    if exported(elf) != EXPORTED:
        raise Wrong(f"the extension exports {sorted(exported(elf))}")
    newest = max(glibc_versions(elf), default=(0, 0))
    if newest > tuple(map(int, GLIBC.split("."))):
        raise Wrong("the extension needs glibc {}.{}".format(*newest))


def check_auditwheel(wheel: Wheel) -> None:
    """What PyPI asks of the tag."""
    command = [sys.executable, "-m", "auditwheel", "show", "--json", wheel.path]
    told = json.loads(run(command, wheel.path.parent))
    allowed = f"manylinux_{GLIBC.replace('.', '_')}_{wheel.build.machine}"
    if told["overall_tag"] != allowed or told["external_libs"]:
        raise Wrong(f"auditwheel calls it {told['overall_tag']}, with {told['external_libs']}")


def check_description(wheel: Wheel) -> None:
    twine(wheel.path)


def check_wheel_contents(wheel: Wheel) -> None:
    run([sys.executable, "-m", "check_wheel_contents", wheel.path], wheel.path.parent)


Check = Callable[[Wheel], None]
PURE: dict[str, Check] = {
    "name": check_name,
    "contents": check_contents,
    "size": check_size,
    "twine": check_description,
    "check-wheel-contents": check_wheel_contents,
}
COMPILED: dict[str, Check] = {**PURE, "elf": check_elf, "auditwheel": check_auditwheel}


def check(wheel: Wheel) -> tuple[int, list[str]]:
    """How many checks passed, and what others said."""
    checks = COMPILED if wheel.build.python else PURE
    problems = []
    for name, perform in checks.items():
        try:
            perform(wheel)
        except (Wrong, Failed) as error:
            problems.append(f"{name}: {error}")
    return len(checks) - len(problems), problems


def check_sdist(path: Path) -> tuple[int, list[str]]:
    """The same for the source distribution."""
    with tarfile.open(path) as archive:
        compiled = [it for it in archive.getnames() if it.endswith((".c", ".so", ".pyc"))]
    problems = [f"it has what was generated: {', '.join(compiled)}"] if compiled else []
    try:
        twine(path)
    except Failed as error:
        problems.append(str(error))
    return 2 - len(problems), problems


def twine(path: Path) -> None:
    run([sys.executable, "-m", "twine", "--no-color", "check", "--strict", path], path.parent)


def exported(elf: ELFFile) -> set[str]:
    section: Any = elf.get_section_by_name(".dynsym")
    return {it.name for it in section.iter_symbols() if it["st_shndx"] != "SHN_UNDEF" and it.name}


def glibc_versions(elf: ELFFile) -> Iterator[tuple[int, ...]]:
    section: Any = elf.get_section_by_name(".gnu.version_r")
    for _, versions in section.iter_versions() if section else ():
        for version in versions:
            if found := re.fullmatch(r"GLIBC_([\d.]+)", version.name):
                yield tuple(int(part) for part in found[1].split("."))


def _dynamic(elf: ELFFile) -> Iterator[Any]:
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            yield from section.iter_tags()
