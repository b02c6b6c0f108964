"""The gateway over real environments: processes with the published runtime client."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mangum.local.environment import Function
from mangum.local.gateway import Gateway, StreamBroken
from mangum.local.guard import Guard
from mangum.local.journal import Entry, Journal
from mangum.local.messages import Answer, BadAnswer, Call, Trouble
from mangum.local.pool import Pool
from mangum.local.sandbox import Sandbox, Settings

pytest.importorskip("awslambdaric")

HANG_S = 60

FUNCTION = """
import os, subprocess, sys, time

print("importing")

def handler(event, context):
    if "print" in event:
        print(event["print"])
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "exit" in event:
        os._exit(event["exit"])
    if "fail" in event:
        raise ValueError(event["fail"])
    if "child" in event:
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
    if "memory" in event:
        return len(bytearray(event["memory"] * 2**20))
    left = context.get_remaining_time_in_millis()
    return {"pid": os.getpid(), "name": os.environ.get("NAME"), "left": left}
"""


class Served:
    """A gateway with a function behind it, and what was told about it."""

    def __init__(self, gateway: Gateway, pool: Pool) -> None:
        self.gateway = gateway
        self.pool = pool
        self.printed: list[tuple[int, str]] = []
        self.ended: list[tuple[int, int]] = []

    @property
    def entries(self) -> list[Entry]:
        return [*self.gateway.journal.entries]

    async def call(self, timeout_s: float | None = None, **event: Any) -> Any:
        """The function's result, or the trouble by its name."""
        answer = await self.gateway.call(_call(event, timeout_s))
        return json.loads(answer.body)


def _call(event: dict[str, Any], timeout_s: float | None = None) -> Call:
    return Call(
        source="http",
        method="GET",
        path="/",
        event=event,
        read=_read,
        refuse=lambda trouble: Answer(500, [], json.dumps(trouble.name).encode()),
        timeout_s=timeout_s,
    )


def _read(result: bytes) -> Answer:
    if result == b"null":
        raise BadAnswer("it is null")
    return Answer(200, [], result)


Test = Callable[[Served], Awaitable[None]]


def run(
    test: Test,
    folder: Path,
    function: str = FUNCTION,
    concurrency: int = 2,
    timeout_s: float = 20,
    **settings: Any,
) -> None:
    """The test, after which no process, task or descriptor is left."""
    (folder / "main.py").write_text(function, encoding="utf-8")
    environ = {**os.environ, "NAME": "value"}

    async def main() -> None:
        descriptors, tasks = _descriptors(), asyncio.all_tasks()
        guard = Guard()
        served: Served
        where = Function("main.handler", folder, "main")
        options = Settings(where, environ, timeout_s, **settings)

        def printed(sandbox: Sandbox, text: str) -> None:
            served.printed.append((sandbox.number, text))

        def ended(sandbox: Sandbox, exit_code: int) -> None:
            served.ended.append((sandbox.number, exit_code))
            served.pool.ended(sandbox)

        pool = Pool(lambda number: Sandbox(number, options, guard, printed, ended), concurrency)
        served = Served(Gateway(pool, Journal(), where.arn, timeout_s), pool)
        try:
            await test(served)
        finally:
            pids = [it.pid for it in pool.environments if it.pid]
            await pool.close()
            await served.gateway.close()
            guard.close()
        assert not [pid for pid in pids if _is_alive(pid)]
        assert asyncio.all_tasks() == tasks
        assert _descriptors() == descriptors

    asyncio.run(asyncio.wait_for(main(), HANG_S))


def _descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a process is watched
        await asyncio.sleep(0.01)


