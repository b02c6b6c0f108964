"""The Runtime API over real sockets: what a runtime client sees, and what its caller gets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pytest

from mangum.local.environment import Function, Process, variables
from mangum.local.invocations import Fault, InitFailed, Invocation, Outcome
from mangum.local.runtime_api import RuntimeAPI

ARN = "arn:aws:lambda:us-east-1:123456789012:function:main"
NEXT = "invocation/next"
HANG_S = 20


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error_type(self) -> str:
        return str(json.loads(self.body)["errorType"])


class Client:
    """One connection of a runtime client, with as little in it as can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply:
        sized = [f"Content-Length: {len(body)}"] if method == "POST" else []
        lines = [f"{method} /2018-06-01/runtime/{path} HTTP/1.1", *sized, *headers]
        return await self.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def send(self, data: bytes) -> Reply:
        self.writer.write(data)
        return await self.receive()

    async def receive(self) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        length = int(headers.get("Content-Length", 0))
        return Reply(int(head[0].split()[1]), headers, await self.reader.readexactly(length))

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


Test = Callable[[RuntimeAPI, Client], Awaitable[None]]


def run(test: Test, **options: Any) -> None:
    """The test with an API and a connection to it, and nothing left over when it is through."""

    async def main() -> None:
        before = asyncio.all_tasks()
        async with RuntimeAPI(**options) as api:
            client = await connect(api)
            try:
                await test(api, client)
            finally:
                await client.close()
        assert asyncio.all_tasks() == before

    asyncio.run(asyncio.wait_for(main(), HANG_S))


async def connect(api: RuntimeAPI) -> Client:
    host, _, port = api.address.partition(":")
    return Client(*await asyncio.open_connection(host, int(port)))


def invocation(event: bytes = b"{}", **changes: Any) -> Invocation:
    return Invocation(event, ARN, timeout_s=3, **changes)


def invoke(api: RuntimeAPI, event: bytes = b"{}", **changes: Any) -> asyncio.Task[Outcome]:
    return asyncio.ensure_future(api.invoke(invocation(event, **changes)))


def test_a_process_gets_the_event_with_the_headers_of_lambda() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(
            api,
            b'{"a":1}',
            request_id="id-1",
            trace_id="Root=1-2-3",
            headers={"Lambda-Runtime-Client-Context": "{}"},
        )
        before_ms = time.time() * 1000
        reply = await client.ask("GET", NEXT)
        after_ms = time.time() * 1000
        deadline_ms = int(reply.headers.pop("Lambda-Runtime-Deadline-Ms"))
        assert before_ms + 2999 <= deadline_ms <= after_ms + 3000
        assert reply == Reply(
            200,
            {
                "Content-Length": "7",
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": "id-1",
                "Lambda-Runtime-Client-Context": "{}",
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-2-3",
            },
            b'{"a":1}',
        )
        task.cancel()

    run(test)


def test_its_answer_is_the_outcome() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api, request_id="id-1")
        await client.ask("GET", NEXT)
        reply = await client.ask(
            "POST", "invocation/id-1/response", b'"yes"', "Content-Type: application/json"
        )
        assert (reply.status, json.loads(reply.body)) == (202, {"status": "OK"})
        outcome = await task
        assert (outcome.body, outcome.content_type, outcome.fault) == (
            b'"yes"',
            "application/json",
            None,
        )
        assert outcome.taken_s <= outcome.answered_s

    run(test)


def test_an_error_is_an_outcome_with_a_fault() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        report = {"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": ["  line\n"]}
        task = invoke(api, request_id="id-1")
        await client.ask("GET", NEXT)
        body = json.dumps(report).encode()
        assert (await client.ask("POST", "invocation/id-1/error", body)).status == 202
        outcome = await task
        assert (outcome.fault, outcome.body) == (Fault("KeyError", "'x'", ("  line\n",)), body)

    run(test)


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b"\xff", b'{"stackTrace": 1}'])
def test_an_error_without_a_report_has_the_type_of_its_header(body: bytes) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api, request_id="id-1")
        await client.ask("GET", NEXT)
        header = "Lambda-Runtime-Function-Error-Type: Function.Broken"
        await client.ask("POST", "invocation/id-1/error", body, header)
        assert (await task).fault == Fault("Function.Broken", "")

    run(test)


