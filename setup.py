"""Adds the compiled half of the hot path, which is optional, to the build.

Where it cannot be compiled the result is a correct build in pure Python, after one line that says
why. Variables of the environment, each set by anything but an empty text, 0, false, no and off:

MANGUM_PURE_PYTHON       leaves the compiled half out
MANGUM_REQUIRE_COMPILED  makes it an error that it cannot be compiled
MANGUM_LINE_TRACE        compiles it so that the coverage of the .pyx can be measured; slow
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NAME = "mangum._speedups.compiled"
SOURCE = "mangum/_speedups/compiled.pyx"
DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "embedsignature": False,
    "autotestdict": False,
    "auto_pickle": False,  # nobody copies an exchange, and it is a twentieth of the code
}
SMALL = (
    "-O2",
    "-g0",
    "-fomit-frame-pointer",
    "-fvisibility=hidden",
    "-fmerge-all-constants",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-DCYTHON_COMPRESS_STRINGS=0",  # a zip compresses them, and no import unpacks them
    "-Wno-unused-function",  # what would unpack them
)
SMALL_LINKED = ("-Wl,-s", "-Wl,--gc-sections", "-Wl,--build-id=none")
"""For GCC and Clang. Ten of these lie in a layer; -Os is smaller still, and slower."""

NEEDS = "it takes Cython, a C compiler and Python's headers (Debian: gcc libc6-dev python3-dev)"


class CannotCompile(Exception):
    """The message is the reason."""


def is_set(name: str) -> bool:
    """Read as mangum/_speedups/__init__.py reads it."""
    return os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")


class BuildCompiled(build_ext):
    """Compiles anew each time: an older result must not stand in for one that fails now."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.force = True

    def run(self) -> None:
        try:
            for extension in self.extensions:
                if self.inplace:
                    Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
                extension.sources = translate(extension)
            super().run()
        except Exception as error:  # no Cython, no compiler, no headers, a full disk, …
            raise CannotCompile(f"{reason(error)}; {NEEDS}") from error


def reason(error: BaseException) -> str:
    """One short line. A compiler's own output stands above it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, subprocess.CalledProcessError):
            return f"{cause.cmd[0]} ended with exit code {cause.returncode}"
        cause = cause.__cause__ or cause.__context__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def translate(extension: Extension) -> list[str]:
    """The C source made of the extension's. A line trace wants it beside that."""
    from Cython.Build import cythonize

    trace = is_set("MANGUM_LINE_TRACE")
    [translated] = cythonize(
        [extension],
        force=True,
        quiet=True,
        build_dir=None if trace else "build/cython",
        compiler_directives={**DIRECTIVES, "linetrace": trace},
    )
    return list(translated.sources)


def compiled_half() -> Extension:
    if platform.python_implementation() != "CPython":
        raise CannotCompile("it is for CPython")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise CannotCompile("it would switch the global interpreter lock on again")
    if not Path(SOURCE).exists():
        raise CannotCompile(f"{SOURCE} is missing")
    options: dict[str, list[Any]] = {}
    if is_set("MANGUM_LINE_TRACE"):
        options["define_macros"] = [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
    elif sys.platform == "linux":
        # Small, and the same byte for byte wherever it is built.
        options["extra_compile_args"] = [*SMALL, f"-ffile-prefix-map={os.getcwd()}=."]
        options["extra_link_args"] = [*SMALL_LINKED]
    return Extension(NAME, [SOURCE], **options)


def build() -> None:
    required = is_set("MANGUM_REQUIRE_COMPILED")
    if is_set("MANGUM_PURE_PYTHON"):
        if required:
            raise SystemExit("MANGUM_PURE_PYTHON and MANGUM_REQUIRE_COMPILED exclude each other")
        setup()
        return
    try:
        setup(ext_modules=[compiled_half()], cmdclass={"build_ext": BuildCompiled})
    except CannotCompile as error:
        if required:
            raise SystemExit(f"mangum: cannot build the compiled half: {error}") from None
        print(f"mangum: pure Python, without the compiled half: {error}", file=sys.stderr)
        setup()  # once more from the start, for a wheel without a platform's tag


build()
