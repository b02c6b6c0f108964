"""The count and the ids of the connections, in SQLite or in DynamoDB."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol


class Store(Protocol):
    def add(self, number: int) -> int:
        """Add to the count and return the new one, in one step."""

    def count(self) -> int: ...
    def join(self, connection_id: str) -> None: ...
    def leave(self, connection_ids: Collection[str]) -> None: ...
    def joined(self) -> set[str]: ...


class SQLiteStore:
    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        with self._open() as database:
            database.execute("create table if not exists counter (id integer primary key, n int)")
            database.execute("create table if not exists joined (id text primary key)")
            database.execute("insert or ignore into counter values (1, 0)")

    def add(self, number: int) -> int:
        with self._open() as database:
            database.execute("update counter set n = n + ?", (number,))
            return _first(database)

    def count(self) -> int:
        with self._open() as database:
            return _first(database)

    def join(self, connection_id: str) -> None:
        with self._open() as database:
            database.execute("insert or ignore into joined values (?)", (connection_id,))

    def leave(self, connection_ids: Collection[str]) -> None:
        with self._open() as database:
            database.executemany(
                "delete from joined where id = ?", [(it,) for it in connection_ids]
            )

    def joined(self) -> set[str]:
        with self._open() as database:
            return {row[0] for row in database.execute("select id from joined")}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction, committed at its end."""
        with closing(sqlite3.connect(self.path, timeout=10)) as database, database:
            yield database


def _first(database: sqlite3.Connection) -> int:
    return int(database.execute("select n from counter").fetchone()[0])


class DynamoDBStore:
    """One item: a number `n`, and `ids`, a set of texts. Its partition key is `id`, a text."""

    def __init__(self, table: str) -> None:
        import boto3  # Lambda's images bring it along

        self.table = boto3.resource("dynamodb").Table(table)

    def add(self, number: int) -> int:
        return int(self._update("add n :value", number)["n"])

    def count(self) -> int:
        return int(self._item().get("n", 0))

    def join(self, connection_id: str) -> None:
        self._update("add ids :value", {connection_id})

    def leave(self, connection_ids: Collection[str]) -> None:
        if connection_ids:
            self._update("delete ids :value", set(connection_ids))

    def joined(self) -> set[str]:
        return set(self._item().get("ids", ()))

    def _item(self) -> dict[str, Any]:
        found = self.table.get_item(Key={"id": "counter"}, ConsistentRead=True)
        item: dict[str, Any] = found.get("Item", {})
        return item

    def _update(self, expression: str, value: Any) -> dict[str, Any]:
        done: dict[str, Any] = self.table.update_item(
            Key={"id": "counter"},
            UpdateExpression=expression,
            ExpressionAttributeValues={":value": value},
            ReturnValues="UPDATED_NEW",
        ).get("Attributes", {})
        return done
