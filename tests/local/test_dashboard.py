"""The dashboard as an ASGI application: what it tells, and to whom."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import mangum.local.dashboard as package
from mangum.local.dashboard import Dashboard
from mangum.local.dashboard.app import ASSETS
from mangum.local.dashboard.scopes import write_python
from mangum.local.invocations import Fault
from mangum.local.journal import Entry, Journal
from mangum.local.messages import Answer
from tests.builders import (
    alb_event,
    authorizer_event,
    edge_event,
    function_url_event,
    http_v1_event,
    http_v2_event,
    lattice_v1_event,
    lattice_v2_event,
    queue_event,
    rest_event,
    websocket_event,
)
from tests.local.entries import add, begin

LOCAL = {"host": "localhost:8000"}
OWN = {**LOCAL, "x-mangum": "1", "sec-fetch-site": "same-origin", "origin": "http://localhost:8000"}
HTML = "<script>alert(1)</script>"


@dataclass
class Environment:
    number: int = 1
    state: str = "idle"
    started_s: float = 1_800_000_000.0
    invocations: int = 3
    pid: int | None = 4711
    memory_bytes: int | None = 2**25


@dataclass
class Connection:
    id: str = "ATfSdcRDvHcCEmA="
    client: str = "127.0.0.1"
    state: str = "open"
    connected_at: float = 1_800_000_001.0
    messages_in: int = 2
    messages_out: int = 5


@dataclass
class Pool:
    environments: list[Environment] = field(default_factory=list)


@dataclass
class WebSockets:
    connections: list[Connection] = field(default_factory=list)


class FakeGateway:
    """Stands for `mangum.local.gateway.Gateway`: replays by a copy."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.journal = Journal()

    async def replay(self, entry: Entry) -> Entry:
        return add(self.journal, event=entry.call.event, replay_of=entry.number)


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    def __init__(self, **options: Any) -> None:
        self.gateway = FakeGateway()
        self.journal = self.gateway.journal
        self.websockets = WebSockets()
        self.dashboard = Dashboard(self.gateway, websockets=self.websockets, **options)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = LOCAL,
    ) -> Reply:
        sent: list[Any] = []
        below, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": f"/_mangum{below}",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.dashboard(scope, receive, send))
        start, body = sent
        pairs = {name.decode(): value.decode() for name, value in start["headers"]}
        assert "no-store" in pairs["cache-control"]
        return Reply(start["status"], pairs, body["body"])

    def detail(self, entry: Entry, query: str = "") -> Any:
        return self.ask(f"/api/invocations/{entry.number}{query}").json()


@pytest.fixture
def served() -> Served:
    return Served()


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/"])
def test_the_page_names_only_files_that_are_served(served: Served, path: str) -> None:
    page = served.ask(path)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(named) == 4
    for name in named:
        assert served.ask(name.removeprefix("/_mangum")).status == 200


def test_scripts_import_only_what_is_served(served: Served) -> None:
    imported = set()
    for name in ASSETS:
        text = served.ask(f"/{name}").body.decode()
        imported |= set(re.findall(r'^import .* from "\./(.+)";$', text, re.MULTILINE))
    assert imported == {"chart.js", "detail.js", "dom.js"}
    assert imported <= set(ASSETS)


def test_every_file_of_the_package_is_served() -> None:
    folder = Path(os.path.dirname(package.__file__))
    files = {path.name for path in folder.iterdir() if path.suffix not in (".py", "")}
    assert files == {name for name, _ in ASSETS.values()}


def test_the_page_has_nothing_that_the_policy_forbids(served: Served) -> None:
    page = served.ask("/").body.decode()
    assert not re.search(r"\s(style|on\w+)=|<style|<script(?! type=\"module\" src=)", page)
    for name in ASSETS:
        text = served.ask(f"/{name}").body.decode()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text)
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}


