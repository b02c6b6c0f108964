"""What the page on WebSockets says of errors, limits, tables and parameters is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mangum import options
from mangum.aws.connections import MAX_SOCKETS
from mangum.aws.service import TIMEOUT_S
from mangum.backends import BACKENDS, LIFETIME_S, dynamodb, postgresql, s3
from mangum.backends._names import GROUP_CHARACTERS
from mangum.backends._sql import CREATE, INDEX, SWEEP_INTERVAL_S, SWEEP_ROWS, TABLE, fill
from mangum.websockets.engine import MAX_PARKED
from mangum.websockets.gateway import MAX_MESSAGE_BYTES
from mangum.websockets.session_mode import MAX_REPLAYED
from tests.test_readme import table, values

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/websockets.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "mangum").glob("**/*.py"))
HOLE = "\0"
"""What stands in a text of the source for a value that is put in when it runs."""

ERRORS, LINES = (
    PAGE.partition("## Errors and what to do")[2].split(marker)[0]
    for marker in ("What only the log", "## Development and tests")
)
MESSAGES = [
    message
    for line in LINES.splitlines()
    if line.startswith("| `")
    for message in re.findall(r"``(.+?)``|(?<!`)`([^`]+)`(?!`)", line.split(" | ")[0])
]

LIMITS = [
    (r"Up to (\d+) sessions wait in one", MAX_PARKED),
    (r"a connection with more than (\d+) messages can't be replayed", MAX_REPLAYED),
    (r"A message of more than (\d+) KB to a client", MAX_MESSAGE_BYTES // 1024),
    (r"expire 2 hours and (\d) minutes after CONNECT", (LIFETIME_S - 7200) // 60),
    (r"Membership ends 2 hours and (\d) minutes", (LIFETIME_S - 7200) // 60),
    (r"A call has (\d+) seconds", TIMEOUT_S),
    (r"over up to (\d+) sockets", MAX_SOCKETS),
    (r"A group is spread over (\d+) items", dynamodb.SHARDS),
    (r"A group's name has 1 to (\d+) characters", GROUP_CHARACTERS),
    (r"every (\d) minutes at most, and at most \d+ from each", SWEEP_INTERVAL_S // 60),
    (r"every \d minutes at most, and at most (\d+) from each", SWEEP_ROWS),
    (r"`connect_timeout` \| whole seconds \| (\d)", postgresql.CONNECT_S),
]


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of a module, with a hole for each value that an f-string takes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub("%[sd]", HOLE, node.value)


FROM_AWS = ["AccessDeniedException"]
KNOWN = [text for path in SOURCES for text in texts(ast.parse(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("found", MESSAGES, ids=lambda found: "".join(found)[:60])
def test_a_message_is_one_of_the_source(found: tuple[str, str]) -> None:
    pieces = [piece.strip(" ):;") for piece in "".join(found).split("…")]
    known = [*KNOWN, *FROM_AWS]
    assert [it for it in pieces if len(it) > 2 and not any(it in text for text in known)] == []


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 25 > ERRORS.count("\n| `") > 15


@pytest.mark.parametrize(("pattern", "expected"), LIMITS, ids=[pattern for pattern, _ in LIMITS])
def test_a_limit_is_that_of_the_source(pattern: str, expected: float) -> None:
    (found,) = re.findall(pattern, " ".join(PAGE.split()))
    assert float(found) == expected


def test_tables_are_made_as_the_page_says() -> None:
    (script,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    ours = "; ".join(fill(statement, TABLE) for statement in (*CREATE, *INDEX))
    assert _plain(script) == _plain(ours)


def _plain(script: str) -> list[list[str]]:
    script = script.replace('"', "").replace("if not exists ", "").strip().strip(";")
    return [re.findall(r"\w+|[^\w\s]", statement) for statement in script.split(";")]


@pytest.mark.parametrize("scheme", BACKENDS)
def test_every_scheme_is_named(scheme: str) -> None:
    assert f"`{scheme}://" in PAGE


@pytest.mark.parametrize(
    ("section", "parameters"),
    [
        ("DynamoDB", {*dynamodb.PARAMETERS} - {"table", "table_name"}),
        ("S3", {*s3.PARAMETERS}),
        ("PostgreSQL", {*postgresql.OWN_PARAMETERS} - {"table"}),
    ],
)
def test_every_parameter_of_a_dsn_has_a_row(section: str, parameters: set[str]) -> None:
    assert {values(row["parameter"])[0] for row in table(section, PAGE)} == parameters


def test_every_mode_is_shown() -> None:
    (columns,) = re.findall(r"^\| \| (`websocket_mode=.*) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r'"(\w+)"', columns)) == set(options.CHOICES["websocket_mode"])
