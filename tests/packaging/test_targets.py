"""Lambda's runtimes, and what is read from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mangum.packaging.targets import (
    DEFAULT_PYTHON,
    PYTHONS,
    Target,
    UnknownTarget,
    parse_architecture,
    parse_python,
)

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"


def test_there_is_a_target_for_each_python_that_the_project_supports() -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    assert tuple(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)) == PYTHONS
    assert DEFAULT_PYTHON in PYTHONS


@pytest.mark.parametrize("text", ["3.13", "python3.13", "313"])
def test_a_python_is_read_as_people_write_it(text: str) -> None:
    assert parse_python(text) == "3.13"


@pytest.mark.parametrize("text", ["3.9", "3", "", "pypy3.11", "3.13.1", "python"])
def test_a_python_that_lambda_lacks_is_refused_with_those_it_has(text: str) -> None:
    with pytest.raises(UnknownTarget, match=re.escape("there are 3.10, 3.11, 3.12, 3.13, 3.14")):
        parse_python(text)


@pytest.mark.parametrize("text", ["arm64", "aarch64"])
def test_an_architecture_has_lambdas_name_and_the_systems(text: str) -> None:
    assert parse_architecture(text) == "arm64"


def test_an_architecture_that_lambda_lacks_is_refused() -> None:
    with pytest.raises(UnknownTarget, match="riscv64 is no architecture of Lambda's"):
        parse_architecture("riscv64")


def test_a_target_tells_what_follows_from_it() -> None:
    target = Target("3.14", "arm64")
    assert str(target) == "Python 3.14 on arm64"
    assert target.runtime == "python3.14"
    assert (target.machine, target.glibc) == ("aarch64", (2, 34))
    assert (target.wheel_tag, target.cache_tag) == ("cp314", "cpython-314")
    assert target.uv_platform == "aarch64-manylinux_2_34"


@pytest.mark.parametrize("python", ["3.10", "3.11"])
def test_amazon_linux_2_gets_wheels_that_it_can_load(python: str) -> None:
    assert Target(python, "x86_64").uv_platform == "x86_64-manylinux_2_17"
