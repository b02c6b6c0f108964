"""What `make wheels` refuses, and what it is told: its parts that build nothing."""

from __future__ import annotations

import io
import platform
import re
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from mangum._speedups import COMPILED

pytest.importorskip("elftools")

import interpreters
import wheels
from elftools.elf.elffile import ELFFile
from interpreters import ROOT
from suite import TRACED
from tables import table
from wheel_build import Build, Failed
from wheel_checks import (
    ELF_MACHINES,
    EXPORTED,
    LIMITS,
    Wheel,
    Wrong,
    check_contents,
    check_elf,
    check_name,
    check_sdist,
    check_size,
    exported,
)
from wheel_tests import closing_line

ARM = Build("3.13", "aarch64")
EXTENSION = "mangum/_speedups/compiled.cpython-313-aarch64-linux-gnu.so"
HERE = ROOT / "mangum" / "_speedups" / f"compiled{sysconfig.get_config_var('EXT_SUFFIX')}"

needs_extension = pytest.mark.skipif(
    not COMPILED or platform.machine() not in ELF_MACHINES or not HERE.exists(),
    reason="no compiled half of this system's is here",
)


def wheel(
    folder: Path, build: Build, files: dict[str, bytes] | None = None, tag: str = ""
) -> Wheel:
    """With the files `{"mangum/a.py": b""}`, and `tag` in its metadata."""
    path = folder / f"mangum-1.0-{build.tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (files or {}).items():
            archive.writestr(name, content)
        archive.writestr("mangum-1.0.dist-info/WHEEL", f"Tag: {tag or build.tag}\n")
    return Wheel(path, build)


@pytest.mark.parametrize(
    ("build", "tag"),
    [
        (Build(), "py3-none-any"),
        (Build("3.10", "x86_64"), "cp310-cp310-manylinux2014_x86_64"),
        (ARM, "cp313-cp313-manylinux2014_aarch64"),
    ],
)
def test_a_wheel_is_tagged_for_what_it_is_built_for(build: Build, tag: str) -> None:
    assert build.tag == tag


def test_the_tag_of_the_metadata_must_be_that_of_the_name(tmp_path: Path) -> None:
    check_name(wheel(tmp_path, ARM))
    with pytest.raises(Wrong, match=r"the tags \['py3-none-any'\], and not cp313-"):
        check_name(wheel(tmp_path, ARM, tag="py3-none-any"))


def test_the_name_must_end_with_the_tag(tmp_path: Path) -> None:
    pure = wheel(tmp_path, Build())
    with pytest.raises(Wrong, match=r"called mangum-1\.0-py3-none-any\.whl, and not …-cp313-"):
        check_name(Wheel(pure.path, ARM))


def test_a_wheel_holds_the_one_extension_of_its_python(tmp_path: Path) -> None:
    check_contents(wheel(tmp_path, ARM, {EXTENSION: b""}))
    check_contents(wheel(tmp_path, Build(), {"mangum/a.py": b""}))
    with pytest.raises(Wrong, match="it has the extensions"):
        check_contents(wheel(tmp_path, Build("3.12", "aarch64"), {EXTENSION: b""}))
    with pytest.raises(Wrong, match="it has the extensions"):
        check_contents(wheel(tmp_path, Build(), {EXTENSION: b""}))


@pytest.mark.parametrize("stray", ["mangum/a.c", "mangum/a.pyx", "mangum/a.pyc", "tests/a.py"])
def test_a_wheel_holds_nothing_that_was_left_behind(tmp_path: Path, stray: str) -> None:
    with pytest.raises(Wrong, match=f"it has {stray}"):
        check_contents(wheel(tmp_path, Build(), {stray: b""}))


def test_an_extension_that_has_grown_is_refused(tmp_path: Path) -> None:
    limit = LIMITS["extension"]
    check_size(wheel(tmp_path, ARM, {EXTENSION: bytes(limit)}))
    with pytest.raises(Wrong, match="the limit is"):
        check_size(wheel(tmp_path, ARM, {EXTENSION: bytes(limit + 1)}))


@needs_extension
def test_an_extension_for_another_machine_is_refused(tmp_path: Path) -> None:
    [other] = ELF_MACHINES.keys() - {platform.machine()}
    build = Build("3.13", other)
    name = f"mangum/_speedups/compiled{build.extension_suffix}"
    with pytest.raises(Wrong, match="is for EM_"):
        check_elf(wheel(tmp_path, build, {name: HERE.read_bytes()}))


@needs_extension
def test_the_extension_exports_its_entry_alone() -> None:
    assert exported(ELFFile(io.BytesIO(HERE.read_bytes()))) == EXPORTED


def test_a_source_distribution_with_generated_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mangum-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("mangum-1.0/mangum/_speedups/compiled.c"))
    _, problems = check_sdist(path)
    assert problems[0] == "it has what was generated: mangum-1.0/mangum/_speedups/compiled.c"


def test_the_closing_line_is_pytests_own() -> None:
    said = "....\n2 passed in sight\n===== 12 passed, 3 skipped in 1.50s =====\n"
    assert closing_line(said) == "12 passed, 3 skipped in 1.50s"
    with pytest.raises(Failed, match="no test passed"):
        closing_line("no tests ran in 0.01s\n")


def test_what_is_not_named_is_built() -> None:
    options = wheels.parse([])
    assert (options.python, options.arch) == (interpreters.supported(), ["x86_64", "aarch64"])
    options = wheels.parse(["--python", "3.13", "--python", "3.11", "--arch", "aarch64"])
    assert (options.python, options.arch) == (["3.11", "3.13"], ["aarch64"])


def test_a_row_that_failed_says_so() -> None:
    good = wheels.Row("a.whl", "1.0 KB", checks="7 passed", tests="2 passed in 0.10s")
    bad = wheels.Row("long.whl", checks="6 passed", problems=["elf: …"])
    assert table(wheels.COLUMNS, [good.cells(), bad.cells()]) == [
        "file      size    .so  deflated  checks    twice  tests",
        "a.whl     1.0 KB                 7 passed         2 passed in 0.10s",
        "long.whl                         FAILED",
    ]


def test_cibuildwheel_builds_and_tests_the_same() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[tool.cibuildwheel]")[2].partition("\n[")[0]
    found = re.search(r'^build = "cp31\{([\d,]+)\}-manylinux_\*"$', section, re.MULTILINE)
    assert found
    assert [f"3.1{digit}" for digit in found[1].split(",")] == interpreters.supported()
    assert f'test-command = "python -m pytest {" ".join(TRACED)}"' in section