def test_one_connection_serves_one_invocation_after_another() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        tasks = [invoke(api, b"%d" % number, request_id=str(number)) for number in range(3)]
        for number in range(3):
            assert (await client.ask("GET", NEXT)).body == b"%d" % number
            await client.ask("POST", f"invocation/{number}/response", b"r%d" % number)
        assert [(await task).body for task in tasks] == [b"r0", b"r1", b"r2"]

    run(test)


def test_processes_that_wait_at_once_get_an_invocation_each() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        clients = [client, await connect(api), await connect(api)]
        asked = [asyncio.ensure_future(it.ask("GET", NEXT)) for it in clients]
        await asyncio.sleep(0.05)  # all of them wait
        tasks = [invoke(api, b"%d" % number) for number in range(3)]
        replies = await asyncio.gather(*asked)
        assert sorted(reply.body for reply in replies) == [b"0", b"1", b"2"]
        for it, reply in zip(clients, replies, strict=True):
            request_id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
            await it.ask("POST", f"invocation/{request_id}/response", b"for " + reply.body)
        assert [(await task).body for task in tasks] == [b"for 0", b"for 1", b"for 2"]
        for it in clients[1:]:
            await it.close()

    run(test)


def test_ready_waits_for_a_process_that_waits() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        ready = asyncio.ensure_future(api.ready())
        await asyncio.sleep(0.05)
        assert not ready.done()
        before_s = time.perf_counter()
        asked = asyncio.ensure_future(client.ask("GET", NEXT))
        assert before_s <= await ready <= time.perf_counter()
        assert await api.ready() == await ready  # it still does
        task = invoke(api)
        await asked
        task.cancel()

    run(test)


@pytest.mark.parametrize("early", [True, False])
def test_a_failed_initialisation_is_raised_by_ready(early: bool) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        ready = asyncio.ensure_future(api.ready() if early else asyncio.sleep(0))
        await asyncio.sleep(0)
        body = b'{"errorType": "ImportError", "errorMessage": "no"}'
        assert (await client.ask("POST", "init/error", body)).status == 202
        with pytest.raises(InitFailed, match="ImportError: no") as failed:
            await (ready if early else api.ready())
        assert failed.value.fault == Fault("ImportError", "no")

    run(test)


def test_a_failed_initialisation_fails_what_was_queued() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api)
        await asyncio.sleep(0)
        await client.ask("POST", "init/error", b'{"errorType": "ImportError"}')
        assert (await task).fault == Fault("ImportError", "")

    run(test)


def test_an_invocation_is_not_given_to_a_process_that_has_gone() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        gone = await connect(api)
        asked = asyncio.ensure_future(gone.ask("GET", NEXT))
        await api.ready()
        asked.cancel()
        await gone.close()
        task = invoke(api, b"1", request_id="id-1")
        assert (await client.ask("GET", NEXT)).body == b"1"
        await client.ask("POST", "invocation/id-1/response", b"2")
        assert (await task).body == b"2"

    run(test)


def test_a_cancelled_invocation_is_not_handed_out() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        cancelled = invoke(api, b"1")
        task = invoke(api, b"2")
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        assert (await client.ask("GET", NEXT)).body == b"2"
        task.cancel()

    run(test)


def test_an_answer_that_nobody_waits_for_is_refused() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        for outcome in ("response", "error"):
            reply = await client.ask("POST", f"invocation/unknown/{outcome}", b"{}")
            assert (reply.status, reply.error_type) == (400, "InvalidRequestID")

    run(test)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nothing"),
        ("POST", NEXT),
        ("GET", "init/error"),
        ("POST", "invocation//response"),
        ("POST", "invocation/a/b/response"),
        ("POST", "invocation/response"),
    ],
)
def test_other_paths_and_methods_are_not_found(method: str, path: str) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        reply = await client.ask(method, path)
        assert (reply.status, reply.error_type) == (404, "NotFound")

    run(test)


def test_a_result_over_the_limit_is_refused_and_a_fault() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api, request_id="id-1")
        await client.ask("GET", NEXT)
        reply = await client.ask("POST", "invocation/id-1/response", b"x" * 11)
        assert (reply.status, reply.error_type) == (413, "RequestEntityTooLarge")
        fault = (await task).fault
        assert fault is not None
        assert fault.error_type == "Function.ResponseSizeTooLarge"
        assert "(10 bytes)" in fault.message
        task = invoke(api, request_id="id-2")
        await client.ask("GET", NEXT)
        assert (await client.ask("POST", "invocation/id-2/response", b"x" * 10)).status == 202
        assert (await task).body == b"x" * 10

    run(test, max_result_bytes=10)


