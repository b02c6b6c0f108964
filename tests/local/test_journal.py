"""The journal keeps the last invocations, and not more than fits."""

from __future__ import annotations

from mangum.local.journal import CAPACITY, MAX_BYTES, Journal
from mangum.local.messages import Answer, Call


def call(body: str = "") -> Call:
    answer = Answer(200, [])
    event = {"body": body}
    return Call("http", "GET", "/", event, lambda result: answer, lambda trouble: answer)


def test_only_the_last_are_kept() -> None:
    journal = Journal()
    for number in range(CAPACITY + 50):
        journal.finish(journal.begin(call(), f"id-{number}"))
    assert [entry.number for entry in journal.entries] == [*range(51, CAPACITY + 51)]
    assert journal.find(50) is None
    entry = journal.find(51)
    assert entry is not None
    assert entry.request_id == "id-50"


def test_large_ones_make_room_for_each_other() -> None:
    journal = Journal()
    body = "x" * (MAX_BYTES // 4)
    for _ in range(10):
        journal.finish(journal.begin(call(body), "id"))
    assert [entry.number for entry in journal.entries] == [7, 8, 9, 10]


def test_one_that_is_larger_than_all_that_fits_is_kept_alone() -> None:
    journal = Journal()
    journal.finish(journal.begin(call(), "id"))
    journal.finish(journal.begin(call("x" * (MAX_BYTES + 1)), "id"))
    assert [entry.number for entry in journal.entries] == [2]


def test_whoever_listens_is_told_before_and_after() -> None:
    journal = Journal()
    told: list[tuple[str, int, bool]] = []
    journal.began.append(lambda it: told.append(("began", it.number, it.total_s is None)))
    journal.finished.append(lambda it: told.append(("finished", it.number, it.total_s is None)))
    journal.finish(journal.begin(call(), "id"))
    assert told == [("began", 1, True), ("finished", 1, False)]
