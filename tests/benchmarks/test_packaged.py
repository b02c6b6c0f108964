"""The benchmark of packaged cold starts: its figures, its goals, and a start of a function."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import instructions, packaged, zips
from benchmarks.contenders import ContenderFailed
from benchmarks.kit import Kit, target_of, versions
from benchmarks.packaged_tables import (
    ASYNCIO,
    BARE_ASGI,
    COLUMNS,
    FASTAPI,
    OURS_LAYER,
    PACKAGED,
    THEIRS_PLAIN,
    WITH_COLUMNS,
    ImportCost,
    Spent,
    Start,
    columns_table,
    counts_table,
    goals,
    goals_table,
    imports_table,
    name_of,
    page_table,
    spent,
    start_from_json,
    starts_table,
)
from benchmarks.starts import count_instructions, environment, import_costs


def start(name: str, cpu_ms: float = 1.0, **more: Any) -> Start:
    any_time = Spent(1.0, 2.0)
    fields = {
        "zipped": [2048],
        "unzipped": 4096,
        "poll_cpu_ms": Spent(cpu_ms, cpu_ms + 1),
        "poll_ms": any_time,
        "answer_cpu_ms": any_time,
        "answer_ms": any_time,
        "memory_mib": any_time,
    }
    return Start(name, **{**fields, **more})


GROUND = start(ASYNCIO, 60.0)
LAYER = start(name_of(BARE_ASGI, OURS_LAYER), 62.5)
PLAIN = start(name_of(FASTAPI, THEIRS_PLAIN), 600.0)
PACKAGE = start(name_of(FASTAPI, PACKAGED), 330.0)


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """Enough for what needs no package."""
    return Kit(target_of(sys.executable), tmp_path, tmp_path, ())


def test_the_least_and_the_median_are_shown() -> None:
    assert f"{spent([3.0, 1.0, 2.0]):.1f}" == "1.0 / 2.0"


def test_a_goal_is_met_missed_or_not_measured() -> None:
    reached = goals([GROUND, LAYER, PLAIN, PACKAGE], {OURS_LAYER: ImportCost(0.9, 1.1)})
    assert [(it.value, it.limit, it.met) for it in reached] == [
        (0.9, 1, "yes"),
        (2.5, 3, "yes"),
        (0.55, 0.5, "no"),
    ]
    assert [it.met for it in goals([GROUND, PLAIN], {})] == ["-", "-", "-"]


def test_a_goal_is_shown_with_what_was_measured() -> None:
    shown = goals_table(goals([PLAIN, PACKAGE], {})).rows
    assert [cells[1:] for cells in shown] == [
        ["-", "1 ms", "-"],
        ["-", "3 ms", "-"],
        ["0.55 times", "0.5 times", "no"],
    ]


def test_a_start_is_shown_with_the_sizes_of_its_zips() -> None:
    one = start("a", 3.0, zipped=[512, 2_048_000])
    times = ["3.0 / 4.0", *["1.0 / 2.0"] * 3]
    assert starts_table([one]).rows == [["a", *times, "1.0", "0 + 2,000"]]


def test_bytecode_with_columns_stands_beside_what_is_packaged() -> None:
    columns = start(name_of(FASTAPI, WITH_COLUMNS), 340.0, zipped=[4096])
    rows = columns_table([LAYER, PACKAGE, columns]).rows
    assert rows == [
        [COLUMNS[PACKAGED], "330.0 / 331.0", "1.0", "2", "4"],
        [COLUMNS[WITH_COLUMNS], "340.0 / 341.0", "1.0", "4", "4"],
    ]


def test_instructions_are_counted_from_those_of_asyncio() -> None:
    rows = counts_table({ASYNCIO: 270_000_000, "ours": 281_500_000}).rows
    assert rows == [[ASYNCIO, "270.0", "+0.0"], ["ours", "281.5", "+11.5"]]


def test_imports_and_the_adapter_are_shown_apart() -> None:
    assert imports_table({"a": ImportCost(0.904, 1.006)}).rows == [["a", "0.90", "1.01"]]


def test_a_start_comes_back_from_the_results() -> None:
    assert start_from_json(json.loads(json.dumps(PLAIN))) == PLAIN


def test_a_page_shows_the_ways_beside_each_other() -> None:
    table = page_table([GROUND, LAYER, PLAIN])
    assert table.rows[0] == [THEIRS_PLAIN, "-", "-", "600", "0.0"]
    assert [cells[1] for cells in table.rows if cells[0] == OURS_LAYER] == ["62"]
    assert table.notes == ["A bare handler with asyncio takes 60 ms."]


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    assert packaged.markdown(tmp_path).startswith("Nothing was measured yet")


def test_every_way_has_an_application() -> None:
    names = [
        name_of(app, way)
        for app in packaged.APPS
        for way in packaged.WAYS
        if app in packaged.ONLY.get(way, packaged.APPS)
    ]
    assert {LAYER.name, PLAIN.name, PACKAGE.name, *packaged.COUNTED[2:]} <= {*names}
    for module in (*packaged.HANDLERS.values(), *packaged.APPS.values()):
        assert (zips.FOLDER / f"{module}.py").is_file()


def test_versions_of_what_is_installed_are_pinned(tmp_path: Path) -> None:
    info = tmp_path / "Some_Thing-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: Some-Thing\nVersion: 1.5\n", encoding="utf-8")
    (info / "RECORD").write_text("some_thing.py,,\n", encoding="utf-8")
    assert versions(tmp_path) == ["Some-Thing==1.5"]


def test_a_module_alone_is_unpacked_beside_nothing(kit: Kit) -> None:
    unpacked = zips.alone(kit, "handler")
    assert [path.name for path in unpacked.function.iterdir()] == ["handler.py"]
    assert unpacked.folders == [unpacked.function]
    assert unpacked.environ == {"PYTHONPATH": ""}
    assert unpacked.unzipped == (zips.FOLDER / "handler.py").stat().st_size


def test_an_import_writes_no_bytecode(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(kit.work / "elsewhere"))
    unpacked = zips.alone(kit, "handler")
    (unpacked.function / "mangum.py").write_text("def Mangum(*_, **__): ...\n", encoding="utf-8")
    assert [*import_costs(sys.executable, {"a": unpacked}, 1)] == ["a"]
    assert "PYTHONPYCACHEPREFIX" not in environment(unpacked)
    assert {path.name for path in unpacked.function.iterdir()} == {"handler.py", "mangum.py"}


def test_a_function_that_was_written_into_is_no_measure(kit: Kit) -> None:
    made = packaged.Made("a", "handler", zips.alone(kit, "handler"))
    before = packaged._files(made)
    packaged._check_unwritten([made], [before])
    (made.unpacked.function / "handler.pyc").touch()
    with pytest.raises(ContenderFailed, match="a: a process wrote"):
        packaged._check_unwritten([made], [before])


@pytest.mark.skipif(bool(instructions.unavailable()), reason="valgrind is not installed")
def test_a_function_that_does_not_start_is_not_counted(kit: Kit) -> None:
    unpacked = zips.alone(kit, "handler")
    fake = unpacked.function / "awslambdaric.py"
    fake.write_text("raise SystemExit('broken')\n", encoding="utf-8")
    with pytest.raises(ContenderFailed, match="handler is not counted"):
        count_instructions(sys.executable, "handler", unpacked)
