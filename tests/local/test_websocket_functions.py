"""WebSocket applications in Mangum behind the local API, which they answer by signed calls."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mangum.local.messages import Event
from tests.builders import lambda_context
from tests.local.functions import room
from tests.local.websocket_server import HANG_S, Running, serving, wait_until
from tests.processes import ROOT

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "a secret",
    "AWS_SESSION_TOKEN": "a token",
}
ENDPOINT = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
MODES = ("session", "message")


@contextlib.contextmanager
def behind(
    handler: Any, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> Iterator[tuple[Running, list[Any]]]:
    """The handler behind an API that verifies signatures, in one environment; and its results."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    results: list[Any] = []

    def function(event: Event) -> Any:
        results.append(handler(event, lambda_context()))
        return results[-1]

    with serving(
        function,
        workers=1,
        verify_signatures=True,
        credentials={CREDENTIALS["AWS_ACCESS_KEY_ID"]: CREDENTIALS["AWS_SECRET_ACCESS_KEY"]},
        **options,
    ) as running:
        monkeypatch.setenv(ENDPOINT, running.endpoint)
        yield running, results
        running.run(running.api.close())
        running.gateway.run(handler.shutdown)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_two_clients_talk_by_a_group(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = room.make_handler(websocket_mode=mode, dsn=f"sqlite:///{tmp_path / 'room.db'}")
    with (
        behind(handler, monkeypatch) as (running, results),
        running.connect("?name=ann") as ann,
        running.connect("?name=ben") as ben,
    ):
        ann.send("hello")
        assert ann.recv(HANG_S) == "ann: hello"
        ben.send("ü")
        assert ann.recv(HANG_S) == ben.recv(HANG_S) == "ben: ü"
        ben.send("leave")
        with pytest.raises(ConnectionClosed) as caught:
            ben.recv(HANG_S)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1000
        running.wait_for("DISCONNECT")
        ann.send("alone?")
        assert ann.recv(HANG_S) == "ann: alone?"
    assert {result["statusCode"] for result in results} == {200}
    assert len(running.events("DISCONNECT")) == 2


def test_a_session_picks_a_subprotocol_or_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = room.make_handler(dsn=f"sqlite:///{tmp_path / 'room.db'}")
    with behind(handler, monkeypatch) as (running, _):
        with running.connect(subprotocols=["a", "b"]) as client:
            assert client.subprotocol == "a"
        with pytest.raises(InvalidStatus) as caught:
            running.connect("?name=nobody")
        assert caught.value.response.status_code == 403


def test_a_fastapi_application_needs_nothing_special(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi")
    from fastapi import FastAPI, HTTPException, WebSocket

    from mangum import Mangum

    app = FastAPI()
    ends: list[int] = []

    async def echo(websocket: WebSocket, user: str) -> None:
        if user == "nobody":
            raise HTTPException(401, "Who are you?")
        await websocket.accept()
        await websocket.send_text(f"welcome {user}")
        while (message := await websocket.receive())["type"] == "websocket.receive":
            await websocket.send_text(message["text"].upper())
        ends.append(message["code"])

    echo.__annotations__["websocket"] = WebSocket  # FastAPI can't see this function's imports
    app.websocket("/ws")(echo)
    dsn = f"sqlite:///{tmp_path / 'echo.db'}"
    handler = Mangum(app, edition="2026", lifespan="off", dsn=dsn, websocket_path="/ws")
    with behind(handler, monkeypatch) as (running, _):
        with running.connect("?user=ann") as client:
            client.send("hello")  # before it nothing can be posted: CONNECT has to be over
            assert [client.recv(HANG_S) for _ in range(2)] == ["welcome ann", "HELLO"]
            client.close(4000)
            running.wait_for("DISCONNECT")
        with pytest.raises(InvalidStatus) as caught:
            running.connect("?user=nobody")
        assert caught.value.response.status_code == 401
    assert ends == [4000]


# --- mangum serve ---------------------------------------------------------------------------------


@contextlib.contextmanager
def served(tmp_path: Path, *options: str, **variables: str) -> Iterator[str]:
    """The URL of the room behind `mangum serve`, which verifies signatures and ends well."""
    log = tmp_path / "log.txt"
    command = [sys.executable, "-m", "mangum", "serve", "tests.local.functions.room:handler"]
    environ = {
        **os.environ,
        **CREDENTIALS,
        "DSN": f"sqlite:///{tmp_path / 'room.db'}",
        **variables,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--port", "0", "--verify-signatures", *options],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        found: list[str] = []

        def is_listening() -> bool:
            assert process.poll() is None, log.read_text()
            found[:] = re.findall(r"ws://127\.0\.0\.1:\d+/\S*", log.read_text())
            return bool(found)

        wait_until(is_listening)
        yield found[0]
        process.send_signal(signal.SIGINT)
        process.wait(HANG_S)
    finally:
        process.kill()
        process.wait()
        print(log.read_text())


def test_two_clients_talk_through_mangum_serve(mode: str, tmp_path: Path) -> None:
    with (
        served(tmp_path, WEBSOCKET_MODE=mode) as url,
        connect(f"{url}?name=ann", proxy=None, open_timeout=HANG_S) as ann,
        connect(f"{url}?name=ben", proxy=None, open_timeout=HANG_S) as ben,
    ):
        ann.send("hello")
        assert ann.recv(HANG_S) == "ann: hello"
        ben.send("ü")
        assert ann.recv(HANG_S) == ben.recv(HANG_S) == "ben: ü"
        ben.send("leave")
        with pytest.raises(ConnectionClosed):
            ben.recv(HANG_S)
        ann.send("alone?")
        assert ann.recv(HANG_S) == "ann: alone?"
        ann.send("a" * 40_000)
        with pytest.raises(ConnectionClosed) as caught:
            ann.recv(HANG_S)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
