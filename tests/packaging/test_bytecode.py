"""Bytecode that is taken without a look at its source, and tells where it will lie."""

from __future__ import annotations

import marshal
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType

import pytest

from mangum.packaging.bytecode import CannotCompile, Failure, compile_files
from mangum.packaging.interpreters import Interpreter, find
from tests.packaging.conftest import HERE

UNCHECKED = 0b01
"""The flags of bytecode with a hash that is not looked at (PEP 552)."""

RAISING = "def fail():\n    raise ValueError('s')\n"


@pytest.fixture
def interpreter() -> Interpreter:
    found = find(HERE.python)
    assert found is not None
    return found


def written(root: Path, **files: str) -> list[Path]:
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / f"{name}.py").write_text(text, encoding="utf-8")
    return [root / f"{name}.py" for name in files]


def run(folder: Path, source: str) -> str:
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n"]
    command[-1] += source
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_bytecode_is_never_checked_against_its_source(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    files = written(tmp_path, one="ANSWER = 42\n")
    assert compile_files(interpreter, tmp_path, "/opt", files) == []
    head = Path(cache_from_source(str(files[0]))).read_bytes()[:8]
    assert head == MAGIC_NUMBER + UNCHECKED.to_bytes(4, "little")
    files[0].write_text("a later source", encoding="utf-8")
    assert run(tmp_path, "import one; print(one.ANSWER)") == "42\n"


def code_in(path: Path) -> CodeType:
    code = marshal.loads(path.read_bytes()[16:])
    assert isinstance(code, CodeType)
    return code


@pytest.mark.parametrize("columns", [True, False])
def test_tracebacks_name_the_place_where_it_will_lie(
    tmp_path: Path, interpreter: Interpreter, columns: bool
) -> None:
    files = written(tmp_path / "stage", one=RAISING)
    compile_files(interpreter, tmp_path / "stage", "/var/task", files, columns=columns)
    code = code_in(Path(cache_from_source(str(files[0]))))
    [fail] = (it for it in code.co_consts if isinstance(it, CodeType))
    assert {code.co_filename, fail.co_filename} == {"/var/task/one.py"}


def test_without_columns_lines_are_told_still(tmp_path: Path, interpreter: Interpreter) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("there are no columns")
    files = written(tmp_path, one="def f(a, b, c):\n    return a + b * c\n")
    places = []
    for columns in (True, False):
        compile_files(interpreter, tmp_path, "/opt", files, columns=columns)
        code = code_in(Path(cache_from_source(str(files[0]))))
        [function] = (it for it in code.co_consts if isinstance(it, CodeType))
        lines, _, starts, ends = zip(*function.co_positions(), strict=True)
        places.append((set(lines), {*starts, *ends} == {None}))
    assert places == [({1, 2}, False), ({1, 2}, True)]


def test_without_sources_it_lies_where_they_did(tmp_path: Path, interpreter: Interpreter) -> None:
    [file] = written(tmp_path, one="ANSWER = 42\n")
    compile_files(interpreter, tmp_path, "/opt", [file], sources=False)
    file.unlink()
    assert [it.name for it in tmp_path.iterdir()] == ["one.pyc"]
    assert run(tmp_path, "import one; print(one.ANSWER)") == "42\n"


def test_a_file_that_is_no_python_is_told_and_the_others_are_compiled(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    files = written(tmp_path, a="x = 1\n", b="x = 1\ndef (\n", c="x = 1\n")
    (tmp_path / "it's.py").write_bytes(b"\xff")
    files.append(tmp_path / "it's.py")
    failures = compile_files(interpreter, tmp_path, "/opt", files)
    assert failures[0] == Failure("b.py", 2, "SyntaxError: invalid syntax")
    assert failures[1].path == "it's.py"
    assert failures[1].reason
    compiled = {it.name.partition(".")[0] for it in (tmp_path / "__pycache__").iterdir()}
    assert compiled == {"a", "c"}


def test_the_same_source_makes_the_same_bytecode(tmp_path: Path, interpreter: Interpreter) -> None:
    source = "NAMES = {'a', 'b', 'c', 'd'}\n" + RAISING
    contents = []
    for name in ("first", "second"):
        files = written(tmp_path / name, one=source, two="from one import NAMES\n" * 20)
        compile_files(interpreter, tmp_path / name, "/opt", reversed(files))
        caches = sorted((tmp_path / name / "__pycache__").iterdir())
        contents.append([it.read_bytes() for it in caches])
    assert contents[0] == contents[1]


def test_no_setting_of_the_shell_changes_it(
    tmp_path: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written(tmp_path / "it", one="def f(a):\n    'A text.'\n    assert a\n")
    contents = []
    shells: list[dict[str, str]] = [{}, {"PYTHONNODEBUGRANGES": "1", "PYTHONOPTIMIZE": "2"}]
    for settings in shells:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        compile_files(interpreter, tmp_path, "/opt", files)
        contents.append(Path(cache_from_source(str(files[0]))).read_bytes())
    assert contents[0] == contents[1]


def test_names_beyond_ascii_are_compiled_in_any_locale(
    tmp_path: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    files = written(tmp_path / "größe ü", größe="A = 1\n")
    assert compile_files(interpreter, tmp_path, "/opt", files) == []
    assert list(files[0].parent.glob("__pycache__/*.pyc"))


def test_a_file_that_was_not_compiled_is_told(tmp_path: Path, interpreter: Interpreter) -> None:
    with pytest.raises(CannotCompile, match=r"wrote no bytecode for gone\.py"):
        compile_files(interpreter, tmp_path, "/opt", [tmp_path / "gone.py"])


def test_an_interpreter_that_breaks_is_told(tmp_path: Path) -> None:
    broken = Interpreter("3.13", "3.13.0", "/bin/false")
    with pytest.raises(CannotCompile, match="/bin/false can't compile"):
        compile_files(broken, tmp_path, "/opt", written(tmp_path, one=""))
