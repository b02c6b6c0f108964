"""A function in the real runtime client, with the marshaller and without."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mangum.local.environment import RUNTIME, Function, Process, variables
from mangum.local.invocations import Invocation, Outcome
from mangum.local.runtime_api import RuntimeAPI
from mangum.runtime.marshaller import VARIABLE
from tests.builders import http_v2_event

HANG_S = 60
WITH_ORJSON = "from mangum.runtime import install_marshaller; install_marshaller()\n"

GIVING = """
import collections, dataclasses, datetime, decimal, sys, uuid

Point = collections.namedtuple("Point", "x y")

@dataclasses.dataclass
class Record:
    name: str

CYCLE = []
CYCLE.append(CYCLE)

def handler(event, context):
    if "give" in event:
        return eval(event["give"])
    return {"read": repr(event)}
"""

ADAPTER = """
from mangum import Mangum

async def app(scope, receive, send):
    body = (await receive())["body"]
    if body == b"which":
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
        body = type(LambdaRuntimeClient.marshaller).__name__.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

handler = Mangum(app, lifespan="off")
"""

EVENTS: dict[str, bytes] = {
    "plain": '{"a": ["ü", "\\u00fc", 1, -0.0, 1e5, null, true]}'.encode(),
    "long integers": b'{"a": [18446744073709551616, -9223372036854775809, 1e400]}',
    "lone surrogates": b'{"a": "\\ud800"}',
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "malformed": b'{"a": 1,}',
    "NaN": b'{"a": NaN}',
    "not UTF-8": b'{"a": "\xff"}',
    "empty": b"",
}

RESULTS = (
    "{'statusCode': 200, 'body': 'ü€😀\\u2028', 'isBase64Encoded': False}",
    "[float('nan'), float('inf'), -0.0, 1e-05, 1e16, 2 ** 70, 2 ** 63]",
    "[decimal.Decimal('1.10'), decimal.Decimal('NaN')]",
    "{1: 1, None: 2, True: 3, 1.5: 4}",
    "[Point(1, 2), collections.OrderedDict(a=1), (1, 2)]",
    "b'\\x00\\xff'",
    "None",
    "Record('a')",
    "uuid.UUID(int=1)",
    "datetime.date(2020, 1, 2)",
    "{1, 2}",
    "CYCLE",
    "1 / 0",
)


async def outcomes(
    folder: Path, source: str, events: list[bytes], env: Mapping[str, str] | None = None
) -> list[Outcome]:
    """What becomes of the events, one after another in one process."""
    (folder / "main.py").write_text(source, encoding="utf-8")
    function = Function("main.handler", folder, "main")
    async with RuntimeAPI() as api:
        environ = variables(function, api.address, {**os.environ, **(env or {})})
        command = [sys.executable, "-W", "error", "-m", RUNTIME, function.handler]
        with (folder / "log.txt").open("wb") as log:
            process = Process(command, folder, environ, log, log)
            try:
                ready = asyncio.ensure_future(api.ready())
                either: set[asyncio.Future[Any]] = {ready, process.ended}
                await asyncio.wait(either, timeout=HANG_S, return_when=asyncio.FIRST_COMPLETED)
                assert ready.done(), (folder / "log.txt").read_text(encoding="utf-8")
                await ready
                return [
                    await asyncio.wait_for(
                        api.invoke(Invocation(event, function.arn, HANG_S)), HANG_S
                    )
                    for event in events
                ]
            finally:
                await process.end()


def run(*arguments: Any, **options: Any) -> list[Outcome]:
    return asyncio.run(outcomes(*arguments, **options))


def content(outcome: Outcome) -> Any:
    """What the caller gets, but for the letters of the JSON, and the request's id in a fault."""
    if outcome.content_type != "application/json":
        return outcome.content_type, outcome.body
    return outcome.fault and (outcome.fault.error_type, outcome.fault.message), repr(
        json.loads(outcome.body) if outcome.fault is None else None
    )


@pytest.mark.usefixtures("runtime_client")
def test_a_function_answers_the_same_with_the_marshaller_and_without(tmp_path: Path) -> None:
    events = [*EVENTS.values(), *(json.dumps({"give": it}).encode() for it in RESULTS)]
    before = run(tmp_path, GIVING, events)
    after = run(tmp_path, WITH_ORJSON + GIVING, events)
    for name, theirs, ours in zip([*EVENTS, *RESULTS], before, after, strict=True):
        assert content(ours) == content(theirs), name
    faults = [it.fault.error_type for it in after if it.fault]
    assert set(faults) == {"Runtime.UnmarshalError", "Runtime.MarshalError", "ZeroDivisionError"}
    assert after[len(EVENTS)].body.startswith(b'{"statusCode":200,"body":"')  # no spaces: orjson


@pytest.mark.usefixtures("runtime_client")
@pytest.mark.parametrize("how", ["call", "variable"])
def test_the_first_event_of_an_application_is_served_by_orjson(tmp_path: Path, how: str) -> None:
    source, env = (WITH_ORJSON + ADAPTER, {}) if how == "call" else (ADAPTER, {VARIABLE: "orjson"})
    event = json.dumps(http_v2_event(method="POST", body=b"which")).encode()
    [outcome] = run(tmp_path, source, [event], env=env)
    assert json.loads(outcome.body)["body"] == "OrjsonMarshaller"
    assert b'"statusCode":200' in outcome.body
