"""Every test of the hot path runs on both halves of it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest

from mangum._speedups import (
    COMPILED,
)  # an error if MANGUM_REQUIRE_COMPILED asks for what is not there

HALVES = ("pure", "compiled")
NO_COMPILED_HALF = (
    "the compiled half does not run: it is missing in this build, or MANGUM_PURE_PYTHON is set"
)


def load(name: str) -> ModuleType:
    """A half by its name. The test is skipped if it needs the compiled one where there is none."""
    if name == "compiled" and not COMPILED:
        pytest.skip(NO_COMPILED_HALF)
    return import_module(f"mangum._speedups.{name}")


@pytest.fixture(scope="session", params=HALVES)
def speedups(request: pytest.FixtureRequest) -> ModuleType:
    """The half under test."""
    return load(request.param)


@pytest.fixture(scope="session")
def halves() -> tuple[ModuleType, ModuleType]:
    """Both halves, to be held against each other: the specification and its twin."""
    return load("pure"), load("compiled")
