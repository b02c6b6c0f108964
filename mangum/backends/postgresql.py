"""Records in PostgreSQL, by asyncpg.

`postgresql://user:password@host:5432/database`, with asyncpg's parameters (`sslmode=require`) and
these: `table_name`, `connect_timeout` in seconds, and `statement_cache_size`. That is 0, so that
PgBouncer may stand before the server; where none does, 100 saves a round trip per call.

The permissions needed: to create a table (or, where somebody else has created it, to alter it once
if it is an older version's), and to select, insert, update and delete its rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from mangum.backends._loops import abandon
from mangum.backends._names import check_group, unknown
from mangum.backends._sql import (
    COLUMNS,
    CREATE,
    INDEX,
    PARAMETERS,
    STATEMENTS,
    SWEEP_INTERVAL_S,
    SWEEP_ROWS,
    SWEEPS,
    fill,
    table_name,
)
from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.backends.dsn import DSN
from mangum.exceptions import WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, TypeVar

    from asyncpg import Connection

    T = TypeVar("T")

logger = logging.getLogger("mangum.backends.postgresql")

CONNECT_S = 5.0
OPERATION_S = 10.0
MIGRATIONS = 2
OWN_PARAMETERS = (*PARAMETERS, "connect_timeout", "statement_cache_size")
LIBPQ_PARAMETERS = (
    "channel_binding",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)
"""What the driver of 0.9 and 0.12 took, and asyncpg would hand to the server as a setting."""

SAVE = (
    "insert into {table} (id, initial_scope, sequence, expires) values (?1, ?2, 0, ?3)"
    " on conflict (id) do update"
    " set initial_scope = excluded.initial_scope, sequence = 0, expires = excluded.expires"
)
GROUP_ADD = (
    "insert into {groups} (name, connection_id, expires) values (?1, ?2, ?3)"
    " on conflict (name, connection_id) do update set expires = excluded.expires"
)
GROUP_DISCARD = "delete from {groups} where name = ?1 and connection_id = any(?2::text[])"
SWEEP_ONE = (  # skips what another environment is sweeping
    "{action} where ctid = any(array("
    "select ctid from {source} where {condition} limit ?2 for update skip locked))"
)
SWEEP = "with first as ({}), second as ({}) {}".format(
    *(SWEEP_ONE.format(action=a, source=s, condition=c) for a, s, c in SWEEPS)
)
RETURNING = " returning initial_scope, sequence, expires"
LOCK = 0x6D616E67756D  # one environment at a time makes tables


class PostgreSQLBackend(WebSocketBackend):
    """One connection, on which one statement runs at a time.

    Every statement is one transaction. A statement that was running when the connection died is
    run again: it may then have run twice, which `save`, `delete` and the groups don't notice; a
    sequence number raised twice only makes the session be replayed, and a record that was taken
    already isn't found again.
    """

    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._dsn = DSN(dsn)
        self._table = table_name(self._dsn)
        self._cache_size = self._number("statement_cache_size", 0)
        self._connect_s = self._number("connect_timeout", CONNECT_S) or CONNECT_S
        self._connection: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._next_sweep = 0.0

    def _number(self, name: str, default: float) -> float:
        text = self._dsn.parameters.get(name, "")
        if text and not (text.isascii() and text.isdigit()):
            raise self._dsn.error(f"its {name} is no whole number")
        return int(text) if text else default

    async def open(self) -> None:
        await self._run(_nothing)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._loop is not asyncio.get_running_loop():
            with contextlib.suppress(Exception):
                connection.terminate()
            abandon(getattr(connection, "_transport", None))
            return
        try:
            await connection.close(timeout=self._connect_s)
        except Exception:  # it is of no use any more, however it ends
            connection.terminate()

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        now = int(self.clock())
        await self._fetch(SAVE, connection_id, json_scope, now + LIFETIME_S)
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_INTERVAL_S
            try:
                await self._fetch(SWEEP, now, SWEEP_ROWS)
            except WebSocketError as error:  # the connection is saved, and that was the task
                logger.warning("Expired records could not be removed: %s", error)

    async def retrieve(self, connection_id: str) -> str:
        rows = await self._fetch(STATEMENTS["retrieve"], connection_id, int(self.clock()))
        if not rows:
            raise unknown()
        json_scope: str = rows[0][0]
        return json_scope

    async def delete(self, connection_id: str) -> None:
        await self._fetch(STATEMENTS["delete"], connection_id)

    async def advance(self, connection_id: str) -> Record:
        now = int(self.clock())
        rows = await self._fetch(STATEMENTS["advance"] + RETURNING, connection_id, now)
        if not rows:
            raise unknown()
        return Record(rows[0][0], rows[0][1])

    async def take(self, connection_id: str) -> Record | None:
        rows = await self._fetch(STATEMENTS["delete"] + RETURNING, connection_id)
        if not rows:
            return None
        json_scope, sequence, expires = rows[0]
        has_expired = expires is not None and expires <= self.clock()
        return None if has_expired else Record(json_scope, sequence)

    async def group_add(self, group: str, connection_id: str) -> None:
        expires = int(self.clock()) + LIFETIME_S
        await self._fetch(GROUP_ADD, check_group(group), connection_id, expires)

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        await self._fetch(GROUP_DISCARD, check_group(group), list(connection_ids))

    async def group_members(self, group: str) -> list[str]:
        rows = await self._fetch(STATEMENTS["members"], check_group(group), int(self.clock()))
        return [row[0] for row in rows]

    # --- the connection ---------------------------------------------------------------------------

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        sql = self._sql(statement)
        return await self._run(lambda it: it.fetch(sql, *arguments, timeout=OPERATION_S))

    def _sql(self, statement: str) -> str:
        return fill(statement, self._table).replace("?", "$")

    async def _run(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            await self.close()
            self._loop, self._lock = loop, asyncio.Lock()
        async with self._lock:
            return await self._attempt(operation)

    async def _attempt(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        """Connects if need be, again where the connection has died, and makes missing tables."""
        asyncpg = _asyncpg()
        dead = (
            OSError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # it was just going to die
            asyncpg.PostgresConnectionError,
            asyncpg.exceptions.OperatorInterventionError,  # the server is being stopped or started
            asyncpg.exceptions.ReadOnlySQLTransactionError,  # it isn't the primary any more
        )
        lacking = (
            asyncpg.UndefinedTableError,
            asyncpg.UndefinedColumnError,
            asyncpg.UniqueViolationError,  # an older version was making the same table
        )
        is_reopened = is_lacking = False
        migrations = 0
        while True:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                if is_lacking:
                    migrations += 1
                    await self._migrate(self._connection)
                    is_lacking = False
                return await operation(self._connection)
            except asyncio.TimeoutError:
                self._drop()
                raise WebSocketError(f"{self._dsn.shown} did not answer in time.") from None
            except lacking as error:
                if migrations == MIGRATIONS:
                    raise self._error(error) from None
                is_lacking = True
            except dead as error:
                self._drop()
                if is_reopened:
                    raise self._error(error) from None
                is_reopened = True
            except (asyncpg.PostgresError, ValueError) as error:
                raise self._error(error) from None
            except BaseException:
                self._drop()  # cancelled, so the statement may be running still
                raise

    async def _connect(self) -> Connection:
        connection: Connection = await _asyncpg().connect(
            self._dsn.without((*OWN_PARAMETERS, *LIBPQ_PARAMETERS), self.dsn),
            timeout=self._connect_s,
            statement_cache_size=self._cache_size,
        )
        return connection

    async def _migrate(self, connection: Connection) -> None:
        """Make the tables, or what the table of an older version lacks.

        One environment at a time does; the lock ends with the transaction.
        """
        additions = ", ".join(f"add column if not exists {it} {COLUMNS[it]}" for it in COLUMNS)
        widened = "alter column id type text"  # it was a varchar(64)
        statements = (*CREATE, f"alter table {{table}} {additions}, {widened}", *INDEX)
        script = "; ".join(self._sql(statement) for statement in statements)
        locked = f"begin; select pg_advisory_xact_lock({LOCK}); {script}; commit"
        try:
            await connection.execute(locked, timeout=OPERATION_S)
        except BaseException:
            with contextlib.suppress(Exception):
                await connection.execute("rollback", timeout=OPERATION_S)
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _error(self, error: Exception) -> WebSocketError:
        lines = str(error).splitlines() or [""]  # the others may show what the row holds
        reason = self._dsn.scrub(lines[0])
        return WebSocketError(f"{self._dsn.shown}: {type(error).__name__}: {reason}")


def _asyncpg() -> Any:
    try:
        import asyncpg
    except ModuleNotFoundError:
        raise WebSocketError(
            'The PostgreSQL backend needs asyncpg: pip install "mangum[postgresql]"'
        ) from None
    return asyncpg


async def _nothing(connection: Connection) -> None: ...
