"""A folder of wheels that stands for the index, and targets."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from mangum.packaging.resolve import Wanted
from mangum.packaging.targets import Target

ARCH = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "arm64"

HERE = Target("{}.{}".format(*sys.version_info[:2]), ARCH)
"""This Python, whose bytecode can be made and run here."""


@pytest.fixture
def index(tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    return folder


def wanted(index: Path, *requirements: str, files: tuple[Path, ...] = ()) -> Wanted:
    return Wanted(requirements, files, find_links=[str(index)], offline=True)
