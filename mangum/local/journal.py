"""What went through the gateway: the last invocations, and those who are told of each."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mangum.local.invocations import Fault
from mangum.local.messages import Answer, Call

__all__ = ["CAPACITY", "Entry", "Journal"]

CAPACITY = 200
MAX_BYTES = 128 * 1024 * 1024  # of events, results and logs, more or less


@dataclass(eq=False)
class Entry:
    """One invocation. What is not known yet, or never will be, is `None`."""

    number: int  # 1, 2, 3, …
    call: Call
    request_id: str
    started_s: float = field(default_factory=time.time)  # since 1970
    total_s: float | None = None  # from the request to the answer; what is not `None` is finished
    environment: int | None = None  # its number
    init_s: float | None = None  # if this invocation started it
    duration_s: float | None = None  # in the function
    memory_bytes: int | None = None  # the environment's peak
    result: bytes | None = None  # JSON as it came from the function; of a stream what has come
    fault: Fault | None = None
    answer: Answer | None = None
    reason: str = ""  # why the answer is the source's own, in a sentence for the console
    log: str = ""  # what the function printed meanwhile
    replay_of: int | None = None  # the number of the entry that was played again
    rest: asyncio.Future[None] | None = None  # of a streamed answer: done when nothing is to come


class Journal:
    """The last `CAPACITY` entries, oldest first; fewer of them where they are large."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=CAPACITY)
        self.count = 0
        self._sizes: dict[int, int] = {}  # by the number of what is finished
        self.began: list[Callable[[Entry], None]] = []
        """Called with an entry before the function is."""
        self.finished: list[Callable[[Entry], None]] = []
        """Called with an entry at its end; only where the source did not wait, more may come."""

    def begin(self, call: Call, request_id: str, replay_of: int | None = None) -> Entry:
        self.count += 1
        entry = Entry(self.count, call, request_id, replay_of=replay_of)
        self.entries.append(entry)
        for listener in self.began:
            listener(entry)
        return entry

    def finish(self, entry: Entry) -> None:
        entry.total_s = time.time() - entry.started_s
        self._bound(entry)
        for listener in self.finished:
            listener(entry)

    def _bound(self, entry: Entry) -> None:
        if entry not in self.entries:
            return  # it took so long that others have its place
        self._sizes[entry.number] = _size(entry)
        while len(self.entries) > 1 and sum(self._sizes.values()) > MAX_BYTES:
            self._sizes.pop(self.entries.popleft().number, None)
        if len(self._sizes) > CAPACITY:
            first = self.entries[0].number
            self._sizes = {key: size for key, size in self._sizes.items() if key >= first}

    def find(self, number: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.number == number), None)


def _size(entry: Entry) -> int:
    body = entry.call.event.get("body")
    sent = len(entry.answer.body) if entry.answer else 0
    return (
        (len(body) if isinstance(body, str) else 0)
        + len(entry.result or b"")
        + sent
        + len(entry.log)
    )
