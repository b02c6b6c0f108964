"""What the console of the gateway writes: lines for people, or an object for each."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from mangum.local.console import Console, printable
from mangum.local.journal import Entry
from mangum.local.messages import Answer, Call, Trouble

ADDRESSES = [("HTTP API", "http://127.0.0.1:8000/"), ("Dashboard", "http://127.0.0.1:8000/_mangum")]

NASTY = "\x1b[2J\x1b]0;title\x07\r\x08\x9b1A\u202etxt\u2028\0"
"""What would move a cursor, ring, or turn a line around."""


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def entry(**fields: Any) -> Entry:
    """A finished invocation."""
    call = Call(
        source="http",
        method=fields.pop("method", "GET"),
        path=fields.pop("path", "/items"),
        event={"rawQueryString": "token=s3cret"},
        read=lambda result: Answer(200, []),
        refuse=lambda trouble: Answer(500, []),
    )
    known = {
        "answer": Answer(200, [("x", "s3cret")], b"s3cret"),
        "total_s": 0.0125,
        "environment": 2,
        "duration_s": 0.0105,
        "memory_bytes": 50 * 2**20,
    }
    return Entry(7, call, "request-id", **{**known, **fields})


def line_of(**fields: Any) -> str:
    """What is written for an entry, without the time of day."""
    stream = io.StringIO()
    Console(stream).finished(entry(**fields))
    return re.sub(r"\d\d:\d\d:\d\d", "12:00:00", stream.getvalue())


def object_of(**fields: Any) -> dict[str, Any]:
    stream = io.StringIO()
    Console(stream, as_json=True).finished(entry(**fields))
    found = json.loads(stream.getvalue())
    del found["time"]
    return {**found}


def test_an_invocation_is_a_line() -> None:
    assert line_of() == (
        "12:00:00  200  GET     /items                            http      env 2   "
        "   10.5 ms  50 MB\n"
    )


def test_an_initialisation_and_a_reason_are_told() -> None:
    line = line_of(
        init_s=0.25, duration_s=1.5, answer=Answer(500, []), reason="ValueError: no\nluck"
    )
    assert line == (
        "12:00:00  500  GET     /items                            http      env 2   "
        "  1,500 ms  init 250 ms  50 MB\n"
        "          └ ValueError: no luck\n"
    )


def test_an_invocation_is_an_object() -> None:
    assert object_of(reason="why", init_s=0.25) == {
        "type": "request",
        "number": 7,
        "request_id": "request-id",
        "method": "GET",
        "path": "/items",
        "status": 200,
        "source": "http",
        "environment": 2,
        "total_ms": 12.5,
        "duration_ms": 10.5,
        "init_ms": 250.0,
        "memory_mb": 50,
        "reason": "why",
    }


def test_what_is_not_known_is_left_out() -> None:
    line = line_of(environment=None, duration_s=None, memory_bytes=None, answer=None)
    assert line.split() == ["12:00:00", "—", "GET", "/items", "http"]
    assert object_of(memory_bytes=None, answer=None)["status"] is None


def test_a_replay_is_told() -> None:
    assert "GET (replay)" in line_of(replay_of=3)


def test_no_value_of_a_request_is_written() -> None:
    assert "s3cret" not in line_of(path="/items?token=s3cret")
    assert "s3cret" not in json.dumps(object_of(path="/items?token=s3cret"))


def test_a_long_path_is_cut_for_people_only() -> None:
    path = "/" + "x" * 200
    assert f" {path[:59]}… " in line_of(path=path)
    assert object_of(path=path)["path"] == path


def test_nothing_of_a_request_moves_the_cursor(terminal: Terminal) -> None:
    console = Console(terminal)
    console.finished(entry(path=f"/{NASTY}", method=f"GET{NASTY}", reason=NASTY))
    console.refused("http", f"GET{NASTY}", f"/{NASTY}", 413, NASTY)
    console.output(1, f"{NASTY}\n")
    left = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert [it for it in left if it != "\n" and not it.isprintable()] == []


def test_a_function_keeps_its_colours_on_a_terminal(terminal: Terminal) -> None:
    Console(terminal).output(1, "\x1b[31mred\tand more\n")
    assert terminal.getvalue().endswith("\x1b[31mred    and more\x1b[0m\n")


def test_elsewhere_there_are_no_colours() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.output(1, "\x1b[31mred\x1b[0m\n")
    console.listening("Title", ADDRESSES, ["note"])
    console.warn("careful")
    assert "\x1b" not in stream.getvalue()
    assert "  1 │ red\n" in stream.getvalue()


def test_no_color_is_obeyed(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Console(terminal).listening("Title", ADDRESSES, ["note"])
    assert "\x1b" not in terminal.getvalue()


def test_each_line_that_is_printed_has_its_environment() -> None:
    stream = io.StringIO()
    Console(stream).output(3, "one\n\ntwo\n")
    assert stream.getvalue() == "  3 │ one\n  3 │ \n  3 │ two\n"


def test_the_runtime_client_s_words_on_updates_are_left_out() -> None:
    stream = io.StringIO()
    warning = "[WARNING]\t2026-01-01\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause"
    Console(stream).output(1, f"{warning} is …\n[ERROR] ValueError\n")
    assert stream.getvalue() == "  1 │ [ERROR] ValueError\n"


def test_the_banner_lines_up() -> None:
    stream = io.StringIO()
    Console(stream).listening("Title", ADDRESSES, ["note"])
    assert stream.getvalue() == (
        "\nTitle\n"
        "  HTTP API   http://127.0.0.1:8000/\n"
        "  Dashboard  http://127.0.0.1:8000/_mangum\n"
        "  note\n\n"
    )


def test_what_is_held_comes_after_the_banner() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.hold()
    console.output(1, "importing\n")
    assert stream.getvalue() == ""
    console.listening("Title", ADDRESSES, [])
    console.note("later")
    assert re.findall("Title|importing|later", stream.getvalue()) == ["Title", "importing", "later"]


def test_addresses_of_one_name_are_all_there() -> None:
    stream = io.StringIO()
    Console(stream, as_json=True).listening("Title", [*ADDRESSES, ("HTTP API", "b")], [])
    addresses = json.loads(stream.getvalue())["addresses"]
    assert addresses == {**dict(ADDRESSES), "HTTP API #2": "b"}


def test_every_kind_is_an_object_of_a_line() -> None:
    stream = io.StringIO()
    console = Console(stream, as_json=True)
    console.listening("Title", ADDRESSES, [])
    console.finished(entry())
    console.refused("rest", "GET", "/", 403, Trouble.NOT_FOUND.value)
    console.output(1, "one\ntwo\n")
    console.note("note")
    console.warn("warning")
    kinds = [json.loads(line)["type"] for line in stream.getvalue().splitlines()]
    assert kinds == ["listening", "request", "request", "output", "note", "warning"]


def test_a_character_that_the_stream_lacks_is_escaped() -> None:
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, "ascii")
    Console(stream).output(1, "grüße\n")
    assert data.getvalue() == b"  1 \\u2502 gr\\xfc\\xdfe\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_has_gone_is_nothing_to_raise(as_json: bool) -> None:
    console = Console(Broken(), as_json=as_json)
    console.finished(entry())
    console.output(1, "text\n")


def test_printable_text_stays_as_it_is() -> None:
    assert printable("/grüße 日本 😀") == "/grüße 日本 😀"
