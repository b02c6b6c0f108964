"""`mangum serve` as a user starts it, uses it and gets it wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mangum.cli import main
from tests.local.serving import PATIENCE_S, Serving, is_alive
from tests.processes import ROOT

pytest.importorskip("awslambdaric")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

MARK = "MANGUM_TEST_MARK"
"""A variable that marks everything that a command has started."""

FUNCTION = """
import os
import subprocess
import sys
import time

import mangum

print("importing")
adapter = mangum.Mangum
answer = 42


def handler(event, context):
    path = event["rawPath"]
    if path == "/print":
        print("one\\ntwo")
    if path == "/raise":
        raise ValueError("no luck\\nat all")
    if path == "/exit":
        sys.exit(3)
    if path == "/os-exit":
        os._exit(4)
    if path == "/sleep":
        print("asleep")
        time.sleep(60)
    if path == "/child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    if path == "/memory":
        return str(len(bytearray(300 * 2**20)))
    if path == "/object":
        return object()
    return {
        "pid": os.getpid(),
        "path": path,
        "A": os.environ.get("A"),
        "B": os.environ.get("B"),
        "memory": context.memory_limit_in_mb,
        "left_s": context.get_remaining_time_in_millis() / 1000,
        "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
    }


async def app(scope, receive, send): ...


async def coroutine(event, context): ...


def one(event): ...


class Namespace:
    handler = handler
