"""`mangum event`: prints the event that a source makes of a request."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from mangum.cli.answers import write_json
from mangum.cli.usage import WrongUse, describe
from mangum.local.messages import Deployment, Request
from mangum.local.sources import MAX_EVENT_BYTES, SOURCES, NotRouted, Source

OPTIONS = {
    "stage": ("rest", "http", "http-1"),
    "base_path": ("rest", "http", "http-1"),
    "binary_media_types": ("rest",),
}
"""The sources that have what an option says."""

HOST = "example.org"
CLIENT_IP = "203.0.113.10"

DESCRIPTION = """\
Print the event that a source makes of a request, as JSON.

The request comes over TLS and, unless a header says otherwise, to example.org."""

EXAMPLES = """\
  mangum event http GET '/items?color=red' -H 'Accept: application/json' > event.json
  mangum event rest POST /prod/items --stage prod -d @item.json
  mangum event url GET / | mangum invoke app:handler -"""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STAGE = re.compile(r"[A-Za-z0-9_-]+")


def configure(parser: ArgumentParser) -> None:
    describe(
        parser, DESCRIPTION, EXAMPLES, sources={name: it.phrase for name, it in SOURCES.items()}
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", choices=SOURCES, help="what sends the event, see below")
    add("method", metavar="METHOD", type=method, help="GET, POST, …")
    add("path", metavar="PATH", type=target, help="with the query string, percent-encoded")
    add(
        "-H",
        "--header",
        dest="headers",
        metavar="'NAME: VALUE'",
        type=header,
        action="append",
        default=[],
        help="a header; may be given several times",
    )
    add("-d", "--data", metavar="DATA", help="the body; @FILE for that of a file, @- for stdin")
    add_deployment(parser)


def add_deployment(parser: ArgumentParser) -> None:
    """The arguments that say how the function is deployed."""
    add = parser.add_argument
    add("--stage", type=stage, help="the stage that paths begin with (REST and HTTP APIs)")
    add(
        "--base-path",
        type=base_path,
        default="",
        metavar="PATH",
        help="what the API is mapped to on a domain of one's own (REST and HTTP APIs)",
    )
    add(
        "--binary-media-types",
        type=media_types,
        default=(),
        metavar="TYPE,…",
        help="the bodies that a REST API takes as bytes, for example image/*",
    )


def run(arguments: Namespace) -> int:
    source = SOURCES[arguments.source]
    body = read_data(arguments.data)
    if len(body) > source.max_request_bytes:
        raise WrongUse(
            f"the body has {len(body):,} bytes, while {source.phrase} takes"
            f" {source.max_request_bytes:,}"
        )
    path, _, query = arguments.path.partition("?")
    request = Request(
        arguments.method,
        path,
        query,
        _with_defaults(arguments.headers, body),
        body,
        client=(CLIENT_IP, 0),
        server=(HOST, 443),
        scheme="https",
    )
    text = _encode(source, request, read_deployment(arguments, source))
    sys.stdout.write(f"{text}\n")
    return 0


def read_deployment(arguments: Namespace, source: Source) -> Deployment:
    """What the arguments of `add_deployment` say. Raises `WrongUse`."""
    for option, sources in OPTIONS.items():
        if source.name not in sources and getattr(arguments, option):
            word = option.replace("_", "-")
            raise WrongUse(f"{source.phrase} has no {option.replace('_', ' ')}: omit --{word}")
    if arguments.stage and arguments.base_path:
        raise WrongUse("on a domain with a base path no path shows the stage: omit one of the two")
    return Deployment(arguments.stage or None, arguments.base_path, arguments.binary_media_types)


def read_data(data: str | None) -> bytes:
    """The body that `--data` names. Raises `WrongUse`."""
    if data is None:
        return b""
    if not data.startswith("@"):
        return os.fsencode(data)
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongUse(
            f"can't read {data[1:]} ({reason}): name a file after the @, or - for stdin"
        ) from None


def _encode(source: Source, request: Request, deployment: Deployment) -> str:
    try:
        event = source.encode(request, deployment)
    except NotRouted:
        prefix = f"/{deployment.stage}" if deployment.stage else deployment.base_path
        raise WrongUse(f"the path is outside {prefix}: begin it with that") from None
    size = len(write_json(event, indent=None).encode())
    if size > MAX_EVENT_BYTES:
        raise WrongUse(f"the event has {size:,} bytes, while Lambda takes {MAX_EVENT_BYTES:,}")
    return write_json(event)


def _with_defaults(headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
    """What every client sends, unless it is given."""
    defaults = {"host": HOST, **({"content-length": str(len(body))} if body else {})}
    given = {name for name, _ in headers}
    return [*((name, text) for name, text in defaults.items() if name not in given), *headers]


# The types of the arguments


def method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ArgumentTypeError("a method is a word such as GET")
    return text.upper()


def target(text: str) -> str:
    if not text.startswith("/"):
        raise ArgumentTypeError("a path begins with a slash")
    return _latin(text.partition("#")[0])


def header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise ArgumentTypeError("a header is written 'Name: value'")
    return name.strip().lower(), _latin(value.strip())


def stage(text: str) -> str:
    """No path shows the stage `$default`, which is so told apart from none that is given."""
    name = text.strip("/")
    if name == "$default":
        return ""
    if not _STAGE.fullmatch(name):
        raise ArgumentTypeError("a stage has letters, digits, - and _, or is $default")
    return name


def base_path(text: str) -> str:
    return "/".join(["", *filter(None, text.split("/"))])


def media_types(text: str) -> tuple[str, ...]:
    types = tuple(one.strip() for one in text.split(",") if one.strip())
    if not all(one.count("/") == 1 for one in types):
        raise ArgumentTypeError("media types are written image/png,image/*")
    return types


def _latin(text: str) -> str:
    """The bytes of an argument, a character for each."""
    return os.fsencode(text).decode("latin-1")
