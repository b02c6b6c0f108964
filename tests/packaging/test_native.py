"""Libraries that a target can load, and others."""

from __future__ import annotations

from pathlib import Path

import pybase64
import pytest

from mangum.packaging.native import is_native, misfit
from mangum.packaging.targets import Target
from tests.packaging.elf import library

X86_64, ARM64 = Target("3.13", "x86_64"), Target("3.13", "arm64")
OLD = Target("3.11", "x86_64")


def written(folder: Path, content: bytes, name: str = "it.so") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_library_for_the_targets_machine_fits(tmp_path: Path) -> None:
    path = written(tmp_path, library("x86_64", "GLIBC_2.2.5", "GLIBC_2.34"))
    assert is_native(path)
    assert misfit(path, X86_64) == ""
    assert misfit(path, ARM64) == "is for x86_64"


def test_a_library_for_a_machine_that_lambda_lacks_is_named(tmp_path: Path) -> None:
    assert misfit(written(tmp_path, library("riscv64")), ARM64) == "is for EM_RISCV"


def test_a_library_that_needs_a_newer_glibc_does_not_fit(tmp_path: Path) -> None:
    path = written(tmp_path, library("x86_64", "GLIBC_2.17", "GLIBC_2.28"))
    assert misfit(path, X86_64) == ""
    expected = "needs glibc 2.28, and Python 3.11 on x86_64 has 2.26"
    assert misfit(path, OLD) == expected


def test_versions_are_compared_as_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, library("x86_64", "GLIBC_2.4", "GLIBC_2.17"))
    assert misfit(path, OLD) == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("it.cpython-313-x86_64-linux-gnu.so", ""),
        ("it.abi3.so", ""),
        ("it.so", ""),
        ("libit.so.3", ""),
        ("it.cpython-312-x86_64-linux-gnu.so", "is for cpython-312"),
        ("it.cpython-313t-x86_64-linux-gnu.so", "is for cpython-313t"),
    ],
)
def test_a_library_named_for_another_python_does_not_fit(
    tmp_path: Path, name: str, expected: str
) -> None:
    assert misfit(written(tmp_path, library("x86_64"), name), X86_64) == expected


def test_a_broken_library_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, b"\x7fELF and no more")
    assert misfit(path, X86_64).startswith("is for no machine, for it is broken")


def test_a_library_for_macos_does_not_fit(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xcf\xfa\xed\xfe\x0c\0\0\1", "it.cpython-313-darwin.so")
    assert is_native(path)
    assert misfit(path, X86_64) == "is for macOS"


def test_a_text_is_no_library(tmp_path: Path) -> None:
    assert not is_native(written(tmp_path, b"GROUP ( libit.so.3 )"))
    assert not is_native(written(tmp_path, b""))


def test_a_real_extension_is_read() -> None:
    found = sorted(Path(pybase64.__file__).parent.glob("*.so"))
    faults = {misfit(path, target) for path in found for target in (X86_64, ARM64)}
    assert all(fault.startswith("is for ") for fault in faults - {""})
