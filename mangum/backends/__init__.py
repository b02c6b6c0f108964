"""Where the records of WebSocket connections live: a DSN names the backend.

Nothing is imported before a DSN asks for it.
"""

from __future__ import annotations

from importlib import import_module

from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.backends.dsn import is_scheme, scheme_of, show
from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "LIFETIME_S",
    "Record",
    "WebSocketBackend",
    "dsn_from_ws_config",
    "make_backend",
    "register",
    "show",
]

BACKENDS: dict[str, str | Callable[[str], Any]] = {
    "dynamodb": "mangum.backends.dynamodb:DynamoDBBackend",
    "s3": "mangum.backends.s3:S3Backend",
    "postgresql": "mangum.backends.postgresql:PostgreSQLBackend",
    "postgres": "mangum.backends.postgresql:PostgreSQLBackend",
    "redis": "mangum.backends.redis:RedisBackend",
    "rediss": "mangum.backends.redis:RedisBackend",
    "sqlite": "mangum.backends.sqlite:SQLiteBackend",
}
"""The class for each scheme, imported when it is asked for; `register` adds to it."""

SESSION_METHODS = ("advance", "take")


def make_backend(dsn: str, *, sessions: bool = False) -> WebSocketBackend:
    """The backend that the DSN names; it connects when it is opened.

    `sessions` asks for one that can serve session mode. Raises `ConfigurationError`, whose message
    shows no password.
    """
    scheme = scheme_of(dsn)
    known = BACKENDS.get(scheme)
    if known is None:
        raise ConfigurationError(
            f"{show(dsn)}: there is no backend {scheme}://, only {', '.join(BACKENDS)}; your own"
            " class is made known by mangum.backends.register()."
        )
    if isinstance(known, str):
        module, _, name = known.partition(":")
        known = getattr(import_module(module), name)
        BACKENDS[scheme] = known
    if sessions and not _has_sessions(known):
        raise ConfigurationError(
            f"{known.__name__} lacks {' and '.join(SESSION_METHODS)}, which session mode needs; set"
            ' websocket_mode="message".'
        )
    if _opens_itself(known):
        backend: WebSocketBackend = known(dsn)
        return backend
    from mangum.backends._adopted import AdoptedBackend

    return AdoptedBackend(dsn, known)


def register(scheme: str, backend_class: Callable[[str], Any]) -> None:
    """Serve DSNs of this scheme by a class of one's own.

    It is called with the DSN, and derived from `WebSocketBackend`, or at least has the methods of a
    backend of 0.12: `__aenter__`, `__aexit__`, `save`, `retrieve` and `delete`. Raises
    `ConfigurationError`.
    """
    if not isinstance(scheme, str) or not is_scheme(scheme):
        raise ConfigurationError(f"{scheme!r} is no scheme of a DSN.")
    missing = [
        name
        for name in ("__aenter__", "__aexit__", "save", "retrieve", "delete")
        if not callable(getattr(backend_class, name, None))
    ]
    if not isinstance(backend_class, type) or missing:
        raise ConfigurationError(
            f"{backend_class!r} is no class of a backend"
            + (f": it lacks {', '.join(missing)}." if missing else ".")
        )
    BACKENDS[scheme.lower()] = backend_class


def dsn_from_ws_config(ws_config: dict[str, Any]) -> str:
    """The DSN that means the same as `{"backend": "s3", "params": {"bucket": "…"}}`.

    Raises `ConfigurationError`, which names parameters and never shows their values.
    """
    from mangum.backends._ws_config import dsn_of

    return dsn_of(ws_config)


def _has_sessions(backend_class: Any) -> bool:
    """Inherited from the base class, they only raise."""
    return all(
        getattr(backend_class, name, None) not in (None, getattr(WebSocketBackend, name))
        for name in SESSION_METHODS
    )


def _opens_itself(backend_class: Any) -> bool:
    """A class of 0.12 connects in `__aenter__`, and knows no `open`."""
    return issubclass(backend_class, WebSocketBackend) and (
        backend_class.open is not WebSocketBackend.open
        or backend_class.__aenter__ is WebSocketBackend.__aenter__
    )
