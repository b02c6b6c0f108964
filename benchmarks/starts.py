"""A start of a packaged function, looked at more closely than a clock does.

Both use the bytecode where the zip has it, in `__pycache__`, and write none.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from benchmarks.contenders import ContenderFailed
from benchmarks.packaged_tables import ImportCost
from benchmarks.zips import Unpacked
from mangum.local.environment import FOREIGN, RUNTIME, Function, Process, variables
from mangum.local.runtime_api import RuntimeAPI

TIMEOUT_S = 300  # callgrind makes a process some fifty times slower

_IMPORT = """
import json, time
import asyncio, awslambdaric.bootstrap
async def app(scope, receive, send):
    pass
start = time.process_time_ns()
from mangum import Mangum
imported = time.process_time_ns()
Mangum(app, lifespan="off")
made = time.process_time_ns()
print(json.dumps([(imported - start) / 1e6, (made - imported) / 1e6]))
"""


def import_costs(
    python: str, functions: Mapping[str, Unpacked], count: int
) -> dict[str, ImportCost]:
    """The smallest of many processes, which take turns."""
    found: dict[str, list[list[float]]] = {name: [] for name in functions}
    for _ in range(count):
        for name, it in functions.items():
            done = subprocess.run(
                [python, "-c", _IMPORT],
                cwd=it.function,
                env=environment(it),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=TIMEOUT_S,
            )
            found[name].append(json.loads(done.stdout))
    return {name: ImportCost(*map(min, zip(*taken, strict=True))) for name, taken in found.items()}


def environment(it: Unpacked) -> dict[str, str]:
    """What comes with the zips, and nothing of this process that changes what a start costs."""
    foreign = (*FOREIGN, "PYTHONPYCACHEPREFIX", "MANGUM_PURE_PYTHON", "MANGUM_REQUIRE_COMPILED")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, **it.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def count_instructions(python: str, module: str, it: Unpacked) -> int:
    """From the start of the process to its first request for an event. Raises `ContenderFailed`."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "output").open("w+b") as output:
        counts = Path(folder, "counts")
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]
        command = [*valgrind, python, "-m", RUNTIME, f"{module}.handler"]
        polled = asyncio.run(_start_and_end(command, module, it, output))
        total = _total(counts) if polled and counts.exists() else 0
        if not total:
            output.seek(0)
            said = output.read().decode("utf-8", "replace").strip().splitlines()
            raise ContenderFailed(f"{module} is not counted: {(said or ['it said nothing'])[-1]}")
        return total


def _total(counts: Path) -> int:
    found = re.search(r"^totals: (\d+)", counts.read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) if found else 0


async def _start_and_end(
    command: Sequence[str], module: str, it: Unpacked, output: IO[bytes]
) -> bool:
    """Whether it has asked for an event. callgrind writes down what it has counted when the process
    is asked to end."""
    async with RuntimeAPI() as api:
        function = Function(f"{module}.handler", it.function, module)
        environ = variables(function, api.address, environment(it))
        environ["PYTHONDONTWRITEBYTECODE"] = "1"  # which is no function's own
        process = Process(command, it.function, environ, output, output)
        ready = asyncio.ensure_future(api.ready())
        either: list[asyncio.Future[Any]] = [ready, process.ended]
        try:
            await asyncio.wait(either, timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            polled = ready.done() and not ready.exception()
            if polled and not process.has_ended():
                os.kill(process.pid, signal.SIGTERM)
                await asyncio.wait([process.ended], timeout=TIMEOUT_S)
            return polled
        finally:
            ready.cancel()
            await process.end()
