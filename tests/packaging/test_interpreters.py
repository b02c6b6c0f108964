"""Interpreters where they are looked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mangum.packaging import interpreters
from mangum.packaging.interpreters import Interpreter, find

VERSION = "{}.{}".format(*sys.version_info[:2])
OTHER = "3.99"  # there is none
NAME = f"python{OTHER}"
ANSWERING = f"#!/bin/sh\necho {OTHER} {OTHER}.1 cpython final\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without any interpreter but this."""
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    find.cache_clear()
    yield tmp_path
    find.cache_clear()


def program(path: Path, text: str = ANSWERING) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_this_interpreter_is_found(home: Path) -> None:
    assert find(VERSION) == Interpreter(
        VERSION, ".".join(map(str, sys.version_info[:3])), sys.executable
    )


def test_one_that_is_not_here_is_not_found(home: Path) -> None:
    assert find(OTHER) is None


@pytest.mark.parametrize(
    "place",
    [
        f"bin/{NAME}",
        f".pyenv/versions/{OTHER}.1/bin/{NAME}",
        f".local/share/uv/python/cpython-{OTHER}.1-linux-x86_64-gnu/bin/{NAME}",
        f".cache/mangum/pythons/{OTHER}-{os.uname().machine}/bin/{NAME}",
        f".cache/mangum/pythons/{OTHER}-othermachine/bin/{NAME}",
    ],
)
def test_one_is_found_where_people_have_it(home: Path, place: str) -> None:
    path = program(home / place)
    assert find(OTHER) == Interpreter(OTHER, f"{OTHER}.1", str(path))


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("PYENV_ROOT", f"versions/{OTHER}.1/bin/{NAME}"),
        ("UV_PYTHON_INSTALL_DIR", f"cpython-{OTHER}.1-any/bin/{NAME}"),
        ("XDG_CACHE_HOME", f"mangum/pythons/{OTHER}-any/bin/{NAME}"),
    ],
)
def test_the_places_can_be_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, place: str
) -> None:
    path = program(home / "elsewhere" / place)
    monkeypatch.setenv(variable, str(home / "elsewhere"))
    assert find(OTHER) == Interpreter(OTHER, f"{OTHER}.1", str(path))


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexit 127\n",
        "#!/bin/sh\necho 3.98 3.98.0 cpython final\n",
        "#!/bin/sh\n",
        "#!/nowhere\n",
        ANSWERING.replace("cpython", "pypy"),
        ANSWERING.replace("final", "candidate"),
    ],
    ids=["a shim", "another version", "one that says nothing", "broken", "PyPy", "a candidate"],
)
def test_what_is_no_such_interpreter_is_passed_over(home: Path, text: str) -> None:
    program(home / "bin" / NAME, text)
    assert find(OTHER) is None
    find.cache_clear()
    path = program(home / ".pyenv/versions" / f"{OTHER}.1" / "bin" / NAME)
    found = find(OTHER)
    assert found is not None
    assert found.path == str(path)


def test_of_several_the_newest_is_found(home: Path) -> None:
    for release in ("9", "10", "2"):
        path = home / ".pyenv/versions" / f"{OTHER}.{release}" / "bin" / NAME
        program(path, ANSWERING.replace(f"{OTHER}.1", f"{OTHER}.{release}"))
    found = find(OTHER)
    assert found is not None
    assert found.release == f"{OTHER}.10"


def test_unpacked_ones_lie_in_the_cache(home: Path) -> None:
    assert interpreters.unpacked() == home / ".cache" / "mangum" / "pythons"
