"""What the chat remembers: messages, and who is in which room. In SQLite, or in DynamoDB."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

STAY_S = 2 * 3600 + 300
"""No connection of a WebSocket API lasts longer, so nobody is in a room longer than that."""

KEEP_S = 30 * 24 * 3600
"""How long DynamoDB keeps messages."""


class Store(Protocol):
    def add(self, room: str, name: str, text: str) -> tuple[int, float]:
        """Keep a message; returns its id, which is higher than all before, and its time."""

    def messages(self, room: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        """`[{"id": 1, "at": 1783711144.8, "name": "Ann", "text": "Hello"}, …]`, oldest first."""

    def enter(self, room: str, connection_id: str, name: str) -> None: ...
    def leave(self, room: str, connection_ids: Collection[str]) -> bool:
        """Whether any of them was there."""

    def people(self, room: str) -> list[str]:
        """Their names, each once."""


class SQLiteStore:
    """A file that all execution environments of one machine share. Each call opens it anew, as
    calls come from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as database:
            with suppress(sqlite3.OperationalError):  # another process is doing it
                database.execute("pragma journal_mode = wal")
            database.execute(
                "create table if not exists chat_messages (id integer primary key autoincrement,"
                " room text not null, at real not null, name text not null, text text not null)"
            )
            database.execute(
                "create index if not exists chat_messages_room on chat_messages (room, id)"
            )
            database.execute(
                "create table if not exists chat_people (room text not null, connection_id text"
                " not null, name text not null, since real not null,"
                " primary key (room, connection_id))"
            )

    def add(self, room: str, name: str, text: str) -> tuple[int, float]:
        at = time.time()
        row = (room, at, name, text)
        with self._open() as database:
            added = database.execute(
                "insert into chat_messages (room, at, name, text) values (?, ?, ?, ?)", row
            )
        return int(added.lastrowid or 0), at

    def messages(self, room: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        with self._open() as database:
            rows = database.execute(
                "select id, at, name, text from chat_messages where room = ?1"
                " and (?2 is null or id < ?2) order by id desc limit ?3",
                (room, before, limit),
            ).fetchall()
        return [dict(row) for row in reversed(rows)]

    def enter(self, room: str, connection_id: str, name: str) -> None:
        with self._open() as database:
            database.execute(
                "insert or replace into chat_people values (?, ?, ?, ?)",
                (room, connection_id, name, time.time()),
            )

    def leave(self, room: str, connection_ids: Collection[str]) -> bool:
        with self._open() as database:
            left = database.executemany(
                "delete from chat_people where room = ? and connection_id = ?",
                [(room, connection_id) for connection_id in connection_ids],
            )
        return left.rowcount > 0

    def people(self, room: str) -> list[str]:
        with self._open() as database:
            rows = database.execute(
                "select distinct name from chat_people where room = ? and since > ? order by name",
                (room, time.time() - STAY_S),
            ).fetchall()
        return [row["name"] for row in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction, committed at its end."""
        with closing(sqlite3.connect(self.path, timeout=10)) as database, database:
            database.row_factory = sqlite3.Row
            yield database


class DynamoDBStore:
    """A table whose partition key is `room` and whose sort key is `item`, both texts:
    `"message#…"`, `"person#…"` and `"counter"`, the id of the last message."""

    def __init__(self, table: str) -> None:
        import boto3  # Lambda's images bring it along

        self.table = boto3.resource("dynamodb").Table(table)

    def add(self, room: str, name: str, text: str) -> tuple[int, float]:
        at = time.time()
        counted = self.table.update_item(
            Key={"room": room, "item": "counter"},
            UpdateExpression="add #n :one",
            ExpressionAttributeNames={"#n": "number"},
            ExpressionAttributeValues={":one": 1},
            ReturnValues="UPDATED_NEW",
        )
        number = int(counted["Attributes"]["number"])
        self._put(room, _message(number), at + KEEP_S, at=str(at), name=name, text=text)
        return number, at

    def messages(self, room: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        last = "message#~" if before is None else _message(before - 1)
        rows = self._query(room, "message#", last, ScanIndexForward=False, Limit=limit)
        return [
            {
                "id": int(row["item"].partition("#")[2]),
                "at": float(row["at"]),
                "name": row["name"],
                "text": row["text"],
            }
            for row in reversed(rows)
        ]

    def enter(self, room: str, connection_id: str, name: str) -> None:
        self._put(room, f"person#{connection_id}", time.time() + STAY_S, name=name)

    def leave(self, room: str, connection_ids: Collection[str]) -> bool:
        keys = [{"room": room, "item": f"person#{it}"} for it in connection_ids]
        left = [self.table.delete_item(Key=key, ReturnValues="ALL_OLD") for key in keys]
        return any("Attributes" in it for it in left)

    def people(self, room: str) -> list[str]:
        rows = self._query(room, "person#", "person#~", ConsistentRead=True)
        return sorted({row["name"] for row in rows if row["expires"] > time.time()})

    def _put(self, room: str, item: str, expires_s: float, **fields: Any) -> None:
        self.table.put_item(Item={"room": room, "item": item, "expires": int(expires_s), **fields})

    def _query(self, room: str, first: str, last: str, **options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.table.query(
            KeyConditionExpression="room = :room and #item between :first and :last",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":room": room, ":first": first, ":last": last},
            **options,
        )["Items"]
        return found


def _message(number: int) -> str:
    """Sorts as the number does."""
    return f"message#{number:012}"
