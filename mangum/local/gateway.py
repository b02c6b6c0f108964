"""What all fronts share: an event goes to the function, and what comes back becomes an answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mangum.local.invocations import Fault, Invocation, Outcome, Stream
from mangum.local.journal import Entry, Journal
from mangum.local.messages import Answer, BadAnswer, Call, Trouble
from mangum.local.pool import Pool
from mangum.local.sources import MAX_EVENT_BYTES

__all__ = ["Gateway", "StreamBroken"]

HTTP_STREAM = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = b"\0" * 8
MAX_PRELUDE_BYTES = 1024 * 1024
MAX_KEPT_BYTES = 1024 * 1024  # of a stream, for the journal


class StreamBroken(Exception):
    """The function failed in mid-answer: the client is to see that it is not whole."""


class _Refused(Exception):
    """The source answers by itself."""

    def __init__(self, trouble: Trouble, reason: str) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason


class Gateway:
    """Made where a loop runs."""

    def __init__(
        self,
        pool: Pool,
        journal: Journal,
        function_arn: str,
        timeout_s: float = 30.0,
        *,
        is_patient: bool = False,
    ) -> None:
        """`is_patient`: waits for the function as long as it takes, whatever the source does."""
        self.pool = pool
        self.journal = journal
        self.function_arn = function_arn
        self.timeout_s = timeout_s  # of the function
        self._is_patient = is_patient
        self._tasks: set[asyncio.Task[Outcome]] = set()

    async def call(self, call: Call) -> Answer:
        """Invoke the function and return what the client gets, whatever the function does."""
        _, answer = await self._call(call, None)
        return answer

    async def replay(self, entry: Entry) -> Entry:
        """Invoke the function with the same event once more; the journal alone is told."""
        again, answer = await self._call(entry.call, entry.number)
        if answer.stream is not None:
            with contextlib.suppress(StreamBroken):  # which the entry tells
                async for _ in answer.stream:
                    pass
        return again

    async def close(self) -> None:
        """Wait for what goes on although its client got an answer; to be called after the pool's
        end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call(self, call: Call, replay_of: int | None) -> tuple[Entry, Answer]:
        event = json.dumps(call.event, separators=(",", ":")).encode()
        invocation = Invocation(event, self.function_arn, self.timeout_s)
        entry = self.journal.begin(call, invocation.request_id, replay_of)
        try:
            if len(event) > MAX_EVENT_BYTES:
                reason = f"the event has {len(event):,} bytes, and Lambda takes {MAX_EVENT_BYTES:,}"
                raise _Refused(Trouble.REQUEST_TOO_LARGE, reason)
            outcome = await self._invoke(call, invocation, entry)
            answer = await _read(call, outcome, entry)
        except _Refused as refused:
            entry.reason = refused.reason
            answer = call.refuse(refused.trouble)
        else:
            if outcome.stream is not None:
                rest = _Streamed(outcome.stream, entry, self._finished)
                answer = entry.answer = replace(answer, stream=rest)
                return entry, answer
        entry.answer = answer
        self.journal.finish(entry)
        return entry, answer

    async def _invoke(self, call: Call, invocation: Invocation, entry: Entry) -> Outcome:
        """Raises `_Refused` if the source does not wait that long; the function goes on then."""
        if self._is_patient or call.timeout_s is None:
            return await self.pool.invoke(invocation, entry)
        task = asyncio.ensure_future(self.pool.invoke(invocation, entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=call.timeout_s)
        if not task.done():
            task.add_done_callback(_leave)
            reason = f"the function took longer than {call.timeout_s:g} s, and goes on"
            raise _Refused(Trouble.GATEWAY_TIMEOUT, reason)
        return task.result()

    async def _finished(self, entry: Entry) -> None:
        """Until the environment has written into the entry what is known at the end."""
        if entry.rest is not None:
            await asyncio.wait({entry.rest})
        self.journal.finish(entry)


def _leave(task: asyncio.Task[Outcome]) -> None:
    """Nobody waits for it any more: what it streams holds up nothing."""
    if not task.cancelled() and task.exception() is None:
        stream = task.result().stream
        if stream is not None:
            stream.close()


class _Streamed:
    """The rest of a streamed answer. Whoever reads it ends with `aclose`."""

    def __init__(
        self, stream: Stream, entry: Entry, finished: Callable[[Entry], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._entry = entry
        self._finished = finished
        self._is_closed = False

    def __aiter__(self) -> _Streamed:
        return self

    async def __anext__(self) -> bytes:
        """Raises `StreamBroken`."""
        entry = self._entry
        try:
            chunk = await self._stream.__anext__()
        except StopAsyncIteration:
            fault = self._stream.fault
            if fault is not None:
                entry.fault, entry.reason = fault, _in_words(fault)
            await self.aclose()
            if fault is not None:
                raise StreamBroken(entry.reason) from None
            raise
        if len(entry.result or b"") < MAX_KEPT_BYTES:
            entry.result = (entry.result or b"") + chunk
        return chunk

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._stream.close()
            await self._finished(self._entry)


async def _read(call: Call, outcome: Outcome, entry: Entry) -> Answer:
    """Raises `_Refused`."""
    if outcome.fault is not None:
        entry.fault = outcome.fault
        raise _Refused(_trouble(outcome.fault), _in_words(outcome.fault))
    try:
        if outcome.stream is None:
            entry.result = outcome.body
            return call.read(outcome.body)
        return await _read_stream(call, outcome.stream, outcome.content_type, entry)
    except BadAnswer as error:
        raise _Refused(Trouble.BAD_RESULT, str(error)) from None


async def _read_stream(call: Call, stream: Stream, content_type: str, entry: Entry) -> Answer:
    """The answer with what has come of its body by now; the rest is left. Raises `BadAnswer`."""
    if not call.streams:
        stream.close()
        raise BadAnswer("it is streamed, which this source does not take")
    if content_type.partition(";")[0].strip().lower() != HTTP_STREAM:
        shown = content_type if content_type.isprintable() else "application/octet-stream"
        return Answer(200, [("content-type", shown)])
    head = b""
    async for chunk in stream:
        head += chunk
        if PRELUDE_END in head or len(head) > MAX_PRELUDE_BYTES:
            break
    prelude, end, body = head.partition(PRELUDE_END)
    if not end:
        stream.close()
        raise BadAnswer("its stream has no status and headers, ended by eight zero bytes")
    entry.result = head
    return replace(call.read(prelude), body=body)


def _trouble(fault: Fault) -> Trouble:
    timed_out = fault.error_type == "Sandbox.Timedout"
    return Trouble.FUNCTION_TIMEOUT if timed_out else Trouble.FUNCTION_ERROR


def _in_words(fault: Fault) -> str:
    return f"{fault.error_type}: {fault.message}".removesuffix(": ")
