"""What comes along with Mangum: the packages that an installation pulls, and the lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "uv.lock"
INDEX = "https://pypi.org/simple"
FILES = "https://files.pythonhosted.org/packages/"
OF_OTHERS = re.compile(
    r"copyright|licen[cs]ed? under|@license|@preserve|sourceMappingURL", re.IGNORECASE
)

needs_lock = pytest.mark.skipif(not LOCK.exists(), reason="an sdist holds no lock")


def package(name: str) -> str:
    """Its table in the lock."""
    text = LOCK.read_text(encoding="utf-8")
    (table,) = (it for it in text.split("[[package]]") if f'\nname = "{name}"\n' in it)
    return table


def dependencies(name: str) -> list[str]:
    """Of an installation without extras."""
    listed = re.search(r"^dependencies = \[(.*?)^\]", package(name), re.DOTALL | re.MULTILINE)
    return re.findall(r'name = "([^"]+)"', listed[1]) if listed else []


@needs_lock
def test_an_installation_brings_one_package_beside_mangum() -> None:
    brought, wanted = set(), ["mangum"]
    while wanted:
        name = wanted.pop()
        brought.add(name)
        wanted += [it for it in dependencies(name) if it not in brought]
    assert brought == {"mangum", "pybase64"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "It brings one dependency, [pybase64](https://pypi.org/project/pybase64/)." in readme


@needs_lock
def test_the_lock_knows_the_package_index_and_no_machine() -> None:
    text = LOCK.read_text(encoding="utf-8")
    addresses = set(re.findall(r'\b(?:url|registry) = "([^"]+)"', text))
    assert {it for it in addresses if it != INDEX and not it.startswith(FILES)} == set()
    places = re.findall(r'\b(?:path|directory|editable|virtual) = "([^"]*)"', text)
    assert set(places) == {"."}
    files = re.findall(r"\{ url = .*", text)
    assert [it for it in files if 'hash = "sha256:' not in it] == []


def test_the_package_has_no_work_of_others_in_it() -> None:
    """What is copied in brings a licence along, which the wheel would have to have."""
    suffixes = {".css", ".html", ".js", ".py", ".pyi", ".pyx", ".svg"}
    sources = [it for it in (ROOT / "mangum").rglob("*") if it.suffix in suffixes]
    assert len(sources) > 50
    claimed = [it for it in sources if OF_OTHERS.search(it.read_text(encoding="utf-8"))]
    assert [it.relative_to(ROOT).as_posix() for it in claimed] == []


def test_the_dashboard_loads_nothing_from_elsewhere() -> None:
    page = ROOT / "mangum" / "local" / "dashboard"
    sources = [it for it in page.iterdir() if it.suffix in {".css", ".html", ".js"}]
    text = "\n".join(it.read_text(encoding="utf-8") for it in sources)
    loaded = (
        r"""(?:src|href)=["'](?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//|from ["']https?:"""
    )
    assert re.findall(loaded, text) == []


@needs_lock
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('dependencies = ["pybase64"]', 'dependencies = ["pybase64", "simplejson"]'),
        ('"mypy~=', '"moto", "mypy~='),
    ],
)
def test_a_lock_that_lacks_something_is_found_without_a_network(
    tmp_path: Path, old: str, new: str
) -> None:
    for name in ("pyproject.toml", "scripts/interpreters.py", "scripts/lock.py", "uv.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    project = tmp_path / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    assert text.count(old) == 1
    project.write_text(text.replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "scripts/lock.py", "check"],
        cwd=tmp_path,
        env={**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == "uv.lock is not what pyproject.toml asks for: make lock\n"
