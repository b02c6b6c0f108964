"""What is packaged for: Lambda's Pythons and architectures, and what follows from them."""

from __future__ import annotations

import platform
import sys
from typing import NamedTuple

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
"""Lambda's managed runtimes.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

DEFAULT_PYTHON = "3.13"  # the newest but one: nearly every package has wheels for it

ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's name of an architecture, and that of wheels and of the system."""

GLIBC = {"3.10": (2, 26), "3.11": (2, 26), "3.12": (2, 34), "3.13": (2, 34), "3.14": (2, 34)}
"""Of Amazon Linux 2, and of Amazon Linux 2023."""

UV_GLIBC = (17, 28, 31, 32, 33, 34)
"""The minor versions of glibc 2 that uv can resolve wheels for."""


class UnknownTarget(ValueError):
    """The message says what there is."""


class Target(NamedTuple):
    """A runtime to package for. Shown as `Python 3.13 on arm64`."""

    python: str  # "3.13"
    arch: str  # as Lambda calls it, "arm64"

    def __str__(self) -> str:
        return f"Python {self.python} on {self.arch}"

    @property
    def runtime(self) -> str:
        return f"python{self.python}"

    @property
    def machine(self) -> str:
        return ARCHITECTURES[self.arch]

    @property
    def glibc(self) -> tuple[int, int]:
        return GLIBC[self.python]

    @property
    def wheel_tag(self) -> str:
        return f"cp{self.python.replace('.', '')}"

    @property
    def cache_tag(self) -> str:
        """What names bytecode, and with the machine an extension: `"cpython-313"`."""
        return f"cpython-{self.python.replace('.', '')}"

    @property
    def extension_suffix(self) -> str:
        """What an extension's name ends in: `".cpython-313-aarch64-linux-gnu.so"`."""
        return f".{self.cache_tag}-{self.machine}-linux-gnu.so"

    @property
    def uv_platform(self) -> str:
        """The newest that the runtime can load: `"aarch64-manylinux_2_34"`."""
        minor = max(minor for minor in UV_GLIBC if (2, minor) <= self.glibc)
        return f"{self.machine}-manylinux_2_{minor}"

    @property
    def is_host(self) -> bool:
        """Whether this machine runs its extensions, given the right Python."""
        return sys.platform == "linux" and platform.machine() == self.machine


def parse_python(text: str) -> str:
    """`"3.13"`, `"python3.13"` or `"313"` → `"3.13"`. Raises `UnknownTarget`."""
    wanted = text.removeprefix("python")
    for version in PYTHONS:
        if wanted in (version, version.replace(".", "")):
            return version
    raise UnknownTarget(f"{text} is no Python of Lambda's: there are {', '.join(PYTHONS)}")


def parse_architecture(text: str) -> str:
    """Lambda's name or the system's → Lambda's. Raises `UnknownTarget`."""
    for name, machine in ARCHITECTURES.items():
        if text in (name, machine):
            return name
    raise UnknownTarget(f"{text} is no architecture of Lambda's: {' or '.join(ARCHITECTURES)}")
