"""What one Python finds in a layer, told as JSON: `python inspection.py ROOT FUNCTION EVENTS`.

Runs on its own in each Python, with the layer on its path and nothing of this project else: what it
imports is the standard library's, or the layer's.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import marshal
import os
import pkgutil
import platform
import sys
import tempfile
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import CodeType
from typing import Any

PACKAGES = ("mangum", "pybase64")
UNCHECKED_HASH = 0b01  # the flags of bytecode that is never held against its source
HEADER_BYTES = 16
FIELDS = (
    "co_name co_flags co_argcount co_posonlyargcount co_kwonlyargcount co_code co_names co_varnames"
    " co_freevars co_cellvars co_firstlineno"
).split()


class Watch:
    """An audit hook that notes which files are compiled, and which are opened to be written."""

    def __init__(self) -> None:
        self.compiled: list[str] = []
        self.written: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "compile":
            self.compiled.append(os.fsdecode(arguments[1] or b""))
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            mode, flags = arguments[1:]
            if any(it in (mode or "") for it in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR):
                self.written.append(os.fsdecode(arguments[0]))

    def below(self, root: str) -> dict[str, list[str]]:
        """What of this is in the folder, so far."""
        return {
            name: [path for path in getattr(self, name) if path.startswith(f"{root}/")]
            for name in ("compiled", "written")
        }

    def sees_what_is_compiled(self) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "without_bytecode.py").write_text("", encoding="utf-8")
            sys.path.insert(0, folder)
            importlib.import_module("without_bytecode")
            sys.path.remove(folder)
            return any(path.startswith(folder) for path in self.compiled)


class Context:
    """What of Lambda's context is asked for."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class Clients(BaseHTTPRequestHandler):
    """API Gateway's side of a WebSocket API: takes what is sent to clients."""

    received: list[str] = []  # noqa: RUF012 - of all requests

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def answers(function: str, events: dict[str, Any], folder: str) -> dict[str, Any]:
    """The result for each event: for some it is the first request that the process sees."""
    server = HTTPServer(("127.0.0.1", 0), Clients)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["CONNECTIONS_DSN"] = f"sqlite:///{folder}/connections.db"
    os.environ["CONNECTIONS_URL"] = "http://127.0.0.1:{}/prod".format(*server.server_address[1:])
    sys.path.insert(0, function)
    app = importlib.import_module("app")
    results = {name: app.handler(event, Context()) for name, event in events.items()}
    server.shutdown()
    server.server_close()
    return results


def frames() -> list[str]:
    """The files that the traceback of a refused event names."""
    try:
        sys.modules["app"].handler({"no": "source"}, Context())
    except Exception as error:
        return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return []


def import_everything() -> dict[str, str]:
    """Import each module of the layer. Returns why some can't be."""
    failures = {}
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                failures[module.name] = str(error)
    return failures


def imported() -> dict[str, list[str | None]]:
    """Of each module of the layer's packages, where its source and its bytecode are."""
    specs = {
        name: module.__spec__
        for name, module in sys.modules.items()
        if name.partition(".")[0] in PACKAGES and module.__spec__
    }
    return {name: [spec.origin, spec.cached] for name, spec in specs.items()}


def disagreements(root: str, *, compile_anew: bool) -> list[str]:
    """The sources whose bytecode is missing, checked, for another Python or of another text."""
    return [
        f"{path}: {fault}"
        for path in sorted(Path(root, "python").rglob("*.py"))
        if (fault := _fault(path, compile_anew))
    ]


def _fault(path: Path, compile_anew: bool) -> str:
    cached = Path(importlib.util.cache_from_source(str(path)))
    if not cached.exists():
        return "has no bytecode"
    source, bytecode = path.read_bytes(), cached.read_bytes()
    if bytecode[:4] != importlib.util.MAGIC_NUMBER:
        return "has bytecode for another Python"
    if int.from_bytes(bytecode[4:8], "little") != UNCHECKED_HASH:
        return "has bytecode that is checked"
    if bytecode[8:HEADER_BYTES] != importlib.util.source_hash(source):
        return "has bytecode of another text"
    if compile_anew:
        code = marshal.loads(bytecode[HEADER_BYTES:])
        if not code.co_filename.startswith("/opt/python/"):
            return f"calls itself {code.co_filename}"
        if not _same(code, compile(source, path, "exec", dont_inherit=True)):
            return "has bytecode that does something else"
    return ""


def _same(one: CodeType, other: CodeType) -> bool:
    """Whether two pieces of bytecode do the same, line for line."""
    return (
        all(getattr(one, field) == getattr(other, field) for field in FIELDS)
        and _lines(one) == _lines(other)
        and len(one.co_consts) == len(other.co_consts)
        and all(
            _same(a, b) if isinstance(a, CodeType) else (type(a), a) == (type(b), b)
            for a, b in zip(one.co_consts, other.co_consts, strict=True)
        )
    )


def _lines(code: CodeType) -> dict[int, int | None]:
    return {offset: line for start, end, line in code.co_lines() for offset in range(start, end, 2)}


def main(root: str, function: str, events: str, *options: str) -> None:
    watch = Watch()
    sys.addaudithook(watch)
    import mangum

    with tempfile.TemporaryDirectory() as folder:
        results = answers(function, json.loads(Path(events).read_text(encoding="utf-8")), folder)
    from pybase64 import _pybase64  # type: ignore[import-not-found, unused-ignore]

    from mangum import _speedups

    told = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "version": [mangum.__version__, importlib.metadata.version("mangum")],
        "scripts": [it.name for it in importlib.metadata.entry_points(group="console_scripts")],
        "compiled": _speedups.COMPILED,
        "extensions": [sys.modules["mangum._speedups.compiled"].__file__, _pybase64.__file__],
        "results": results,
        "sent": Clients.received,
        "frames": frames(),
        "failures": import_everything(),
        "modules": imported(),
        "watch": watch.below(root),
        "watch_sees": watch.sees_what_is_compiled(),
        "disagreements": disagreements(root, compile_anew="--compile-anew" in options),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
