"""Records in an SQLite file: for one machine, where several processes may share it.

`sqlite:///relative.db`, `sqlite:////absolute.db`. Every call is short and runs in the event loop's
thread; a process waits for another one's write, `BUSY_S` at most.
"""

from __future__ import annotations

import contextlib
import os
import time

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
    TABLE,
    fill,
    table_name,
)
from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.backends.dsn import DSN, unquote
from mangum.exceptions import WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    T = TypeVar("T")
    Row = tuple[Any, ...]

BUSY_S = 5.0
OLD_TABLE = "mangum_ws"  # mangum 0.9's
RETURNING_SINCE = (3, 35)  # Amazon Linux 2, under Python 3.10 and 3.11, has an older one
MEMORY = ":memory:"

SAVE = (
    "insert or replace into {table} (id, initial_scope, sequence, expires) values (?1, ?2, 0, ?3)"
)
GROUP_ADD = "insert or replace into {groups} (name, connection_id, expires) values (?1, ?2, ?3)"
GROUP_DISCARD = "delete from {groups} where name = ?1 and connection_id = ?2"
READ = "select initial_scope, sequence, expires from {table} where id = ?1"
RETURNING = " returning initial_scope, sequence, expires"


def path_of(dsn: DSN) -> str:
    """The path of the file.

    Three slashes and a folder that is not there are what 0.9 and 0.12 meant by
    `sqlite:///tmp/file.db`: an absolute path.
    """
    authority = unquote(dsn.host)
    if authority:  # sqlite://file.db
        return authority + unquote(dsn.path)
    path = unquote(dsn.path)
    relative = path[1:]
    if relative == MEMORY or relative.startswith(("/", ".")):
        return relative
    here, there = os.path.dirname(relative), os.path.dirname(path)
    return path if here and not os.path.isdir(here) and os.path.isdir(there) else relative


