"""Every option of the adapter: its default in each edition, what it takes, and what it refuses."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import mangum.adapter
from mangum import Mangum
from mangum.exceptions import ConfigurationError, MangumError
from mangum.options import DEFAULT_TEXT_MIME_TYPES, MODERN_TEXT_MIME_TYPES
from mangum.types import Edition
from tests.apps import hello
from tests.builders import lambda_context, websocket_event

EDITIONS: tuple[Edition, ...] = ("classic", "2026")

either_edition = pytest.mark.parametrize("edition", EDITIONS)


class Pigeon:
    """A handler class of one's own, as far as the options look at it."""

    @classmethod
    def infer(cls, event: Any, context: Any, config: Any) -> bool:
        return False


WEBSOCKET_OPTIONS = {
    "dsn": "dsn",
    "ws_config": "ws_config",
    "api_gateway_endpoint_url": "endpoint_url",
    "api_gateway_region_name": "region",
    "websocket_binary": "binary",
    "websocket_replay": "replay",
}
"""Those that are kept for the first WebSocket event, and their names there."""


def settings(handler: Mangum) -> dict[str, Any]:
    """The value in force of every option."""
    return {
        "lifespan": handler.lifespan,
        "custom_handlers": handler.custom_handlers,
        "lifespan_scope": handler.lifespan_scope,
        "raise_exceptions": handler.raise_exceptions,
        "loop_factory": handler.loop_factory,
        **{name: handler._websocket_options[key] for name, key in WEBSOCKET_OPTIONS.items()},
        **handler.config,
    }


DEFAULTS: dict[str, Any] = {
    "lifespan": "auto",
    "api_gateway_base_path": "/",
    "custom_handlers": [],
    "exclude_headers": [],
    "raise_exceptions": False,
    "forwarded_host": None,
    "root_path": None,
    "events_path": None,
    "loop_factory": None,
    "dsn": None,
    "ws_config": None,
    "api_gateway_endpoint_url": None,
    "api_gateway_region_name": None,
    "websocket_path": None,
    "websocket_binary": "error",
    "websocket_replay": "connect",
}

EDITION_DEFAULTS: dict[Edition, dict[str, Any]] = {
    "classic": {
        "edition": "classic",
        "lifespan_scope": "invocation",
        "websocket_mode": "message",
        "text_mime_types": DEFAULT_TEXT_MIME_TYPES,
    },
    "2026": {
        "edition": "2026",
        "lifespan_scope": "environment",
        "websocket_mode": "session",
        "text_mime_types": MODERN_TEXT_MIME_TYPES,
    },
}


@either_edition
def test_every_option_has_its_default(edition: Edition) -> None:
    expected = {**DEFAULTS, **EDITION_DEFAULTS[edition]}
    assert settings(Mangum(hello, edition=edition)) == expected


def test_the_classic_edition_is_the_default() -> None:
    assert settings(Mangum(hello)) == settings(Mangum(hello, edition="classic"))


def test_the_text_types_of_mangum_0_22_are_text_in_both_editions() -> None:
    published = [
        "text/",
        "application/json",
        "application/javascript",
        "application/xml",
        "application/vnd.api+json",
        "application/vnd.oai.openapi",
    ]
    assert [*published, "+json", "+xml"] == DEFAULT_TEXT_MIME_TYPES
    assert MODERN_TEXT_MIME_TYPES[: len(DEFAULT_TEXT_MIME_TYPES)] == DEFAULT_TEXT_MIME_TYPES
    assert mangum.adapter.DEFAULT_TEXT_MIME_TYPES is DEFAULT_TEXT_MIME_TYPES


WS_CONFIG = {"backend": "sqlite3", "params": {"file_path": "file.db"}}


def path_of(event: Any) -> str:
    return "/ws"


