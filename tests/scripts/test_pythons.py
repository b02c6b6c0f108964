"""Pythons that are unpacked and not installed: what is left when that fails, and the tables."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import debian
import interpreters
import pytest
import pythons
from debian import CannotUnpack
from pythons import NotThere


def test_each_table_knows_each_machine() -> None:
    assert pythons.LOADERS.keys() == pythons.CPUS.keys() == debian.ARCHITECTURES.keys()
    assert pythons.SUITES.keys() <= set(interpreters.supported())


def test_what_was_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").touch()
        raise CannotUnpack("the mirror is away")

    home = tmp_path / "pythons" / "3.14-x86_64"
    with pytest.raises(NotThere, match=r"3\.14-x86_64 cannot be unpacked: the mirror is away"):
        pythons._make(home, fill)
    assert list(home.parent.iterdir()) == []


def test_what_is_made_takes_the_place_of_what_is_broken(tmp_path: Path) -> None:
    home = tmp_path / "pythons" / "3.14-x86_64"
    home.mkdir(parents=True)
    (home / "broken").touch()
    pythons._make(home, lambda folder: (folder / "whole").touch())
    assert [path.name for path in home.iterdir()] == ["whole"]
    assert list(home.parent.iterdir()) == [home]


def test_a_version_that_debian_lacks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(NotThere, match=r"no release of Debian at hand has Python 3\.10"):
        pythons.ensure("3.10", "x86_64")


def test_headers_that_a_cross_compiler_cannot_read_do_not_count(tmp_path: Path) -> None:
    include = tmp_path / "include"
    include.mkdir()
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{include}'\n", encoding="utf-8")
    program.chmod(0o755)
    assert pythons.headers(program) is None
    (include / "Python.h").touch()
    config = include / "pyconfig.h"
    config.write_text("# include <x86_64-linux-gnu/python3.13/pyconfig.h>\n", encoding="utf-8")
    assert pythons.headers(program) is None
    config.write_text("#define SIZEOF_LONG 8\n", encoding="utf-8")
    assert pythons.headers(program) == include


def test_headers_are_where_the_interpreter_has_them() -> None:
    found = pythons.headers(interpreters.default().path)
    assert found in (None, Path(sysconfig.get_path("include")))


def test_where_a_program_is_missing_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotUnpack, match=r"apt-get, dpkg-deb, tar.* is missing .*apt dpkg tar"):
        debian.unpack(tmp_path, "trixie", "x86_64", [])
