"""What every test of the cycles and the loop is held to, and the ways in which they are driven."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.protocols.driving import CALLS, LOOPS, Call, LoopFactory

HANG_S = 20  # a test that takes longer hangs


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    return CALLS[request.param]


@pytest.fixture(params=LOOPS, ids=lambda factory: factory.__name__)
def loop_factory(request: pytest.FixtureRequest) -> Iterator[LoopFactory]:
    """Makes one kind of loop; those made are closed after the test."""
    made: list[asyncio.AbstractEventLoop] = []
    make: LoopFactory = request.param

    def factory() -> asyncio.AbstractEventLoop:
        made.append(make())
        return made[-1]

    yield factory
    for loop in made:
        if not loop.is_closed():
            _end(loop)


def _end(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(autouse=True)
def _hanging_is_a_failure() -> Iterator[None]:
    """No test hangs: what waits for ever is interrupted."""

    def interrupt(signal_number: int, frame: Any) -> None:
        raise TimeoutError("the test hangs")

    previous: Callable[..., Any] | int | None = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(HANG_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="package", autouse=True)
def _what_lives_on_is_no_garbage() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _asyncio_has_nothing_to_report(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task ends with an exception that nobody has asked for, and none is destroyed waiting."""
    yield
    gc.collect()
    gc.freeze()  # so that the next collection looks at the next test alone, and is quick
    assert [
        record.getMessage()
        for record in caplog.get_records("call") + caplog.get_records("teardown")
        if record.name == "asyncio" and record.levelno >= logging.ERROR
    ] == []
