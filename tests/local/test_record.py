"""The folder of `--record`: what is in it, and what becomes of it when the disk is full."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum.cli import main
from mangum.local.invocations import Fault
from mangum.local.journal import Entry, Journal
from mangum.local.record import Recorder, _safe, parse
from tests.builders import http_v2_event
from tests.local.entries import add, begin
from tests.processes import output_of

FUNCTION = """
def handler(event, context):
    return {"statusCode": 200, "body": event["rawPath"]}
"""


class Recorded:
    """A journal that is recorded, and the warnings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        self.journal = Journal()
        Recorder(folder, self.warnings.append).listen(self.journal)

    @property
    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "events")


def test_the_event_is_there_before_the_function_is_called(recorded: Recorded) -> None:
    entry = begin(recorded.journal, path="/items")
    assert recorded.names == ["000001-GET-items.json"]
    assert recorded.read("000001-GET-items.json") == entry.call.event


def test_the_result_stands_beside_the_event(recorded: Recorded) -> None:
    fault = Fault("ValueError", "no", ("line 1\n",))
    add(recorded.journal, result={"statusCode": 200}, log="printed\n", reason="why", fault=fault)
    assert recorded.names == ["000001-GET-items.json", "000001-GET-items.result.json"]
    kept = recorded.read("000001-GET-items.result.json")
    timings = kept.pop("timings")
    assert set(timings) == {"started_s", "total_s", "init_s", "duration_s"}
    assert kept == {
        "number": 1,
        "request_id": "request-id",
        "source": "http",
        "method": "GET",
        "path": "/items",
        "status": 200,
        "result": {"statusCode": 200},
        "answer": {"status": 200, "headers": [["content-type", "application/json"]]},
        "reason": "why",
        "fault": {"type": "ValueError", "message": "no", "stack_trace": ["line 1\n"]},
        "log": "printed\n",
        "replay_of": None,
        "environment": 1,
        "memory_bytes": None,
    }


def test_a_kept_event_runs_as_it_is(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(recorded.journal, path="/items/1")
    (recorded.folder / "recorded_main.py").write_text(FUNCTION, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    event = str(recorded.folder / "000001-GET-items-1.json")
    folder = str(recorded.folder)
    assert main(["invoke", "recorded_main:handler", event, "--app-dir", folder]) == 0
    assert capsys.readouterr().out.endswith("/items/1\n")
    del sys.modules["recorded_main"]


def test_numbers_go_on_after_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "000041-POST-old.json").write_text("{}", encoding="utf-8")
    (tmp_path / "notes-99.txt").write_text("", encoding="utf-8")
    recorded = Recorded(tmp_path)
    add(recorded.journal)
    assert "000042-GET-items.json" in recorded.names
    assert "000042-GET-items.result.json" in recorded.names


def test_two_gateways_in_one_folder_overwrite_nothing(tmp_path: Path) -> None:
    one, other = Recorded(tmp_path), Recorded(tmp_path)
    add(one.journal, result=1)
    add(other.journal, result=2)
    assert one.read("000001-GET-items.result.json")["result"] == 1
    assert one.read("000002-GET-items.result.json")["result"] == 2


def test_others_may_not_read_what_is_kept(recorded: Recorded) -> None:
    add(recorded.journal)
    assert {(recorded.folder / name).stat().st_mode & 0o777 for name in recorded.names} == {0o600}


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/", "GET"),
        ("GET", "/items/1", "GET-items-1"),
        ("GET", "/a%2F..%2F..%2Fetc/passwd", "GET-a-etc-passwd"),
        ("GET", "/../../x", "GET-x"),
        ("GET", "/..", "GET"),
        ("GET", "/file.tar.gz", "GET-file.tar.gz"),
        ("GET", "/a%00b%0Ac", "GET-a-b-c"),
        ("GET", "/ä/日本", "GET"),
        ("$connect", "ATfSdcRDvHcCEmA=", "connect-ATfSdcRDvHcCEmA"),
        ("", "", "event"),
    ],
)
def test_a_request_becomes_a_file_name(method: str, path: str, name: str) -> None:
    assert _safe(method, path) == name


@given(st.text(max_size=40), st.text(max_size=200))
def test_every_request_becomes_a_name_for_every_file_system(method: str, path: str) -> None:
    name = f"000001-{_safe(method, path)}.result.json"
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", name)
    assert ".." not in name


