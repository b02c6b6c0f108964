"""orjson and awslambdaric, which the tests insist on wherever they can be installed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest

HAVE_WHEELS = (
    sys.platform == "linux"
    and sys.implementation.name == "cpython"
    and (3, 10) <= sys.version_info < (3, 15)
)


def needed(module: str) -> Any:
    """The module. Skips the caller only where it can't be installed without a compiler."""
    if HAVE_WHEELS:
        return import_module(module)
    reason = f"{module} is not installed, and has no wheel for every Python and platform"
    return pytest.importorskip(module, reason=reason, exc_type=ImportError)