GIVEN: list[tuple[str, Any, Any]] = [
    ("lifespan", "off", "off"),
    ("lifespan", "on", "on"),
    ("api_gateway_base_path", "/api", "/api"),
    ("api_gateway_base_path", None, "/"),
    ("api_gateway_base_path", "", "/"),
    ("custom_handlers", [Pigeon], [Pigeon]),
    ("custom_handlers", None, []),
    ("exclude_headers", ["X-Secret", "via"], ["x-secret", "via"]),
    ("lifespan_scope", "environment", "environment"),
    ("lifespan_scope", "invocation", "invocation"),
    ("raise_exceptions", True, True),
    ("forwarded_host", "X-Forwarded-Host", "X-Forwarded-Host"),
    ("root_path", "/prod", "/prod"),
    ("root_path", "", ""),
    ("events_path", "/events", "/events"),
    ("loop_factory", asyncio.new_event_loop, asyncio.new_event_loop),
    ("dsn", "sqlite:///file.db", "sqlite:///file.db"),
    ("ws_config", WS_CONFIG, WS_CONFIG),
    ("api_gateway_endpoint_url", "https://example.org/prod", "https://example.org/prod"),
    ("api_gateway_region_name", "eu-west-1", "eu-west-1"),
    ("websocket_mode", "message", "message"),
    ("websocket_mode", "session", "session"),
    ("websocket_path", "/ws", "/ws"),
    ("websocket_path", path_of, path_of),
    ("websocket_binary", "base64", "base64"),
    ("websocket_replay", "messages", "messages"),
]


@either_edition
@pytest.mark.parametrize(("name", "value", "in_force"), GIVEN)
def test_an_option_that_is_given_wins_over_the_edition(
    edition: Edition, name: str, value: Any, in_force: Any
) -> None:
    handler = Mangum(hello, edition=edition, **{name: value})
    expected = {**DEFAULTS, **EDITION_DEFAULTS[edition], name: in_force}
    assert settings(handler) == expected


@pytest.mark.parametrize(
    ("edition", "options", "types"),
    [
        ("classic", {"text_mime_types": ["a/b"]}, ["a/b"]),
        ("2026", {"text_mime_types": ["a/b"]}, [*MODERN_TEXT_MIME_TYPES, "a/b"]),
        ("classic", {"text_mime_types": []}, DEFAULT_TEXT_MIME_TYPES),
        ("2026", {"text_mime_types": []}, MODERN_TEXT_MIME_TYPES),
        ("classic", {"extra_text_mime_types": ["a/b"]}, [*DEFAULT_TEXT_MIME_TYPES, "a/b"]),
        ("2026", {"extra_text_mime_types": ["a/b"]}, [*MODERN_TEXT_MIME_TYPES, "a/b"]),
        (
            "classic",
            {"text_mime_types": ["a/b"], "extra_text_mime_types": ("c/d",)},
            ["a/b", "c/d"],
        ),
    ],
)
def test_text_types_are_replaced_or_added(
    edition: Edition, options: dict[str, Any], types: list[str]
) -> None:
    assert Mangum(hello, edition=edition, **options).config["text_mime_types"] == types


@either_edition
def test_text_types_can_be_changed_afterwards_for_one_handler_alone(edition: Edition) -> None:
    given = ["a/b"]
    handlers = [
        Mangum(hello, edition=edition),
        Mangum(hello, edition=edition, text_mime_types=given),
        Mangum(hello, edition=edition, extra_text_mime_types=given),
    ]
    for handler in handlers:
        handler.config["text_mime_types"].append("c/d")
    expected = EDITION_DEFAULTS[edition]["text_mime_types"]
    assert Mangum(hello, edition=edition).config["text_mime_types"] == expected
    assert given == ["a/b"]


def test_the_options_of_mangum_0_22_can_be_given_by_position() -> None:
    handler = Mangum(hello, "off", "/api", [Pigeon], ["a/b"], ["X-A"])  # type: ignore[list-item]
    assert settings(handler) == {
        **DEFAULTS,
        **EDITION_DEFAULTS["classic"],
        "lifespan": "off",
        "api_gateway_base_path": "/api",
        "custom_handlers": [Pigeon],
        "text_mime_types": ["a/b"],
        "exclude_headers": ["x-a"],
    }


def test_newer_options_are_given_by_name() -> None:
    with pytest.raises(TypeError, match="positional"):
        Mangum(hello, "off", "/", None, None, None, "2026")  # type: ignore[call-arg]


# --- wrong values -----------------------------------------------------------------------------

