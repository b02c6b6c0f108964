"""The examples run: the demonstration, and every recorded event on its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
EVENTS = sorted(EXAMPLES.glob("events/*.json"))

SOURCES = {
    "alb-multi": "alb",
    "alb-single": "alb",
    "edge": "edge",
    "http-1.0": "http",
    "http-2.0": "http",
    "lattice-v1": "lattice",
    "lattice-v2": "lattice",
    "rest": "rest",
    "sqs": "event",
    "url": "url",
}
ANSWERED_404 = {"lattice-v1"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=EXAMPLES,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_demonstration_gets_every_answer_it_expects() -> None:
    done = run("demo.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {path.name}: " in done.stdout for path in EVENTS)
    assert f"\n{len(EVENTS)} events, one application, every answer as expected" in done.stdout


def test_every_event_has_its_source_here() -> None:
    assert sorted(SOURCES) == sorted(path.stem for path in EVENTS)


def test_every_event_is_served_by_the_command_line() -> None:
    commands = [
        ["invoke", "fastapi_app:handler", str(path), "--source", SOURCES[path.stem]]
        for path in EVENTS
    ]
    code = f"from mangum.cli import main\nprint([main(it) for it in {commands!r}])"
    done = run("-c", code)
    expected = [4 if path.stem in ANSWERED_404 else 0 for path in EVENTS]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"\n{expected}\n")


def test_readme_names_every_event_and_its_origin() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EVENTS if f"\n| `{path.name}` |" not in readme] == []