class SQLiteBackend(WebSocketBackend):
    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._dsn = DSN(dsn)
        self._dsn.allow(PARAMETERS)
        self._table = table_name(self._dsn)
        if "." in self._table:
            raise self._dsn.error("SQLite has no schemas, so a table's name holds no dot")
        self.path = path_of(self._dsn)
        if not self.path:
            raise self._dsn.error("it names no file")
        self._connection: sqlite3.Connection | None = None
        self._has_returning = False
        self._has_old_table = False
        self._next_sweep = 0.0

    async def open(self) -> None:
        self._run(lambda connection: None)

    async def close(self) -> None:
        self._drop()

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        now = int(self.clock())
        arguments = (connection_id, json_scope, now + LIFETIME_S)
        self._run(lambda connection: connection.execute(self._sql(SAVE), arguments))
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_INTERVAL_S
            self._run(lambda connection: self._sweep(connection, now))

    async def retrieve(self, connection_id: str) -> str:
        sql = self._sql(STATEMENTS["retrieve"])

        def select(connection: sqlite3.Connection) -> str | None:
            rows = connection.execute(sql, (connection_id, int(self.clock()))).fetchall()
            return str(rows[0][0]) if rows else None

        json_scope = self._run(lambda connection: self._found(connection, connection_id, select))
        if json_scope is None:
            raise unknown()
        return json_scope

    async def delete(self, connection_id: str) -> None:
        await self.take(connection_id)

    async def advance(self, connection_id: str) -> Record:
        """A process that dies here may have raised the number; then the session is replayed."""
        sql = self._sql(STATEMENTS["advance"])
        arguments = (connection_id, int(self.clock()))

        def update(connection: sqlite3.Connection) -> Row | None:
            return self._changed(connection, sql, arguments, reads_after=True)

        row = self._run(lambda connection: self._found(connection, connection_id, update))
        if row is None:
            raise unknown()
        return Record(row[0], row[1])

    async def take(self, connection_id: str) -> Record | None:
        sql = self._sql(STATEMENTS["delete"])

        def delete(connection: sqlite3.Connection) -> Row | None:
            return self._changed(connection, sql, (connection_id,), reads_after=False)

        row = self._run(lambda connection: self._found(connection, connection_id, delete))
        if row is None or (row[2] is not None and row[2] <= self.clock()):
            return None
        return Record(row[0], row[1])

    async def group_add(self, group: str, connection_id: str) -> None:
        arguments = (check_group(group), connection_id, int(self.clock()) + LIFETIME_S)
        self._run(lambda connection: connection.execute(self._sql(GROUP_ADD), arguments))

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        rows = [(check_group(group), connection_id) for connection_id in connection_ids]

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("begin immediate")
            connection.executemany(self._sql(GROUP_DISCARD), rows)
            connection.execute("commit")

        self._run(delete)

    async def group_members(self, group: str) -> list[str]:
        sql = self._sql(STATEMENTS["members"])
        arguments = (check_group(group), int(self.clock()))
        rows = self._run(lambda connection: connection.execute(sql, arguments).fetchall())
        return [row[0] for row in rows]

    def _sql(self, statement: str) -> str:
        return fill(statement, self._table)

    def _changed(
        self, connection: sqlite3.Connection, sql: str, arguments: Any, *, reads_after: bool
    ) -> Row | None:
        """Changes a row, and returns it with its new values, or as it was."""
        if self._has_returning:
            return next(iter(connection.execute(sql + RETURNING, arguments).fetchall()), None)
        connection.execute("begin immediate")
        before: Row | None = connection.execute(self._sql(READ), arguments[:1]).fetchone()
        changed = connection.execute(sql, arguments).rowcount
        row: Row | None = connection.execute(self._sql(READ), arguments[:1]).fetchone()
        connection.execute("commit")
        if not changed:
            return None
        return row if reads_after else before

    def _found(
        self,
        connection: sqlite3.Connection,
        connection_id: str,
        look: Callable[[sqlite3.Connection], T | None],
    ) -> T | None:
        """What `look` finds, in the table of mangum 0.9 too."""
        found = look(connection)
        if found is not None or not self._has_old_table:
            return found
        connection.execute("begin immediate")
        connection.execute(
            self._sql(
                "insert or ignore into {table} (id, initial_scope, expires)"
                f" select id, initial_scope, ?2 from {OLD_TABLE} where id = ?1"
            ),
            (connection_id, int(self.clock()) + LIFETIME_S),
        )
        moved = connection.execute(f"delete from {OLD_TABLE} where id = ?1", (connection_id,))
        connection.execute("commit")
        return look(connection) if moved.rowcount else None

    def _sweep(self, connection: sqlite3.Connection, now: int) -> None:
        for action, table, condition in SWEEPS:
            rows = f"select rowid from {table} where {condition} limit ?2"
            sql = self._sql(f"{action} where rowid in ({rows})")
            connection.execute(sql, (now, SWEEP_ROWS))

    # --- the connection ---------------------------------------------------------------------------

    def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Opens the file if need be, and once more where the first attempt fails: tables may be
        missing, which opening makes."""
        import sqlite3

        failure: Exception
        for _ in range(2):
            try:
                return operation(self._opened())
            except (sqlite3.Error, UnicodeError) as error:
                failure = error
                self._drop()
                if "locked" in str(error):  # it has waited already
                    break
        raise WebSocketError(
            f"{self._dsn.shown}: {type(failure).__name__}: {self._dsn.scrub(str(failure))}"
        ) from None

    def _opened(self) -> sqlite3.Connection:
        """No transaction is open on it, so that each statement is one."""
        if self._connection is None:
            import sqlite3

            # A backend is used by one thread at a time, but not by the same one for ever.
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            # Another process may be switching to the write-ahead log at this moment.
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._migrate(self._connection)
            self._has_returning = sqlite3.sqlite_version_info >= RETURNING_SINCE
            self._has_old_table = self._table == TABLE and bool(
                _columns(self._connection, OLD_TABLE)
            )
        return self._connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Make the tables, and the columns that the table of an older version lacks."""
        if self._is_complete(connection):
            return
        connection.execute("begin immediate")
        for statement in CREATE:
            connection.execute(self._sql(statement))
        for column in COLUMNS.keys() - _columns(connection, self._table):
            connection.execute(
                self._sql(f"alter table {{table}} add column {column} {COLUMNS[column]}")
            )
        for statement in INDEX:
            connection.execute(self._sql(statement))
        connection.execute("commit")

    def _is_complete(self, connection: sqlite3.Connection) -> bool:
        has_groups = bool(_columns(connection, f"{self._table}_groups"))
        return has_groups and COLUMNS.keys() <= _columns(connection, self._table)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f'pragma table_info("{table}")')}