"""

FILES = {
    "main.py": FUNCTION,
    "raising.py": "raise RuntimeError('at import')\n",
    "starting.py": (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "def other(event, context): ...\n"
    ),
}


class Command:
    """The command as a process that has not been waited for. A context manager that ends it."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        self.mark = uuid.uuid4().hex
        environ = {**os.environ, "PYTHONPATH": str(ROOT), MARK: self.mark}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mangum", "serve", *arguments],
            cwd=folder,
            env={**environ, "PYTHONUTF8": "1", **options.pop("environ", {})},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **{"stdout": subprocess.PIPE, **options},
        )

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def read_banner(self) -> list[str]:
        assert self.process.stdout is not None
        lines = []
        while "Ctrl-C" not in (line := self.process.stdout.readline()):
            assert line, "it has ended"
            lines.append(line.rstrip("\n"))
        return [*lines, line.rstrip("\n")]

    def finish(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(PATIENCE_S), out, err


def left_behind(mark: str) -> list[int]:
    """The processes that were started with a mark and run yet."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0") and is_alive(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve")
    for name, text in FILES.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


# --- what is no function --------------------------------------------------------------------------

MISUSES = {
    "nowhere:handler": "no module 'nowhere' in {folder} or installed: name its folder with",
    "main:handle": "main has no 'handle': did you mean handler?",
    "main:answer": "main:answer is an int, not a function",
    "main:app": "main:app is an ASGI application: add `handler = Mangum(…)`",
    "main:adapter": "main:adapter is a class: name an instance or a function",
    "main:coroutine": "main:coroutine is an `async def`, which Lambda does not await",
    "main:one": "main:one takes other arguments than Lambda's",
    "starting:handler": "starting has no 'handler': did you mean other?",
}


@pytest.fixture(scope="module")
def misused(folder: Path) -> dict[str, tuple[str, int, str, str]]:
    """The commands, two at a time, with their mark, exit code, output and errors."""

    def start(target: str) -> tuple[str, int, str, str]:
        with Command(folder, target, "--port", "0") as command:
            return command.mark, *command.finish()

    with ThreadPoolExecutor(2) as executor:
        return dict(zip(MISUSES, executor.map(start, MISUSES), strict=True))


@pytest.mark.parametrize("target", MISUSES)
def test_what_is_no_function_gets_one_line(
    misused: dict[str, tuple[str, int, str, str]], folder: Path, target: str
) -> None:
    mark, code, out, err = misused[target]
    said = MISUSES[target].format(folder=folder)
    assert (code, out) == (2, "")
    assert err.startswith(f"mangum: {said}")
    assert err.count("\n") == 1
    assert left_behind(mark) == []


BAD_OPTIONS = {
    "main:handler --also rest:/_mangum": "--also rest:/_mangum: another source is there",
    "main.py": "main.py names a file: name its module and the function in it, main:handler",
    "main:Namespace.handler": "the handler is to be a name in main",
    "main": "names no function: write module:handler",
    "main:handler --app-dir nowhere": "--app-dir nowhere is no folder",
    "main:handler --app-dir main.py": "--app-dir main.py is no folder",
    "main:handler --port many": "a port is a number from 0 to 65535",
    "main:handler --port 65536": "a port is a number from 0 to 65535",
    "main:handler --host  --port 0": "an address is needed",
    "main:handler --host 192.0.2.1": "name an address of this machine with --host",
    "main:handler --source gcp": "invalid choice: 'gcp'",
    "main:handler --also url": "SOURCE:PORT or SOURCE:/PREFIX is needed",
    "main:handler --also gcp:80": "SOURCE:PORT or SOURCE:/PREFIX is needed",
    "main:handler --also url:many": "a port is a number",
    "main:handler --also url:/": "--also url:/: another source is there",
    "main:handler --also url:8000": "--also url:8000: another source is there",
    "main:handler --also url:/a --also alb:/a/": "--also alb:/a: another source is there",
    "main:handler --stage a/b": "a stage has letters, digits, - and _",
    "main:handler --stage prod --base-path /api": "take one",
    "main:handler --concurrency 0": "a number from 1 to 1000 is needed",
    "main:handler --warm -1": "a number from 0 to 1000 is needed",
    "main:handler --timeout 0": "a number of seconds up to 900 is needed",
    "main:handler --timeout nan": "a number of seconds up to 900 is needed",
    "main:handler --memory 127": "megabytes from 128 to 10240",
    "main:handler --env A": "--env takes NAME=VALUE",
    "main:handler --route-selection $body": "--route-selection: The route selection expression",
    "main:handler --idle-timeout 0": "a number of seconds up to 86400 is needed",
    "main:handler --lifetime never": "a number of seconds up to 86400 is needed",
    "main:handler --record main.py": "--record main.py can't be made (File exists): name another",
    "main:handler --inline --reload": "leave out the other",
    "main:handler --inline --enforce-memory": "leave out the other",
    "main:handler --colour": "unrecognized arguments: --colour",
}


@pytest.mark.parametrize("line", BAD_OPTIONS)
def test_a_wrong_option_gets_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.chdir(folder)
    assert main(["serve", *line.split(" ")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert BAD_OPTIONS[line] in err


def test_a_port_that_is_taken_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["main:handler", "--app-dir", str(folder), "--port", str(port)]
        assert main(["serve", *arguments]) == 2
    assert capsys.readouterr().err == (
        f"mangum: 127.0.0.1:{port} can't be had: Address already in use;"
        " stop what listens there, or give --port 0 for a free one\n"
    )


@pytest.mark.parametrize("missing", ["awslambdaric", "uvicorn", "watchfiles", "websockets"])
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    line = ["serve", "main:handler", "--reload", "--also", "url:8001"]
    assert main(line) == 2
    said = f"mangum: serve needs {missing}: pip install 'mangum[local]'\n"
    assert capsys.readouterr().err == said


# --- banner and end -------------------------------------------------------------------------------


def test_the_banner_has_the_urls_and_comes_before_anything_else(folder: Path) -> None:
    with Command(folder, "main:handler", "--port", "0", "--also", "url:0") as command:
        _, title, *addresses, note = command.read_banner()
        url = addresses[0].split()[-1]
        assert httpx.get(url, trust_env=False).json()["path"] == "/"
        command.process.send_signal(signal.SIGTERM)
        code, out, err = command.finish()
    assert title.startswith("Mangum ")
    assert title.endswith(" serves main:handler")
    names = ["HTTP API", "Function URL", "WebSocket API", "@connections", "Dashboard"]
    assert [it.strip().partition("  ")[0] for it in addresses] == names
    assert note == "  Ctrl-C ends it"
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["", "  1 │ importing"]
    assert "  200  GET     / " in lines[2]
    assert "\x1b" not in out
    assert left_behind(command.mark) == []


def test_a_reader_that_has_gone_stops_nothing(folder: Path) -> None:
    with Command(folder, "main:handler", "--port", "0") as command:
        url = command.read_banner()[2].split()[-1]
        assert command.process.stdout is not None
        command.process.stdout.close()  # `| head -5`
        assert httpx.get(url + "print", trust_env=False).status_code == 200
        assert httpx.get(url, trust_env=False).status_code == 200
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(PATIENCE_S) == 0
        assert command.process.stderr is not None
        assert command.process.stderr.read() == ""
    assert left_behind(command.mark) == []


def test_colours_are_for_terminals(folder: Path) -> None:
    pty = pytest.importorskip("pty")
    shown = {}
    for name, environ in {"coloured": {}, "plain": {"NO_COLOR": "1"}}.items():
        reader, writer = pty.openpty()
        terminal = {"TERM": "xterm", **environ}
        with Command(folder, "main:handler", "--port", "0", stdout=writer, environ=terminal):
            os.close(writer)
            shown[name] = _read_until(reader, b"Ctrl-C ends it").decode()
            os.close(reader)
    assert "\x1b[1mMangum " in shown["coloured"]
    assert "\x1b" not in shown["plain"]


def _read_until(descriptor: int, text: bytes) -> bytes:
    read = b""
    while text not in read:
        read += os.read(descriptor, 65536)
    return read


def test_who_lets_others_in_is_told_and_shows_no_dashboard(folder: Path) -> None:
    with Serving("main:handler", "--host", "0.0.0.0", "--warm", "0", folder=folder) as serving:
        assert "other machines can reach it" in serving.lines("listening")[0]["notes"][0]
        assert "Dashboard" not in serving.addresses
        url = f"http://127.0.0.1:{serving.port}/_mangum"
        assert httpx.get(url, trust_env=False).json()["path"] == "/_mangum"


def test_a_second_ctrl_c_does_not_wait(folder: Path) -> None:
    with Command(folder, "main:handler", "--port", "0") as command:
        url = command.read_banner()[2].split()[-1]
        with ThreadPoolExecutor(1) as executor:
            asked = executor.submit(httpx.get, url + "sleep", timeout=PATIENCE_S, trust_env=False)
            assert command.process.stdout is not None
            while "asleep" not in command.process.stdout.readline():
                assert not asked.done()
            command.process.send_signal(signal.SIGINT)
            command.process.send_signal(signal.SIGTERM)  # two of a kind could become one
            assert command.process.wait(PATIENCE_S) in (128 + signal.SIGINT, 128 + signal.SIGTERM)
            assert asked.exception() is not None
    while left_behind(command.mark):
        time.sleep(0.01)  # the guard is at it


def test_ctrl_c_ends_an_import_that_hangs(folder: Path) -> None:
    (folder / "hanging.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    with Command(folder, "hanging:handler", "--port", "0") as command:
        while len(left_behind(command.mark)) < 4:  # guard, check and environment
            assert command.process.poll() is None
            time.sleep(0.01)
        command.process.send_signal(signal.SIGINT)
        assert command.finish() == (0, "", "")
    assert left_behind(command.mark) == []


# --- a function in its environments ---------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("record")


@pytest.fixture(scope="module")
def mark() -> str:
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def served(folder: Path, recorded: Path, mark: str) -> Iterator[Serving]:
    options = ["--timeout", "2", "--memory", "256", "--concurrency", "2", "--warm", "2"]
    options += ["--env", "A=1", "--env", "B='2 3'", "--record", str(recorded)]
    if sys.platform == "linux":
        options.append("--enforce-memory")
    with Serving("main:handler", *options, folder=folder, environ={MARK: mark}) as serving:
        yield serving


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as opened:
        yield opened


def test_the_function_sees_what_it_was_promised(served: Serving, client: Any) -> None:
    got = client.get(served.url).json()
    del got["pid"]
    assert 1 < got.pop("left_s") <= 2
    expected = {"path": "/", "A": "1", "B": "2 3", "memory": "256", "function": "main"}
    assert got == expected


def test_so_many_environments_are_warm(served: Serving) -> None:
    served.wait_for("output", lambda it: it["environment"] == 1)
    served.wait_for("output", lambda it: it["environment"] == 2)
    texts = {line["text"] for line in served.lines("output")[:2]}
    assert texts == {"importing\n"}


FAILURES = {
    "/raise": "ValueError: no luck\nat all",
    "/exit": "exit status 3",
    "/os-exit": "exit status 4",
    "/sleep": "Task timed out after 2.00 seconds",
    "/memory": "MemoryError",
    "/object": "Runtime.MarshalError: Unable to marshal response",
}


@pytest.mark.parametrize("path", FAILURES)
def test_a_failure_is_told_and_the_next_request_is_served(
    served: Serving, client: Any, path: str
) -> None:
    if path == "/memory" and sys.platform != "linux":
        pytest.skip("only Linux limits it")
    answer = client.get(served.url.rstrip("/") + path)
    assert answer.status_code in (500, 503)
    line = served.wait_for("request", lambda it: it["path"] == path)
    assert (line["status"], FAILURES[path] in line["reason"]) == (answer.status_code, True)
    assert client.get(served.url).status_code == 200


def test_a_traceback_is_shown(served: Serving, client: Any) -> None:
    client.get(served.url + "raise")
    line = served.wait_for("output", lambda it: "Traceback" in it["text"])
    assert 'raise ValueError("no luck\\nat all")' in line["text"]
    assert "\r" not in line["text"]


def test_what_is_printed_is_shown(served: Serving, client: Any) -> None:
    client.get(served.url + "print")
    served.wait_for("output", lambda it: it["text"].endswith("one\ntwo\n"))


def test_no_more_environments_run_than_were_asked_for(served: Serving) -> None:
    def ask(number: int) -> int:
        got = httpx.get(f"{served.url}{number}", timeout=PATIENCE_S, trust_env=False)
        return int(got.json()["pid"])

    with ThreadPoolExecutor(8) as executor:
        assert len(set(executor.map(ask, range(40)))) <= 2


def test_a_recorded_event_can_be_invoked(
    served: Serving,
    client: Any,
    recorded: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = client.get(served.url + "recorded?x=1").json()
    (event,) = (it for it in recorded.glob("*recorded.json") if ".result." not in it.name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, value in {"A": "1", "B": "2 3", "AWS_LAMBDA_FUNCTION_NAME": "main"}.items():
        monkeypatch.setenv(name, value)
    assert main(["invoke", "main:handler", str(event), "--raw", "--app-dir", str(folder)]) == 0
    del sys.modules["main"]
    again = json.loads(capsys.readouterr().out)
    assert (again["path"], again["A"]) == (answer["path"], answer["A"])


def test_ctrl_c_leaves_no_process(served: Serving, client: Any, mark: str) -> None:
    """The last of these tests: afterwards nobody serves."""
    client.get(served.url + "child")
    assert len(left_behind(mark)) >= 4
    assert served.stop() == 0
    assert left_behind(mark) == []
    assert served.said == ""
    assert served.lines("warning") == []


# --- a module that breaks and is mended -----------------------------------------------------------

VERSION = "def handler(event, context):\n    return 'version {}'\n"


def _changed(path: Path, text: str) -> None:
    """Bytecode of the same second and size would hide the change."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**10 * len(text)))


def test_a_module_that_raises_is_asked_again_when_it_is_mended(tmp_path: Path, client: Any) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise RuntimeError('at import')\n", encoding="utf-8")
    with Serving("broken:handler", "--warm", "0", folder=tmp_path) as serving:
        assert client.get(serving.url).status_code == 500
        line = serving.wait_for("request")
        assert line["reason"] == "RuntimeError: at import"
        serving.wait_for("output", lambda it: "Traceback" in it["text"])
        _changed(path, VERSION.format(1))
        assert client.get(serving.url).text == "version 1"


def test_reload_shows_new_code_and_its_faults(tmp_path: Path, client: Any) -> None:
    pytest.importorskip("watchfiles")
    path = tmp_path / "reloaded.py"
    path.write_text(VERSION.format(1), encoding="utf-8")
    with Serving("reloaded:handler", "--reload", folder=tmp_path) as serving:
        assert client.get(serving.url).text == "version 1"
        _changed(path, VERSION.format(22))
        serving.wait_for("note")
        assert client.get(serving.url).text == "version 22"
        _changed(path, "def handler(:\n")
        serving.wait_for("note", lambda it: len(serving.lines("note")) == 2)
        assert client.get(serving.url).status_code == 500
        serving.wait_for("request", lambda it: "Syntax error" in it["reason"])
        _changed(path, VERSION.format(333))
        serving.wait_for("note", lambda it: len(serving.lines("note")) == 3)
        assert client.get(serving.url).text == "version 333"
        assert serving.stop() == 0
