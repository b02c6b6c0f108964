"""A function's process: with the arguments `cold NAME` it serves one message, with `warm NAME` what
it is asked for.

NAME is `ours` or `with_boto3`; of `app` there is nothing but the application. A cold one prints the
nanoseconds of processor time that its process took. A warm one answers each line `[step, times]`,
where the step is `connect`, `message`, `fan_out` or `one_by_one`, with nanoseconds of processor
time, of all threads, and of the wall clock.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATA = b'{"from":"someone","text":"%b"}' % (b"x" * 200)


def cold(name: str) -> None:
    module = import_module(f"benchmarks.sockets.{name}")
    if name != "app":
        from benchmarks.sockets import events

        _serve(module, events.message("world"))
    print(time.process_time_ns())


def warm(name: str) -> None:
    import json

    from benchmarks.sockets import events

    module = import_module(f"benchmarks.sockets.{name}")
    event = events.message("world")
    for line in sys.stdin:
        step, times = json.loads(line)
        connection_ids = [f"{number:014}=" for number in range(times)]
        processor, clock = time.process_time_ns(), time.perf_counter_ns()
        if step == "connect":
            _serve(module, events.connect())
        elif step == "message":
            for _ in connection_ids:
                _serve(module, event)
        else:
            getattr(module, step)(connection_ids, DATA)
        taken = [time.process_time_ns() - processor, time.perf_counter_ns() - clock]
        print(json.dumps(taken), flush=True)


def _serve(module: Any, event: dict[str, Any]) -> None:
    result = module.handler(event, None)
    assert result["statusCode"] == 200, result


if __name__ == "__main__":
    {"cold": cold, "warm": warm}[sys.argv[1]](sys.argv[2])
