"""Pythons of other versions and architectures, unpacked from Debian's packages and never installed.

Each lies in a folder of the cache, `~/.cache/mangum/pythons/3.14-aarch64/`, with its headers. Its
`bin/python3.14` is a program like any other: a few lines of shell that start the real one with the
loader and the libraries of its own release of Debian, under QEMU if it is for another machine.

`python scripts/pythons.py 3.14 3.11-aarch64` makes these and prints where their programs are.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from debian import CannotUnpack, unpack
from interpreters import ROOT

sys.path.insert(1, str(ROOT))
from mangum.packaging.interpreters import unpacked

SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
"""The releases of Debian that have these Pythons."""

QEMU = ("bookworm", "qemu-user-static")
LOADERS = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}
CPUS = {"x86_64": "max", "aarch64": "neoverse-n1"}
"""The processors of Lambda's functions. A newer one for ARM authenticates pointers, which Debian's
programs then make use of, and takes an emulator several times as long."""

MODULES = "ctypes, hashlib, lzma, sqlite3, ssl, zlib"
"""What tests import, and needs the libraries that Debian keeps apart."""

NATIVE = """\
#!/bin/sh
# Python {version} of Debian {suite}: its own loader and libraries, for this system's may be older.
exec '{home}/{loader}' --argv0 "$0" --library-path '{libraries}' '{home}/{real}' "$@"
"""
EMULATED = """\
#!/bin/sh
# Python {version} of Debian {suite} for {machine}.
exec '{qemu}' -cpu {cpu} -0 "$0" -L '{home}' '{home}/{real}' "$@"
"""
TIMEOUT_S = 120

_lock = threading.Lock()


class NotThere(Exception):
    """There can be no such Python here; the message is the reason."""


def ensure(version: str, machine: str) -> Path:
    """The program of a Python, which is made first if need be. Raises `NotThere`."""
    home = unpacked() / f"{version}-{machine}"
    program = home / "bin" / f"python{version}"
    with _lock:
        if not _runs(program):
            if version not in SUITES:
                raise NotThere(f"no release of Debian at hand has Python {version}")
            emulator = None if machine == platform.machine() else qemu(machine)
            _make(home, lambda folder: _python(folder, home, version, machine, emulator))
        if not _runs(program):
            raise NotThere(f"{program} does not run; remove {home} to have it made anew")
    return program


def qemu(machine: str) -> Path:
    """The emulator of a machine: this system's, or else Debian's. Raises `NotThere`."""
    name = f"qemu-{machine}-static"
    if found := shutil.which(name):
        return Path(found)
    suite, package = QEMU
    home = unpacked().parent / f"{package}-{suite}-{platform.machine()}"
    if not home.exists():
        _make(home, lambda folder: unpack(folder, suite, platform.machine(), [], [package]))
    return home / "usr" / "bin" / name


def headers(program: Path | str) -> Path | None:
    """The folder of a Python's `Python.h`, if it has one that a compiler for any machine can read:
    Debian's keeps a part of it elsewhere."""
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    done = subprocess.run(
        [program, "-I", "-c", code], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    config = Path(done.stdout.strip(), "pyconfig.h")
    is_whole = config.exists() and "-linux-gnu" not in config.read_text(encoding="utf-8")
    return config.parent if is_whole and config.with_name("Python.h").exists() else None


def _make(home: Path, fill: Callable[[Path], None]) -> None:
    """Beside its place, so that nothing that was interrupted counts as done."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".making-") as temporary:
        folder = Path(temporary, home.name)
        folder.mkdir()
        try:
            fill(folder)
        except (CannotUnpack, OSError, subprocess.SubprocessError) as error:
            raise NotThere(f"{home.name} cannot be unpacked: {error}") from error
        shutil.rmtree(home, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was as quick
            folder.rename(home)


def _python(folder: Path, home: Path, version: str, machine: str, emulator: Path | None) -> None:
    unpack(folder, SUITES[version], machine, [f"python{version}"], [f"libpython{version}-dev"])
    triplet = f"{machine}-linux-gnu"
    include = folder / "usr" / "include"
    (folder / "include").symlink_to("usr/include")  # beside `bin`, where Python looks for it
    # In the place of a file that includes this one, with <> and from a folder of the system's.
    shutil.copyfile(
        include / triplet / f"python{version}" / "pyconfig.h",
        include / f"python{version}" / "pyconfig.h",
    )
    for archive in folder.glob("usr/lib/**/*.a"):
        archive.unlink()
    program = folder / "usr" / "bin" / f"python{version}"
    real = program.with_name(f"{program.name}.elf")
    program.rename(real)
    libraries = [f"{home}/usr/lib/{triplet}", f"{home}/usr/lib"]
    script = (EMULATED if emulator else NATIVE).format(
        version=version,
        suite=SUITES[version],
        machine=machine,
        home=home,
        loader=LOADERS[machine],
        libraries=":".join(libraries),
        real=real.relative_to(folder),
        qemu=emulator,
        cpu=CPUS[machine],
    )
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)


def _runs(program: Path) -> bool:
    if not program.exists():
        return False
    environ = {name: it for name, it in os.environ.items() if not name.startswith("PYTHON")}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = [str(program), "-c", f"import {MODULES}"]
        done = subprocess.run(
            command, env=environ, capture_output=True, timeout=TIMEOUT_S, check=False
        )
        return done.returncode == 0
    return False


def main(names: list[str]) -> int:
    code = 0
    for name in names or SUITES:
        version, _, machine = name.partition("-")
        try:
            print(ensure(version, machine or platform.machine()))
        except NotThere as error:
            print(f"{name}: {error}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
