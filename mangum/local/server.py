"""The whole gateway, put together: sockets, environments, fronts, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from mangum.local.addresses import addresses_of, management_url, mounts_of, notes_of
from mangum.local.console import Console
from mangum.local.dashboard import Dashboard
from mangum.local.front import Front, Mount
from mangum.local.gateway import Gateway
from mangum.local.guard import Guard
from mangum.local.journal import Journal
from mangum.local.messages import Answer, Request
from mangum.local.options import Options
from mangum.local.pool import Environment, Pool
from mangum.local.record import Recorder
from mangum.local.sandbox import Sandbox, Settings
from mangum.local.websocket_api import MAX_SIZE, WebSocketAPI

__all__ = ["environ", "run"]

KEEP_ALIVE_S = 75  # longer than a client keeps an idle connection, or it finds it closed
GRACE_S = 3  # for what runs when everything is to end
RELOADED = (".py", ".toml", ".yaml", ".yml", ".html", ".jinja", ".jinja2", ".j2", ".env", ".ini")
"""Endings of the files whose change restarts the environments."""


async def run(
    options: Options,
    sockets: Sequence[socket.socket],
    console: Console,
    stop: asyncio.Event,
    check: Callable[[Guard], Awaitable[None]] | None = None,
) -> None:
    """Serve until `stop` is set. `check` is awaited before anything is announced."""
    async with contextlib.AsyncExitStack() as stack:
        parts = stack.enter_context(_parts(options, sockets, console))
        serving = asyncio.ensure_future(parts.server.serve(sockets=list(sockets)))
        stack.push_async_callback(_end, parts, serving)
        stopped = asyncio.ensure_future(stop.wait())
        stack.push_async_callback(_cancel, stopped)
        console.hold()  # where the function is none, nobody wants to read what it said
        warming = asyncio.ensure_future(parts.pool.warm(options.warm))
        stack.push_async_callback(_cancel, warming)
        if check is not None and not await _checked(check(parts.guard), stopped):
            return
        console.listening(options.title, parts.addresses, parts.notes)
        if options.reload:
            reloading = asyncio.ensure_future(_reload(options, parts.pool, console))
            stack.push_async_callback(_cancel, reloading)
        await asyncio.wait({stopped, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()


async def _checked(check: Awaitable[None], stopped: asyncio.Future[Any]) -> bool:
    """Whether the check has come to its end before everything shall."""
    checking = asyncio.ensure_future(check)
    await asyncio.wait({checking, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not checking.done():
        await _cancel(checking)
        return False
    checking.result()
    return True


@dataclass(frozen=True)
class _Parts:
    guard: Guard
    pool: Pool
    gateway: Gateway
    websockets: WebSocketAPI
    server: _Server
    addresses: list[tuple[str, str]]
    notes: list[str]


class _Server(uvicorn.Server):
    """Leaves the signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _parts(
    options: Options, sockets: Sequence[socket.socket], console: Console
) -> Iterator[_Parts]:
    mounts = mounts_of(options, sockets)
    journal = Journal()
    journal.finished.append(console.finished)
    if options.record is not None:
        Recorder(options.record, console.warn).listen(journal)
    with contextlib.closing(Guard()) as guard:
        pool = _pool(options, environ(options, sockets), guard, console)
        is_inline = options.make is not None
        gateway = Gateway(
            pool, journal, options.function.arn, options.timeout_s, is_patient=is_inline
        )
        websockets = WebSocketAPI(gateway, options.websockets)
        dashboard = _dashboard(gateway, websockets, options) if options.dashboard else None
        front = Front(gateway, mounts, websockets, dashboard, _refusals(console), console.warn)
        server = _Server(_config(front))
        addresses = addresses_of(options, sockets, mounts)
        yield _Parts(guard, pool, gateway, websockets, server, addresses, notes_of(options))


def environ(options: Options, sockets: Sequence[socket.socket]) -> dict[str, str]:
    """What the function's variables are, beside those that Lambda sets for all."""
    return {
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": management_url(options, sockets),
        **options.environ,
    }


def _pool(options: Options, environ: Mapping[str, str], guard: Guard, console: Console) -> Pool:
    busy = (
        "all environments are busy, and a request waits: --concurrency allows more of them;"
        " a function that calls itself needs one for each of its calls"
    )
    settings = Settings(
        options.function, environ, options.timeout_s, options.memory_mb, options.enforce_memory
    )

    def output(sandbox: Sandbox, text: str) -> None:
        console.output(sandbox.number, text)

    def ended(sandbox: Sandbox, exit_code: int) -> None:
        console.warn(f"environment {sandbox.number} ended by itself, with exit code {exit_code}")
        pool.ended(sandbox)

    def make(number: int) -> Environment:
        return Sandbox(number, settings, guard, output, ended)

    pool = Pool(options.make or make, options.concurrency, lambda: console.warn(busy))
    return pool


def _dashboard(gateway: Gateway, websockets: WebSocketAPI, options: Options) -> Dashboard:
    info = {
        "function": options.function.handler,
        "source": ", ".join([options.source, *[it.source for it in options.also]]),
        "concurrency": str(options.concurrency),
        "timeout": f"{options.timeout_s:g} s",
    }
    return Dashboard(gateway, websockets=websockets, info=info, hosts=[options.host])


def _refusals(console: Console) -> Callable[[Request, Mount, Answer, str], None]:
    def tell(request: Request, mount: Mount, answer: Answer, reason: str) -> None:
        console.refused(mount.source.name, request.method, request.path, answer.status, reason)

    return tell


def _config(front: Front) -> uvicorn.Config:
    for name in ("uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the console tells what went wrong
    return uvicorn.Config(
        front,
        access_log=False,
        lifespan="off",
        log_config=None,
        loop="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        ws="websockets-sansio",
        ws_max_size=MAX_SIZE,  # type: ignore[arg-type]
        ws_per_message_deflate=False,
        ws_ping_interval=None,
    )


async def _reload(options: Options, pool: Pool, console: Console) -> None:
    try:
        async for name in _changes(options.function.folder):
            console.note(f"{name} has changed: the environments start anew")
            await pool.renew()
            await pool.warm(options.warm)
    except (OSError, RuntimeError) as error:  # the folder is gone, or there are too many files
        console.warn(f"--reload has come to its end, serve anew to have it back: {error}")


async def _changes(folder: Path) -> AsyncIterator[str]:
    """A name for each time that files of the function change."""
    import watchfiles

    class Filter(watchfiles.DefaultFilter):
        def __call__(self, change: watchfiles.Change, path: str) -> bool:
            return path.endswith(RELOADED) and super().__call__(change, path)

    async for changes in watchfiles.awatch(folder, watch_filter=Filter()):
        paths = sorted(path for _, path in changes)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield f"{Path(paths[0]).name}{more}"


async def _end(parts: _Parts, serving: asyncio.Future[None]) -> None:
    await parts.websockets.close()
    parts.server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await parts.pool.close()
    await parts.gateway.close()


async def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
