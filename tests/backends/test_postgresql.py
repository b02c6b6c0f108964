"""What is PostgreSQL's own: schemas, old tables, rights, slow answers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from mangum.backends import LIFETIME_S, Record, make_backend
from mangum.backends._sql import SWEEP_INTERVAL_S
from mangum.exceptions import ConfigurationError, WebSocketError
from tests.backends.places import SCOPE, Place, asyncpg_dsn, on, table_of
from tests.processes import output_of

pytestmark = on("postgresql")


def run(place: Place, test: Callable[[Any, Any], Awaitable[None]], dsn: str = "") -> None:
    """Run the test with a backend, and a connection of its own."""

    async def main() -> None:
        connection = await asyncpg.connect(asyncpg_dsn(place))
        async with make_backend(dsn or place.dsn) as backend:
            await test(backend, connection)
        await connection.close()

    asyncio.run(main())


def test_table_of_an_older_version_gets_what_it_lacks(place: Place) -> None:
    place.write_old("old", SCOPE)
    table = table_of(place)

    async def test(backend: Any, connection: Any) -> None:
        await backend.save("new", json_scope=SCOPE)
        rows = await connection.fetch(
            "select column_name, data_type from information_schema.columns"
            f" where table_name = '{table}' order by ordinal_position"
        )
        assert [tuple(row) for row in rows] == [
            ("id", "text"),
            ("initial_scope", "text"),
            ("sequence", "bigint"),
            ("expires", "bigint"),
        ]
        # an environment of the older version, which knows two columns, goes on beside us
        await connection.execute(f"insert into {table} values ($1, $2)", "later", SCOPE)
        assert await backend.advance("later") == Record(SCOPE, 1)

    run(place, test)


def test_schema_may_be_named(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await connection.execute('create schema if not exists "Other"')
        await backend.save("one", json_scope=SCOPE)
        await backend.group_add("room", "one")
        assert await backend.advance("one") == Record(SCOPE, 1)
        row = await connection.fetchrow('select id, sequence from "Other"."Table"')
        assert tuple(row) == ("one", 1)
        await connection.execute('drop schema "Other" cascade')

    run(place, test, f"{asyncpg_dsn(place)}?table_name=Other.Table")


def test_parameters_of_libpq_are_passed_over(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        name = "select count(*) from pg_stat_activity where application_name = 'of-mine'"
        assert await connection.fetchval(name) == 1

    run(
        place,
        test,
        f"{place.dsn}&channel_binding=prefer&keepalives=1&gssencmode=disable&connect_timeout=3"
        "&application_name=of-mine&sslmode=disable",
    )


def test_statements_are_not_prepared_unless_asked_for(place: Place) -> None:
    async def prepared(backend: Any) -> int:
        await backend.save("one", json_scope=SCOPE)
        rows = await backend._fetch("select name from pg_prepared_statements where name <> ''")
        return len(rows)

    async def without(backend: Any, connection: Any) -> None:
        assert await prepared(backend) == 0

    async def test(backend: Any, connection: Any) -> None:
        assert await prepared(backend) > 0
        assert await backend.advance("one") == Record(SCOPE, 1)
        assert await backend.advance("one") == Record(SCOPE, 2)

    run(place, without)
    run(place, test, f"{place.dsn}&statement_cache_size=100")


def test_table_that_is_dropped_is_made_again(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        await connection.execute(f"drop table {table_of(place)}, {table_of(place)}_groups")
        await backend.save("two", json_scope=SCOPE)
        assert await backend.advance("two") == Record(SCOPE, 1)

    run(place, test)


def test_user_without_rights_gets_a_clear_error(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        role = f"weak_{table_of(place)}"
        await connection.execute(f"create role {role} login password 'hunter2'")
        address = asyncpg_dsn(place).rpartition("@")[2]
        async with make_backend(f"postgresql://{role}:hunter2@{address}") as weak:
            with pytest.raises(WebSocketError, match="permission denied for schema public"):
                await weak.save("one", json_scope=SCOPE)
            with pytest.raises(WebSocketError, match="permission denied") as caught:
                await weak.save("one", json_scope=SCOPE)
        assert "hunter2" not in str(caught.value)
        await connection.execute(f"drop role {role}")

    run(place, test)


def test_connection_that_is_ended_by_the_server_is_reopened(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
        )
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


def test_answer_that_does_not_come_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        monkeypatch.setattr("mangum.backends.postgresql.OPERATION_S", 0.05)
        async with connection.transaction():
            await connection.execute(f"lock table {table_of(place)}")
            with pytest.raises(WebSocketError, match="did not answer in time"):
                await backend.advance("one")
        monkeypatch.undo()
        assert await backend.retrieve("one") == SCOPE

    run(place, test)


def test_cancelled_statement_does_not_disturb_the_next(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        async with connection.transaction():
            await connection.execute(f"lock table {table_of(place)}")
            task = asyncio.ensure_future(backend.advance("one"))
            waiting = asyncio.ensure_future(backend.retrieve("one"))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await waiting == SCOPE
        assert await backend.retrieve("one") == SCOPE

    run(place, test)


def test_expired_rows_are_swept_now_and_then(place: Place) -> None:
    table = table_of(place)

    async def test(backend: Any, connection: Any) -> None:
        async def names() -> list[str]:
            return [row[0] for row in await connection.fetch(f"select id from {table} order by id")]

        start = backend.clock()
        await backend.save("a", json_scope=SCOPE)
        await backend.group_add("room", "a")
        await connection.execute(f"insert into {table} values ('old', '')")
        backend.clock = lambda: start + SWEEP_INTERVAL_S + 1
        await backend.save("b", json_scope=SCOPE)
        backend.clock = lambda: start + LIFETIME_S + 1
        await backend.save("c", json_scope=SCOPE)
        assert await names() == ["b", "c", "old"]
        assert await connection.fetch(f"select * from {table}_groups") == []
        backend.clock = lambda: start + LIFETIME_S + SWEEP_INTERVAL_S + 2
        await backend.save("d", json_scope=SCOPE)
        assert await names() == ["c", "d"]

    run(place, test)


def test_older_version_may_be_making_the_same_table(place: Place) -> None:
    table = table_of(place)

    async def test(backend: Any, connection: Any) -> None:
        async with connection.transaction():
            await connection.execute(
                f"create table {table} (id varchar(64) primary key, initial_scope text)"
            )
            task = asyncio.ensure_future(backend.save("one", json_scope=SCOPE))
            waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
            while not await connection.fetchval(waiting):  # noqa: ASYNC110 - it can't tell us
                await asyncio.sleep(0.01)
        await task
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


def test_table_of_somebody_else_is_a_clear_error(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await connection.execute(f"create table {table_of(place)}_groups (expires bigint)")
        with pytest.raises(WebSocketError, match="UndefinedColumnError"):
            await backend.group_members("room")

    run(place, test)


def test_server_that_is_no_primary_any_more_is_left(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        await backend._fetch("set default_transaction_read_only = on")
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


def test_sweep_that_fails_does_not_fail_the_connection(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.group_add("room", "one")
        await connection.execute(f"drop table {table_of(place)}_groups")
        await connection.execute(f"create view {table_of(place)}_groups as select 1 as expires")
        await backend.save("one", json_scope=SCOPE)
        assert await backend.retrieve("one") == SCOPE

    run(place, test)
    assert "Expired records could not be removed: postgresql://mangum:***@" in caplog.text


def test_connection_that_does_not_say_goodbye_is_closed(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        ((pid,),) = await backend._fetch("select pg_backend_pid()")
        backend._connect_s = 0.05
        os.kill(pid, signal.SIGSTOP)
        try:
            await backend.close()
        finally:
            os.kill(pid, signal.SIGCONT)
        await backend.save("one", json_scope=SCOPE)

    run(place, test)


def test_default_table_is_that_of_old(place: Place) -> None:
    async def test(backend: Any, connection: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        assert await connection.fetchval("select id from mangum_websockets") == "one"
        await connection.execute("drop table mangum_websockets, mangum_websockets_groups")

    run(place, test, asyncpg_dsn(place))


def test_wrong_parameter_is_a_clear_error(place: Place) -> None:
    async def main() -> None:
        backend = make_backend(f"{place.dsn}&no_such_setting=1")
        with pytest.raises(WebSocketError, match="no_such_setting"):
            await backend.open()
        with pytest.raises(ConfigurationError, match="statement_cache_size"):
            make_backend(f"{place.dsn}&statement_cache_size=-1")

    asyncio.run(main())


MISSING = """
import asyncio, sys
from mangum.backends import make_backend

sys.modules["asyncpg"] = None
try:
    asyncio.run(make_backend("postgresql://host/db").open())
except Exception as error:
    print(type(error).__name__, error)
"""


def test_missing_driver_says_how_to_install_it(place: Place) -> None:
    assert output_of(MISSING) == [
        'WebSocketError The PostgreSQL backend needs asyncpg: pip install "mangum[postgresql]"'
    ]
