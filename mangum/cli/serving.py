"""The command line of `mangum serve`, read: its arguments become the options of a gateway."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mangum import __version__
from mangum._speedups import COMPILED
from mangum.cli.event import base_path
from mangum.cli.load import locate
from mangum.cli.usage import WrongUse, parse_environ
from mangum.exceptions import ConfigurationError
from mangum.local.sources import SOURCES

if TYPE_CHECKING:
    from mangum.local.options import Options
    from mangum.local.websocket_api import WebSocketOptions

Place = tuple[str, "int | None", str]
"""A source with its port, or with a prefix at the main one."""

CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
"""The variables that say where credentials are."""


def read_options(arguments: Namespace) -> Options:
    """Raises `WrongUse`."""
    from mangum.local.environment import variables
    from mangum.local.options import LOOPBACK, Also, Options

    function = locate(arguments.function, arguments.app_dir)
    _check_places(arguments.port, arguments.also)
    environ = _environ(arguments.env)
    websockets = _websockets(arguments, environ, variables(function, "", environ)["AWS_REGION"])
    types = [it.strip() for text in arguments.binary_media_types for it in text.split(",")]
    dashboard = arguments.dashboard
    half = "compiled" if COMPILED else "pure Python"
    return Options(
        function=function,
        environ=environ,
        title=f"Mangum {__version__} ({half}) serves {arguments.function}",
        source=arguments.source,
        also=[Also(*it) for it in arguments.also],
        stage=arguments.stage or None,
        base_path=arguments.base_path,
        binary_media_types=[it for it in types if it],
        host=arguments.host,
        port=arguments.port,
        concurrency=arguments.concurrency,
        warm=arguments.warm,
        timeout_s=arguments.timeout,
        memory_mb=arguments.memory,
        enforce_memory=arguments.enforce_memory,
        reload=arguments.reload,
        record=_record(arguments.record),
        dashboard=arguments.host in LOOPBACK if dashboard is None else dashboard,
        websockets=websockets,
    )


def _environ(settings: list[str]) -> dict[str, str]:
    """The function's: this process's, and what was asked for.

    Calls of @connections must be signed, with whatever credentials: where no others can be found,
    there are some to sign with.
    """
    asked = {name: value for it in settings for name, value in parse_environ(it).items()}
    inherited = {name: value for name, value in os.environ.items() if name != "TZ"}
    environ = {**inherited, **asked}
    if not any(map(environ.get, CREDENTIALS)) and not os.path.exists(os.path.expanduser("~/.aws")):
        environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return environ


def _websockets(arguments: Namespace, environ: Mapping[str, str], region: str) -> WebSocketOptions:
    from mangum.local.websocket_api import WebSocketOptions

    try:
        options = WebSocketOptions(
            stage=arguments.stage or "prod",
            selection=arguments.route_selection,
            routes=tuple(arguments.route),
            idle_timeout_s=arguments.idle_timeout,
            lifetime_s=arguments.lifetime,
            region=region,
        )
    except ConfigurationError as error:
        raise WrongUse(f"--route-selection: {error}") from None
    if not arguments.verify_signatures:
        return options
    key, secret = (environ.get(f"AWS_{it}") for it in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if not (key and secret):
        raise WrongUse(
            "--verify-signatures needs the function's credentials in the environment:"
            " set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return replace(options, verify_signatures=True, credentials={key: secret})


def _record(folder: str | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUse(
            f"--record {folder} can't be made ({error.strerror}): name another folder"
        ) from None
    if not os.access(path, os.W_OK):
        raise WrongUse(f"--record {folder} can't be written: name another folder")
    return path


def _check_places(main_port: int, also: Sequence[Place]) -> None:
    """Raise `WrongUse` if a source could never be reached."""
    from mangum.local.dashboard import ROOT

    places: set[int | str] = {main_port, "", ROOT}
    for source, port, prefix in also:
        place = prefix if port is None else port
        if place in places and port != 0:
            raise WrongUse(
                f"--also {source}:{place or '/'}: another source is there; name another place"
            )
        places.add(place)


# --- the types of the arguments -------------------------------------------------------------------


def also(text: str) -> Place:
    source, _, place = text.partition(":")
    if source not in SOURCES or not place:
        raise ArgumentTypeError(
            f"SOURCE:PORT or SOURCE:/PREFIX is needed, with one of {', '.join(SOURCES)}"
        )
    if place.startswith("/"):
        return source, None, base_path(place)
    return source, port(place), ""


def host(text: str) -> str:
    if not text.strip():
        raise ArgumentTypeError("an address is needed, such as 127.0.0.1")
    return text


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise ArgumentTypeError("a number from 1 to 1000 is needed")
    return int(text)


def none_or_more(text: str) -> int:
    if text != "0" and not (text.isascii() and text.isdigit() and int(text) <= 1000):
        raise ArgumentTypeError("a number from 0 to 1000 is needed")
    return int(text)


def memory(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 128 <= int(text) <= 10240):
        raise ArgumentTypeError("a number of megabytes from 128 to 10240 is needed")
    return int(text)
