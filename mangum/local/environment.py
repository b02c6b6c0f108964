"""An execution environment: a child process with a function in it, as Lambda would start it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mangum.cli.context import ACCOUNT_ID

RUNTIME = "awslambdaric"
DEFAULT_REGION = "us-east-1"
DEFAULT_MEMORY_MB = "128"

FOREIGN = (
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONINSPECT",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONSAFEPATH",
    "PYTHONTRACEMALLOC",
    "PYTHONVERBOSE",
)
"""A developer's settings that no function on Lambda has, and that change what a process costs."""


@dataclass(frozen=True)
class Function:
    """What Lambda knows of a function before it starts it."""

    handler: str  # Lambda's notation, `"main.handler"`
    folder: Path
    name: str
    python_version: str = "{}.{}".format(*sys.version_info[:2])

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{region_of(os.environ)}:{ACCOUNT_ID}:function:{self.name}"


def variables(function: Function, api_address: str, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process: `base`, which may hold what the function needs, and Lambda's.

    Credentials are passed on and none are made up, and no role is looked for on the machine.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    defaults = {
        "AWS_DEFAULT_REGION": region_of(base),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": DEFAULT_MEMORY_MB,
        "AWS_REGION": region_of(base),
        "TZ": ":UTC",
    }
    fixed = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{function.python_version}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_LAMBDA_RUNTIME_API": api_address,
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": function.handler,
    }
    passed = {name: value for name, value in base.items() if name not in FOREIGN}
    return {**defaults, **passed, **fixed}


def region_of(base: Mapping[str, str]) -> str:
    return base.get("AWS_REGION") or base.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


@dataclass(frozen=True)
class End:
    """How a process ended, and what it had used: user and system time, and the largest memory."""

    exit_code: int  # of a signal the negative number
    cpu_s: float
    max_rss_bytes: int


class Process:
    """A running environment, with a session of its own. POSIX only; made where a loop runs.

    `end` is always to be awaited: it kills the process and whatever it started, by the pid.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        stdout: IO[Any],
        stderr: IO[Any],
    ) -> None:
        self.started_s = time.perf_counter()
        self._popen = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        self._lock = threading.Lock()
        self._reaped = False  # from then on the pid may be that of another process
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[End] = self._loop.create_future()
        # A thread of its own: the loop's executor has few, and each process takes one for its life.
        threading.Thread(target=self._watch, name=f"wait-{self.pid}", daemon=True).start()

    async def end(self) -> End:
        """Kill it, unless it has ended by itself."""
        with self._lock:
            if not self._reaped:
                self._kill()
        return await asyncio.shield(self.ended)

    def has_ended(self) -> bool:
        """Whether it has, although the loop may not have been told yet."""
        if self._reaped or not hasattr(os, "waitid"):
            return self._reaped
        try:
            options = os.WEXITED | os.WNOWAIT | os.WNOHANG
            return os.waitid(os.P_PID, self.pid, options) is not None
        except ChildProcessError:
            return True

    def cpu_s(self) -> float | None:
        """What it has used by now; `None` where a process can't read the clock of another one.

        Source: CPUCLOCK_SCHED and MAKE_PROCESS_CPUCLOCK of Linux's posix-timers.h
        """
        if sys.platform != "linux" or self._reaped:
            return None
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return None

    def peak_memory_bytes(self) -> int | None:
        """Its own high-water mark; `None` where the system does not tell.

        The rusage of a child on Linux won't do: it starts at the peak of the process that forked.
        """
        if self._reaped:
            return None
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    def _watch(self) -> None:
        end = self._wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._tell, end)

    def _tell(self, end: End) -> None:
        if not self.ended.done():  # whoever awaited it may have been cancelled
            self.ended.set_result(end)

    def _wait(self) -> End:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            with self._lock:
                self._kill()  # what it has started and left behind
                return self._reap()
        return self._reap()  # macOS before Python 3.13

    def _reap(self) -> End:
        _, status, usage = os.wait4(self.pid, 0)
        self._reaped = True
        code = self._popen.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == "darwin" else 1024
        return End(code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS, for a zombie
            os.killpg(self.pid, signal.SIGKILL)
