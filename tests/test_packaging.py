"""What a source distribution and a wheel hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import mangum

ROOT = Path(__file__).parent.parent
LEFTOVERS = shutil.ignore_patterns(".*", "build", "dist", "site", "*.egg-info", "__pycache__")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, made from a clean copy of the tree, and the wheel made of it."""
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "source", ignore=LEFTOVERS)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), "source"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name))


def files_in(source: Path, folder: str, *patterns: str) -> set[str]:
    found = (path for pattern in patterns for path in (source / folder).rglob(pattern))
    return {path.relative_to(source).as_posix() for path in found if path.is_file()}


def test_wheel_holds_the_package_and_nothing_else(dist: Path, wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == files_in(dist / "source", "mangum", "*.py", "py.typed")


def test_sdist_holds_what_a_test_run_needs(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "mkdocs.yml", "pyproject.toml"}
    for folder in ("docs", "examples", "mangum", "scripts", "tests"):
        expected |= files_in(dist / "source", folder, "*")
    assert expected - names == set()


def test_wheel_is_of_the_version_the_package_names(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("mangum", mangum.__version__)


def test_wheel_needs_pybase64_alone(metadata: Message) -> None:
    assert metadata.get_all("Requires-Dist") == ["pybase64"]


def test_wheel_brings_its_license_and_command(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert wheel.read(entry_points).decode().split("\n")[:2] == [
        "[console_scripts]",
        "mangum = mangum.cli:main",
    ]
