"""What a gateway is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mangum.local.environment import Function
from mangum.local.pool import Environment
from mangum.local.websocket_api import WebSocketOptions

__all__ = ["HOST", "LOOPBACK", "Also", "Options"]

HOST = "127.0.0.1"
LOOPBACK = (HOST, "::1", "localhost")


@dataclass(frozen=True)
class Also:
    """One more source, at a port or below a prefix."""

    source: str
    port: int | None = None
    prefix: str = ""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    function: Function
    environ: Mapping[str, str]
    title: str
    source: str = "http"
    also: Sequence[Also] = ()
    stage: str | None = None
    base_path: str = ""
    binary_media_types: Sequence[str] = ()
    host: str = HOST
    port: int = 8000
    concurrency: int = 4
    warm: int = 1
    timeout_s: float = 30.0
    memory_mb: int = 128
    enforce_memory: bool = False
    reload: bool = False
    record: Path | None = None
    dashboard: bool = True
    websockets: WebSocketOptions = field(default_factory=WebSocketOptions)
    make: Callable[[int], Environment] | None = None
    """Makes an environment otherwise than as a process."""
