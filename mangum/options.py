"""Every option of the adapter: its default in each edition, what it takes, and how it is
checked."""

from __future__ import annotations

from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

EDITIONS = ("classic", "2026")

CHOICES: dict[str, tuple[str, ...]] = {
    "edition": EDITIONS,
    "lifespan": ("auto", "on", "off"),
    "lifespan_scope": ("invocation", "environment"),
    "websocket_mode": ("message", "session"),
    "websocket_binary": ("error", "base64"),
    "websocket_replay": ("connect", "messages"),
}

EDITION_DEFAULTS: dict[str, dict[str, Any]] = {
    "lifespan_scope": {"classic": "invocation", "2026": "environment"},
    "websocket_mode": {"classic": "message", "2026": "session"},
}
"""The options whose default depends on the edition; all other defaults stand in the signature of
`Mangum`."""

DEFAULT_TEXT_MIME_TYPES: list[str] = [
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/vnd.api+json",
    "application/vnd.oai.openapi",
    "+json",
    "+xml",
]

MODERN_TEXT_MIME_TYPES: list[str] = [
    *DEFAULT_TEXT_MIME_TYPES,
    "application/csv",
    "application/ecmascript",
    "application/graphql",
    "application/ndjson",
    "application/sql",
    "application/toml",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "application/x-yaml",
    "application/yaml",
    "+yaml",
]

SUCCESSORS: dict[str, str] = {
    "TEXT_MIME_TYPES": "use `text_mime_types=`",
    "log_level": 'use `logging.getLogger("mangum").setLevel()`',
}
"""Options of older versions that are still taken, with what a DeprecationWarning says of each."""


def text_mime_types(
    edition: str, given: Iterable[str] | None, extra: Iterable[str] | None
) -> list[str]:
    """The text types in force: `given` replaces the defaults in the classic edition and adds to
    them in 2026."""
    types = MODERN_TEXT_MIME_TYPES if edition == "2026" else DEFAULT_TEXT_MIME_TYPES
    if given:
        types = [*given] if edition == "classic" else [*types, *given]
    return [*types, *(extra or ())]


def edition_default(name: str, edition: Any) -> Any:
    """The default of an option in an edition; of no use, but no error either, if there is no such
    edition, which `check` then says."""
    return next((value for key, value in EDITION_DEFAULTS[name].items() if key == edition), None)


def check(options: dict[str, Any]) -> None:
    """Raise `ConfigurationError` for the first option that has a wrong value."""
    for name, choices in CHOICES.items():
        if options[name] not in choices:
            raise ConfigurationError(
                f"Invalid argument supplied for `{name}`. Choices are: {'|'.join(choices)}"
            )
    for name, (accepts, expected) in CHECKS.items():
        if not accepts(options[name]):
            given = type(options[name]).__name__
            raise ConfigurationError(
                f"Invalid argument supplied for `{name}`: {given}. Expected {expected}."
            )


def reject_unknown(given: Iterable[str], adapter: type) -> None:
    """Raise `ConfigurationError` for an option that does not exist, nor did in an older version."""
    for name in given:
        if name not in SUCCESSORS:
            raise ConfigurationError(
                f"Unknown option `{name}`. Choices are: {'|'.join(names(adapter))}"
            )


def names(adapter: type) -> list[str]:
    """The names of all options, as they stand in the signature."""
    code = adapter.__init__.__code__  # type: ignore[misc]
    after_app = 2
    return list(code.co_varnames[after_app : code.co_argcount + code.co_kwonlyargcount])


def set_log_level(level: Any) -> None:
    """Set the level of the `mangum` logger, `"info"` or `logging.INFO`, as `log_level=` did."""
    import logging

    try:
        logging.getLogger("mangum").setLevel(level.upper() if isinstance(level, str) else level)
    except (TypeError, ValueError):
        levels = "debug|info|warning|error|critical"
        raise ConfigurationError(
            f"Invalid argument supplied for `log_level`. Choices are: {levels}"
        ) from None


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return value is None or (
        not isinstance(value, (str, bytes)) and _all(value, lambda item: isinstance(item, str))
    )


def _is_handlers(value: Any) -> bool:
    return value is None or _all(
        value, lambda item: callable(item) and callable(getattr(item, "infer", None))
    )


def _is_path(value: Any) -> bool:
    return value is None or (
        isinstance(value, str) and value.startswith("/") and value.strip("/") != ""
    )


def _is_dsn(value: Any) -> bool:
    return value is None or (isinstance(value, str) and "://" in value)


def _is_url(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.startswith(("http://", "https://")))


def _is_callable(value: Any) -> bool:
    return value is None or callable(value)


def _all(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(accepts(item) for item in value)


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "app": (callable, "an ASGI application, `async def app(scope, receive, send)`"),
    "api_gateway_base_path": (_is_text, "a text such as '/api'"),
    "custom_handlers": (_is_handlers, "a list of handler classes, each with an `infer` method"),
    "text_mime_types": (_is_texts, "a list of texts"),
    "exclude_headers": (_is_texts, "a list of texts"),
    "extra_text_mime_types": (_is_texts, "a list of texts"),
    "raise_exceptions": (lambda value: isinstance(value, bool), "True or False"),
    "forwarded_host": (_is_text, "the name of a header such as 'x-forwarded-host'"),
    "root_path": (_is_text, "a text such as '/prod'"),
    "events_path": (_is_path, "a path such as '/events'"),
    "loop_factory": (_is_callable, "a callable that returns an event loop"),
    "dsn": (_is_dsn, "a text such as 'dynamodb://table?region=eu-west-1'"),
    "ws_config": (
        lambda value: value is None or (isinstance(value, dict) and "backend" in value),
        "a dictionary such as {'backend': 's3', 'params': {'bucket': '...'}}",
    ),
    "api_gateway_endpoint_url": (_is_url, "a URL such as 'https://example.org/prod'"),
    "api_gateway_region_name": (_is_text, "the name of a region such as 'eu-west-1'"),
    "websocket_path": (
        lambda value: _is_text(value) or callable(value),
        "a path such as '/ws', or a callable that takes the event",
    ),
}
