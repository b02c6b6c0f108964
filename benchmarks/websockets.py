"""WebSocket messages: ours beside the shortest adapter that makes the same calls with boto3.

`python -m benchmarks.websockets` measures it alone. Both talk to one server in a process of its
own, which answers at once what DynamoDB and API Gateway would; where it says TLS, over TLS with the
authorities that botocore brings along.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import instructions, results
from benchmarks.contenders import ROOT
from benchmarks.spread import Spread, ratios, spread
from benchmarks.tables import Table

NAME = "websockets"
PROCESSES = "benchmarks.sockets"
OURS, BOTO3, BARE = "ours", "with_boto3", "app"
MODES = ("message", "session")
HOST, STAGE = "127.0.0.1", "production"
TIMEOUT_S = 120
CALLGRIND = ("--tool=callgrind", "--callgrind-out-file=/dev/null")

CALLS = {"message": {"GetItem": 1, "POST": 1}, "session": {"UpdateItem": 1, "POST": 1}}
"""What one message asks of the server, whoever serves it."""


COLD = 5  # processes of a round: the quickest counts


class Effort(NamedTuple):
    cold_rounds: int
    rounds: int
    messages: int  # of a round
    connections: int  # of a fan-out


QUICK, FULL = Effort(3, 5, 100, 2000), Effort(7, 15, 200, 2000)


class Row(NamedTuple):
    """One line of the table: times of ours and of boto3, and how many times less ours is."""

    name: str
    unit: str
    ours: Spread
    boto3: Spread
    times_less: Spread
    goal: float | None = None


class BenchmarkFailed(Exception):
    """Something can't be measured; the message says why."""


class Server:
    """The server's process."""

    def __init__(self, certificate: Sequence[Path] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PROCESSES}.server", *map(str, certificate[:2])],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.scheme = "https" if certificate else "http"
        self.url = f"{self.scheme}://{HOST}:{self.port}"
        self.authorities = certificate[2] if certificate else None

    def calls_of(self, step: Callable[[], object]) -> dict[str, int]:
        """How many requests of each kind a step makes."""
        before = self._told()["counts"]
        step()
        after = self._told()["counts"]
        made = {kind: after[kind] - before.get(kind, 0) for kind in after}
        return {kind: count for kind, count in made.items() if count}

    def posted(self) -> str:
        """The message that was sent last."""
        text: str = self._told()["posted"]
        return text

    def _told(self) -> Any:
        import ssl

        handlers: list[Any] = [urllib.request.ProxyHandler({})]
        if self.authorities:
            context = ssl.create_default_context(cafile=str(self.authorities))
            handlers.append(urllib.request.HTTPSHandler(context=context))
        with urllib.request.build_opener(*handlers).open(f"{self.url}/counts") as answer:
            return json.load(answer)

    def close(self) -> None:
        with self._process:  # closes the pipes, at which it ends, and waits
            pass


