"""What a layer's zip holds, by its names, and what it leaves out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mangum.packaging.targets import PYTHONS

DEVELOPMENT = ("mangum/__main__.py", "mangum/cli/", "mangum/local/", "mangum/packaging/")
NOTES = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED")
SOURCES = (".c", ".pyi", ".pyx")


@pytest.fixture(scope="module")
def names(archive: Path) -> list[str]:
    """`["mangum/__init__.py", …]`, below the folder that Lambda puts on the path."""
    with zipfile.ZipFile(archive) as layer:
        names = layer.namelist()
    assert {name.partition("/")[0] for name in names} == {"python"}
    return [name.partition("/")[2] for name in names]


def test_no_part_for_development_is_in_it(names: list[str]) -> None:
    assert [name for name in names if name.startswith(DEVELOPMENT)] == []
    assert [name for name in names if name.endswith(SOURCES)] == []
    assert [name for name in names if Path(name).name == "py.typed"] == []


def test_metadata_and_licences_are_in_it_without_the_notes_of_installers(names: list[str]) -> None:
    info = [name for name in names if name.partition("/")[0].endswith(".dist-info")]
    assert {name.split("-")[0] for name in info} == {"mangum", "pybase64"}
    kept = {Path(name).name for name in info}
    assert {"METADATA", "entry_points.txt", "LICENSE"} <= kept
    assert kept.isdisjoint(NOTES)


def test_each_source_has_bytecode_for_each_python_that_the_layer_is_for(names: list[str]) -> None:
    tags = {f"cpython-{python.replace('.', '')}" for python in PYTHONS}
    tags = {tag for tag in tags if any(f"/compiled.{tag}-" in name for name in names)}
    assert tags
    expected = {
        f"{Path(name).parent}/__pycache__/{Path(name).stem}.{tag}.pyc"
        for name in names
        if name.endswith(".py")
        for tag in tags
    }
    assert {name for name in names if name.endswith(".pyc")} == expected


def test_each_extension_has_its_twin_of_the_other_package(names: list[str]) -> None:
    found = [Path(name).name.partition(".") for name in names if name.endswith(".so")]
    ours, pybase64 = (
        {suffix for stem, _, suffix in found if stem == wanted}
        for wanted in ("compiled", "_pybase64")
    )
    assert ours == pybase64
    assert len(found) == 2 * len(ours)
