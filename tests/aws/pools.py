"""Pools to the tests' server, and requests over them."""

from __future__ import annotations

import sys

import pytest

from mangum.aws.connections import Pool
from mangum.aws.endpoints import parse_url
from mangum.aws.replies import Reply
from mangum.aws.sockets import Connection
from tests.aws.server import Server

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel tells")


class TrustingPool(Pool):
    """Takes an idle connection without a look at it: as if the peer closed it a moment later."""

    def _take_idle(self) -> Connection | None:
        return self._idle.pop() if self._idle else None


def to(server: Server, timeout_s: float = 10) -> Pool:
    return Pool(parse_url(server.url), timeout_s)


async def ask(
    pool: Pool, body: bytes = b"", *, method: str = "POST", repeatable: bool = False
) -> Reply:
    lines = [f"{method} / HTTP/1.1", f"content-length: {len(body)}", "", ""]
    request = "\r\n".join(lines).encode() + body
    return await pool.exchange(request, method, repeatable=repeatable)
