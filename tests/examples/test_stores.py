"""What chat and counter remember is the same in SQLite and in DynamoDB, whose tables are those of
the deployment files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.examples.folders import EXAMPLES, load, read_yaml
from tests.servers import moto

CONNECTION_IDS = ["ATfSdcRDvHcCEmA=", "a+b/c=="]
_numbers = itertools.count()

Make = Callable[[str], Any]


@pytest.fixture(params=["sqlite", "dynamodb"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """`make("chat")`, a new and empty store."""
    if request.param == "sqlite":
        return lambda name: load(EXAMPLES / name / "store.py").SQLiteStore(tmp_path / f"{name}.db")
    boto3: Any = pytest.importorskip("boto3")
    pytest.importorskip("moto")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{moto().port}")

    def make_table(name: str) -> Any:
        resource = {"chat": "Rooms", "facade": "Counter"}[name]
        wanted = read_yaml(name, "template.yaml")["Resources"][resource]["Properties"]
        wanted.pop("TimeToLiveSpecification", None)  # which has a call of its own
        table = f"{name}-{next(_numbers)}"
        boto3.client("dynamodb").create_table(TableName=table, **wanted)
        return load(EXAMPLES / name / "store.py").DynamoDBStore(table)

    return make_table


def test_messages_come_back_in_their_order(make: Make) -> None:
    store = make("chat")
    texts = [f"message {number} é😀" for number in range(12)]
    numbers = [store.add("room", "Ann", text)[0] for text in texts]
    store.add("another", "Ben", "elsewhere")

    assert numbers == sorted(set(numbers))
    found = store.messages("room", 200, None)
    assert [it["text"] for it in found] == texts
    assert [it["id"] for it in found] == numbers
    assert {type(it["at"]) for it in found} == {float}
    assert found[0].keys() == {"id", "at", "name", "text"}


def test_messages_are_read_page_by_page_from_the_end(make: Make) -> None:
    store = make("chat")
    numbers = [store.add("room", "Ann", "text")[0] for _ in range(5)]

    def page(before: int | None) -> list[int]:
        return [it["id"] for it in store.messages("room", 2, before)]

    assert page(None) == numbers[3:]
    assert page(numbers[3]) == numbers[1:3]
    assert page(numbers[1]) == numbers[:1]
    assert page(numbers[0]) == []
    assert store.messages("nowhere", 2, None) == []


def test_people_are_those_who_came_and_have_not_left(make: Make) -> None:
    store = make("chat")
    ann, ben = CONNECTION_IDS
    for connection_id, name in ((ben, "Ben"), (ann, "Ann"), ("second", "Ann"), (ann, "Ann")):
        store.enter("room", connection_id, name)
    store.enter("another", ann, "Ann")
    assert store.people("room") == ["Ann", "Ben"]

    assert store.leave("room", [ann, "nobody"])
    assert store.people("room") == ["Ann", "Ben"]  # Ann's second connection
    assert store.leave("room", {"second"})
    assert not store.leave("room", [ann, "second"])
    assert not store.leave("room", [])
    assert store.people("room") == ["Ben"]
    assert store.people("another") == ["Ann"]


def test_the_count_is_what_was_added(make: Make) -> None:
    store = make("facade")
    assert store.count() == 0
    assert [store.add(number) for number in (2, -5, 1)] == [2, -3, -2]
    assert store.count() == -2


def test_who_has_joined_is_remembered_until_they_leave(make: Make) -> None:
    store = make("facade")
    assert store.joined() == set()
    for connection_id in [*CONNECTION_IDS, *CONNECTION_IDS]:
        store.join(connection_id)
    assert store.joined() == set(CONNECTION_IDS)
    store.leave([CONNECTION_IDS[0], "nobody"])
    store.leave(set())
    assert store.joined() == {CONNECTION_IDS[1]}
    store.leave(CONNECTION_IDS)
    assert store.joined() == set()
    assert store.add(1) == 1
