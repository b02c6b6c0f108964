"""Every test that asks for a place runs on every backend, or on those it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.places import KINDS, Place, make_place


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = metafunc.definition.iter_markers("parametrize")
    if "place" in metafunc.fixturenames and all(mark.args[0] != "place" for mark in marks):
        metafunc.parametrize("place", KINDS, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return make_place(request.param, tmp_path)
