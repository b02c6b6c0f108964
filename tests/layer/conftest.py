"""The layer that `MANGUM_LAYER` names, and what each Python finds in it, asked once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mangum.packaging import interpreters
from mangum.packaging.targets import ARCHITECTURES, PYTHONS, Target
from tests.builders import SOURCES, Event, websocket_event
from tests.layer.opt import Opt, unpacked

VARIABLE = "MANGUM_LAYER"
WITHOUT = f"{VARIABLE} names no layer: `make layer-test` makes one and runs this with it"
FOLDER = Path(__file__).parent
HANG_S = 240  # an emulated Python that has no bytecode of its own library takes a while


def _targets() -> list[Target]:
    """Those that the layer has a compiled half for; without a layer, all that there could be."""
    every = [Target(python, arch) for arch in ARCHITECTURES for python in PYTHONS]
    layer = os.environ.get(VARIABLE)
    if not layer:
        return every
    with zipfile.ZipFile(layer) as opened:
        names = set(opened.namelist())
    folder = "python/mangum/_speedups"
    return [
        it for it in every if f"{folder}/compiled.{it.cache_tag}-{it.machine}-linux-gnu.so" in names
    ]


TARGETS = _targets()
QUERY = [("a", "1"), ("b", "ü &=")]

EVENTS: dict[str, Event] = {
    **{name: build(path="/items/1", query=QUERY) for name, build in SOURCES.items()},
    "binary body": SOURCES["REST API"](
        method="POST", path="/reversed", body=b"\0\1\2\xff", binary=True
    ),
    "broken": SOURCES["HTTP API 2.0"](path="/broken"),
    "CONNECT": websocket_event(event_type="CONNECT", body=None),
    "MESSAGE": websocket_event(body="grüße"),
    "DISCONNECT": websocket_event(event_type="DISCONNECT", body=None, code=1000, reason=""),
}


@dataclass(frozen=True)
class Inspection:
    """What a Python finds in the layer: the keys are those of inspection.py."""

    target: Target
    told: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.told[key]


Inspect = Callable[[Target], Inspection]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get(VARIABLE):
        for item in items:  # those of other folders, too
            if FOLDER in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=WITHOUT))


@pytest.fixture(scope="session")
def archive() -> Path:
    """The zip."""
    return Path(os.environ[VARIABLE]).resolve()


@pytest.fixture(scope="session")
def opt(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opt]:
    with unpacked(archive, tmp_path_factory.mktemp("layer")) as place:
        yield place


@pytest.fixture(scope="session")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the example's app.py."""
    folder = tmp_path_factory.mktemp("function")
    (folder / "app.py").write_bytes((FOLDER / "functions" / "app.py").read_bytes())
    return folder


@pytest.fixture(scope="session")
def inspect(opt: Opt, function: Path, tmp_path_factory: pytest.TempPathFactory) -> Inspect:
    """Inspects for a target, skipping the test if the layer is not for it or no Python is here."""
    events = tmp_path_factory.mktemp("events") / "events.json"
    events.write_text(json.dumps(EVENTS), encoding="utf-8")
    known: dict[Target, Inspection] = {}

    def ask(target: Target) -> Inspection:
        if target not in known:
            program = python_of(target, opt)
            script = str(FOLDER / "inspection.py")
            options = ["--compile-anew"] if target.is_host else []
            command = [program, "-S", script, opt.root, str(function), str(events), *options]
            known[target] = Inspection(target, _run(opt, command))
        return known[target]

    return ask


@pytest.fixture(params=TARGETS, ids=lambda target: f"{target.python}-{target.arch}")
def found(request: pytest.FixtureRequest, inspect: Inspect) -> Inspection:
    """What each Python that is here finds, in turn."""
    return inspect(request.param)


def python_of(target: Target, opt: Opt) -> str:
    """A Python for the target. Skips the test if there is none."""
    if target.is_host:
        interpreter = interpreters.find(target.python)
        if interpreter is not None:
            return interpreter.path
    program = interpreters.unpacked() / f"{target.python}-{target.machine}"
    program = program / "bin" / f"python{target.python}"
    if not program.exists():
        name = f"{target.python}-{target.machine}"
        pytest.skip(f"no Python for {target} is here: `python scripts/pythons.py {name}`")
    return str(program)


def _run(opt: Opt, command: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        opt.command(*command),
        env=opt.environ(AWS_REGION="us-west-2"),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told


HOST = next(
    (it for it in TARGETS if it.is_host and it.python == "{}.{}".format(*sys.version_info[:2])),
    None,
)
"""The target that this very Python is; awslambdaric is installed for it."""
