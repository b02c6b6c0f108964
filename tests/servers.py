"""Real servers on 127.0.0.1 for tests: PostgreSQL, Redis, and moto's for DynamoDB and S3.

Each is asked for by its function, starts at the first call, and serves until the test process ends,
by whatever cause. A server whose program is missing skips the test that asks.

This file is also run as a program of its own: the keeper, one for each server, which starts the
server, kills it on request, and ends it and removes its folder when the test process is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HOST = "127.0.0.1"
START_S = 60.0
STOP_S = 10.0
TRIES = 3
PASSWORD = "s3cr/et:p@ss"
"""Of the servers that have one; what a DSN must quote of it is in it on purpose."""

QUOTED_PASSWORD = "s3cr%2Fet%3Ap%40ss"


class ServerFailed(Exception):
    """A server did not start; the message is what it said."""


class Server:
    """One server, started in a folder of its own."""

    def __init__(
        self,
        command: Callable[[Path, int], Sequence[str]],
        *,
        prepare: Callable[[Path], None] | None = None,
        user: int | None = None,
        stop: signal.Signals = signal.SIGTERM,
        ready: str = "",
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mangum-server-"))
        self.port = _free_port()
        self.log = self.folder / "log"
        self.pid = 0
        if user is not None:
            os.chown(self.folder, user, -1)
        self._command = command
        self._ready = ready
        self._has_served = False
        words = [sys.executable, "-I", __file__, str(self.folder), str(user), str(int(stop))]
        self._keeper = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # outlives what kills the tests, to clean up after them
        )
        atexit.register(self.close)
        try:
            if prepare is not None:
                prepare(self.folder)
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, again after `kill()`, on the same port, and wait until it serves."""
        for _ in range(TRIES):
            words = self._command(self.folder, self.port)
            self.pid = int(self._ask("\0".join(["start", *words])))
            ends = time.monotonic() + START_S
            while self._ask("alive") == "yes" and time.monotonic() < ends:
                if self._serves():
                    self._has_served = True
                    return
                time.sleep(0.02)
            if not self._has_served:
                self.port = _free_port()  # somebody else may have been quicker
            time.sleep(0.2)  # or what is left of a killed one is in the way
        raise ServerFailed(f"{words[0]} did not start:\n{self._said()}")

    def kill(self) -> None:
        """End it without warning, as a crash does."""
        self._ask("kill")

    def close(self) -> None:
        """End it for good, and remove its folder."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()

    def _ask(self, line: str) -> str:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{line}\n")
        self._keeper.stdin.flush()
        return self._keeper.stdout.readline().strip()

    def _said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _serves(self) -> bool:
        if self._ready not in self._said():  # some listen before that
            return False
        with socket.socket() as client:
            client.settimeout(1.0)
            return client.connect_ex((HOST, self.port)) == 0


def _free_port() -> int:
    """One of which the ten thousandth after it is free too: Redis wants it for a cluster."""
    while True:
        with socket.socket() as server, socket.socket() as bus:
            server.bind((HOST, 0))
            port: int = server.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                bus.bind((HOST, port + 10_000))
                return port


# --- the servers ----------------------------------------------------------------------------------


@functools.cache
def postgresql() -> Server:
    """With a superuser `mangum`, whose password is `PASSWORD`, and a database `postgres`."""
    programs = _postgresql_programs()
    user = _unprivileged()

    def prepare(folder: Path) -> None:
        secret = folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if user is not None:
            os.chown(secret, user, -1)
        words = [str(programs / "initdb"), "--no-sync", "--no-instructions", "--auth=scram-sha-256"]
        words += ["--encoding=UTF8", "--locale=C", "--username=mangum", f"--pwfile={secret}"]
        done = subprocess.run(
            [*words, str(folder / "data")],
            cwd=folder,
            env={"PATH": os.defpath},
            user=user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed:\n{done.stdout}{done.stderr}")

    def command(folder: Path, port: int) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "max_connections": 50,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(programs / "postgres"), "-D", str(folder / "data"), *options]

    ready = "ready to accept connections"
    return Server(command, prepare=prepare, user=user, stop=signal.SIGINT, ready=ready)


@functools.cache
def redis(*options: str) -> Server:
    """Without a password, unless the options set one (`--requirepass`, `…`)."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise _missing("Redis is not installed (Debian: apt-get install redis-server)")

    def command(folder: Path, port: int) -> list[str]:
        words = [program, "--bind", HOST, "--port", str(port), "--dir", str(folder)]
        return [*words, "--save", "", "--appendonly", "no", *options]

    return Server(command)


@functools.cache
def moto() -> Server:
    """DynamoDB and S3, among others, at `http://127.0.0.1:port`."""

    def command(folder: Path, port: int) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]

    return Server(command)


def _postgresql_programs() -> Path:
    found = shutil.which("postgres")
    folders = [Path(found).parent] if found else []
    for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"):
        numbered = sorted(glob.glob(pattern), key=lambda it: int(re.findall(r"\d+", it)[0]))
        folders += [Path(it) for it in reversed(numbered)]
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise _missing("PostgreSQL is not installed (Debian: apt-get install postgresql)")


def _unprivileged() -> int | None:
    """A user for what refuses to run as root; `None` to stay who we are."""
    if os.name == "nt" or os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return names[name]
    raise _missing("PostgreSQL does not run as root, and there is no user `nobody` to run it as")


def _missing(reason: str) -> BaseException:
    """What skips the test."""
    import pytest

    return pytest.skip.Exception(reason)


# --- the keeper -----------------------------------------------------------------------------------


def keep(folder: str, user: int | None, stop: signal.Signals) -> None:
    """Obeys the test process, line by line, until it is gone."""
    server: subprocess.Popen[bytes] | None = None
    try:
        for line in sys.stdin:
            order, *words = line.rstrip("\n").split("\0")
            if order == "start":
                with open(os.path.join(folder, "log"), "wb") as log:
                    server = subprocess.Popen(
                        words,
                        cwd=folder,
                        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": folder},
                        user=user,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                print(server.pid, flush=True)
            elif server is not None and order == "kill":
                children = _children(server.pid)  # PostgreSQL's answer for a while without it
                server.kill()
                for child in children:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                server.wait()
                print("dead", flush=True)
            else:
                is_alive = server is not None and server.poll() is None
                print("yes" if is_alive else "no", flush=True)
    finally:
        if server is not None and server.poll() is None:
            server.send_signal(stop)
            try:
                server.wait(STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    """The processes that it has started, where /proc tells."""
    children = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(path, encoding="utf-8", errors="replace") as stat:
                _, parent = stat.read().rpartition(")")[2].split()[:2]
            if int(parent) == pid:
                children.append(int(path.split("/")[2]))
    return children


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the test process decides when it is over
    as_user = None if sys.argv[2] == "None" else int(sys.argv[2])
    keep(sys.argv[1], as_user, signal.Signals(int(sys.argv[3])))