def test_every_answer_keeps_others_out(served: Served) -> None:
    for path in ("", "/dashboard.js", "/api/state", "/nothing"):
        headers = served.ask(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
            " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
            " require-trusted-types-for 'script'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_head_is_answered_without_a_body(served: Served) -> None:
    page = served.ask("", method="HEAD")
    assert (page.status, page.body) == (200, b"")
    assert int(page.headers["content-length"]) > 1000


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api",
        "/api/invocations/",
        "/api/invocations/x",
        "/api/invocations/-1",
        "/api/invocations/٣",
        "/api/invocations/1",
        "/api/invocations/1.json",
        "/api/invocations/1.event.json",
        "/app.py",
        "/../app.py",
        "/index.html",
    ],
)
def test_an_unknown_path_is_not_found(served: Served, path: str) -> None:
    assert served.ask(path).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "", "GET, HEAD"),
        ("DELETE", "/dashboard.css", "GET, HEAD"),
        ("POST", "/api/state", "GET, HEAD"),
        ("PUT", "/api/invocations/1", "GET, HEAD"),
        ("GET", "/api/invocations/1/replay", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    served: Served, method: str, path: str, allowed: str
) -> None:
    refused = served.ask(path, method=method, headers=OWN)
    assert (refused.status, refused.headers["allow"]) == (405, allowed)


def test_a_websocket_is_refused(served: Served) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/_mangum", "headers": [], "query_string": b""}
    asyncio.run(served.dashboard(scope, receive, send))
    assert sent == [{"type": "websocket.close"}]


# --- who may ask ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST:8000",
        "localhost.:8000",
        "mangum.localhost:8000",
        "127.0.0.1:8000",
        "127.8.9.1",
        "[::1]:8000",
        "[::1]",
    ],
)
def test_a_loopback_host_is_answered(served: Served, host: str) -> None:
    assert served.ask("/api/state", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "example.org:8000",
        "localhost.example.org",
        "notlocalhost",
        "127.0.0.1.example.org",
        "192.168.1.5:8000",
        "0.0.0.0:8000",
        "[::2]",
        "[::1",
        "::1",
        "user@localhost",
        "localhost:80:80",
        "",
    ],
)
def test_another_host_is_refused(served: Served, host: str) -> None:
    for path in ("", "/dashboard.js", "/api/state", "/nothing"):
        refused = served.ask(path, headers={"host": host})
        assert (refused.status, b"localhost" in refused.body) == (403, True)
    assert served.ask("/api/state", headers={}).status == 403


def test_a_host_may_be_allowed() -> None:
    served = Served(hosts=("Box.lan", "192.168.1.5"))
    for host, status in (("box.lan:8000", 200), ("192.168.1.5", 200), ("192.168.1.6", 403)):
        assert served.ask("", headers={"host": host}).status == status


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_server_at_every_address_answers_at_each_but_at_no_name(address: str) -> None:
    served = Served(hosts=(address,))
    for host, status in (("192.168.1.5", 200), ("[2001:db8::1]:80", 200), ("example.org", 403)):
        assert served.ask("", headers={"host": host}).status == status


@pytest.mark.parametrize(
    "foreign",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://localhost:3000"},
        {"origin": "https://localhost:8000"},
        {"origin": "null"},
    ],
)
def test_another_page_may_neither_read_nor_replay(served: Served, foreign: dict[str, str]) -> None:
    entry = add(served.journal)
    headers = {**OWN, **foreign}
    assert served.ask("/api/state", headers=headers).status == 403
    replay = f"/api/invocations/{entry.number}/replay"
    assert served.ask(replay, method="POST", headers=headers).status == 403
    assert served.journal.count == 1


def test_a_form_may_not_replay(served: Served) -> None:
    entry = add(served.journal)
    replay = f"/api/invocations/{entry.number}/replay"
    refused = served.ask(replay, method="POST", headers=LOCAL)
    assert (refused.status, refused.body) == (403, b"The header X-Mangum: 1 is needed.\n")
    assert served.journal.count == 1


@pytest.mark.parametrize("headers", [OWN, {**LOCAL, "x-mangum": "1"}])
def test_the_page_and_programs_may_replay(served: Served, headers: dict[str, str]) -> None:
    entry = add(served.journal)
    reply = served.ask(f"/api/invocations/{entry.number}/replay", method="POST", headers=headers)
    assert (reply.status, reply.json()) == (200, {"number": 2})
    assert served.detail(served.journal.entries[-1])["replay_of"] == 1


# --- the state ------------------------------------------------------------------------------------


