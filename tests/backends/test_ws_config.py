"""The older way to name a backend."""

from __future__ import annotations

from typing import Any

import pytest

from mangum.backends import dsn_from_ws_config, make_backend
from mangum.backends.dsn import DSN
from mangum.exceptions import ConfigurationError

LOGIN = {"database": "d b", "user": "m@e", "password": "p:/@?", "host": "db.example.org"}


@pytest.mark.parametrize(
    ("backend", "params", "dsn"),
    [
        ("dynamodb", {"table_name": "connections"}, "dynamodb://connections"),
        (
            "dynamodb",
            {"table_name": "t_1", "region_name": "eu-west-1", "endpoint_url": "http://h:1"},
            "dynamodb://t_1?region=eu-west-1&endpoint_url=http%3A%2F%2Fh%3A1",
        ),
        ("dynamodb", {"table_name": "t_1", "region_name": None}, "dynamodb://t_1"),
        ("s3", {"bucket": "a-bucket"}, "s3://a-bucket"),
        ("s3", {"bucket": "b.c", "region_name": "eu-west-1"}, "s3://b.c?region=eu-west-1"),
        (
            "postgresql",
            LOGIN,
            "postgresql://m%40e:p%3A%2F%40%3F@db.example.org:5432/d%20b?table_name=mangum",
        ),
        (
            "postgresql",
            {**LOGIN, "port": "5433", "connect_timeout": 3, "table_name": "t"},
            (
                "postgresql://m%40e:p%3A%2F%40%3F@db.example.org:5433/d%20b"
                "?table_name=t&connect_timeout=3"
            ),
        ),
        ("postgresql", {"uri": "postgres://h/d"}, "postgres://h/d?table_name=mangum"),
        (
            "postgresql",
            {"uri": "postgres://h/d?sslmode=require", "connect_timeout": 3, "table_name": "t"},
            "postgres://h/d?sslmode=require&table_name=t&connect_timeout=3",
        ),
        ("redis", {"host": "cache"}, "redis://cache:6379"),
        ("redis", {"uri": "rediss://cache/1"}, "rediss://cache/1"),
        ("redis", {"host": "cache", "port": 6380, "password": "p@"}, "redis://:p%40@cache:6380"),
        ("redis", {"host": "cache", "password": ""}, "redis://cache:6379"),
        ("sqlite3", {"file_path": "m.db"}, "sqlite:///./m.db?table_name=mangum"),
        ("sqlite3", {"file_path": "/tmp/m?.db"}, "sqlite:////tmp/m%3F.db?table_name=mangum"),
        ("sqlite3", {"file_path": "m.db", "table_name": "t"}, "sqlite:///./m.db?table_name=t"),
    ],
)
def test_configuration_becomes_a_dsn(backend: str, params: dict[str, Any], dsn: str) -> None:
    assert dsn_from_ws_config({"backend": backend, "params": params}) == dsn
    make_backend(dsn)


def test_login_survives_the_way_through_the_dsn() -> None:
    dsn = DSN(dsn_from_ws_config({"backend": "postgresql", "params": LOGIN}))
    assert (dsn.user, dsn.password, dsn.host) == ("m@e", "p:/@?", "db.example.org")


@pytest.mark.parametrize(
    ("ws_config", "reason"),
    [
        ({}, "this one has nothing"),
        ({"params": {}}, "this one has 'params'"),
        ({"backend": "s3", "bucket": "secret"}, "this one has 'backend', 'bucket'"),
        ({"backend": "mysql"}, "no backend 'mysql', only dynamodb, s3, postgresql, redis, sqlite3"),
        ({"backend": ["s3"]}, "no backend"),
        ({"backend": "s3"}, "lacks bucket for s3"),
        ({"backend": "s3", "params": None}, "params is a dict and not NoneType"),
        ({"backend": "s3", "params": {"bucket": ""}}, "lacks bucket"),
        ({"backend": "s3", "params": {"bucket": ["secret"]}}, "no text in bucket"),
        ({"backend": "s3", "params": {"bucket_name": "secret"}}, "no parameter bucket_name for s3"),
        ({"backend": "postgresql", "params": {"user": "secret"}}, "lacks database, password, host"),
        ("s3://bucket", "ws_config is a dict and not str"),
    ],
)
def test_wrong_configuration_is_refused_without_its_values(ws_config: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        dsn_from_ws_config(ws_config)
    assert "secret" not in str(caught.value)
