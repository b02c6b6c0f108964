"""The documentation builds without a warning, and every Python block in it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^\s*(?:```|~~~)\s*(?:python|py)\b.*$", re.IGNORECASE | re.MULTILINE)

# A block may need one of these, and is skipped where it is not installed.
OPTIONAL = {
    "blacksheep",
    "channels",
    "connexion",
    "django",
    "falcon",
    "fastapi",
    "flask",
    "litestar",
    "pydantic",
    "quart",
    "responder",
    "sanic",
    "starlette",
}


def test_documentation_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").exists()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_of_a_page_run_in_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_blocks(path, monkeypatch)


def test_a_broken_block_fails_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\nThen:\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError) as failure:
        run_blocks(page, monkeypatch)
    assert (str(failure.traceback[-1].path), failure.traceback[-1].lineno + 1) == (str(page), 10)


def test_a_fence_with_options_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text('```python title="app.py"\nassert False\n```\n')
    with pytest.raises(AssertionError, match="plain"):
        run_blocks(page, monkeypatch)


def run_blocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks share one module, which can be imported, as frameworks expect of their callers."""
    document = Document.parse(str(path), PythonCodeBlockParser())
    examples = list(document.examples())
    fences = FENCE.findall(document.text)
    assert len(examples) == len(fences), f"a Python block starts with a plain ```python: {fences}"

    page = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)
    for example in examples:
        example.namespace = vars(page)
        try:
            example.evaluate()
        except ModuleNotFoundError as error:
            if error.name not in OPTIONAL:
                raise
            pytest.skip(f"{path.name}, line {example.line}: {error.name} is not installed")
