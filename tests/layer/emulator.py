"""AWS's own emulator of Lambda's runtime with a function in it, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.layer.function import command
from tests.layer.opt import Opt
from tests.processes import ROOT

HOST = "127.0.0.1"
PATH = "/2015-03-31/functions/function/invocations"
STARTS_S = 10
STOPS_S = 10
HANG_S = 30
TRIES = 3
LISTENS = "0A"


def program() -> Path | None:
    """The emulator, if `scripts/emulator.py` has fetched it."""
    words = [sys.executable, str(ROOT / "scripts" / "emulator.py"), "--where"]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


class Emulator:
    """A context manager, after which the emulator and the function are gone."""

    def __init__(self, emulator: Path, opt: Opt, folder: Path, client: Path) -> None:
        self._emulator = emulator
        self._command = command(opt)
        self._folder = folder
        self._environ = opt.environ(client, AWS_LAMBDA_FUNCTION_NAME="layered")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process: subprocess.Popen[bytes] | None = None
        self.ports = (0, 0)

    def __enter__(self) -> Emulator:
        for _ in range(TRIES):  # somebody else may take a port before it does
            self.ports = _free_ports()
            front, api = (f"{HOST}:{port}" for port in self.ports)
            addresses = ["--runtime-interface-emulator-address", front]
            addresses += ["--runtime-api-address", api]
            self._process = subprocess.Popen(
                [str(self._emulator), *addresses, *self._command],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
            if self._serves(self._process):
                return self
            self._end()
        raise AssertionError(self.log())

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        self._log.close()

    def invoke(self, event: bytes) -> bytes:
        """The function's result, or the report of its error."""
        connection = http.client.HTTPConnection(HOST, self.ports[0], timeout=HANG_S)
        with contextlib.closing(connection):
            connection.request("POST", PATH, event)
            return connection.getresponse().read()

    def listens(self) -> set[tuple[str, int]]:
        """The addresses that it listens on, as the system tells: `{("127.0.0.1", 8080)}`."""
        assert self._process is not None
        links = Path(f"/proc/{self._process.pid}/fd").iterdir()
        inodes = {it.readlink().name[len("socket:[") : -1] for it in links if _is_socket(it)}
        rows: list[list[str]] = []
        for table in ("tcp", "tcp6"):
            lines = Path(f"/proc/{self._process.pid}/net/{table}").read_text(encoding="ascii")
            rows += [line.split() for line in lines.splitlines()[1:]]
        return {_address(row[1]) for row in rows if row[3] == LISTENS and row[9] in inodes}

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def _serves(self, process: subprocess.Popen[bytes]) -> bool:
        ends = time.monotonic() + STARTS_S
        while process.poll() is None and time.monotonic() < ends:
            with socket.socket() as client:
                if client.connect_ex((HOST, self.ports[0])) == 0:
                    return True
            time.sleep(0.02)
        return False

    def _end(self) -> None:
        """Asked to, it ends the function, which has a session of its own."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOPS_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]


def _is_socket(link: Path) -> bool:
    with contextlib.suppress(OSError):  # closed meanwhile
        return os.readlink(link).startswith("socket:[")
    return False


def _address(text: str) -> tuple[str, Any]:
    """`"0100007F:1F90"` → `("127.0.0.1", 8080)`; of IPv6 the digits."""
    host, _, port = text.partition(":")
    if len(host) == 8:
        host = socket.inet_ntoa(bytes.fromhex(host)[:: 1 if sys.byteorder == "big" else -1])
    return host, int(port, 16)