def test_an_environment_is_kept_and_its_initialisation_is_told_once(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        first, second = [await served.call() for _ in range(2)]
        assert first["pid"] == second["pid"]
        assert first["name"] == "value"
        assert 0 < first["left"] <= 20_000
        cold, warm = served.entries
        assert cold.init_s is not None
        assert warm.init_s is None
        assert (cold.environment, warm.environment) == (1, 1)
        assert cold.memory_bytes

    run(test, tmp_path)


def test_invocations_at_once_get_environments_up_to_the_limit(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        results = await asyncio.gather(*[served.call(sleep=0.05) for _ in range(7)])
        assert len({result["pid"] for result in results}) == 2
        assert [it.state for it in served.pool.environments] == ["idle", "idle"]
        assert sum(it.invocations for it in served.pool.environments) == 7

    run(test, tmp_path)


def test_what_is_printed_belongs_to_its_invocation(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        await served.call(print="one")
        await served.call(print="two\nthree")
        await served.call()
        assert [entry.log for entry in served.entries] == [
            "importing\none\n",
            "two\nthree\n",
            "",
        ]
        assert "".join(text for _, text in served.printed) == "importing\none\ntwo\nthree\n"

    run(test, tmp_path)


def test_an_exception_is_a_fault_with_its_traceback_in_the_log(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call(fail="oh") == Trouble.FUNCTION_ERROR.name
        (entry,) = served.entries
        assert entry.fault is not None
        assert (entry.fault.error_type, entry.fault.message) == ("ValueError", "oh")
        assert entry.reason == "ValueError: oh"
        assert "Traceback (most recent call last):\n" in entry.log
        assert (await served.call())["pid"] == served.pool.environments[0].pid

    run(test, tmp_path)


@pytest.mark.parametrize(
    ("event", "reason"), [({"exit": 3}, "exit status 3"), ({"exit": 0}, "exit status 0")]
)
def test_a_process_that_exits_is_an_error_and_the_next_call_starts_afresh(
    tmp_path: Path, event: dict[str, Any], reason: str
) -> None:
    async def test(served: Served) -> None:
        assert await served.call(**event) == Trouble.FUNCTION_ERROR.name
        assert served.entries[0].reason.endswith(f"Runtime exited with error: {reason}")
        assert await served.call()
        assert served.entries[1].environment == 2

    run(test, tmp_path)


def test_a_process_that_is_killed_in_mid_call_is_an_error(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        await served.call()
        call = asyncio.ensure_future(served.call(sleep=30))
        await _until(lambda: served.pool.environments[0].state == "busy")
        pid = served.pool.environments[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await call == Trouble.FUNCTION_ERROR.name
        assert served.entries[1].reason.endswith("signal: killed")
        assert await served.call()

    run(test, tmp_path)


def test_a_process_that_ends_while_it_is_idle_costs_no_call(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        before = (await served.call())["pid"]
        os.kill(before, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
        assert (await served.call())["pid"] != before  # the loop was not told yet
        os.kill(served.pool.environments[-1].pid or 0, signal.SIGTERM)
        await _until(lambda: served.ended[-1:] == [(2, -signal.SIGTERM)])
        await _until(lambda: not served.pool.environments)
        assert [entry.fault for entry in served.entries] == [None, None]

    run(test, tmp_path)


def test_a_call_that_takes_too_long_ends_its_environment(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call(sleep=30) == Trouble.FUNCTION_TIMEOUT.name
        assert served.entries[0].reason.endswith("Task timed out after 0.50 seconds")
        assert await served.call()
        assert served.entries[1].environment == 2

    run(test, tmp_path, timeout_s=0.5)


def test_a_source_that_does_not_wait_that_long_answers_while_the_function_goes_on(
    tmp_path: Path,
) -> None:
    async def test(served: Served) -> None:
        assert await served.call(timeout_s=0.2, sleep=1) == Trouble.GATEWAY_TIMEOUT.name
        assert await served.call()
        await _until(lambda: served.entries[0].duration_s is not None)
        assert served.pool.environments[0].invocations == 1

    run(test, tmp_path)


def test_a_failed_initialisation_is_told_and_tried_again(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call() == Trouble.FUNCTION_ERROR.name
        (entry,) = served.entries
        assert entry.fault is not None
        assert entry.fault.error_type == "Runtime.ImportModuleError"
        assert "No module named 'nothing'" in entry.log
        (tmp_path / "main.py").write_text(FUNCTION, encoding="utf-8")
        assert (await served.call())["name"] == "value"

    run(test, tmp_path, "import nothing")


def test_a_module_that_exits_is_told(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call() == Trouble.FUNCTION_ERROR.name
        assert served.entries[0].reason == (
            "Runtime.ExitError: Runtime exited with error: exit status 7"
        )

    run(test, tmp_path, "import os; os._exit(7)")


def test_a_result_that_the_source_does_not_take_is_explained(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call() == Trouble.BAD_RESULT.name
        assert served.entries[0].reason == "it is null"

    run(test, tmp_path, "def handler(event, context): pass")


def test_an_event_over_the_limit_never_reaches_the_function(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call(text="x" * 6 * 2**20) == Trouble.REQUEST_TOO_LARGE.name
        assert served.pool.environments == []

    run(test, tmp_path)


def test_a_result_over_the_limit_is_an_error(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call() == Trouble.FUNCTION_ERROR.name
        assert "Function.ResponseSizeTooLarge" in served.entries[0].reason

    run(test, tmp_path, "def handler(event, context): return 'x' * 7 * 2**20")


def test_new_code_is_run_by_new_environments_and_what_runs_is_finished(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        await served.call()
        running = asyncio.ensure_future(served.call(sleep=0.5))
        await _until(lambda: served.pool.environments[0].state == "busy")
        (tmp_path / "main.py").write_text("def handler(event, context): return 'new'")
        await served.pool.renew()
        assert await served.call() == "new"
        assert (await running)["name"] == "value"
        await _until(lambda: [it.number for it in served.pool.environments] == [2])

    run(test, tmp_path)


def test_environments_are_there_before_anybody_asks(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        await served.pool.warm(2)
        assert [it.state for it in served.pool.environments] == ["idle", "idle"]
        await served.call()
        assert served.entries[0].environment in (1, 2)

    run(test, tmp_path)


def test_who_asks_while_one_is_starting_waits_for_it(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        warming = asyncio.ensure_future(served.pool.warm(1))
        await asyncio.sleep(0)
        results = await asyncio.gather(*[served.call(sleep=0.1) for _ in range(2)])
        await warming
        assert len({result["pid"] for result in results}) == 2
        assert sorted(entry.environment or 0 for entry in served.entries) == [1, 2]

    run(test, tmp_path, concurrency=4)


def test_who_waits_for_one_that_fails_gets_another(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        warming = asyncio.ensure_future(served.pool.warm(1))
        await asyncio.sleep(0)
        assert await served.call() == Trouble.FUNCTION_ERROR.name
        await warming
        assert served.entries[0].environment == 2

    run(test, tmp_path, "import nothing")


def test_what_a_function_has_started_ends_with_it(tmp_path: Path) -> None:
    children: list[int] = []

    async def test(served: Served) -> None:
        children.append(await served.call(child=1))
        assert _is_alive(children[0])

    run(test, tmp_path)
    deadline = time.monotonic() + HANG_S
    while _is_running(children[0]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_running(children[0])


def _is_running(pid: int) -> bool:
    """Not even as a zombie, which nobody may be there to reap."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return state != "Z"
    return sys.platform != "linux" and _is_alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_memory_can_be_limited(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call(memory=1) == 2**20
        assert await served.call(memory=300) == Trouble.FUNCTION_ERROR.name
        assert served.entries[1].fault is not None
        assert served.entries[1].fault.error_type == "MemoryError"

    run(test, tmp_path, memory_mb=128, enforce_memory=True)


def test_a_replay_is_an_entry_of_its_own(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        await served.call(print="again")
        entry = await served.gateway.replay(served.entries[0])
        assert (entry.number, entry.replay_of, entry.log) == (2, 1, "again\n")

    run(test, tmp_path)


STREAMS = """
import http.client, json, os, sys, time

def handler(event, context):
    raise AssertionError("never called: the runtime below streams")

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
root = "/2018-06-01/runtime/invocation/"

def send(data):
    api.sock.sendall(data)

while True:
    api.request("GET", root + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    request_id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
    api.putrequest("POST", root + request_id + "/response")
    api.putheader("Transfer-Encoding", "chunked")
    api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    api.putheader("Content-Type", "application/vnd.awslambda.http-integration-response")
    api.endheaders()
    for piece in event["pieces"]:
        if piece == "die":
            os._exit(1)
        if piece == "wait":
            time.sleep(30)
        data = b"x" * 60_000 if piece == "many" else piece.encode("latin-1")
        send(b"%x\\r\\n%s\\r\\n" % (len(data), data))
        time.sleep(event.get("sleep", 0))
    send(b"0\\r\\n" + event.get("trailers", "").encode() + b"\\r\\n")
    api.getresponse().read()
"""
TRAILERS = (
    "Lambda-Runtime-Function-Error-Type: Bad\r\n"
    "Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJvaCJ9\r\n"
)
PRELUDE = '{"statusCode": 201, "headers": {"x-a": "b"}}' + "\0" * 8


def _stream(event: dict[str, Any]) -> Call:
    def read(prelude: bytes) -> Answer:
        shape = json.loads(prelude)
        return Answer(shape["statusCode"], [*shape["headers"].items()])

    refuse = lambda trouble: Answer(502, [], trouble.name.encode())  # noqa: E731
    return Call("url", "GET", "/", event, read, refuse, streams=True)


def test_a_streamed_answer_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        event = {"pieces": [PRELUDE[:20], PRELUDE[20:] + "one", "two", "three"], "sleep": 0.05}
        answer = await served.gateway.call(_stream(event))
        assert (answer.status, answer.headers, answer.body) == (201, [("x-a", "b")], b"one")
        assert served.pool.environments[0].state == "busy"
        assert answer.stream is not None
        assert [chunk async for chunk in answer.stream] == [b"two", b"three"]
        assert served.entries[0].total_s is not None
        assert (served.entries[0].duration_s or 0) > 0
        again = await served.gateway.call(_stream({"pieces": [PRELUDE]}))
        assert again.stream is not None
        assert [chunk async for chunk in again.stream] == []
        assert served.entries[1].environment == 1

    run(test, tmp_path, STREAMS)


@pytest.mark.parametrize(
    ("pieces", "trailers", "reason"),
    [
        (
            [PRELUDE, "one"],
            TRAILERS,
            "Bad: oh",
        ),
        ([PRELUDE, "one", "die"], "", "Runtime.ExitError: "),
    ],
)
def test_a_stream_that_breaks_is_not_mistaken_for_a_whole_answer(
    tmp_path: Path, pieces: list[str], trailers: str, reason: str
) -> None:
    async def test(served: Served) -> None:
        event = {"pieces": pieces, "trailers": trailers}
        answer = await served.gateway.call(_stream(event))
        assert answer.stream is not None
        chunks: list[bytes] = []

        async def read() -> None:
            assert answer.stream is not None
            async for chunk in answer.stream:
                chunks.append(chunk)  # noqa: PERF401 - what came before it broke

        with pytest.raises(StreamBroken, match=re.escape(reason)):
            await read()
        assert answer.body + b"".join(chunks) == b"one"
        assert served.entries[0].reason.startswith(reason)

    run(test, tmp_path, STREAMS)


def test_a_stream_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        answer = await served.gateway.call(_stream({"pieces": [PRELUDE, "wait"]}))
        assert answer.stream is not None
        with pytest.raises(StreamBroken):
            _ = [chunk async for chunk in answer.stream]
        assert served.entries[0].total_s is not None

    run(test, tmp_path, STREAMS, timeout_s=1)


def test_a_stream_without_a_reader_holds_up_nobody(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        event = {"pieces": [PRELUDE, *["many"] * 400]}
        answer = await served.gateway.call(_stream(event))
        assert answer.stream is not None
        await answer.stream.aclose()
        assert (await served.gateway.call(_stream({"pieces": [PRELUDE]}))).status == 201

    run(test, tmp_path, STREAMS, concurrency=1)


def test_a_source_that_takes_no_stream_says_so(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        assert await served.call(pieces=[PRELUDE, "one"]) == Trouble.BAD_RESULT.name
        assert "streamed" in served.entries[0].reason

    run(test, tmp_path, STREAMS)


GATEWAY_TO_KILL = """
import asyncio, os, sys
from pathlib import Path
from mangum.local.environment import Function
from mangum.local.guard import Guard
from mangum.local.sandbox import Sandbox, Settings

async def main():
    where = Function("main.handler", Path.cwd(), "main")
    guard = Guard()
    nothing = lambda *told: None
    box = Sandbox(1, Settings(where, dict(os.environ)), guard, nothing, nothing)
    await box.start()
    print(box.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_no_environment_outlives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import time; time.sleep(0)\ndef handler(e, c): pass\n")
    with subprocess.Popen(
        [sys.executable, "-c", GATEWAY_TO_KILL], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as gateway:
        assert gateway.stdout is not None
        pid = int(gateway.stdout.readline())
        os.kill(pid, signal.SIGSTOP)  # it can't end by itself
        gateway.kill()
    deadline = time.monotonic() + HANG_S
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_running(pid)


def test_a_stream_that_nobody_reads_ends_with_its_time(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        event = {"pieces": [PRELUDE, *["many"] * 400]}
        answer = await served.gateway.call(_stream(event))
        assert answer.stream is not None
        assert (await served.gateway.call(_stream({"pieces": [PRELUDE]}))).status == 201
        assert served.entries[1].environment == 2
        with pytest.raises(StreamBroken, match="timed out"):
            _ = [chunk async for chunk in answer.stream]

    run(test, tmp_path, STREAMS, concurrency=1, timeout_s=1)


def test_a_fault_below_the_chunks_needs_no_report(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        trailers = "Lambda-Runtime-Function-Error-Type: Bad\r\n"
        event = {"pieces": [PRELUDE], "trailers": trailers}
        answer = await served.gateway.call(_stream(event))
        assert answer.stream is not None
        with pytest.raises(StreamBroken, match="Bad"):
            _ = [chunk async for chunk in answer.stream]

    run(test, tmp_path, STREAMS)


FLOOD = """
import os, threading

def flood():
    while True:
        os.write(1, b"x" * 65536)

def handler(event, context):
    if event.get("flood"):
        threading.Thread(target=flood, daemon=True).start()
        threading.Event().wait()
    return 1
"""


def test_a_function_that_prints_without_end_holds_up_nobody_else(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        flood = asyncio.ensure_future(served.call(flood=1))
        await _until(lambda: len(served.printed) > 10)
        assert await served.call() == 1
        assert not flood.done()
        assert await flood == Trouble.FUNCTION_TIMEOUT.name
        assert len(served.entries[0].log) <= 2**20

    run(test, tmp_path, FLOOD, timeout_s=2)


def test_an_environment_that_cannot_be_started_is_told_and_costs_no_place(tmp_path: Path) -> None:
    async def test(served: Served) -> None:
        moved = tmp_path.rename(tmp_path.with_name("moved"))  # noqa: ASYNC240
        await served.pool.warm(1)
        for _ in range(3):
            assert await served.call() == Trouble.FUNCTION_ERROR.name
        reason = "Sandbox.StartFailed: it can't be started: No such file or directory"
        assert {entry.reason for entry in served.entries} == {reason}
        moved.rename(tmp_path)
        assert (await served.call())["name"] == "value"

    run(test, tmp_path, concurrency=1)