def test_the_state_has_all_that_the_page_shows_at_once() -> None:
    served = Served(info={"function": "app:handler"})
    served.gateway.pool.environments.append(Environment())
    served.websockets.connections.append(Connection())
    entry = add(served.journal, init_s=0.2, memory_bytes=2**20, reason="why")
    running = begin(served.journal, path="/slow")
    state = served.ask("/api/state").json()
    assert re.fullmatch("[0-9a-f]{16}", state.pop("version"))
    first = {
        "number": 1,
        "source": "http",
        "method": "GET",
        "path": "/items",
        "status": 200,
        "finished": True,
        "failed": False,
        "reason": "why",
        "environment": 1,
        "started_s": entry.started_s,
        "total_s": entry.total_s,
        "duration_s": 0.002,
        "init_s": 0.2,
        "memory_bytes": 2**20,
        "replay_of": None,
    }
    unknown = dict.fromkeys(
        ("status", "environment", "total_s", "duration_s", "init_s", "memory_bytes")
    )
    changed = {"path": "/slow", "finished": False, "reason": "", "started_s": running.started_s}
    assert state == {
        "info": {"function": "app:handler"},
        "capacity": 200,
        "environments": [
            {
                "number": 1,
                "state": "idle",
                "pid": 4711,
                "started_s": 1_800_000_000.0,
                "invocations": 3,
                "memory_bytes": 2**25,
            }
        ],
        "connections": [
            {
                "id": "ATfSdcRDvHcCEmA=",
                "client": "127.0.0.1",
                "state": "open",
                "connected_s": 1_800_000_001.0,
                "messages_in": 2,
                "messages_out": 5,
            }
        ],
        "invocations": [first, {**first, "number": 2, **unknown, **changed}],
    }


def test_a_state_that_is_known_is_not_sent_again(served: Served) -> None:
    add(served.journal)
    version = served.ask("/api/state").json()["version"]
    again = served.ask(f"/api/state?since={version}")
    assert (again.status, again.body) == (204, b"")
    assert "content-length" not in again.headers


def test_every_change_is_a_new_version(served: Served) -> None:
    environment, connection = Environment(), Connection()
    served.gateway.pool.environments.append(environment)
    entry = begin(served.journal)

    def version() -> str:
        return str(served.ask("/api/state").json()["version"])

    seen = [version()]
    environment.state = "busy"
    seen.append(version())
    entry.environment = 1
    seen.append(version())
    served.journal.finish(entry)
    seen.append(version())
    served.websockets.connections.append(connection)
    seen.append(version())
    connection.messages_in += 1
    seen.append(version())
    assert len(set(seen)) == 6


def test_without_a_websocket_api_there_are_no_connections() -> None:
    served = Served()
    served.dashboard = Dashboard(served.gateway)
    assert served.ask("/api/state").json()["connections"] is None


def test_two_hundred_invocations_with_long_paths_stay_small(served: Served) -> None:
    for _ in range(250):
        add(served.journal, path="/" + "x" * 8000, reason="y" * 8000)
    state = served.ask("/api/state")
    assert [it["number"] for it in state.json()["invocations"]] == [*range(51, 251)]
    assert len(state.body) < 200_000
    assert state.json()["invocations"][0]["path"].endswith("x… (8,001 characters)")


# --- one invocation -------------------------------------------------------------------------------


def test_an_invocation_is_shown_with_event_scope_result_answer_and_log(served: Served) -> None:
    entry = add(
        served.journal,
        event=http_v2_event(path="/items"),
        result={"statusCode": 200},
        log="printed\n",
    )
    shown = served.detail(entry)
    assert json.loads(shown["event"]["text"]) == entry.call.event
    assert shown["result"] == {"text": '{\n  "statusCode": 200\n}', "note": ""}
    assert shown["answer"] == {
        "status": 200,
        "phrase": "OK",
        "headers": [["content-type", "application/json"]],
        "body": {"text": '{\n  "statusCode": 200\n}', "note": ""},
        "streamed": False,
    }
    assert shown["log"] == {"text": "printed\n", "note": ""}
    assert shown["request_id"] == "request-id"
    assert "    'path': '/items',\n    'raw_path': b'/items',\n" in shown["scope"]["text"]