CHOICES: dict[str, str] = {
    "lifespan": "auto|on|off",
    "edition": "classic|2026",
    "lifespan_scope": "invocation|environment",
    "websocket_mode": "message|session",
    "websocket_binary": "error|base64",
    "websocket_replay": "connect|messages",
}


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["", "Auto", "yes", 2026, True, ["on"], {"on"}, b"on"])
def test_a_value_that_is_no_choice_is_an_error_that_lists_them(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Mangum(hello, **{name: value})
    expected = f"Invalid argument supplied for `{name}`. Choices are: {CHOICES[name]}"
    assert str(caught.value) == expected


@pytest.mark.parametrize("name", ["lifespan", "edition", "websocket_binary", "websocket_replay"])
def test_none_is_no_choice(name: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(CHOICES[name])):
        Mangum(hello, **{name: None})  # type: ignore[arg-type]


WRONG: list[tuple[str, Any]] = [
    ("api_gateway_base_path", 1),
    ("api_gateway_base_path", b"/api"),
    ("custom_handlers", Pigeon),
    ("custom_handlers", [hello]),
    ("custom_handlers", ["Pigeon"]),
    ("text_mime_types", "text/"),
    ("text_mime_types", [b"text/"]),
    ("text_mime_types", 1),
    ("extra_text_mime_types", "text/"),
    ("extra_text_mime_types", [None]),
    ("exclude_headers", "x-a"),
    ("exclude_headers", [b"x-a"]),
    ("exclude_headers", {"x-a": "b"}),
    ("raise_exceptions", 1),
    ("raise_exceptions", None),
    ("raise_exceptions", "yes"),
    ("forwarded_host", True),
    ("root_path", 1),
    ("root_path", b"/prod"),
    ("events_path", ""),
    ("events_path", "/"),
    ("events_path", "events"),
    ("events_path", True),
    ("loop_factory", "uvloop"),
    ("dsn", ""),
    ("dsn", "table"),
    ("dsn", b"sqlite:///file.db"),
    ("dsn", 1),
    ("ws_config", "sqlite3"),
    ("ws_config", {}),
    ("ws_config", {"params": {"file_path": "file.db"}}),
    ("ws_config", [("backend", "sqlite3")]),
    ("api_gateway_endpoint_url", ""),
    ("api_gateway_endpoint_url", "example.org/prod"),
    ("api_gateway_endpoint_url", "wss://example.org/prod"),
    ("api_gateway_endpoint_url", 1),
    ("api_gateway_region_name", 1),
    ("api_gateway_region_name", b"eu-west-1"),
    ("websocket_path", 1),
    ("websocket_path", b"/ws"),
]


@either_edition
@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_of_the_wrong_type_is_an_error_that_says_what_is_taken(
    edition: Edition, name: str, value: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Mangum(hello, edition=edition, **{name: value})
    start = f"Invalid argument supplied for `{name}`: {type(value).__name__}. Expected "
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize("app", [None, "app:app", 1])
def test_an_application_that_can_not_be_called_is_an_error(app: Any) -> None:
    with pytest.raises(ConfigurationError, match="`app`"):
        Mangum(app)


def test_an_unknown_option_is_an_error_that_lists_all() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Mangum(hello, base_path="/api")
    names = [name for name in parameters() if name != "app"]
    assert str(caught.value) == f"Unknown option `base_path`. Choices are: {'|'.join(names)}"


def test_an_unknown_option_beside_an_older_one_warns_of_nothing() -> None:
    with pytest.raises(ConfigurationError, match="Unknown option `enable_lifespan`"):
        Mangum(hello, log_level="info", enable_lifespan=True)


def test_a_configuration_error_is_one_of_ours() -> None:
    assert issubclass(ConfigurationError, MangumError)


# --- what shows with the first WebSocket event, as nothing of it is imported before -----------

NO_BACKEND = "The `dsn` parameter must be provided for WebSocket connections."

either_mode = pytest.mark.parametrize("mode", ["message", "session"])


@either_mode
@either_edition
@pytest.mark.parametrize("event_type", ["CONNECT", "MESSAGE", "DISCONNECT"])
def test_a_websocket_event_without_a_backend_is_an_error(
    edition: Edition, mode: Any, event_type: str
) -> None:
    handler = Mangum(hello, edition=edition, websocket_mode=mode)
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            handler(websocket_event(event_type=event_type), lambda_context())
        assert str(caught.value) == NO_BACKEND


def test_groups_without_a_backend_are_an_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Mangum(hello).groups  # noqa: B018
    assert str(caught.value) == NO_BACKEND


@either_mode
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dsn": "mysql://user:s3cret@host/db"}, "mysql://user:***@host/db"),
        ({"dsn": "sqlite://"}, "sqlite"),
        ({"dsn": "dynamodb://table?regionn=x"}, "regionn"),
        ({"ws_config": {"backend": "mysql"}}, "mysql"),
        ({"ws_config": {"backend": "sqlite3", "params": {"file": "s3cret"}}}, "file"),
    ],
    ids=["unknown scheme", "no file", "unknown parameter", "unknown backend", "unknown key"],
)
def test_a_wrong_backend_is_an_error_with_the_first_websocket_event(
    mode: Any, options: dict[str, Any], said: str
) -> None:
    handler = Mangum(hello, websocket_mode=mode, **options)
    with pytest.raises(ConfigurationError) as caught:
        handler(websocket_event(event_type="CONNECT"), lambda_context())
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


