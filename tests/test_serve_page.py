"""What the page on the local gateway says of options, sources, answers and limits is so."""

from __future__ import annotations

import inspect
import re
import shlex
from argparse import Action
from pathlib import Path

import pytest

from mangum.cli import serve, serving
from mangum.cli.load import locate
from mangum.cli.usage import Parser
from mangum.local import console
from mangum.local.environment import variables
from mangum.local.journal import CAPACITY
from mangum.local.messages import Trouble
from mangum.local.sources import MAX_EVENT_BYTES, SOURCES, Source
from mangum.local.websocket_api import MAX_SIZE
from tests.test_readme import Row, table

pytest.importorskip("uvicorn")

from mangum.local.addresses import STAGED
from mangum.local.server import GRACE_S

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())

OPTIONS = table("Options", PAGE)
ANSWERS = table(r"Why is it a 502\?", PAGE)
SOURCE_ROWS = table("Sources", PAGE)

COLUMNS = {
    "REST API": ("rest",),
    "HTTP API": ("http", "http-1"),
    "function URL": ("url",),
    "load balancer": ("alb", "alb-multi"),
    "Lattice": ("lattice", "lattice-1"),
    "Lambda@Edge": ("edge",),
}
TROUBLES = {
    "the path is outside": Trouble.NOT_FOUND,
    "the body, or the event": Trouble.REQUEST_TOO_LARGE,
    "the function raised": Trouble.FUNCTION_ERROR,
    "the function took longer": Trouble.FUNCTION_TIMEOUT,
    "the source waited": Trouble.GATEWAY_TIMEOUT,
    "the result is not": Trouble.BAD_RESULT,
}
NEVER = "—"


def parser_options() -> dict[str, Action]:
    """Every option of the command, by its name."""
    parser = Parser()
    serve.configure(parser)
    return {
        name: action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and name != "--help"
    }


PARSED = parser_options()


def code(cell: str) -> str:
    """The first piece of code in a cell, `""` if there is none."""
    found = re.search(r"`([^`]+)`", cell)
    return found[1] if found else ""


def test_every_option_has_a_row_in_the_parser_s_order() -> None:
    assert [code(row["option"]).split()[0] for row in OPTIONS] == [*PARSED]


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: code(row["option"]))
def test_an_option_is_shown_as_the_help_shows_it(row: Row) -> None:
    name, _, value = code(row["option"]).partition(" ")
    action = PARSED[name]
    metavar = action.metavar or action.dest.upper()
    assert value == ("" if action.nargs == 0 else metavar)
    assert (action.__class__.__name__ == "_AppendAction") == ("repeatable" in row["what it does"])


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: code(row["option"]))
def test_an_option_has_its_default(row: Row) -> None:
    default = PARSED[code(row["option"]).split()[0]].default
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    assert code(row["default"]) == ("" if default in (None, False, [], "") else shown)


@pytest.mark.parametrize(
    "line", re.findall(r"^\$ python -m mangum serve (.*)$", PAGE, re.MULTILINE)
)
def test_a_command_of_the_page_can_be_given(line: str) -> None:
    parser = Parser()
    serve.configure(parser)
    assert parser.parse_args(shlex.split(line)).function.startswith("main:")


def test_every_kind_of_line_is_named() -> None:
    kinds = re.findall(r'_object\(\s*"(\w+)"', inspect.getsource(console))
    assert len({*kinds}) == 5
    assert [kind for kind in kinds if f"`{kind}`" not in PAGE] == []


def test_every_source_has_a_row() -> None:
    assert {code(row["`--source`"]) for row in SOURCE_ROWS} == set(SOURCES)


@pytest.mark.parametrize("row", SOURCE_ROWS, ids=lambda row: code(row["`--source`"]))
def test_a_source_has_its_limits(row: Row) -> None:
    source = SOURCES[code(row["`--source`"])]
    shown = row["body of a request, bytes"].split(", ")[0]
    assert int(shown.replace(",", "")) == source.max_request_bytes
    waits = NEVER if source.timeout_s is None else f"{source.timeout_s:g}"
    assert row["waits, seconds"] == waits


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: row["what happened"][:24])
@pytest.mark.parametrize("column", COLUMNS)
def test_an_answer_has_its_status(row: Row, column: str) -> None:
    (trouble,) = (it for words, it in TROUBLES.items() if row["what happened"].startswith(words))
    for name in COLUMNS[column]:
        source = SOURCES[name]
        status = str(source.refuse(trouble).status)
        assert row[column] == (NEVER if never_happens(trouble, source) else status)


def never_happens(trouble: Trouble, source: Source) -> bool:
    if trouble is Trouble.GATEWAY_TIMEOUT:
        return source.timeout_s is None
    return trouble is Trouble.NOT_FOUND and source.name not in STAGED


def test_every_trouble_has_a_row() -> None:
    assert len(ANSWERS) == len(TROUBLES) == len(Trouble)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"An event may have ([\d,]+) bytes", MAX_EVENT_BYTES),
        (r"the last (\d+) invocations", CAPACITY),
        (r"a message over (\d+) KB with 1009", MAX_SIZE[0] // 1024),
        (r"a frame over (\d+) KB", MAX_SIZE[1] // 1024),
    ],
)
def test_a_limit_is_that_of_the_source(pattern: str, expected: int) -> None:
    (found,) = re.findall(pattern, WORDS)
    assert int(found.replace(",", "")) == expected


def test_the_grace_at_the_end_is_that_of_the_server() -> None:
    assert ("three seconds" in WORDS, GRACE_S) == (True, 3)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The home of someone without credentials."""
    for name in (*serving.CREDENTIALS, "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_who_has_no_credentials_gets_some_to_sign_with(nobody: Path) -> None:
    environ = serving._environ([])
    assert environ["AWS_ACCESS_KEY_ID"] == environ["AWS_SECRET_ACCESS_KEY"] == "local"
    assert "with the secret `local`" in WORDS


@pytest.mark.parametrize("name", serving.CREDENTIALS)
def test_who_has_credentials_gets_no_others(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "mine")
    assert "local" not in serving._environ([]).values()
    assert f"`{name}`" in PAGE


def test_who_has_a_folder_for_them_gets_no_others(nobody: Path) -> None:
    (nobody / ".aws").mkdir()
    assert "local" not in serving._environ([]).values()


def test_no_role_of_the_machine_is_looked_for(tmp_path: Path) -> None:
    function = locate("main:handler", str(tmp_path))
    seen = variables(function, "", serving._environ(["AWS_EC2_METADATA_DISABLED=false"]))
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