CHUNKED = (
    "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
)
STREAMED = f"{CHUNKED}Lambda-Runtime-Function-Response-Mode: streaming\r\n"


@pytest.mark.parametrize(
    ("chunks", "body", "fault"),
    [
        ("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde", None),
        ("0\r\n\r\n", b"", None),
        (
            "3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Broken\r\n\r\n",
            b"abc",
            Fault("Broken", ""),
        ),
    ],
)
def test_a_result_may_come_in_chunks(chunks: str, body: bytes, fault: Fault | None) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api, request_id="id-1")
        await client.ask("GET", NEXT)
        assert (await client.send(f"{CHUNKED}\r\n{chunks}".encode())).status == 202
        outcome = await task
        assert (outcome.body, outcome.fault) == (body, fault)

    run(test)


def test_chunks_over_the_limit_are_refused_together() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api, request_id="id-1")
        await client.ask("GET", NEXT)
        chunk = "6\r\nabcdef\r\n"
        reply = await client.send(f"{CHUNKED}\r\n{chunk}{chunk}0\r\n\r\n".encode())
        assert reply.status == 413
        assert (await task).fault is not None

    run(test, max_result_bytes=10)


def test_a_client_may_ask_whether_to_go_on() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        client.writer.write(
            b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"
            b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert (await client.receive()).status == 100
        assert (await client.send(b"{}")).status == 202

    run(test)


@pytest.mark.parametrize("head", ["GET / HTTP/1.0\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n"])
def test_a_connection_is_closed_where_it_is_not_to_be_kept(head: str) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        reply = await client.send(head.encode() + b"\r\n")
        assert (reply.status, reply.headers["Connection"]) == (404, "close")
        assert await client.reader.read() == b""

    run(test)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        CHUNKED.encode() + b"\r\nz\r\n",
        CHUNKED.encode() + b"\r\n-1\r\n",
        CHUNKED.encode() + b"\r\n1\r\nabc\r\n",
    ],
)
def test_what_is_no_http_is_a_bad_request_and_ends_the_connection(data: bytes) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        reply = await client.send(data)
        assert (reply.status, reply.error_type) == (400, "BadRequest")
        assert await client.reader.read() == b""

    run(test)