def test_lone_surrogates_and_other_characters_are_kept(recorded: Recorded) -> None:
    event = {**http_v2_event(), "body": "grüße \udcff \x00"}
    add(recorded.journal, event=event, log="\udcff", result=b'"\\udcff"')
    assert recorded.read("000001-GET-items.json") == event
    kept = recorded.read("000001-GET-items.result.json")
    assert (kept["log"], kept["result"]) == ("\udcff", "\udcff")
    assert recorded.warnings == []


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (b"no JSON", {"result_text": "no JSON"}),
        (b'{"a": NaN}', {"result_text": '{"a": NaN}'}),
        (b"\xff\x00", {"result_base64": "/wA="}),
        (b"[" * 150 + b"]" * 150, {"result_text": "[" * 150 + "]" * 150}),
    ],
)
def test_a_result_that_is_no_json_is_kept_as_it_is(
    recorded: Recorded, result: bytes, kept: dict[str, str]
) -> None:
    add(recorded.journal, result=result)
    found = recorded.read("000001-GET-items.result.json")
    assert {name: found[name] for name in found if name.startswith("result")} == kept


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 102 + b"]" * 102, "nested too deeply"),
        (b"[" * 500_000, "nested too deeply"),
        (b"NaN", "NaN is not JSON"),
        (b"\xff", "can't decode byte 0xff"),
        (b"", "Expecting value"),
    ],
    ids=["deep", "too deep to be read", "NaN", "bytes", "nothing"],
)
def test_what_can_not_be_written_again_is_no_json(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(data)


def test_a_missing_result_is_null(recorded: Recorded) -> None:
    entry = begin(recorded.journal)
    recorded.journal.finish(entry)
    assert recorded.read("000001-GET-items.result.json")["status"] is None
    assert recorded.read("000001-GET-items.result.json")["result"] is None


def test_what_began_before_the_recording_is_left_out(tmp_path: Path) -> None:
    journal = Journal()
    entry = begin(journal)
    Recorder(tmp_path, print).listen(journal)
    journal.finish(entry)
    assert os.listdir(tmp_path) == []


# --- trouble --------------------------------------------------------------------------------------


def test_a_folder_that_somebody_removes_is_made_again(recorded: Recorded) -> None:
    recorded.folder.rmdir()
    add(recorded.journal)
    assert recorded.names == ["000001-GET-items.json", "000001-GET-items.result.json"]
    assert recorded.warnings == []


def test_a_folder_that_vanishes_is_told_once_until_it_is_back(recorded: Recorded) -> None:
    away = recorded.folder.with_name("away")
    recorded.folder.rename(away)
    recorded.folder.write_text("a file in its place", encoding="utf-8")
    add(recorded.journal)
    add(recorded.journal)
    [warning] = recorded.warnings
    assert warning.endswith("000001-GET-items.json: Not a directory; the gateway goes on")
    recorded.folder.unlink()
    away.rename(recorded.folder)
    add(recorded.journal)
    assert recorded.names == ["000003-GET-items.json", "000003-GET-items.result.json"]
    assert recorded.warnings[1:] == [
        f"recording in {recorded.folder} goes on with 000003-GET-items.json"
    ]


def test_an_event_that_found_no_room_is_written_at_the_end(recorded: Recorded) -> None:
    folder = recorded.folder
    folder.rmdir()
    folder.write_text("a file in its place", encoding="utf-8")
    entry: Entry = begin(recorded.journal)
    folder.unlink()
    recorded.journal.finish(entry)
    assert recorded.names == ["000001-GET-items.json", "000001-GET-items.result.json"]


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        Recorder(tmp_path / "file" / "events", print)


LIMITED = """
import os, resource, sys
from pathlib import Path
from mangum.local.journal import Journal
from mangum.local.record import Recorder
from tests.local.entries import add

folder = Path(os.environ["FOLDER"])
journal = Journal()
Recorder(folder, lambda text: print(text.replace(str(folder), "DIR"))).listen(journal)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
add(journal)
add(journal)
print(os.listdir(folder))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
add(journal)
print(sorted(os.listdir(folder)))
"""


def test_a_file_that_gets_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    assert output_of(LIMITED, env={"FOLDER": str(tmp_path)}) == [
        "can't record DIR/000001-GET-items.json: File too large; the gateway goes on",
        "[]",
        "recording in DIR goes on with 000003-GET-items.json",
        "['000003-GET-items.json', '000003-GET-items.result.json']",
    ]


def test_a_full_disk_is_told_once_and_recording_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be mounted: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted: {mounted.stderr.decode().strip()}")
    try:
        recorded = Recorded(disk)
        (disk / "filler").write_bytes(bytes(60 * 1024))
        for _ in range(5):
            add(recorded.journal)
        assert [text.partition(": ")[2] for text in recorded.warnings] == [
            "No space left on device; the gateway goes on"
        ]
        assert not [name for name in recorded.names if name.startswith(".")]
        (disk / "filler").unlink()
        add(recorded.journal)
        assert recorded.names[-2:] == ["000006-GET-items.json", "000006-GET-items.result.json"]
        assert recorded.warnings[1:] == [f"recording in {disk} goes on with 000006-GET-items.json"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


READ_ONLY = """
import os
from pathlib import Path
from mangum.local.journal import Journal
from mangum.local.record import Recorder
from tests.local.entries import add

folder = Path(os.environ["FOLDER"])
journal = Journal()
Recorder(folder, lambda text: print(text.replace(str(folder), "DIR"))).listen(journal)
if os.geteuid() == 0:
    os.setuid(65534)
add(journal)
add(journal)
"""


def test_a_folder_that_may_not_be_written_is_told_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    assert output_of(READ_ONLY, env={"FOLDER": str(tmp_path)}) == [
        "can't record DIR/000001-GET-items.json: Permission denied; the gateway goes on"
    ]
