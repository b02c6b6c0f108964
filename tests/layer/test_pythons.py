"""A layer at a read-only /opt, in each Python that is here, on this machine and under emulation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mangum import __version__
from tests.builders import SOURCES, decode_result
from tests.layer.conftest import TARGETS, Inspect, Inspection
from tests.layer.opt import OPT, Opt
from tests.processes import output_of

WANTING = {
    "mangum.websockets.channels": "No module named 'channels'",
    "mangum.websockets.facade_fastapi": "No module named 'fastapi'",
}
"""The modules that belong to another package, and import nowhere else than beside it."""

FOR_TYPE_CHECKERS = {"pybase64._typing": "No module named 'typing_extensions'"}
"""Before Python 3.12."""

HERE = """
import json
from tests.builders import lambda_context
from tests.layer.conftest import EVENTS, SOURCES
from tests.layer.functions.app import handler
print(json.dumps({source: handler(EVENTS[source], lambda_context()) for source in SOURCES}))
"""
"""In a process of its own: the example is configured by its environment."""


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the source tree's own Mangum answers to each source."""
    [line] = output_of(HERE)
    results: dict[str, Any] = json.loads(line)
    return results


def test_the_python_is_the_one_that_is_asked_for(found: Inspection) -> None:
    assert found["machine"] == found.target.machine
    assert found["python"].startswith(f"{found.target.python}.")


def test_the_compiled_halves_are_those_of_the_layer(found: Inspection, opt: Opt) -> None:
    suffix = f"{found.target.cache_tag}-{found.target.machine}-linux-gnu.so"
    assert found["compiled"] is True
    assert found["extensions"] == [
        f"{opt.root}/python/mangum/_speedups/compiled.{suffix}",
        f"{opt.root}/python/pybase64/_pybase64.{suffix}",
    ]


def test_every_module_can_be_imported(found: Inspection, opt: Opt) -> None:
    is_old = found.target.python in ("3.10", "3.11")
    wanting = {**WANTING, **(FOR_TYPE_CHECKERS if is_old else {})}
    assert found["failures"] == wanting
    sources = {
        f"{opt.root}/{path.relative_to(opt.folder)}"
        for path in opt.folder.rglob("python/*/**/*.py")
    }
    unseen = sources - {source for source, _ in found["modules"].values()}
    assert unseen == {f"{opt.root}/python/{name.replace('.', '/')}.py" for name in wanting}


def test_every_module_is_the_layers(found: Inspection, opt: Opt) -> None:
    paths = [path for place in found["modules"].values() for path in place if path]
    assert [path for path in paths if not path.startswith(f"{opt.root}/python/")] == []


def test_nothing_is_compiled_and_nothing_is_written(found: Inspection) -> None:
    assert found["watch_sees"]
    assert found["watch"] == {"compiled": [], "written": []}


def test_the_bytecode_is_never_checked_and_is_that_of_its_source(found: Inspection) -> None:
    assert found["disagreements"] == []


def test_tracebacks_name_the_files_of_the_layer(found: Inspection, opt: Opt) -> None:
    _, *ours = found["frames"]
    assert ours
    assert set(ours) <= {source for source, _ in found["modules"].values()}


def test_the_metadata_answers(found: Inspection) -> None:
    assert found["version"] == [__version__, __version__]
    assert found["scripts"] == ["mangum", "pybase64"]


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_answered(found: Inspection, source: str) -> None:
    answer = decode_result(found["results"][source])
    assert (answer.status, answer.cookies) == (200, ["a=1", "b=2"])
    seen = json.loads(answer.body)
    assert (seen["method"], seen["path"]) == ("GET", "/items/1")
    assert seen["query"] in ("a=1&b=%C3%BC+%26%3D", "a=1&b=%C3%BC%20%26%3D")


def test_a_binary_body_goes_both_ways(found: Inspection) -> None:
    assert decode_result(found["results"]["binary body"]).body == b"\xff\2\1\0"


def test_an_application_that_breaks_is_a_500(found: Inspection) -> None:
    assert decode_result(found["results"]["broken"]).status == 500


def test_a_websocket_is_remembered_by_sqlite_and_answered(found: Inspection) -> None:
    results = [found["results"][event]["statusCode"] for event in ("CONNECT", "MESSAGE")]
    assert results == [200, 200]
    assert found["sent"] == ["GRÜSSE"]


def test_the_results_are_those_of_the_source_tree(
    found: Inspection, expected: dict[str, Any]
) -> None:
    assert {source: found["results"][source] for source in SOURCES} == expected


def test_no_file_of_the_layer_changes(archive: Path, opt: Opt, inspect: Inspect) -> None:
    before = opt.files()
    mounted = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    here = sorted(os.listdir(OPT)) if opt.is_mounted else []
    target = next(it for it in TARGETS if it.is_host)
    inspect(target)
    assert opt.files() == before
    assert Path("/proc/self/mountinfo").read_text(encoding="utf-8") == mounted
    assert (sorted(os.listdir(OPT)) if opt.is_mounted else []) == here
