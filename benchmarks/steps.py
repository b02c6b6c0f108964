"""What is timed: a row as a call without arguments, for whichever mangum the process has."""

from __future__ import annotations

import functools
import json
import time
import zlib
from collections.abc import Callable
from importlib import import_module
from itertools import repeat
from typing import Any

from benchmarks.apps import answered, make_app, path_of, response_with
from benchmarks.contenders import UPSTREAM
from benchmarks.events import SOURCES, Context, Event
from benchmarks.payloads import MIB, NONE
from benchmarks.rows import Row

CONTEXT = Context()
WALKED_BYTES = 32 * MIB


def adapter_alone(mangum: Any, event: Event, response: dict[str, Any]) -> Callable[[], Any]:
    """What the adapter does before and after the application, as a call: scope, body and result.

    Ours reads the common events and writes their results without a handler; all other events go
    through one, and all of mangum 0.22.0's.
    """

    def with_handler() -> tuple[Any, bytes, Any]:
        handler = mangum.infer(event, CONTEXT)
        return handler.scope, handler.body, handler(response)

    config = mangum.config
    read, write = getattr(mangum, "_read", None), getattr(mangum, "_write", None)
    if read is None or write is None:
        return with_handler
    speedups = import_module("mangum._speedups")
    request = read(event, CONTEXT, config, speedups.Exchange)
    if request is None:
        return with_handler
    exchange = answered(speedups, response)
    exchange.source = request.source

    def without_handler() -> tuple[Any, bytes, Any]:
        request = read(event, CONTEXT, config, speedups.Exchange)
        result = write(event, exchange, config)
        if result is None:
            result = mangum.infer(event, CONTEXT)(response)
        return request.scope, request.request_body, result

    return without_handler


class Step:
    """One row, ready to be called. Raises whatever keeps the contender from serving it."""

    def __init__(self, row: Row, contender: str) -> None:
        self.row = row
        self.adapter = _adapter(row, contender)
        self.event = _event(row)
        self.call = self._call(contender)

    def look(self) -> Any:
        """What the call gives, in a form that can be compared."""
        if self.row.measure == "adapter":
            scope, body, result = self.call()
            plain = {key: scope[key] for key in scope if not key.startswith("aws.")}
            return {"scope": plain, "body": body, "result": result}
        if self.row.measure == "JSON":
            return json.loads(self.call()[0])
        return self.call()

    def time_ns(self, calls: int) -> int:
        """How long that many calls take together."""
        if self.row.measure == "cold":
            return sum(self._time_cold_ns() for _ in range(calls))
        call = self.call
        start = time.perf_counter_ns()
        for _ in repeat(None, calls):
            call()
        return time.perf_counter_ns() - start

    def _time_cold_ns(self) -> int:
        call = self.call
        zlib.crc32(_other_memory())
        start = time.perf_counter_ns()
        call()
        return time.perf_counter_ns() - start

    def _call(self, contender: str) -> Callable[[], Any]:
        if self.row.measure == "adapter":
            response = response_with(self.row.body if self.row.direction == "out" else NONE)
            return adapter_alone(self.adapter, self.event, response)
        if self.row.measure == "JSON":
            marshaller = _marshaller(contender)
            request = json.dumps(self.event).encode()
            return functools.partial(_with_json, self.adapter, marshaller, request)
        return functools.partial(self.adapter, self.event, CONTEXT)


def _adapter(row: Row, contender: str) -> Any:
    from mangum import Mangum

    make: Callable[..., Any] = Mangum
    options = {"lifespan": "off" if row.lifespan == "off" else "auto"}
    if contender != UPSTREAM and row.lifespan != "off":
        options["lifespan_scope"] = row.lifespan
    return make(make_app(row.app, row.direction, row.body), **options)


def _event(row: Row) -> Event:
    body = row.body if row.direction == "in" else NONE
    path = path_of(row.app, row.direction, row.body)
    return SOURCES[row.source](path=path, headers=row.headers, body=body)


def _with_json(mangum: Any, marshaller: Any, request: bytes) -> Any:
    return marshaller.marshal_response(mangum(marshaller.unmarshal_request(request), CONTEXT))


def _marshaller(contender: str) -> Any:
    """The runtime client's own for mangum 0.22.0, the one on orjson for ours."""
    client = import_module("awslambdaric.lambda_runtime_client")
    if contender != UPSTREAM:
        import_module("mangum.runtime").install_marshaller()
    return client.BaseLambdaRuntimeClient.marshaller


@functools.cache
def _other_memory() -> bytes:
    return bytes(range(256)) * (WALKED_BYTES // 256)
