"""What can stand before a function: each source with its events, its results and its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mangum.cli.events import SOURCES as PHRASES
from mangum.local.messages import Answer, Deployment, Event, Request, Trouble
from mangum.local.services import alb, edge, http, lattice, rest
from mangum.local.services._request import NotRouted

__all__ = ["MAX_EVENT_BYTES", "SOURCES", "NotRouted", "Source"]

MAX_EVENT_BYTES = 6_291_456
"""How large an event may be as JSON, whatever sends it.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""


@dataclass(frozen=True)
class Source:
    name: str
    phrase: str  # `"an HTTP API"`
    encode: Callable[[Request, Deployment], Event]
    """Raises `NotRouted` for a path outside the stage or the base path, and nothing else."""

    decode: Callable[[bytes, Request, Deployment], Answer]
    """Takes a result as JSON, or the prelude of a streamed one. Raises `BadAnswer`."""

    refusals: Mapping[Trouble, Answer]
    max_request_bytes: int  # of the body
    timeout_s: float | None  # how long it waits; `None`: as long as the function may run
    streams: bool = False  # whether it passes a streamed result on as it comes

    def refuse(self, trouble: Trouble) -> Answer:
        """What it answers by itself."""
        return self.refusals[trouble]


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "rest",
            PHRASES["rest"][0],
            rest.encode_rest,
            rest.decode_rest,
            rest.REFUSALS,
            rest.MAX_REQUEST_BYTES,
            rest.TIMEOUT_S,
        ),
        Source(
            "http",
            PHRASES["http"][0],
            http.encode_http,
            http.decode_http,
            http.REFUSALS,
            http.MAX_REQUEST_BYTES,
            http.TIMEOUT_S,
        ),
        Source(
            "http-1",
            f"{PHRASES['http'][0]} with payload 1.0",
            rest.encode_http,
            rest.decode_http,
            http.REFUSALS,
            http.MAX_REQUEST_BYTES,
            http.TIMEOUT_S,
        ),
        Source(
            "url",
            PHRASES["url"][0],
            http.encode_url,
            http.decode_url,
            http.URL_REFUSALS,
            http.MAX_URL_REQUEST_BYTES,
            None,
            streams=True,
        ),
        Source(
            "alb",
            PHRASES["alb"][0],
            alb.encode_single,
            alb.decode_single,
            alb.REFUSALS,
            alb.MAX_REQUEST_BYTES,
            None,
        ),
        Source(
            "alb-multi",
            f"{PHRASES['alb'][0]} with multi-value headers",
            alb.encode_multi,
            alb.decode_multi,
            alb.REFUSALS,
            alb.MAX_REQUEST_BYTES,
            None,
        ),
        Source(
            "lattice",
            PHRASES["lattice"][0],
            lattice.encode_v2,
            lattice.decode,
            lattice.REFUSALS,
            lattice.MAX_REQUEST_BYTES,
            lattice.TIMEOUT_S,
        ),
        Source(
            "lattice-1",
            f"{PHRASES['lattice'][0]} with events of version 1",
            lattice.encode_v1,
            lattice.decode,
            lattice.REFUSALS,
            lattice.MAX_REQUEST_BYTES,
            lattice.TIMEOUT_S,
        ),
        Source(
            "edge",
            PHRASES["edge"][0],
            edge.encode,
            edge.decode,
            edge.REFUSALS,
            edge.MAX_REQUEST_BYTES,
            edge.TIMEOUT_S,
        ),
    )
}
