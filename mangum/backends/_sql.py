"""The tables of both SQL backends, and their statements, with `?1`, `?2` for the arguments."""

from __future__ import annotations

from mangum.backends.base import LIFETIME_S
from mangum.backends.dsn import DSN, is_table

TABLE = "mangum_websockets"
PARAMETERS = ("table_name", "table")

SWEEP_INTERVAL_S = 300
"""One environment looks for expired rows no oftener than this, when it saves a connection."""

SWEEP_ROWS = 500
"""One sweep takes no more rows than this from each table."""

LIVE = "(expires is null or expires > ?2)"  # the rows of older versions have no time

STATEMENTS = {
    "retrieve": f"select initial_scope from {{table}} where id = ?1 and {LIVE}",
    "delete": "delete from {table} where id = ?1",
    "advance": f"update {{table}} set sequence = sequence + 1 where id = ?1 and {LIVE}",
    "members": "select connection_id from {groups} where name = ?1 and expires > ?2",
}

SWEEPS = (
    ("delete from {table}", "{table}", "expires <= ?1"),
    ("delete from {groups}", "{groups}", "expires <= ?1"),
    # What older versions left behind expires one life after it was first seen.
    (f"update {{table}} set expires = ?1 + {LIFETIME_S}", "{table}", "expires is null"),
)
"""What is done, in which table, and to which rows; the arguments are the time and `SWEEP_ROWS`."""

CREATE = (
    """create table if not exists {table} (
        id text primary key, initial_scope text, sequence bigint not null default 0, expires bigint
    )""",
    """create table if not exists {groups} (
        name text not null, connection_id text not null, expires bigint not null,
        primary key (name, connection_id)
    )""",
)
INDEX = (
    "create index if not exists {table_index} on {table} (expires)",
    "create index if not exists {groups_index} on {groups} (expires)",
)
COLUMNS = {"sequence": "bigint not null default 0", "expires": "bigint"}
"""What the tables of older versions lack."""


def table_name(dsn: DSN) -> str:
    """The table's name out of the DSN. Raises `ConfigurationError` if it is no identifier."""
    name = next((dsn.parameters[it] for it in PARAMETERS if it in dsn.parameters), TABLE)
    if not is_table(name):
        raise dsn.error(
            f"{name!r} is no name for a table: up to 54 letters of A-Z, digits and underscores,"
            " a schema and a dot before them at will"
        )
    return name


def fill(statement: str, table: str) -> str:
    """Puts the names of the tables into a statement."""
    schema, dot, name = table.rpartition(".")
    prefix = f'"{schema}".' if dot else ""
    return statement.format(
        table=f'{prefix}"{name}"',
        groups=f'{prefix}"{name}_groups"',
        table_index=f'"{name}_expires"',
        groups_index=f'"{name}_groups_expires"',
    )
