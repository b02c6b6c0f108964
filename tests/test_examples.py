"""The examples answer events of their own: the gallery's demonstration, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.folders import EXAMPLES, NAMES, commands, read
from tests.processes import HANG_S, ROOT

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")

GALLERY = EXAMPLES / "gallery"
EVENTS = sorted(GALLERY.glob("events/*.json"))

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


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=HANG_S,
        check=False,
    )


def test_demonstration_gets_every_answer_it_expects() -> None:
    done = run(GALLERY, "demo.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {path.name}: " in done.stdout for path in EVENTS)
    assert f"\n{len(EVENTS)} events, one application, every answer as expected" in done.stdout


def test_every_event_has_its_source_here() -> None:
    assert sorted(SOURCES) == sorted(path.stem for path in EVENTS)


def test_every_event_is_served_by_the_command_line() -> None:
    commands = [
        ["invoke", "main:handler", str(path), "--source", SOURCES[path.stem]] for path in EVENTS
    ]
    code = f"from mangum.cli import main\nprint([main(it) for it in {commands!r}])"
    done = run(GALLERY, "-c", code)
    expected = [4 if path.stem in ANSWERED_404 else 0 for path in EVENTS]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"\n{expected}\n")


def test_readme_names_every_event_and_its_origin() -> None:
    readme = read("gallery", "README.md")
    assert [path.name for path in EVENTS if f"\n| `{path.name}` |" not in readme] == []


def test_worker_does_what_its_page_says() -> None:
    invocations = [words[1:] for words in commands("worker", "mangum") if words[1] == "invoke"]
    assert {Path(words[2]).name for words in invocations} == {"sqs.json", "schedule.json"}
    results = {}
    for words in invocations:
        done = run(EXAMPLES / "worker", "-m", "mangum", *words, "--raw")
        assert done.returncode == 0, done.stderr
        results[Path(words[2]).stem] = json.loads(done.stdout)
    failed = json.loads(read("worker", "events/sqs.json"))["Records"][1]["messageId"]
    assert results == {
        "sqs": {"batchItemFailures": [{"itemIdentifier": failed}]},
        "schedule": {"reported": "2026-07-10T06:00:00Z"},
    }


def test_every_example_is_in_the_list() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"\n| [{name}]({name}/README.md) | " not in readme] == []


def test_requirements_of_all_are_those_of_each() -> None:
    """Mangum itself is the one of the checkout there."""
    each = {line for name in NAMES for line in requirements(EXAMPLES / name)}
    mangum = {line for line in each if line.startswith("mangum")}
    assert len(mangum) == 1
    assert all(mangum <= requirements(EXAMPLES / name) for name in NAMES)
    assert requirements(EXAMPLES) == each - mangum


def requirements(folder: Path) -> set[str]:
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("#")[0].strip() for line in lines} - {""}
