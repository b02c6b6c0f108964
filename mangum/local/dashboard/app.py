"""The ASGI application of the dashboard: `/_mangum` and all below it.

It shows what may be secret and can call the function, so it answers nobody but pages of its own:
a foreign name in Host is one that was bound to this machine by an attacker's name server, and a
page of another origin can set neither the header nor the Sec-Fetch-Site that are asked for.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import parse_qs

from mangum.cli.answers import write_json
from mangum.local.dashboard.views import Connections, Gateway, detail, state
from mangum.local.journal import Entry
from mangum.local.record import outcome
from mangum.options import EDITIONS
from mangum.types import Edition, Receive, Scope, Send

__all__ = ["ROOT", "Dashboard"]

ROOT = "/_mangum"
ANY_ADDRESS = frozenset({"0.0.0.0", "::"})
PROOF = "x-mangum"
"""A header that no page of another origin can send without being asked first."""

SCRIPT = "text/javascript; charset=utf-8"
ASSETS = {
    "": ("index.html", "text/html; charset=utf-8"),
    "chart.js": ("chart.js", SCRIPT),
    "dashboard.css": ("dashboard.css", "text/css; charset=utf-8"),
    "dashboard.js": ("dashboard.js", SCRIPT),
    "detail.js": ("detail.js", SCRIPT),
    "dom.js": ("dom.js", SCRIPT),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""What stands below `ROOT`: the file, and its media type."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, reason: str, headers: Mapping[str, str] = {}) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


class _Request(NamedTuple):
    method: str
    headers: dict[str, str]
    query: dict[str, list[str]]

    def parameter(self, name: str) -> str:
        return self.query.get(name, [""])[-1]


class _Reply(NamedTuple):
    body: bytes = b""
    content_type: str = "application/json"
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = {}


class Dashboard:
    """`info` is shown at the top, `{"function": "app:handler", …}`. `hosts` are names and addresses
    beside the loopback ones under which it may be reached; `"0.0.0.0"` or `"::"` stand for every
    address, as a server that listens there has, though for no name."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        websockets: Connections | None = None,
        info: Mapping[str, str] | None = None,
        hosts: Iterable[str] = (),
    ) -> None:
        self._gateway = gateway
        self._websockets = websockets
        self._info = info or {}
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        folder = files(__package__)
        self._assets = {
            path: _Reply(folder.joinpath(name).read_bytes(), content_type)
            for path, (name, content_type) in ASSETS.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = parse_qs(scope["query_string"].decode("latin-1"))
        request = _Request(scope["method"], headers, query)
        try:
            self._check_host(request)
            reply = await self._answer(request, scope["path"], scope.get("scheme", "http"))
        except _Refused as refused:
            text = f"{refused}\n".encode()
            reply = _Reply(text, "text/plain; charset=utf-8", refused.status, refused.headers)
        await _send(reply, request.method == "HEAD", send)

    def _check_host(self, request: _Request) -> None:
        host = _host(request.headers.get("host", ""))
        is_known = host in self._hosts or _is_loopback(host)
        if not is_known and not (self._hosts & ANY_ADDRESS and _address(host)):
            reason = "The dashboard is for this machine: open it as http://localhost:PORT/_mangum."
            raise _Refused(HTTPStatus.FORBIDDEN, reason)

    async def _answer(self, request: _Request, path: str, scheme: str) -> _Reply:
        rest = path.removeprefix(ROOT).removeprefix("/")
        if rest in self._assets:
            _allow(request, "GET", "HEAD")
            return self._assets[rest]
        for pattern, methods, action in ROUTES:
            if found := re.fullmatch(pattern, rest, re.ASCII):
                _allow(request, *methods)
                _check_origin(request, scheme)
                return await action(self, request, *found.groups())
        raise _Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")

    async def _state(self, request: _Request) -> _Reply:
        text, version = state(self._gateway, self._websockets, self._info)
        if request.parameter("since") == version:
            return _Reply(status=HTTPStatus.NO_CONTENT)
        return _Reply(text.encode())

    async def _detail(self, request: _Request, number: str) -> _Reply:
        edition = request.parameter("edition") or "2026"
        if edition not in EDITIONS:
            reason = f"There is no such edition. Choices are: {'|'.join(EDITIONS)}"
            raise _Refused(HTTPStatus.BAD_REQUEST, reason)
        checked: Edition = "classic" if edition == "classic" else "2026"
        return _Reply(json.dumps(detail(self._find(number), checked)).encode())

    async def _download(self, request: _Request, number: str) -> _Reply:
        entry = self._find(number)
        whole = {"event": entry.call.event, **outcome(entry)}
        return _attachment(f"invocation-{number}.json", whole)

    async def _download_event(self, request: _Request, number: str) -> _Reply:
        return _attachment(f"event-{number}.json", self._find(number).call.event)

    async def _replay(self, request: _Request, number: str) -> _Reply:
        replayed = await self._gateway.replay(self._find(number))
        return _Reply(json.dumps({"number": replayed.number}).encode())

    def _find(self, number: str) -> Entry:
        entry = self._gateway.journal.find(int(number))
        if entry is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "This invocation is not kept any more.")
        return entry


_Action = Callable[..., Awaitable[_Reply]]
_READ = ("GET", "HEAD")

ROUTES: tuple[tuple[str, tuple[str, ...], _Action], ...] = (
    (r"api/state", _READ, Dashboard._state),
    (r"api/invocations/(\d{1,15})", _READ, Dashboard._detail),
    (r"api/invocations/(\d{1,15})\.json", _READ, Dashboard._download),
    (r"api/invocations/(\d{1,15})\.event\.json", _READ, Dashboard._download_event),
    (r"api/invocations/(\d{1,15})/replay", ("POST",), Dashboard._replay),
)
"""Pattern below `ROOT`, methods, and what answers; its groups are arguments."""


def _allow(request: _Request, *methods: str) -> None:
    if request.method not in methods:
        allowed = ", ".join(methods)
        reason = f"Only {allowed} is understood here."
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, reason, {"allow": allowed})


def _check_origin(request: _Request, scheme: str) -> None:
    """Refuse what another page, or a form, has sent. Programs send none of these headers."""
    headers = request.headers
    own = f"{scheme}://{headers.get('host', '')}"
    is_foreign = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    if is_foreign or headers.get("origin", own).lower() != own.lower():
        raise _Refused(HTTPStatus.FORBIDDEN, "A page of another origin may not ask for this.")
    if request.method == "POST" and PROOF not in headers:
        raise _Refused(HTTPStatus.FORBIDDEN, "The header X-Mangum: 1 is needed.")


def _host(header: str) -> str:
    """`[::1]:8000` → `::1`, `LocalHost:80` → `localhost`"""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d*)?|([^:\[\]]*)(?::\d*)?", header)
    return "" if found is None else (found[1] or found[2] or "").lower()


def _is_loopback(host: str) -> bool:
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _attachment(name: str, value: object) -> _Reply:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return _Reply(f"{write_json(value)}\n".encode(), headers=headers)


async def _send(reply: _Reply, is_head: bool, send: Send) -> None:
    headers = {**HEADERS, **reply.headers}
    if reply.status != HTTPStatus.NO_CONTENT:
        headers["content-type"] = reply.content_type
        headers["content-length"] = str(len(reply.body))
    pairs = [[name.encode(), value.encode()] for name, value in headers.items()]
    start = {"type": "http.response.start", "status": int(reply.status), "headers": pairs}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if is_head else reply.body})