class Worker:
    """A warm process."""

    def __init__(self, python: str, name: str, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", f"{PROCESSES}.worker", "warm", name],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def take(self, step: str, times: int = 1) -> tuple[float, float]:
        """Nanoseconds of processor time and of the wall clock."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([step, times]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkFailed(f"{step}: the process ended with {self._process.wait()}")
        processor, clock = json.loads(line)
        return processor, clock

    def close(self) -> None:
        with self._process:
            pass


def run(quick: bool, output: Path, python: str = sys.executable) -> dict[str, Any]:
    """Measure, print the table, and leave `websockets.json` in `output`.

    Raises `BenchmarkFailed`.
    """
    effort = QUICK if quick else FULL
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mangum-websockets-") as temporary:
        folder = Path(temporary)
        for certificate in ((), make_certificate(python, folder)):
            with closing(Server(certificate)) as server:
                for mode in MODES:
                    rows += measure_messages(python, folder, mode, server, effort)
                rows += measure_fan_out(python, folder, server, effort)
    print(f"\n{table(rows).text()}\n", flush=True)
    figures = {
        "about": results.about({"python": python}, pace="quick" if quick else "full"),
        "rows": [row._asdict() for row in rows],
    }
    results.save(output, NAME, figures)
    return figures


def measure_messages(
    python: str, folder: Path, mode: str, server: Server, effort: Effort
) -> Iterator[Row]:
    """A message in a new process, and one in a process that has served others."""
    environ = environment(server, folder, mode)
    suffix = f"{mode} mode{', TLS' if server.scheme == 'https' else ''}"
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(closing(Worker(python, name, environ)))
            for name in (OURS, BOTO3)
        }
        for name, worker in workers.items():
            worker.take("connect")
            _check(name, CALLS[mode], server.calls_of(partial(worker.take, "message")))
            worker.take("message", effort.messages)
        taken = [
            {name: it.take("message", effort.messages)[0] for name, it in workers.items()}
            for _ in range(effort.rounds)
        ]
    microseconds = 1e-3 / effort.messages
    cold = measure_cold(python, environ, effort)
    yield _row(f"first message, {suffix}", "ms", 1e-6, cold, 20)
    if instructions.unavailable() is None:
        counted = count_cold(python, environ)
        yield _row(f"first message, {suffix}, instructions", "million", 1e-6, [counted], None)
    yield _row(f"warm message, {suffix}", "µs", microseconds, taken, 4)


def measure_cold(python: str, environ: dict[str, str], effort: Effort) -> list[dict[str, float]]:
    """Nanoseconds of processor time of a process, less what the application alone takes; the first
    of each, which writes the bytecode, does not count."""
    kinds = (BARE, OURS, BOTO3)
    for kind in kinds:
        _start_cold(python, environ, kind)
    turns = [
        {kind: _start_cold(python, environ, kind) for kind in kinds}
        for _ in range(COLD * effort.cold_rounds)
    ]
    rounds = [turns[start : start + COLD] for start in range(0, len(turns), COLD)]
    quickest = [{kind: min(turn[kind] for turn in it) for kind in kinds} for it in rounds]
    return [{kind: it[kind] - it[BARE] for kind in (OURS, BOTO3)} for it in quickest]


def count_cold(python: str, environ: dict[str, str]) -> dict[str, float]:
    """The same in instructions, which callgrind counts; after processes have written bytecode."""
    counted = {}
    for kind in (BARE, OURS, BOTO3):
        done = _run_cold(["valgrind", *CALLGRIND, python], environ, kind)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if found is None:
            raise BenchmarkFailed(f"{kind}: callgrind has not counted")
        counted[kind] = float(found[1])
    return {kind: counted[kind] - counted[BARE] for kind in (OURS, BOTO3)}


def _start_cold(python: str, environ: dict[str, str], name: str) -> int:
    return int(_run_cold([python], environ, name).stdout)


def _run_cold(
    command: list[str], environ: dict[str, str], name: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command, "-m", f"{PROCESSES}.worker", "cold", name],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise BenchmarkFailed(f"{name}: a cold process ended with {done.returncode}: {done.stderr}")
    return done


def measure_fan_out(python: str, folder: Path, server: Server, effort: Effort) -> Iterator[Row]:
    """The same message to many, beside boto3 in threads and beside boto3 one by one."""
    environ = environment(server, folder, MODES[0])
    contenders = {"ours": (OURS, "fan_out"), "threads": (BOTO3, "fan_out")}
    contenders["one by one"] = (BOTO3, "one_by_one")
    suffix = ", TLS" if server.scheme == "https" else ""
    times = effort.connections
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(closing(Worker(python, module, environ)))
            for name, (module, _) in contenders.items()
        }
        for name, worker in workers.items():
            step = partial(worker.take, contenders[name][1], times)
            _check(name, {"POST": times}, server.calls_of(step))
        turns: list[dict[str, tuple[float, float]]] = []
        for _ in range(effort.rounds):
            turns.append({})
            for name, worker in workers.items():
                turns[-1][name] = worker.take(contenders[name][1], times)
    for index, measured in enumerate(("CPU", "wall clock")):
        for other in ("threads", "one by one"):
            taken = [{OURS: it["ours"][index], BOTO3: it[other][index]} for it in turns]
            name = f"{times:,} connections, {measured}, boto3 {other}{suffix}"
            yield _row(name, "ms", 1e-6, taken, 8 if measured == "CPU" else None)


def table(rows: Sequence[Row], *, goals: bool = True) -> Table:
    header = ["WebSocket messages", "ours", "boto3", "times less"]
    if goals:
        header += ["goal", "met"]
    lines = []
    for row in rows:
        ours, boto3 = f"{row.ours:.1f} {row.unit}", f"{row.boto3:.1f} {row.unit}"
        goal, met = "-", "-"
        if row.goal is not None:
            goal, met = f"{row.goal:g}", "yes" if row.times_less.median >= row.goal else "no"
        cells = [row.name, ours, boto3, f"{row.times_less:.1f}"]
        lines.append([*cells, goal, met] if goals else cells)
    notes = [
        "Processor time where nothing else is said; medians, and between which values the middle",
        "eighty of a hundred lie. First messages are the quickest of five processes each, less one",
        "with nothing but the application, asyncio and Lambda's runtime client; in instructions,",
        "which are the same on a busy machine, one process less the other.",
    ]
    return Table("Ours beside boto3's clients, the same calls", header, lines, notes)


def row_from_json(value: dict[str, Any]) -> Row:
    spreads = {name: Spread(*value[name]) for name in ("ours", "boto3", "times_less")}
    return Row(**{**value, **spreads})


def make_certificate(python: str, folder: Path) -> tuple[Path, Path, Path]:
    """A certificate for 127.0.0.1, its key, and the usual authorities with it among them."""
    certificate, key, authorities = (
        folder / f"{it}.pem" for it in ("certificate", "key", "authorities")
    )
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", str(key)]
    command += ["-out", str(certificate), "-addext", f"subjectAltName=IP:{HOST}"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise BenchmarkFailed(f"openssl makes no certificate: {exc}") from None
    usual = "import botocore, pathlib; print(pathlib.Path(botocore.__file__).parent / 'cacert.pem')"
    done = subprocess.run([python, "-c", usual], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed("boto3 is not installed")
    parts = [it.read_text(encoding="utf-8") for it in (certificate, Path(done.stdout.strip()))]
    authorities.write_text("".join(parts), encoding="utf-8")
    return certificate, key, authorities


@contextmanager
def closing(it: Any) -> Iterator[Any]:
    try:
        yield it
    finally:
        it.close()


def environment(server: Server, folder: Path, mode: str) -> dict[str, str]:
    """The environment variables of a function, which reaches nothing but the server."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))
    }
    own = {
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_CONFIG_FILE": str(folder / "nothing"),
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": f"{server.url}/{STAGE}",
        "AWS_ENDPOINT_URL_DYNAMODB": server.url,
        "AWS_REGION": "us-east-2",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "x" * 900,  # a role's has this size
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "nothing"),
        "MODE": mode,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(folder / "pycache"),
    }
    authority = {"AWS_CA_BUNDLE": str(server.authorities)} if server.authorities else {}
    return {**inherited, **own, **authority}


def _check(name: str, wanted: dict[str, int], made: dict[str, int]) -> None:
    if made != wanted:
        raise BenchmarkFailed(f"{name} made the calls {made} instead of {wanted}")


def _row(
    name: str, unit: str, factor: float, taken: Sequence[dict[str, float]], goal: float | None
) -> Row:
    ours, boto3 = ([turn[it] * factor for turn in taken] for it in (OURS, BOTO3))
    return Row(name, unit, spread(ours), spread(boto3), ratios(boto3, ours), goal)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.websockets", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer processes and rounds")
    parser.add_argument("--python", default=sys.executable, help="which to run on")
    parser.add_argument("--output", type=Path, default=results.FOLDER, help="where to write to")
    options = parser.parse_args(arguments)
    try:
        run(options.quick, options.output, options.python)
    except BenchmarkFailed as exc:
        sys.exit(str(exc))
    print(f"Written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
