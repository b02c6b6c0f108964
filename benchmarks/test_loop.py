"""The ways to drive the event loop from a call that is not asynchronous."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from mangum.protocols import loop as mangum_loop

Run = Callable[[Coroutine[Any, Any, None]], object]


async def answer_at_once() -> None:
    """As an application that waits for nothing."""


async def wait_once() -> None:
    await asyncio.sleep(0)


async def wait_for_a_task() -> None:
    await asyncio.create_task(wait_once())


COROUTINES = {coroutine.__name__: coroutine for coroutine in (answer_at_once, wait_once)}
COROUTINES["wait_for_a_task"] = wait_for_a_task


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("coroutine", COROUTINES)
def test_mangum(benchmark: BenchmarkFixture, coroutine: str) -> None:
    _measure(benchmark, coroutine, mangum_loop.run)


@pytest.mark.parametrize("coroutine", COROUTINES)
def test_run_until_complete(
    benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop, coroutine: str
) -> None:
    _measure(benchmark, coroutine, loop.run_until_complete)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.Runner is new in Python 3.11")
@pytest.mark.parametrize("coroutine", COROUTINES)
def test_runner_that_is_kept(benchmark: BenchmarkFixture, coroutine: str) -> None:
    runner_type: Any = getattr(asyncio, "Runner", None)
    with runner_type() as runner:
        _measure(benchmark, coroutine, runner.run)


@pytest.mark.parametrize("coroutine", COROUTINES)
def test_asyncio_run(benchmark: BenchmarkFixture, coroutine: str) -> None:
    _measure(benchmark, coroutine, asyncio.run)


def _measure(benchmark: BenchmarkFixture, coroutine: str, run: Run) -> None:
    benchmark.group = f"drive {coroutine}"
    make = COROUTINES[coroutine]
    benchmark(lambda: run(make()))
