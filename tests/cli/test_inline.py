"""`mangum serve --inline`: the function in the command's process, where a debugger finds it."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mangum.local.gateway import Gateway
from mangum.local.journal import Journal
from mangum.local.messages import Answer, Call
from mangum.local.pool import Pool
from tests.local.serving import PATIENCE_S, Serving, ServingFailed
from tests.processes import ROOT

pytest.importorskip("awslambdaric")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")
pty = pytest.importorskip("pty")

from mangum.cli.inline import Inline, Jobs  # noqa: E402

FUNCTION = """
import logging
import os
import threading
import time


def handler(event, context):
    path = event["rawPath"]
    if path == "/break":
        answer = 41
        breakpoint()
        return {"answer": answer}
    if path == "/raise":
        raise ValueError("no luck")
    if path == "/exit":
        raise SystemExit(3)
    if path == "/sleep":
        print("sleeping", flush=True)
        time.sleep(60)
    if path == "/log":
        logging.getLogger("mine").warning("noted")
    return {
        "pid": os.getpid(),
        "is_main_thread": threading.current_thread() is threading.main_thread(),
        "folder": os.getcwd(),
        "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "connections": os.environ["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"],
        "A": os.environ.get("A"),
        "memory": context.memory_limit_in_mb,
    }


async def app(scope, receive, send): ...
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inline")
    (path / "debugged.py").write_text(FUNCTION, encoding="utf-8")
    (path / "raising.py").write_text("raise RuntimeError('at import')\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Serving]:
    options = ("--inline", "--env", "A=1", "--memory", "512")
    with Serving("debugged:handler", *options, folder=folder) as serving:
        yield serving


def get(url: str) -> Any:
    return httpx.get(url, timeout=PATIENCE_S, trust_env=False)


class Terminal:
    """The command at a terminal. A context manager that ends it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._descriptor, there = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mangum", "serve", *arguments, "--port", "0", "--inline"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"},
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        )
        os.close(there)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._descriptor)

    def read_until(self, text: str) -> str:
        """What has been shown since the last time, to the text's end."""
        while text not in self.shown:
            self.shown += os.read(self._descriptor, 65536).decode()
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())


def test_the_function_runs_in_the_main_thread_of_the_command(served: Serving, folder: Path) -> None:
    assert get(served.url).json() == {
        "pid": served.pid,
        "is_main_thread": True,
        "folder": str(folder),
        "function": "debugged",
        "connections": served.addresses["@connections"].removesuffix("/@connections"),
        "A": "1",
        "memory": "512",
    }


@pytest.mark.parametrize(
    ("path", "reason"),
    [("raise", "ValueError: no luck"), ("exit", "Runtime exited with exit status 3")],
)
def test_a_failure_shows_the_function_s_frames_and_goes_on(
    served: Serving, path: str, reason: str
) -> None:
    assert get(served.url + path).status_code == 500
    assert reason in served.wait_for("request", lambda it: it["path"] == f"/{path}")["reason"]
    assert 'debugged.py", line' in served.said
    assert "mangum/cli" not in served.said
    assert get(served.url).status_code == 200


def test_warnings_are_logged(served: Serving) -> None:
    get(served.url + "log")
    assert "[WARNING] mine: noted\n" in served.said


def test_ctrl_c_ends_a_function_that_runs(served: Serving) -> None:
    """The last test with this gateway. Whoever waits gets an answer."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(get(served.url + "sleep").status_code))
    thread.start()
    while "sleeping" not in served.said:
        time.sleep(0.01)
    assert served.stop() == 0
    thread.join(PATIENCE_S)
    assert statuses == [500]


def test_a_source_waits_for_whoever_debugs() -> None:
    def function(event: Any, context: Any) -> str:
        time.sleep(0.1)
        return "late"

    jobs: Jobs = queue.SimpleQueue()
    call = Call(
        source="http",
        method="GET",
        path="/",
        event={},
        read=lambda result: Answer(200, [], result),
        refuse=lambda trouble: Answer(500, []),
        timeout_s=0.001,
    )

    async def ask() -> Answer:
        pool = Pool(lambda number: Inline(function, "function", jobs), 1)
        gateway = Gateway(pool, Journal(), "arn", is_patient=True)
        try:
            return await gateway.call(call)
        finally:
            await pool.close()

    def run() -> None:
        answers.append(asyncio.run(ask()))
        jobs.put(None)

    answers: list[Answer] = []
    gateway = threading.Thread(target=run)
    gateway.start()
    while (job := jobs.get()) is not None:  # in the main thread, as it sets a signal's handler
        job()
    gateway.join(PATIENCE_S)
    assert answers[0].body == b'"late"'


def test_a_breakpoint_stops_at_the_terminal(folder: Path) -> None:
    with Terminal(folder, "debugged:handler") as terminal:
        terminal.read_until("HTTP API")
        url = terminal.read_until("\r\n").strip()
        terminal.read_until("Ctrl-C ends it")
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(get(url + "break")))
        thread.start()
        terminal.read_until("(Pdb) ")
        terminal.type("answer\n")
        assert "41" in terminal.read_until("(Pdb) ")
        terminal.type("answer = 42\n")
        terminal.read_until("(Pdb) ")
        terminal.type("continue\n")
        terminal.read_until("200  GET     /break")
        thread.join(PATIENCE_S)
        assert answers[0].json() == {"answer": 42}
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(PATIENCE_S) == 0


def test_a_termination_ends_it_well(folder: Path) -> None:
    with Terminal(folder, "debugged:handler") as terminal:
        terminal.read_until("Ctrl-C ends it")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere:handler", "mangum: no module 'nowhere' in "),
        ("debugged:app", "mangum: debugged:app is an ASGI application: add `handler"),
    ],
)
def test_what_is_no_function_gets_one_line(folder: Path, target: str, said: str) -> None:
    with pytest.raises(ServingFailed) as caught:
        Serving(target, "--inline", folder=folder)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_module_that_raises_shows_its_own_frames(folder: Path) -> None:
    with pytest.raises(ServingFailed) as caught:
        Serving("raising:handler", "--inline", folder=folder)
    said = str(caught.value).partition("Traceback")[2]
    assert said.count("  File ") == 1
    assert said.endswith("RuntimeError: at import\n")