@pytest.mark.parametrize("data", [b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"])
def test_a_client_may_leave_in_the_midst_of_a_request(data: bytes) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        other = await connect(api)
        other.writer.write(data)
        await other.close()
        assert (await client.ask("GET", "nothing")).status == 404

    run(test)


def test_closing_ends_connections_and_whoever_waits() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        async with RuntimeAPI() as api:
            idle, waiting, working = [await connect(api) for _ in range(3)]
            task = invoke(api)
            await working.ask("GET", NEXT)
            asked = asyncio.ensure_future(waiting.ask("GET", NEXT))
            await api.ready()
            other = RuntimeAPI()  # one API knows nothing of another
            async with other:
                ready = asyncio.ensure_future(other.ready())
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await ready
        with pytest.raises(asyncio.IncompleteReadError):
            await asked
        with pytest.raises(asyncio.CancelledError):
            await task
        for client in (idle, waiting, working):
            assert await client.reader.read() == b""
            await client.close()
        assert asyncio.all_tasks() - {task, asked, ready} == before

    asyncio.run(asyncio.wait_for(main(), HANG_S))


def test_the_api_listens_on_the_loopback_interface_alone() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        assert api.address.startswith("127.0.0.1:")

    run(test)


# --- processes ------------------------------------------------------------------------------------

SOURCE = """
import os

def handler(event, context):
    return {
        "event": event,
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "function": context.function_name,
        "ms": context.get_remaining_time_in_millis(),
        "trace": os.environ["_X_AMZN_TRACE_ID"],
        "pid": os.getpid(),
    }
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no os.wait4")


@posix
def test_the_real_runtime_client_answers(tmp_path: Path) -> None:
    pytest.importorskip("awslambdaric")
    (tmp_path / "main.py").write_text(SOURCE)
    function = Function("main.handler", tmp_path, "main")

    async def main() -> None:
        async with RuntimeAPI() as api:
            with (tmp_path / "log").open("wb") as log:
                processes = [start(function, api, log) for _ in range(2)]
            try:
                for number in range(3):
                    sent = Invocation(b'{"n": %d}' % number, function.arn, timeout_s=3)
                    outcome = await api.invoke(sent)
                    assert (outcome.fault, outcome.content_type) == (None, "application/json")
                    result = json.loads(outcome.body)
                    assert 0 < result.pop("ms") <= 3000
                    assert result.pop("pid") in {it.pid for it in processes}
                    assert result == {
                        "event": {"n": number},
                        "id": sent.request_id,
                        "arn": function.arn,
                        "function": "main",
                        "trace": sent.trace_id,
                    }
            finally:
                ends = [await it.end() for it in processes]
        assert [it.exit_code for it in ends] == [-9, -9]
        assert all(it.cpu_s > 0 and it.max_rss_bytes > 2**20 for it in ends)
        assert [await it.end() for it in processes] == ends

    asyncio.run(asyncio.wait_for(main(), HANG_S))


def start(function: Function, api: RuntimeAPI, log: BinaryIO) -> Process:
    command = [sys.executable, "-m", "awslambdaric", function.handler]
    environ = variables(function, api.address, {"PATH": "/usr/bin:/bin"})
    return Process(command, function.folder, environ, log, log)


@posix
def test_a_process_that_ends_by_itself_takes_what_it_started_along(tmp_path: Path) -> None:
    """Its session is ended before its pid can be that of another process."""

    async def main() -> int:
        script = "import subprocess, sys; subprocess.Popen(['sleep', '1000']); sys.exit(3)"
        with (tmp_path / "out").open("w+b") as out:
            process = Process([sys.executable, "-c", script], tmp_path, {}, out, out)
            end = await process.ended
            assert await process.end() == end
        return end.exit_code

    assert asyncio.run(asyncio.wait_for(main(), HANG_S)) == 3


@posix
def test_memory_and_cpu_are_those_of_the_process_alone(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells")

    async def main() -> None:
        ballast = bytearray(b"x") * (100 << 20)
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as lines, os.fdopen(writer, "wb") as out:
            script = "import time; print(flush=True); time.sleep(1000)"
            process = Process([sys.executable, "-c", script], tmp_path, {}, out, out)
            try:
                await asyncio.to_thread(lines.readline)
                memory, cpu_s = process.peak_memory_bytes(), process.cpu_s()
            finally:
                end = await process.end()
        assert memory is not None
        assert cpu_s is not None
        assert memory < len(ballast) < end.max_rss_bytes  # why rusage is not taken
        assert 0 < cpu_s <= end.cpu_s + 0.01
        assert (process.peak_memory_bytes(), process.cpu_s()) == (None, None)

    asyncio.run(asyncio.wait_for(main(), HANG_S))


def test_the_environment_holds_what_lambda_sets_and_what_the_function_needs(
    tmp_path: Path,
) -> None:
    function = Function("pkg.main.handler", tmp_path, "main", "3.13")
    base = {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_RUNTIME_API": "elsewhere",
        "AWS_REGION": "eu-central-1",
        "DATABASE_URL": "postgres://",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    found = variables(function, "127.0.0.1:9001", base)
    assert re.search(r"/\[\$LATEST\][0-9a-f]{32}$", found.pop("AWS_LAMBDA_LOG_STREAM_NAME"))
    assert found == {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_NAME": "main",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/main",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_REGION": "eu-central-1",
        "DATABASE_URL": "postgres://",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "TZ": ":UTC",
        "_HANDLER": "pkg.main.handler",
    }


@pytest.mark.parametrize(
    "header",
    [
        "Host: example.org",
        "Host: localhost.example.org:80",
        "Host: 127.0.0.1",
        "Origin: https://example.org",
        "Sec-Fetch-Site: cross-site",
    ],
)
def test_a_page_in_a_browser_gets_no_invocation(header: str) -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        task = invoke(api)
        assert (await client.ask("GET", NEXT, b"", header)).status == 403
        other = await connect(api)
        assert (await other.ask("GET", NEXT, b"", f"Host: {api.address}")).status == 200
        await other.close()
        task.cancel()
        await asyncio.wait({task})

    run(test)


def test_a_function_that_was_frozen_goes_on_at_once() -> None:
    async def test(api: RuntimeAPI, client: Client) -> None:
        reply = await client.ask("GET", "restore/next")
        assert (reply.status, reply.body) == (200, b"")
        report = b'{"errorType": "Broken", "errorMessage": "no"}'
        assert (await client.ask("POST", "restore/error", report)).status == 202
        with pytest.raises(InitFailed, match="Broken: no"):
            await api.ready()

    run(test)
