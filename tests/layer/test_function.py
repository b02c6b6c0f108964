"""A function that has nothing beside it but the layer, under the runtimes that there are for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mangum.local.invocations import Outcome
from tests.builders import decode_result
from tests.layer.conftest import HOST, python_of
from tests.layer.emulator import HOST as LOOPBACK
from tests.layer.emulator import Emulator, program
from tests.layer.function import EVENTS, copy_client, outcomes
from tests.layer.opt import Opt


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_client(tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="module")
def local(opt: Opt, function: Path, client: Path) -> dict[str, Outcome]:
    """What it answers under the project's own Runtime API."""
    if HOST is None:
        pytest.skip("Lambda has no Python like this one")
    python_of(HOST, opt)
    return dict(zip(EVENTS, outcomes(opt, function, client, list(EVENTS.values())), strict=True))


@pytest.fixture(scope="module")
def emulator(opt: Opt, function: Path, client: Path, local: object) -> Any:
    """AWS's emulator, in which the function has answered once."""
    found = program()
    if found is None:
        pytest.skip("AWS's emulator is not here: `python scripts/emulator.py` fetches it")
    with Emulator(found, opt, function, client) as running:
        yield running


def test_its_folder_has_nothing_but_the_application(function: Path) -> None:
    assert [it.name for it in function.iterdir()] == ["app.py"]


def test_nothing_of_the_project_lies_beside_the_runtime_client(client: Path) -> None:
    names = {it.name for it in client.iterdir() if not it.name.endswith(".dist-info")}
    assert "awslambdaric" in names
    assert names.isdisjoint({"mangum", "pybase64"})


def test_it_answers_an_http_api(local: dict[str, Outcome]) -> None:
    assert local["HTTP API"].fault is None
    answer = decode_result(json.loads(local["HTTP API"].body))
    assert (answer.status, answer.cookies) == (200, ["a=1", "b=2"])
    assert json.loads(answer.body)["path"] == "/items/1"


def test_it_answers_a_rest_api_with_bytes(local: dict[str, Outcome]) -> None:
    assert decode_result(json.loads(local["binary body"].body)).body == b"\xff\2\1\0"


def test_it_answers_500_where_the_application_breaks(local: dict[str, Outcome]) -> None:
    assert local["broken"].fault is None
    assert decode_result(json.loads(local["broken"].body)).status == 500


def test_an_error_names_the_files_of_the_layer(local: dict[str, Outcome], opt: Opt) -> None:
    fault = local["no source"].fault
    assert fault is not None
    assert fault.error_type == "InferenceError"
    files = [line.split('"')[1] for line in fault.stack_trace]
    assert f"{opt.root}/python/mangum/adapter.py" in files


def test_the_emulator_of_aws_gets_the_same_answers(
    emulator: Emulator, local: dict[str, Outcome]
) -> None:
    for name, event in EVENTS.items():
        expected = json.loads(local[name].body)
        told = json.loads(emulator.invoke(json.dumps(event).encode()))
        assert _comparable(told) == _comparable(expected), name


def test_the_emulator_of_aws_listens_on_this_machine_alone(emulator: Emulator) -> None:
    assert emulator.listens() == {(LOOPBACK, port) for port in emulator.ports}


def _comparable(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "requestId"}
