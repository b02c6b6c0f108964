"""A folder with a function's code, and the command line run on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mangum.cli import main

ROOT = Path(__file__).parent.parent.parent

APP = '''
import json
import logging
import sys

from mangum import Mangum


class App:
    """Answers with the status and the body that the query string and the path ask for."""

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await lifespan(receive, send)
        status = int(scope["query_string"].rpartition(b"=")[2] or 200)
        kind, body = BODIES[scope["path"]]
        headers = [(b"content-type", kind), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def lifespan(receive, send):
    for phase in ("startup", "shutdown"):
        await receive()
        if phase == "shutdown":
            print("shutting down")
        await send({"type": f"lifespan.{phase}.complete"})


BODIES = {
    "/": (b"text/plain; charset=utf-8", "grüße\\n".encode()),
    "/json": (b"application/json", b'{"a":[1,2]}'),
    "/image": (b"image/gif", b"GIF89a\\0\\1" * 20),
    "/empty": (b"text/plain", b""),
}

app = App()
handler = Mangum(app, lifespan="off")
warm = Mangum(app, lifespan_scope="environment")
queue = Mangum(app, lifespan="off", events_path="/json")
secrets = ["s3cret"]


class Namespace:
    handler = handler


namespace = Namespace()


def function(event, context):
    print("printed")
    logging.getLogger("function").info("noted")
    logging.getLogger("function").warning("warned")
    return {"name": context.function_name, "ms": context.get_remaining_time_in_millis()}


def echo(event, context):
    return event


def raising(event, context):
    raise KeyError("name")


def chained(event, context):
    try:
        raising(event, context)
    except KeyError as error:
        raise ValueError("no name") from error


def exiting(event, context):
    sys.exit(3)


def interrupted(event, context):
    raise KeyboardInterrupt


def unmarshalled(event, context):
    return {"when": object()}


def returning_body(event, context):
    return json.loads(event["body"])


async def coroutine(event, context):
    return {}


async def asgi(scope, receive, send):
    """An application that is a function."""


def needing_one(event):
    return {}
'''

FILES = {
    "app.py": APP,
    "asgi_only.py": "async def app(scope, receive, send): ...\n",
    "package/__init__.py": "",
    "package/inner.py": "from app import echo as handler\n",
    "no_dependency.py": "import a_dependency_that_is_missing\n",
    "no_syntax.py": "def handler(:\n",
    "no_luck.py": "raise RuntimeError('at import')\n",
    "constants.py": "ANSWER = 42\n",
}


class Run(NamedTuple):
    code: int
    out: str
    err: str


class Project:
    """A folder of code and events. `invoke` runs in this process, `shell` in one of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def write(self, event: Any, name: str = "event.json") -> str:
        """The path of a new file that holds the event."""
        path = self.folder / name
        path.write_text(json.dumps(event), encoding="utf-8")
        return str(path)

    def run(self, *arguments: str) -> Run:
        code = main([*arguments])
        out, err = self.capsys.readouterr()
        return Run(code, out, err)

    def invoke(self, function: str, event: Any, *options: str) -> Run:
        options = ("--app-dir", str(self.folder), *options)
        return self.run("invoke", function, self.write(event), *options)

    def shell(self, *arguments: str, stdin: str = "", **environment: str) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "mangum", *arguments],
            input=stdin,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **environment},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    yield Project(tmp_path, capsys)
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in {file.partition("/")[0].removesuffix(".py") for file in FILES}:
            del sys.modules[name]
