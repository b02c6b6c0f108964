"""The documentation builds without a warning, and every Python block in it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blocks import SKIPPED

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]

Done = subprocess.CompletedProcess[str]


def run(*arguments: str) -> Done:
    """Python, with these arguments, in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def run_page(path: Path) -> Done:
    return run("-W", "error", "-m", "tests.blocks", str(path))


def test_documentation_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    done = run("-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").exists()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_of_a_page_run_in_turn(path: Path) -> None:
    done = run_page(path)
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_json_blocks_of_a_page_are_json(path: Path) -> None:
    for block in re.findall("```json\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        json.loads(block)


def test_blocks_of_a_page_share_their_names(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 1\n```\n\n1. Then:\n\n    ```python\n    assert x == 1\n    ```\n"
    )
    assert run_page(page).returncode == 0


def test_a_broken_block_fails_with_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\nThen:\n\n```python\nassert x == 2\n```\n")
    done = run_page(page)
    assert done.returncode == 1
    assert f'File "{page}", line 10' in done.stderr


def test_a_fence_with_options_is_not_passed_over(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('```python title="app.py"\nassert False\n```\n')
    done = run_page(page)
    assert (done.returncode, "plain ```python" in done.stderr) == (1, True)


def test_a_page_without_its_framework_is_skipped(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nraise ModuleNotFoundError(name='quart')\n```\n")
    done = run_page(page)
    assert (done.returncode, done.stderr) == (SKIPPED, "line 1: quart is not installed\n")
