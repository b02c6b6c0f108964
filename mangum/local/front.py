"""The HTTP side of the gateway, an ASGI application: requests become calls."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mangum.local.dashboard import ROOT
from mangum.local.gateway import Gateway, StreamBroken
from mangum.local.messages import Answer, Call, Deployment, Request, Trouble
from mangum.local.sources import NotRouted, Source

__all__ = ["Front", "Mount"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODILESS = frozenset({204, 205, 304})


@dataclass(frozen=True)
class Mount:
    """A source, and where its requests arrive: at a port, or below a prefix of the path."""

    source: Source
    deployment: Deployment
    port: int
    prefix: str = ""  # `"/rest"`; the source does not see it


class Sockets(Protocol):
    """What the front needs of the WebSocket API."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
    def is_management(self, path: str) -> bool: ...
    async def manage(self, request: Request) -> Answer: ...


class Front:
    def __init__(
        self,
        gateway: Gateway,
        mounts: Sequence[Mount],
        sockets: Sockets,
        dashboard: App | None,
        on_refusal: Callable[[Request, Mount, Answer, str], None],
        on_bug: Callable[[str], None],
    ) -> None:
        """`on_refusal` is told of a request that the function never saw; `on_bug` gets the
        traceback of an exception of our own."""
        self._gateway = gateway
        self._mounts = sorted(mounts, key=lambda it: len(it.prefix), reverse=True)
        self._sockets = sockets
        self._dashboard = dashboard
        self._on_refusal = on_refusal
        self._on_bug = on_bug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "websocket":
                await self._sockets(scope, receive, send)
            elif self._dashboard is not None and _is_below(ROOT, scope["path"]):
                await self._dashboard(scope, receive, send)
            else:
                await self._serve(scope, receive, send)
        except StreamBroken:
            pass  # the server cuts the connection, for the answer is not complete
        except Exception:
            self._on_bug(traceback.format_exc())
            raise

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        mount = self._find(scope["server"][1], path)
        limit = mount.source.max_request_bytes
        body = await _read_body(receive, limit)
        if body is None:
            return  # the client has gone before it had sent everything
        is_management = self._sockets.is_management(path)
        seen = path if is_management else path.removeprefix(mount.prefix) or "/"
        request = _request(scope, seen, body)
        if is_management:
            answer = await self._sockets.manage(request)
        elif not path.startswith("/"):  # `OPTIONS *`
            answer = self._refuse(request, mount, Trouble.NOT_FOUND, "it names no path")
        elif len(body) > limit:
            reason = f"the body has over {limit:,} bytes"
            answer = self._refuse(request, mount, Trouble.REQUEST_TOO_LARGE, reason)
        else:
            answer = await self._call(request, mount)
        await _send(answer, send, is_head=request.method == "HEAD")

    def _find(self, port: int, path: str) -> Mount:
        at_port = [mount for mount in self._mounts if mount.port == port] or self._mounts
        return next(it for it in at_port if _is_below(it.prefix, path))

    async def _call(self, request: Request, mount: Mount) -> Answer:
        source, deployment = mount.source, mount.deployment
        try:
            event = source.encode(request, deployment)
        except NotRouted as error:
            return self._refuse(request, mount, Trouble.NOT_FOUND, str(error))
        call = Call(
            source.name,
            request.method,
            request.path,
            event,
            lambda result: source.decode(result, request, deployment),
            source.refuse,
            source.timeout_s,
            source.streams,
        )
        return await self._gateway.call(call)

    def _refuse(self, request: Request, mount: Mount, trouble: Trouble, reason: str) -> Answer:
        answer = mount.source.refuse(trouble)
        self._on_refusal(request, mount, answer, reason)
        return answer


def _is_below(prefix: str, path: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/") or not prefix


def _request(scope: Scope, path: str, body: bytes) -> Request:
    return Request(
        scope["method"],
        path,
        scope["query_string"].decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        body,
        tuple(scope["client"] or ("127.0.0.1", 0)),
        tuple(scope["server"]),
        scope["scheme"],
        scope["http_version"],
    )


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """As much of the body as shows that it is over the limit; `None` if the client goes away."""
    pieces: list[bytes] = []
    size = 0
    while size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if not message.get("more_body", False):
            break
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _send(answer: Answer, send: Send, *, is_head: bool) -> None:
    bodiless = answer.status in BODILESS or is_head
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in answer.headers
        if name.lower() != "content-length"
    ]
    if answer.stream is None and answer.status not in BODILESS:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if bodiless else answer.body
    if answer.stream is None:
        await send({"type": "http.response.body", "body": body})
        return
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})
    async with contextlib.aclosing(answer.stream) as chunks:
        async for chunk in chunks:
            if not bodiless:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
