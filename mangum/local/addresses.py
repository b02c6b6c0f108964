"""Where a gateway listens, and how its addresses are told."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from mangum.local.dashboard import ROOT
from mangum.local.front import Mount
from mangum.local.messages import Deployment
from mangum.local.options import HOST, LOOPBACK, Options
from mangum.local.sources import SOURCES

__all__ = ["PortTaken", "addresses_of", "bind", "management_url", "mounts_of", "notes_of"]

BACKLOG = 2048

STAGED = ("rest", "http", "http-1")
"""The sources that have stages and custom domains."""


class PortTaken(Exception):
    """A socket can't be had, for whatever reason."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(f"{host}:{port} can't be had: {error.strerror or error}")
        self.port = port
        self.errno = error.errno


def bind(options: Options) -> list[socket.socket]:
    """The sockets of the main port and of those in `also`. Raises `PortTaken`."""
    ports = [options.port, *[it.port for it in options.also if it.port is not None]]
    sockets: list[socket.socket] = []
    for port in ports:
        try:
            sockets.append(_listen(options.host, port))
        except OSError as error:
            for bound in sockets:
                bound.close()
            raise PortTaken(options.host, port, error) from None
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    """With the protocol named, or asyncio lets small answers wait for acknowledgements (40 ms)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def mounts_of(options: Options, sockets: Sequence[socket.socket]) -> list[Mount]:
    """Where each source is."""
    deployment = Deployment(
        options.stage,
        options.base_path,
        tuple(options.binary_media_types),
        options.function.arn,
        options.websockets.region,
    )
    main, *others = (it.getsockname()[1] for it in sockets)
    mounts = [Mount(SOURCES[options.source], deployment, main)]
    for also in options.also:
        port = main if also.port is None else others.pop(0)
        mounts.append(Mount(SOURCES[also.source], deployment, port, also.prefix))
    return mounts


def addresses_of(
    options: Options, sockets: Sequence[socket.socket], mounts: Sequence[Mount]
) -> list[tuple[str, str]]:
    """Each with what is there, for the banner."""
    host = _reachable(options.host)
    path = f"/{options.stage}" if options.stage else options.base_path
    addresses = []
    for it in mounts:
        below = it.prefix + path if it.source.name in STAGED else it.prefix
        addresses.append((_title(it.source.phrase), f"http://{host}:{it.port}{below}/"))
    main = f"{host}:{sockets[0].getsockname()[1]}"
    addresses.append(("WebSocket API", f"ws://{main}/"))
    addresses.append(("@connections", f"{management_url(options, sockets)}/@connections"))
    if options.dashboard:
        addresses.append(("Dashboard", f"http://{main}{ROOT}"))
    return addresses


def management_url(options: Options, sockets: Sequence[socket.socket]) -> str:
    """Where `@connections` is, without that name at its end."""
    port = sockets[0].getsockname()[1]
    return f"http://{_reachable(options.host)}:{port}/{options.websockets.stage}"


def notes_of(options: Options) -> list[str]:
    notes = ["Ctrl-C ends it"]
    if options.host not in LOOPBACK:
        notes.insert(0, f"other machines can reach it, as it listens at {options.host}")
    if options.record is not None:
        notes.insert(0, f"events are kept in {options.record}")
    if options.reload:
        notes.insert(0, f"environments start anew when {options.function.folder} changes")
    return notes


def _title(phrase: str) -> str:
    """`"an HTTP API"` → `"HTTP API"`"""
    article, _, rest = phrase.partition(" ")
    title = rest if article in ("a", "an", "the") else phrase
    return title[:1].upper() + title[1:]


def _reachable(host: str) -> str:
    """The host for a URL: of a wildcard address, this machine."""
    if host in ("0.0.0.0", "::", ""):
        return HOST
    return f"[{host}]" if ":" in host else host