# --- options of older versions ----------------------------------------------------------------


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger of the package, left as it was."""
    logger = logging.getLogger("mangum")
    level = logger.level
    yield logger
    logger.setLevel(level)


def line_of(text: str) -> int:
    """The line of this file that is the text."""
    [line] = [
        number
        for number, line in enumerate(inspect.getsource(inspect.getmodule(line_of)).splitlines(), 1)  # type: ignore[arg-type]
        if line.strip() == text
    ]
    return line


def test_text_mime_types_in_capitals_still_serve_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        handler = Mangum(hello, TEXT_MIME_TYPES=["a/b"])
    [warning] = caught
    assert str(warning.message) == "`TEXT_MIME_TYPES` is deprecated: use `text_mime_types=`."
    assert warning.filename == __file__
    assert warning.lineno == line_of('handler = Mangum(hello, TEXT_MIME_TYPES=["a/b"])')
    assert handler.config["text_mime_types"] == ["a/b"]


@pytest.mark.parametrize(
    ("level", "number"),
    [("info", logging.INFO), ("DEBUG", logging.DEBUG), (logging.ERROR, logging.ERROR)],
)
def test_log_level_still_sets_the_level_with_a_warning(
    logger: logging.Logger, level: Any, number: int
) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        Mangum(hello, lifespan="off", log_level=level)
    [warning] = caught
    successor = 'use `logging.getLogger("mangum").setLevel()`'
    assert str(warning.message) == f"`log_level` is deprecated: {successor}."
    assert warning.filename == __file__
    assert warning.lineno == line_of('Mangum(hello, lifespan="off", log_level=level)')
    assert logger.level == number


def test_every_older_option_warns_for_itself(logger: logging.Logger) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        Mangum(hello, log_level="info", TEXT_MIME_TYPES=None)
    assert [str(warning.message).partition(" ")[0] for warning in caught] == [
        "`log_level`",
        "`TEXT_MIME_TYPES`",
    ]


@pytest.mark.parametrize("level", ["loud", None, 1.5, ["info"]])
def test_a_log_level_that_does_not_exist_is_an_error(logger: logging.Logger, level: Any) -> None:
    before = logger.level
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        pytest.raises(ConfigurationError) as caught,
    ):
        Mangum(hello, log_level=level)
    assert str(caught.value) == (
        "Invalid argument supplied for `log_level`. Choices are: debug|info|warning|error|critical"
    )
    assert logger.level == before


def test_text_mime_types_in_both_spellings_is_an_error() -> None:
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        pytest.raises(ConfigurationError) as caught,
    ):
        Mangum(hello, text_mime_types=["a/b"], TEXT_MIME_TYPES=["a/b"])
    assert "`TEXT_MIME_TYPES`" in str(caught.value)
    assert "`text_mime_types`" in str(caught.value)


def test_a_wrong_value_in_an_older_option_is_an_error() -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"), pytest.raises(ConfigurationError):
        Mangum(hello, TEXT_MIME_TYPES="text/")


def test_nothing_warns_when_no_older_option_is_given() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Mangum(hello, text_mime_types=["a/b"])


# --- what is written of them ------------------------------------------------------------------


def parameters() -> list[str]:
    """The options of the signature."""
    return [
        parameter.name
        for parameter in inspect.signature(Mangum).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]


def test_the_docstring_tells_of_each_option_in_the_order_of_the_signature() -> None:
    assert Mangum.__doc__ is not None
    assert re.findall(r"^ *\* \*\*(\w+)\*\*:", Mangum.__doc__, re.MULTILINE) == parameters()


def test_every_option_is_tested_here() -> None:
    tested = {name for name, *_ in (*GIVEN, *WRONG)} | {*CHOICES}
    assert tested == {*parameters()} - {"app"}


def test_a_handler_has_a_name() -> None:
    assert Mangum(hello).__name__ == "Mangum"
