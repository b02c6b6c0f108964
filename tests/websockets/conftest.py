"""A WebSocket API for each test, which leaves nothing behind."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.websockets.connections import Connections
from tests.websockets.harness import API, forget_earlier_tasks

PATIENCE_S = 60.0


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    # the server shares the process, which a machine with other things to do may stop for seconds
    monkeypatch.setattr("mangum.aws.service.TIMEOUT_S", PATIENCE_S)
    with Connections() as service:
        yield service


@pytest.fixture
def api(tmp_path: Path, service: Connections, caplog: pytest.LogCaptureFixture) -> Iterator[API]:
    """asyncio must have nothing to report of it: no task that ends with an exception which nobody
    has asked for, and none that is destroyed waiting."""
    forget_earlier_tasks()
    api = API(tmp_path, service)
    yield api
    api.close()
    gc.collect()
    assert [
        record.getMessage()
        for record in caplog.get_records("call") + caplog.get_records("teardown")
        if record.name == "asyncio" and record.levelno >= logging.ERROR
    ] == []
