"""Every test of the hot path runs on every half of it that there is."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest

HALVES = ("pure",)


@pytest.fixture(scope="session", params=HALVES)
def speedups(request: pytest.FixtureRequest) -> ModuleType:
    """The half under test."""
    return import_module(f"mangum._speedups.{request.param}")