def test_an_invocation_that_runs_is_shown(served: Served) -> None:
    shown = served.detail(begin(served.journal))
    assert (shown["finished"], shown["result"], shown["answer"]) == (False, None, None)
    assert shown["log"]["text"] == ""


def test_a_fault_is_shown_with_its_traceback(served: Served) -> None:
    fault = Fault("ValueError", "no", ('  File "main.py", line 1\n', "    raise"))
    entry = add(served.journal, fault=fault)
    shown = served.detail(entry)
    assert shown["failed"] is True
    assert shown["fault"]["type"] == "ValueError"
    assert shown["fault"]["message"]["text"] == "no"
    assert shown["fault"]["stack_trace"]["text"] == '  File "main.py", line 1\n    raise\n'


def test_the_scope_is_that_of_the_edition_asked_for(served: Served) -> None:
    entry = add(served.journal, event=http_v2_event(path="/items"))
    assert "'raw_path': b'/items'" in served.detail(entry)["scope"]["text"]
    assert served.detail(entry, "?edition=2026")["scope"]["edition"] == "2026"
    classic = served.detail(entry, "?edition=classic")["scope"]
    assert (classic["edition"], "'raw_path': None" in classic["text"]) == ("classic", True)
    refused = served.ask("/api/invocations/1?edition=1999")
    assert (refused.status, b"classic|2026" in refused.body) == (400, True)


@pytest.mark.parametrize(
    "event",
    [
        rest_event(path="/items"),
        http_v1_event(path="/items"),
        http_v2_event(path="/items"),
        function_url_event(path="/items"),
        alb_event(path="/items"),
        edge_event(path="/items"),
        lattice_v1_event(path="/items"),
        lattice_v2_event(path="/items"),
    ],
)
def test_every_source_has_a_scope(served: Served, event: dict[str, Any]) -> None:
    scope = served.detail(add(served.journal, event=event))["scope"]
    assert re.search(r"'path': '(/prod)?/items'", scope["text"])
    assert "'aws.event': <the event>,\n    'aws.context': <the context>,\n" in scope["text"]


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (queue_event(), "An event of aws:sqs is no request. With `events_path`"),
        ({}, "An event of an unknown service is no request."),
        (websocket_event(event_type="MESSAGE"), "The application goes on with the scope of the"),
        (authorizer_event(), "authorizer"),
        ({"version": "2.0", "requestContext": {"http": {}}}, "`requestContext.http.method`"),
    ],
)
def test_an_event_without_a_scope_says_why(
    served: Served, event: dict[str, Any], note: str
) -> None:
    scope = served.detail(add(served.journal, event=event))["scope"]
    assert scope["text"] == ""
    assert note in scope["note"]


def test_a_connect_event_has_a_websocket_scope(served: Served) -> None:
    scope = served.detail(add(served.journal, event=websocket_event(event_type="CONNECT")))["scope"]
    assert "'type': 'websocket'" in scope["text"]


def test_a_scope_is_written_as_python() -> None:
    value = {"a": None, "b": [], "c": [[b"x", b"y"]], "d": ("h", 1), "e": [["x" * 50, "y" * 50]]}
    text = write_python(value)
    assert eval(text) == value
    assert text.splitlines()[:4] == [
        "{",
        "    'a': None,",
        "    'b': [],",
        "    'c': [[b'x', b'y']],",
    ]


def test_what_is_long_in_a_scope_is_cut_and_its_length_named() -> None:
    text = write_python({"query_string": b"x" * 5000})
    assert text.endswith("x'  # … cut here: 5,000 bytes,\n}")
    assert len(text) < 1200


# --- awkward content ------------------------------------------------------------------------------


def test_html_in_every_field_stays_text(served: Served) -> None:
    event = http_v2_event(path=f"/{HTML}", headers=[(HTML, HTML)], body=HTML.encode())
    answer = Answer(200, [("x-html", HTML), ("content-type", "text/html")], HTML.encode())
    fault = Fault(HTML, HTML, (HTML,))
    entry = add(
        served.journal,
        event=event,
        method=HTML,
        path=f"/{HTML}",
        result=HTML,
        reason=HTML,
        log=HTML,
        fault=fault,
        answer=answer,
    )
    reply = served.ask(f"/api/invocations/{entry.number}")
    assert reply.headers["content-type"] == "application/json"
    shown = reply.json()
    assert [shown["method"], shown["path"], shown["reason"]] == [HTML, f"/{HTML}", HTML]
    assert shown["answer"]["body"]["text"] == HTML
    assert shown["log"]["text"] == HTML


