"""What is SQLite's own: files, old libraries, old tables."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mangum.backends import LIFETIME_S, Record, make_backend
from mangum.backends._sql import SWEEP_INTERVAL_S, SWEEP_ROWS
from mangum.backends.sqlite import SQLiteBackend
from mangum.exceptions import UnknownConnection, WebSocketError
from tests.backends.places import SCOPE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def path_of(dsn: str) -> str:
    backend = make_backend(dsn)
    assert isinstance(backend, SQLiteBackend)
    return backend.path


def test_three_slashes_are_relative_and_four_absolute(folder: Path) -> None:
    (folder / "here").mkdir()
    assert path_of("sqlite:///file.db") == "file.db"
    assert path_of("sqlite:///here/file.db") == "here/file.db"
    assert path_of("sqlite:////tmp/file.db") == "/tmp/file.db"
    assert path_of("sqlite:///a%20b%3F.db") == "a b?.db"
    assert path_of("sqlite:///:memory:") == ":memory:"


def test_old_forms_mean_what_they_meant(folder: Path) -> None:
    assert path_of("sqlite://file.db") == "file.db"
    assert path_of("sqlite://here/file.db") == "here/file.db"
    assert path_of(f"sqlite://{folder}/file.db") == f"{folder}/file.db"
    assert path_of("sqlite:///tmp/file.db") == "/tmp/file.db"
    (folder / "tmp").mkdir()
    assert path_of("sqlite:///tmp/file.db") == "tmp/file.db"
    assert path_of("sqlite:///./tmp/file.db") == "./tmp/file.db"


def test_folder_that_is_missing_is_a_clear_error(folder: Path) -> None:
    async def main() -> None:
        with pytest.raises(WebSocketError, match=r"^sqlite:///no/file.db: .*unable to open"):
            await make_backend("sqlite:///no/file.db").open()

    asyncio.run(main())


def test_file_that_is_no_database_is_a_clear_error(folder: Path) -> None:
    (folder / "file.db").write_text("This is a letter, and no database." * 100)

    async def main() -> None:
        with pytest.raises(WebSocketError, match="not a database"):
            await make_backend("sqlite:///file.db").open()

    asyncio.run(main())


def test_tables_that_are_dropped_are_made_again(folder: Path) -> None:
    async def main() -> None:
        async with make_backend("sqlite:///file.db") as backend:
            await backend.save("one", json_scope=SCOPE)
            other = sqlite3.connect("file.db")
            other.execute("drop table mangum_websockets")
            other.execute("drop table mangum_websockets_groups")
            other.close()
            await backend.save("two", json_scope=SCOPE)
            await backend.group_add("room", "two")
            assert await backend.retrieve("two") == SCOPE

    asyncio.run(main())


def test_other_process_that_holds_the_file_is_a_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mangum.backends.sqlite.BUSY_S", 0.01)

    async def main() -> None:
        async with make_backend("sqlite:///file.db") as backend:
            other = sqlite3.connect("file.db", isolation_level=None)
            other.execute("begin immediate")
            with pytest.raises(WebSocketError, match="database is locked"):
                await backend.save("one", json_scope=SCOPE)
            other.execute("rollback")
            other.close()
            await backend.save("one", json_scope=SCOPE)

    asyncio.run(main())


def test_library_without_returning_does_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mangum.backends.sqlite.RETURNING_SINCE", (99,))

    async def main() -> None:
        async with make_backend("sqlite:///file.db") as here, make_backend(here.dsn) as there:
            assert vars(here)["_has_returning"] is False
            await here.save("one", json_scope=SCOPE)
            assert await here.advance("one") == Record(SCOPE, 1)
            assert await there.advance("one") == Record(SCOPE, 2)
            assert await there.take("one") == Record(SCOPE, 2)
            assert await here.take("one") is None
            with pytest.raises(UnknownConnection):
                await here.advance("one")

    asyncio.run(main())


def test_statement_without_returning_is_undone_when_it_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mangum.backends.sqlite.RETURNING_SINCE", (99,))

    async def main() -> None:
        async with make_backend("sqlite:///file.db") as backend:
            await backend.save("one", json_scope=SCOPE)
            other = sqlite3.connect("file.db")
            other.execute(
                "create trigger no before update on mangum_websockets"
                " begin select raise(abort, 'not now'); end"
            )
            with pytest.raises(WebSocketError, match="not now"):
                await backend.advance("one")
            other.execute("drop trigger no")
            other.close()
            assert await backend.advance("one") == Record(SCOPE, 1)

    asyncio.run(main())


def test_table_of_0_9_is_read_and_emptied(folder: Path) -> None:
    old = sqlite3.connect("file.db")
    old.execute("create table mangum_ws (id varchar(64) primary key, initial_scope text)")
    rows = [(name, SCOPE) for name in ("one", "two", "three", "four")]
    old.executemany("insert into mangum_ws values (?, ?)", rows)
    old.commit()

    async def main() -> None:
        async with make_backend("sqlite://file.db") as backend:
            assert await backend.retrieve("one") == SCOPE
            assert await backend.advance("one") == Record(SCOPE, 1)
            assert await backend.advance("two") == Record(SCOPE, 1)
            assert await backend.take("three") == Record(SCOPE, 0)
            await backend.delete("four")
            for name in ("three", "four"):
                with pytest.raises(UnknownConnection):
                    await backend.retrieve(name)
            assert await backend.take("one") == Record(SCOPE, 1)

    asyncio.run(main())
    assert old.execute("select count(*) from mangum_ws").fetchone() == (0,)
    old.close()


def test_table_may_have_another_name(folder: Path) -> None:
    async def main() -> None:
        async with make_backend("sqlite:///file.db?table_name=order") as backend:
            await backend.save("one", json_scope=SCOPE)
            await backend.group_add("room", "one")
            assert await backend.advance("one") == Record(SCOPE, 1)

    asyncio.run(main())
    connection = sqlite3.connect("file.db")
    tables = connection.execute("select name from sqlite_master where type = 'table'")
    assert sorted(tables) == [("order",), ("order_groups",)]
    connection.close()


def test_expired_rows_are_swept_now_and_then(folder: Path) -> None:
    connection = sqlite3.connect("file.db")

    def names() -> list[str]:
        found = connection.execute("select id from mangum_websockets order by id")
        return [row[0] for row in found]

    async def main() -> None:
        async with make_backend("sqlite:///file.db") as opened:
            backend: Any = opened
            start = backend.clock()
            await backend.save("a", json_scope=SCOPE)
            await backend.group_add("room", "a")
            connection.execute(
                "insert into mangum_websockets (id, initial_scope) values ('old', '')"
            )
            connection.commit()
            backend.clock = lambda: start + SWEEP_INTERVAL_S + 1
            await backend.save("b", json_scope=SCOPE)
            assert names() == ["a", "b", "old"]
            backend.clock = lambda: start + LIFETIME_S + 1
            await backend.save("c", json_scope=SCOPE)
            assert names() == ["b", "c", "old"]
            assert connection.execute("select * from mangum_websockets_groups").fetchall() == []
            backend.clock = lambda: start + LIFETIME_S + SWEEP_INTERVAL_S
            await backend.save("d", json_scope=SCOPE)  # too early for another sweep
            assert names() == ["b", "c", "d", "old"]
            backend.clock = lambda: start + LIFETIME_S + SWEEP_INTERVAL_S + 2
            await backend.save("d", json_scope=SCOPE)
            assert names() == ["c", "d"]  # the row without a time has had its life

    asyncio.run(main())
    connection.close()


def test_one_sweep_is_bounded(folder: Path) -> None:
    async def main() -> None:
        async with make_backend("sqlite:///file.db") as backend:
            connection = sqlite3.connect("file.db")
            rows = [(str(number), "", 1) for number in range(SWEEP_ROWS + 10)]
            insert = "insert into mangum_websockets (id, initial_scope, expires) values (?, ?, ?)"
            connection.executemany(insert, rows)
            connection.commit()
            await backend.save("one", json_scope=SCOPE)
            count = connection.execute("select count(*) from mangum_websockets").fetchone()
            assert count == (11,)
            connection.close()

    asyncio.run(main())
