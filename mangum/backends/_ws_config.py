"""The older way to name a backend, `ws_config={"backend": …, "params": {…}}`, as a DSN."""

from __future__ import annotations

import os

from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Parameters = Mapping[str, Any]

GATEWAY_OPTIONS = ("api_gateway_endpoint_url", "api_gateway_region_name")
"""What stood beside `params` then, and has become options of the adapter."""

TABLE = "mangum"  # what the table was called where `table_name` was not given


def dsn_of(ws_config: dict[str, Any]) -> str:
    """Raises `ConfigurationError`, which names parameters and never shows their values."""
    if not isinstance(ws_config, dict):
        raise ConfigurationError(f"ws_config is a dict and not {type(ws_config).__name__}.")
    unknown = {str(key) for key in ws_config} - {"backend", "params", *GATEWAY_OPTIONS}
    if unknown or "backend" not in ws_config:
        raise ConfigurationError(
            "ws_config is {'backend': …, 'params': {…}};"
            f" this one has {', '.join(map(repr, ws_config)) or 'nothing'}."
        )
    name, params = ws_config["backend"], ws_config.get("params", {})
    if not isinstance(name, str) or name not in ROWS:
        raise ConfigurationError(f"ws_config has no backend {name!r}, only {', '.join(ROWS)}.")
    write, needed, others = ROWS[name]
    if not isinstance(params, dict):
        raise ConfigurationError(f"ws_config's params is a dict and not {type(params).__name__}.")
    wrong = [str(key) for key in params if key not in needed and key not in others]
    if wrong:
        raise ConfigurationError(
            f"ws_config has no parameter {', '.join(wrong)} for {name}, only"
            f" {', '.join((*needed, *others))}."
        )
    is_whole = "uri" in params
    missing = [key for key in needed if params.get(key) in (None, "") and not is_whole]
    if missing:
        raise ConfigurationError(f"ws_config lacks {', '.join(missing)} for {name}.")
    given = {
        key: os.fspath(value) if isinstance(value, os.PathLike) else value
        for key, value in params.items()
        if value is not None
    }
    bad = [key for key, value in given.items() if not isinstance(value, str | int | float)]
    if bad:
        raise ConfigurationError(f"ws_config has no text in {', '.join(bad)}.")
    return write(given)


def _dynamodb(params: Parameters) -> str:
    query = {"region": params.get("region_name"), "endpoint_url": params.get("endpoint_url")}
    return f"dynamodb://{_quote(params['table_name'])}{_query(query)}"


def _s3(params: Parameters) -> str:
    return f"s3://{_quote(params['bucket'])}{_query({'region': params.get('region_name')})}"


def _postgresql(params: Parameters) -> str:
    own = {
        "table_name": params.get("table_name", TABLE),
        "connect_timeout": params.get("connect_timeout"),
    }
    if "uri" in params:
        uri = str(params["uri"])
        if "://" not in uri:  # libpq's other form, which is not shown, as it has the password
            raise ConfigurationError(
                "ws_config's uri is a URL: postgresql://user:password@host/db."
            )
        return uri + _query(own, "&" if "?" in uri else "?")
    login = f"{_quote(params['user'])}:{_quote(params['password'])}"
    address = f"{_quote(params['host'])}:{params.get('port', 5432)}"
    return f"postgresql://{login}@{address}/{_quote(params['database'])}{_query(own)}"


def _redis(params: Parameters) -> str:
    if "uri" in params:
        return str(params["uri"])
    login = f":{_quote(params['password'])}@" if params.get("password") else ""
    host = str(params["host"])
    host = f"[{host}]" if ":" in host else _quote(host)
    return f"redis://{login}{host}:{params.get('port', 6379)}"


def _sqlite(params: Parameters) -> str:
    path = str(params["file_path"])
    if not path.startswith(("/", ".", ":")):
        path = f"./{path}"
    query = _query({"table_name": params.get("table_name", TABLE)})
    return f"sqlite:///{_quote(path, safe='/:')}{query}"


def _query(params: Parameters, mark: str = "?") -> str:
    pairs = [f"{name}={_quote(value)}" for name, value in params.items() if value is not None]
    return mark + "&".join(pairs) if pairs else ""


def _quote(value: Any, safe: str = "") -> str:
    from urllib.parse import quote

    return quote(str(value), safe=safe)


ROWS: dict[str, tuple[Callable[[Parameters], str], tuple[str, ...], tuple[str, ...]]] = {
    "dynamodb": (_dynamodb, ("table_name",), ("region_name", "endpoint_url")),
    "s3": (_s3, ("bucket",), ("region_name",)),
    "postgresql": (
        _postgresql,
        ("database", "user", "password", "host"),
        ("port", "connect_timeout", "table_name", "uri"),
    ),
    "redis": (_redis, ("host",), ("port", "password", "uri")),
    "sqlite3": (_sqlite, ("file_path",), ("table_name",)),
}
"""By the name of that time: what writes the DSN, the parameters it needs, and those it may have."""