def test_large_values_are_cut_on_the_page_and_whole_in_the_download(served: Served) -> None:
    body = "x" * 6_000_000
    answer = Answer(200, [("content-type", "text/plain")], body.encode())
    event = {**http_v2_event(), "body": body}
    entry = add(served.journal, event=event, result=body, log=body + "end", answer=answer)
    page = served.ask(f"/api/invocations/{entry.number}")
    assert len(page.body) < 600_000
    shown = page.json()
    assert re.fullmatch(
        r"Long texts are cut; the whole has 6,00\d,\d{3} characters\.", shown["event"]["note"]
    )
    assert "x … cut here: 6,000,000 characters" in shown["event"]["text"]
    assert shown["result"]["text"].endswith('x … cut here: 6,000,000 characters"')
    assert shown["answer"]["body"]["note"] == "The first 131,072 of 6,000,000 characters."
    assert shown["log"]["note"] == "The last 131,072 of 6,000,003 characters."
    assert shown["log"]["text"].endswith("xend")
    whole = served.ask(f"/api/invocations/{entry.number}.json").json()
    assert (whole["event"], whole["result"], whole["log"]) == (event, body, body + "end")


def test_many_small_values_are_cut_too(served: Served) -> None:
    entry = add(served.journal, result=[*range(100_000)])
    shown = served.detail(entry)["result"]
    assert len(shown["text"]) == 131_072
    assert shown["note"] == "The first 131,072 of 888,892 characters."


def test_a_result_that_is_no_json_is_shown_as_it_came(served: Served) -> None:
    assert served.detail(add(served.journal, result=b"<p>no"))["result"] == {
        "text": "<p>no",
        "note": "This is not JSON.",
    }
    assert served.detail(add(served.journal, result=b"\xff"))["result"]["text"] == "\ufffd"
    deep = b"[" * 5000 + b"]" * 5000
    assert served.detail(add(served.journal, result=deep))["result"]["text"] == deep.decode()


def test_lone_surrogates_are_shown_and_downloaded(served: Served) -> None:
    event = {**http_v2_event(), "body": "\ud800"}
    entry = add(served.journal, event=event, log="\udcff", reason="\udcff", path="/\udcff")
    assert '"body": "\\ud800"' in served.detail(entry)["event"]["text"]
    assert served.ask("/api/state").status == 200
    assert served.ask("/api/invocations/1.json").json()["event"] == event


def test_bytes_of_an_answer_are_dumped(served: Served) -> None:
    answer = Answer(200, [("content-type", "image/png")], bytes(range(20)))
    body = served.detail(add(served.journal, answer=answer))["answer"]["body"]["text"]
    assert body.startswith("[20 bytes of image/png]\n00000000  00 01 02")


def test_colours_of_a_log_are_left_out(served: Served) -> None:
    entry = add(served.journal, log="\x1b[1;31mred\x1b[0m\n")
    assert served.detail(entry)["log"]["text"] == "red\n"


# --- downloads ------------------------------------------------------------------------------------


def test_an_invocation_is_downloaded_whole(served: Served) -> None:
    entry = add(served.journal, result={"statusCode": 200})
    reply = served.ask(f"/api/invocations/{entry.number}.json")
    assert reply.headers["content-disposition"] == 'attachment; filename="invocation-1.json"'
    kept = reply.json()
    assert kept["event"] == entry.call.event
    assert (kept["status"], kept["result"]) == (200, {"statusCode": 200})


def test_the_event_is_downloaded_alone(served: Served) -> None:
    entry = add(served.journal)
    reply = served.ask(f"/api/invocations/{entry.number}.event.json")
    assert reply.headers["content-disposition"] == 'attachment; filename="event-1.json"'
    assert reply.json() == entry.call.event
