"""What goes through the gateway, as plain values: request, call, answer."""

from __future__ import annotations

import enum
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Answer", "BadAnswer", "Call", "Chunks", "Deployment", "Event", "Request", "Trouble"]

Event = dict[str, Any]
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """A request as the client sent it. Texts are latin-1: a character for each byte."""

    method: str
    path: str  # percent-encoded, as sent; begins with a slash
    query: str = ""  # as sent, without the question mark
    headers: Pairs = field(default_factory=list)  # names in lower case, in the order they came
    body: bytes = b""
    client: tuple[str, int] = ("127.0.0.1", 0)
    server: tuple[str, int] = ("127.0.0.1", 80)  # the address that it arrived at
    scheme: str = "http"
    http_version: str = "1.1"
    time_s: float = field(default_factory=time.time)  # since 1970
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def header(self, name: str) -> str:
        """The first header of a name in lower case, `""` if there is none."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True)
class Deployment:
    """What someone who deploys a function behind a source decides, and what AWS names for them."""

    stage: str | None = None  # `None`: a domain that maps to the stage, so that no path shows it
    base_path: str = ""  # of such a domain, `"/api"`; without a slash at the end
    binary_media_types: tuple[str, ...] = ()  # of a REST API, `("image/*",)`
    function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    region: str = "us-east-1"


class Trouble(enum.Enum):
    """Why a source answers by itself."""

    NOT_FOUND = "there is nothing at this path"
    REQUEST_TOO_LARGE = "the request is larger than the source lets through"
    FUNCTION_ERROR = "the function failed"
    FUNCTION_TIMEOUT = "the function took longer than its own limit"
    GATEWAY_TIMEOUT = "the function took longer than the source waits"
    BAD_RESULT = "the result is not what the source understands"


class BadAnswer(Exception):
    """Why the source would not take the result as an answer."""


class Chunks(Protocol):
    """The rest of a body, as it comes. Whoever reads it ends with `aclose`."""

    def __aiter__(self) -> Chunks: ...
    async def __anext__(self) -> bytes: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What the client gets; cookies are among the headers."""

    status: int
    headers: Pairs  # values in latin-1
    body: bytes = b""
    stream: Chunks | None = None  # what follows `body`, as it comes

    def header(self, name: str) -> str:
        """The first header of a name in lower case, `""` if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True)
class Call:
    """An event on its way to the function, and how the source reads what comes back."""

    source: str  # a key of `mangum.local.sources.SOURCES`, or `"websocket"`
    method: str  # `"GET"`; of a WebSocket API the route, `"$connect"`
    path: str  # of the request, for people to see; of a WebSocket API the connection's id
    event: Event
    read: Callable[[bytes], Answer]
    """Takes the function's result, JSON. Raises `BadAnswer`."""

    refuse: Callable[[Trouble], Answer]
    """What the source answers when there is no good result."""

    timeout_s: float | None = None  # how long the source waits
    streams: bool = False  # whether it passes a streamed result on as it comes
