"""Clients of a gateway: one that waits for each answer, one that does not wait, and wrk."""

from __future__ import annotations

import re
import select
import shutil
import socket
import statistics
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

WRK = "wrk"
PERCENTILES = (50, 95, 99)
PATIENCE_S = 30.0  # for the last answers
LOOK_S = 5.0  # how often a long run is looked at
OK = b"HTTP/1.1 200 "


class LoadFailed(Exception):
    """An answer is none, or not a 200; the message is what came."""


class Connection:
    """Kept alive, with one request at a time on it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self._received = b""
        self.socket = socket.create_connection((parts.hostname, parts.port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self) -> None:
        self._received = b""
        self.socket.sendall(self._request)

    def receive(self) -> bytes | None:
        """The answer, if all of it is there; blocks for a next piece. Raises `LoadFailed`."""
        piece = self.socket.recv(65536)
        if not piece:
            raise LoadFailed("the connection was closed without an answer")
        self._received += piece
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if length is None:
            raise LoadFailed(f"an answer without its length: {head!r}")
        return self._received if len(body) >= int(length[1]) else None

    def get(self) -> bytes:
        """Send, and wait for a good answer. Raises `LoadFailed`."""
        self.send()
        while (answer := self.receive()) is None:
            pass
        if not answer.startswith(OK):
            raise LoadFailed(answer.decode("latin-1"))
        return answer

    def is_closed(self) -> bool:
        """Whether the server has closed it meanwhile; to be asked between two requests."""
        return bool(select.select([self], [], [], 0)[0])

    def close(self) -> None:
        self.socket.close()


def times_ms(connection: Connection, count: int) -> list[float]:
    """How long each of so many requests takes, one after the other."""
    taken = []
    for _ in range(count):
        begins_s = time.perf_counter()
        connection.get()
        taken.append(1000 * (time.perf_counter() - begins_s))
    return taken


def percentiles(values: Sequence[float]) -> list[float]:
    hundredths = statistics.quantiles(values, n=100)
    return [hundredths[it - 1] for it in PERCENTILES]


class Offered(NamedTuple):
    """What became of requests that were due at fixed times."""

    total: int
    lost: int  # without an answer
    refused: int  # with another one than a 200
    times_ms: list[float]  # of those with an answer, from when each was due


class OpenLoop:
    """Requests at a rate that does not depend on the answers, over a limited number of
    connections. One that finds none free waits, and its time runs."""

    def __init__(self, url: str, rate: float, seconds: float, connections: int = 64) -> None:
        self._url = url
        self._step_s = 1 / rate
        self._count = round(rate * seconds)
        self._idle = deque(Connection(url) for _ in range(connections))
        self._due: deque[float] = deque()
        self._busy: dict[Connection, float] = {}
        self._lost = self._refused = 0
        self._times_ms: list[float] = []

    def run(self, look: Callable[[], None] = lambda: None) -> Offered:
        """`look` is called every few seconds."""
        begins_s = looked_s = time.perf_counter()
        ends_s = begins_s + self._count * self._step_s + PATIENCE_S
        offered = 0
        while offered < self._count or ((self._busy or self._due) and looked_s < ends_s):
            now_s = time.perf_counter()
            while offered < self._count and begins_s + offered * self._step_s <= now_s:
                self._due.append(begins_s + offered * self._step_s)
                offered += 1
            while self._due and self._idle:
                self._send(self._idle.popleft(), self._due.popleft())
            if now_s - looked_s > LOOK_S:
                looked_s = now_s
                look()
            next_s = begins_s + offered * self._step_s if offered < self._count else now_s + 1
            # its time-out is exact, those of poll and epoll are whole milliseconds
            ready, _, _ = select.select([*self._busy], [], [], max(0, next_s - now_s))
            for connection in ready:
                self._receive(connection)
        self._lost += len(self._busy) + len(self._due)
        for connection in [*self._busy, *self._idle]:
            connection.close()
        return Offered(self._count, self._lost, self._refused, self._times_ms)

    def _send(self, connection: Connection, due_s: float) -> None:
        if connection.is_closed():  # a server may do that to one that is not used for long
            connection.close()
            connection = Connection(self._url)
        self._busy[connection] = due_s
        try:
            connection.send()
        except OSError:
            self._lose(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            answer = connection.receive()
        except (OSError, LoadFailed):
            self._lose(connection)
            return
        if answer is not None:
            due_s = self._busy.pop(connection)
            self._times_ms.append(1000 * (time.perf_counter() - due_s))
            self._refused += not answer.startswith(OK)
            self._idle.append(connection)

    def _lose(self, connection: Connection) -> None:
        del self._busy[connection]
        self._lost += 1
        connection.close()
        self._idle.append(Connection(self._url))


def wrk_missing() -> str | None:
    """Why there are no requests per second."""
    return None if shutil.which(WRK) else "wrk is not installed (Debian: apt-get install wrk)"


def requests_per_second(url: str, connections: int, seconds: int) -> tuple[float, int]:
    """wrk's count, and how many answers there were in all. Raises `LoadFailed`."""
    command = [
        WRK,
        "--threads",
        "1",
        "--connections",
        str(connections),
        "--duration",
        f"{seconds}s",
    ]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    rate = re.search(r"Requests/sec: *([\d.]+)", done.stdout)
    count = re.search(r"(\d+) requests in", done.stdout)
    bad = re.search(r"Non-2xx.*|Socket errors.*", done.stdout)
    if rate is None or count is None or bad:
        raise LoadFailed(bad[0] if bad else done.stdout + done.stderr)
    return float(rate[1]), int(count[1])
