"""Which half of the hot path runs: what is there, and what the environment asks for.

The package under test is a copy of the switch and its pure half; `compiled.py` stands for the
extension, which no machine has to be able to compile.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import mangum._speedups as switch
from tests.processes import STRICT, run_python

HERE = Path(switch.__file__).parent
NEITHER = {"MANGUM_PURE_PYTHON": "", "MANGUM_REQUIRE_COMPILED": ""}
FORCE_PURE = {**NEITHER, "MANGUM_PURE_PYTHON": "1"}
REQUIRE = {**NEITHER, "MANGUM_REQUIRE_COMPILED": "1"}
WORKING = "from mangum._speedups.pure import *"
EXTENSION = f"compiled{sysconfig.get_config_var('EXT_SUFFIX')}"

BROKEN = {
    "no shared object": (EXTENSION, "", "ImportError: "),
    "what it imports is gone": (
        "compiled.py",
        "from mangum._speedups.pure import gone",
        "ImportError: cannot import name 'gone'",
    ),
    "a module that it imports is gone": (
        "compiled.py",
        "import mangum._speedups.gone",
        "ModuleNotFoundError: No module named 'mangum._speedups.gone'",
    ),
    "its code fails": ("compiled.py", "raise OSError('full')", "OSError: full"),
    "it lacks a function": (
        "compiled.py",
        f"{WORKING}\ndel decode_body",
        "AttributeError: module 'mangum._speedups.compiled' has no attribute 'decode_body'",
    ),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The switch's folder, without a compiled half."""
    folder = tmp_path / "mangum" / "_speedups"
    shutil.copytree(HERE, folder, ignore=lambda _, names: [n for n in names if "compiled" in n])
    (tmp_path / "mangum" / "__init__.py").touch()
    return folder


def load(
    package: Path, env: dict[str, str], options: tuple[str, ...] = STRICT
) -> subprocess.CompletedProcess[str]:
    source = f"""
import sys
sys.path.insert(0, {str(package.parent.parent)!r})
from mangum import _speedups
assert _speedups.__file__ == {str(package / "__init__.py")!r}, _speedups.__file__
half = sys.modules[f"mangum._speedups.{{'compiled' if _speedups.COMPILED else 'pure'}}"]
assert all(getattr(_speedups, name) is getattr(half, name) for name in _speedups.__all__)
print(_speedups.COMPILED)
    """
    return run_python(source, env=env, options=options)


def test_the_compiled_half_runs_where_there_is_one(package: Path) -> None:
    (package / "compiled.py").write_text(WORKING, encoding="utf-8")
    for env in (NEITHER, REQUIRE):
        done = load(package, env)
        assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize("env", [NEITHER, FORCE_PURE])
def test_the_pure_half_runs_without_a_word_where_there_is_no_other(
    package: Path, env: dict[str, str]
) -> None:
    done = load(package, env)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_missing_half_that_is_required_is_an_error_that_says_what_to_do(package: Path) -> None:
    done = load(package, REQUIRE)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: mangum's compiled half is missing, and MANGUM_REQUIRE_")
    assert "Install mangum on the Python version and the architecture that it runs on" in last


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_half_gives_way_with_a_warning(package: Path, case: str) -> None:
    file, content, reason = BROKEN[case]
    (package / file).write_text(content, encoding="utf-8")
    done = load(package, NEITHER, options=())
    assert done.stdout == "False\n"
    warning = f"RuntimeWarning: mangum's compiled half is broken ({reason}"
    assert done.stderr.count(warning) == done.stderr.count("Warning") == 1
    assert "; the pure one runs\n" in done.stderr


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_half_that_is_required_is_an_error(package: Path, case: str) -> None:
    file, content, reason = BROKEN[case]
    (package / file).write_text(content, encoding="utf-8")
    last = load(package, REQUIRE).stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: mangum's compiled half is broken ({reason}")


def test_a_broken_half_is_not_touched_where_the_pure_one_is_forced(package: Path) -> None:
    (package / "compiled.py").write_text("raise OSError", encoding="utf-8")
    done = load(package, FORCE_PURE)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("text", ["1", "true", "YES", "on", "2", "anything"])
def test_a_variable_is_set_by_anything_else_than_a_no(package: Path, text: str) -> None:
    (package / "compiled.py").write_text(WORKING, encoding="utf-8")
    assert load(package, {**NEITHER, "MANGUM_PURE_PYTHON": text}).stdout == "False\n"


@pytest.mark.parametrize("text", ["", "0", "false", "No", " OFF "])
def test_a_variable_is_unset_by_a_no(package: Path, text: str) -> None:
    (package / "compiled.py").write_text(WORKING, encoding="utf-8")
    assert load(package, {**NEITHER, "MANGUM_PURE_PYTHON": text}).stdout == "True\n"


def test_both_variables_at_once_are_an_error(package: Path) -> None:
    last = load(package, {**FORCE_PURE, **REQUIRE, "MANGUM_PURE_PYTHON": "1"}).stderr.splitlines()[
        -1
    ]
    assert last == "ImportError: MANGUM_PURE_PYTHON and MANGUM_REQUIRE_COMPILED exclude each other"
