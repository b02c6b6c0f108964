"""DSNs: which backend they name, what is wrong with others, and what is shown of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum.backends import make_backend, show
from mangum.backends.dsn import DSN
from mangum.exceptions import ConfigurationError
from tests.processes import output_of

NASTY = "@:/?#%&=[]*+\0\ud800 é"


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("dynamodb://connections", "DynamoDBBackend"),
        ("dynamodb://table?region=eu-west-1&endpoint_url=http://127.0.0.1:8000", "DynamoDBBackend"),
        ("s3://bucket", "S3Backend"),
        ("s3://bucket/a/prefix/?region=eu-west-1", "S3Backend"),
        ("postgresql://user:secret@host:5432/database", "PostgreSQLBackend"),
        ("postgres://host/database", "PostgreSQLBackend"),
        ("postgresql:///database", "PostgreSQLBackend"),
        ("postgresql://a:1,b:2/database?target_session_attrs=read-write", "PostgreSQLBackend"),
        ("redis://host", "RedisBackend"),
        ("rediss://user:secret@host:6380/1", "RedisBackend"),
        ("sqlite:///file.db", "SQLiteBackend"),
        ("sqlite:////tmp/file.db", "SQLiteBackend"),
        ("sqlite://file.db", "SQLiteBackend"),
        ("SQLite:///file.db", "SQLiteBackend"),
    ],
)
def test_scheme_names_the_backend(dsn: str, name: str) -> None:
    assert type(make_backend(dsn)).__name__ == name


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("", "is no DSN"),
        ("mangum.db", "is no DSN"),
        ("redis:host", "is no DSN"),
        ("redis://", "is no DSN"),
        ("s3:///", "is no DSN"),
        ("re dis://host", "is no DSN"),
        (None, "not NoneType"),
        (b"redis://host", "not bytes"),
        ("mysql://host", "there is no backend mysql://"),
        ("dynamodb://ab", "a table's name"),
        ("dynamodb:///table", "a table's name"),
        ("dynamodb://tab*le", "a table's name"),
        ("dynamodb://table?zone=eu-west-1", "no parameter zone; there are region"),
        ("dynamodb://table?region", "each parameter needs a value"),
        ("s3://ab", "a bucket's name"),
        ("s3://buck$et", "a bucket's name"),
        ("s3://bucket?addressing=dns", "neither path nor virtual"),
        ("s3://bucket?table_name=x", "no parameter table_name"),
        ("postgresql://host:port/database", "its port is no number"),
        ("postgresql://host:99999/database", "its port is no number"),
        ("postgresql://host/db?table_name=a-b", "'a-b' is no name for a table"),
        ("postgresql://host/db?table=a;drop", "'a;drop' is no name for a table"),
        ("postgresql://host/db?table=a.b.c", "'a.b.c' is no name for a table"),
        ("postgresql://host/db?table=", "'' is no name for a table"),
        ("postgresql://host/db?table=ta%C3%A9", "'taé' is no name for a table"),
        ("postgresql://host/db?connect_timeout=soon", "its connect_timeout is no whole number"),
        ("redis://host/first", "its path is no number of a database"),
        ("sqlite:///file.db?table_name=1st", "'1st' is no name for a table"),
        ("sqlite:///file.db?table_name=main.x", "SQLite has no schemas"),
        ("sqlite:///file.db?timeout=5", "no parameter timeout; there are table_name, table"),
        ("sqlite:///?table=x", "is no DSN|names no file"),
    ],
)
def test_wrong_dsn_is_refused_with_the_reason(dsn: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        make_backend(dsn)


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:hunter2@host/0", "redis://:***@host/0"),
        ("redis://hunter2@host/0", "redis://***@host/0"),
        ("postgresql://me:hunter2@host/db?a=b", "postgresql://me:***@host/db?a=b"),
        ("postgresql://me:hun@ter2@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:hunter2/#?x@host/db", "postgresql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=hunter2", "postgresql://host/db?user=me&password=***"),
        ("postgresql://host/db?PASSWORD=hunter2&a=b", "postgresql://host/db?PASSWORD=***&a=b"),
        ("postgresql://host/db?sslpassword=hunter2", "postgresql://host/db?sslpassword=***"),
        ("me:hunter2@host", "***"),
    ],
)  # fmt: skip
def test_password_is_never_shown(dsn: str, shown: str) -> None:
    assert show(dsn) == shown


@given(st.text(NASTY) | st.text())
def test_no_password_is_ever_shown(password: str) -> None:
    assert show(f"redis://me:{password}@host/0") == "redis://me:***@host/0"
    assert refusal(f"redis://me:{password}@host/zero").startswith("redis://me:***@host/zero ")


def refusal(dsn: str) -> str:
    try:
        make_backend(dsn)
    except ConfigurationError as error:
        return str(error)
    return f"{show(dsn)} was accepted"  # half of such a password may look like a parameter


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://me:hunter2@host/db",
        "postgresql://me:hunter2@host:port/db",
        "postgresql://me:hunter2@host/db?table=-",
        "postgresql://me:hunter2/x@host/db",
        "postgresql://host/db?password=hunter2&table=-",
        "redis://:hunter2@host/x",
        "rediss://hunter2@host/x",
        "dynamodb://key:hunter2@x",
        "://me:hunter2@host",
        "me:hunter2@host",
        "sqlite://me:hunter2@file?x=1",
    ],
)
def test_refusal_shows_no_password(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_backend(dsn)
    assert "hunter2" not in str(caught.value)


def test_password_that_breaks_the_dsn_is_said_to_need_quoting() -> None:
    with pytest.raises(ConfigurationError, match="must be percent-encoded"):
        make_backend("postgresql://me:hunter/2@host/db")


def test_parts_are_decoded() -> None:
    dsn = DSN("postgresql://m%40e:a%3Ab%2Fc@[::1]:5433/d%20b?x=a%26b&y=%C3%A9=")
    assert (dsn.user, dsn.password) == ("m@e", "a:b/c")
    assert (dsn.host, dsn.port, dsn.path) == ("::1", 5433, "/d%20b")
    assert dsn.parameters == {"x": "a&b", "y": "é="}
    assert repr(dsn) == "<DSN postgresql://m%40e:***@[::1]:5433/d%20b?x=a%26b&y=%C3%A9=>"


def test_parameters_are_taken_out_of_the_text() -> None:
    text = "postgresql://host/db?table=x&sslmode=require&connect_timeout=5#part"
    assert DSN(text).without(("table", "connect_timeout"), text) == (
        "postgresql://host/db?sslmode=require"
    )
    assert DSN(text).without(("table", "connect_timeout", "sslmode"), text) == (
        "postgresql://host/db"
    )


BEFORE_OPEN = """
import asyncio, sys
before = set(sys.modules)
from mangum.backends import make_backend

for dsn in ("dynamodb://table", "s3://bucket", "postgresql://host/db", "redis://host", "sqlite:///x"):
    make_backend(dsn)
heavy = "asyncpg redis boto3 botocore ssl sqlite3 urllib.request http email typing dataclasses"
print(sorted(set(heavy.split()) & (set(sys.modules) - before)))
"""


def test_no_driver_is_imported_before_a_backend_opens() -> None:
    assert output_of(BEFORE_OPEN) == ["[]"]


ONLY_WHAT_IS_NAMED = """
import sys
from mangum.backends import make_backend

make_backend("sqlite:///x")
print([name for name in sorted(sys.modules) if name.startswith(("mangum.aws", "mangum.backends"))])
"""


def test_only_the_backend_that_is_named_is_imported() -> None:
    names = "backends backends._names backends._sql backends.base backends.dsn backends.sqlite"
    assert output_of(ONLY_WHAT_IS_NAMED) == [str([f"mangum.{name}" for name in names.split()])]
