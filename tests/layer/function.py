"""The example function under AWS's runtime client, which is all that it gets beside the layer."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mangum.local.environment import RUNTIME, Function, Process, variables
from mangum.local.invocations import Invocation, Outcome
from mangum.local.runtime_api import RuntimeAPI
from tests.builders import SOURCES, Event
from tests.layer.opt import Opt

HANG_S = 30
CLIENT = (RUNTIME, "simplejson", "snapshot-restore-py")
"""The distributions that Lambda has at /var/runtime."""

EVENTS: dict[str, Event] = {
    "HTTP API": SOURCES["HTTP API 2.0"](path="/items/1"),
    "binary body": SOURCES["REST API"](
        method="POST", path="/reversed", body=b"\0\1\2\xff", binary=True
    ),
    "broken": SOURCES["ALB"](path="/broken"),
    "no source": {"no": "source"},  # an error of the function's, not of its application
}


def copy_client(folder: Path) -> Path:
    """Put the runtime client into a folder of its own: nothing else installed is to be seen."""
    for name in CLIENT:
        for path in importlib.metadata.files(name) or ():
            if ".." not in path.parts and path.suffix != ".pyc":
                copy = folder / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(path.locate()), copy)
    return folder


def command(opt: Opt) -> list[str]:
    return opt.command(sys.executable, "-S", "-m", RUNTIME, "app.handler")


def outcomes(
    opt: Opt, folder: Path, client: Path, events: Sequence[Event], **environ: str
) -> list[Outcome]:
    """What a process of the function answers to the events, one after another."""
    return asyncio.run(_outcomes(opt, folder, client, events, environ))


async def _outcomes(
    opt: Opt, folder: Path, client: Path, events: Sequence[Event], environ: dict[str, str]
) -> list[Outcome]:
    function = Function("app.handler", folder, "layered")
    with tempfile.TemporaryFile() as log:
        async with RuntimeAPI() as api:
            env = variables(function, api.address, opt.environ(client, **environ))
            process = Process(command(opt), folder, env, log, log)
            try:
                await asyncio.wait_for(api.ready(), HANG_S)
                invocations = [
                    Invocation(json.dumps(event).encode(), function.arn, HANG_S) for event in events
                ]
                return [await asyncio.wait_for(api.invoke(it), HANG_S) for it in invocations]
            except asyncio.TimeoutError:
                log.seek(0)
                raise AssertionError(log.read().decode("utf-8", "replace")) from None
            finally:
                await process.end()
