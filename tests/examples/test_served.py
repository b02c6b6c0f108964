"""Every example behind `mangum serve`, started by the command of its page."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.examples.folders import EXAMPLES, NAMES, commands
from tests.local.serving import Serving

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="serve needs os.wait4")
httpx = pytest.importorskip("httpx")
clients = pytest.importorskip("websockets.sync.client")
for needed in ("awslambdaric", "uvicorn", "fastapi", "python_multipart", "channels"):
    pytest.importorskip(needed)

PATIENCE_S = 20
STATES = {"chat": "CHAT_DATA", "facade": "COUNTER_FILE", "django": "BOARD_DSN"}
"""The variable that says where an example keeps what lasts."""

Serve = Callable[[str], Serving]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve("chat")`"""
    started: list[Serving] = []

    def start(name: str) -> Serving:
        file = tmp_path / "state"
        state = f"sqlite:///{file}" if name == "django" else str(file)
        ((_, _, function, *options),) = served(name)
        environ = {"PYTHONDONTWRITEBYTECODE": "1", STATES.get(name, "UNUSED"): state}
        folder = EXAMPLES / name
        started.append(Serving(function, *options, folder=folder, environ=environ))
        return started[-1]

    yield start
    for serving in started:
        serving.kill()


def served(name: str) -> list[list[str]]:
    return [words for words in commands(name, "mangum") if words[1] == "serve"]


def ask(serving: Serving, method: str, path: str, **options: Any) -> Any:
    return httpx.request(method, serving.url.rstrip("/") + path, timeout=PATIENCE_S, **options)


def connect(serving: Serving, query: str = "") -> ClientConnection:
    socket: ClientConnection = clients.connect(
        f"{serving.ws_url}ws{query}", open_timeout=PATIENCE_S, close_timeout=PATIENCE_S
    )
    return socket


def tell(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def hear(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=PATIENCE_S))


def hear_until(socket: ClientConnection, kind: str) -> Any:
    """The next message of a type; people may come and go meanwhile."""
    while (message := hear(socket))["type"] != kind:
        pass
    return message


def test_every_page_has_one_command_that_serves() -> None:
    assert [name for name in NAMES if len(served(name)) != 1] == []


def test_gallery_is_served(serve: Serve) -> None:
    gallery = serve("gallery")
    assert ask(gallery, "GET", "/").json()["pictures"][0] == "red-square"
    image = {"image": ("dot.gif", b"GIF89a\xff", "image/gif")}
    data = {"name": "dot", "color": "black"}
    answer = ask(gallery, "POST", "/pictures", data=data, files=image)
    assert answer.status_code == 201
    assert httpx.get(answer.headers["location"]).content == b"GIF89a\xff"


def test_streaming_counts_what_is_sent_and_ends_its_streams(serve: Serve) -> None:
    streaming = serve("streaming")
    content = bytes(range(256)) * 1000
    files = {"file": ("all.bin", content, "application/octet-stream")}
    uploaded = ask(streaming, "POST", "/uploads", data={"note": "hé"}, files=files).json()
    assert uploaded["fields"] == {"note": "hé"}
    assert uploaded["files"][0]["bytes"] == 256_000
    assert uploaded["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()

    counted = ask(streaming, "PUT", "/count", content=content).json()
    assert (counted["bytes"], counted["lines"]) == (256_000, 1000)
    assert ask(streaming, "GET", "/lines?count=2").text == "line 1 of 2\nline 2 of 2\n"

    events = ask(streaming, "GET", "/events?count=3")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert re.findall(r"id: (\d)\nevent: tick\ndata: (\d)\n\n", events.text) == [
        ("1", "2"),
        ("2", "1"),
        ("3", "0"),
    ]
    for had, status, ids in (("1", 200, ["2", "3"]), ("3", 204, [])):
        rest = ask(streaming, "GET", "/events?count=3", headers={"last-event-id": had})
        assert (rest.status_code, re.findall(r"id: (\d)", rest.text)) == (status, ids)


def test_chat_carries_words_between_visitors_and_the_api(serve: Serve) -> None:
    chat = serve("chat")
    assert "connect-src 'self'" in ask(chat, "GET", "/").headers["content-security-policy"]
    with connect(chat, "?room=r&name=Ann") as ann, connect(chat, "?room=r&name=Ben") as ben:
        for socket, people in ((ann, ["Ann"]), (ben, ["Ann", "Ben"])):
            tell(socket, type="hello")
            assert hear_until(socket, "welcome")["room"] == "r"
            assert hear_until(socket, "people")["people"] == people
        tell(ann, type="say", text=" <b>Hello</b> ")
        for socket in (ann, ben):
            message = hear_until(socket, "message")
            assert (message["name"], message["text"]) == ("Ann", "<b>Hello</b>")

        posted = ask(
            chat, "POST", "/api/rooms/r/messages", json={"name": "Cron", "text": "It is noon."}
        )
        assert (posted.status_code, hear_until(ben, "message")) == (
            201,
            {"type": "message", **posted.json()},
        )
        for wrong in ("no JSON", '{"type": "say", "text": ""}', '{"type": "say"}', "[]", "\ud7ff"):
            ben.send(wrong)
            assert hear_until(ben, "error")["text"]
        tell(ben, type="ping")
        assert hear(ben) == {"type": "pong"}
        ann.close()
        assert hear_until(ben, "people")["people"] == ["Ben"]
    history = ask(chat, "GET", "/api/rooms/r/messages").json()
    assert [it["text"] for it in history] == ["<b>Hello</b>", "It is noon."]
    before = ask(chat, "GET", f"/api/rooms/r/messages?before={history[1]['id']}").json()
    assert before == history[:1]
    assert ask(chat, "GET", "/api/rooms/other/messages").json() == []


def test_chat_gets_over_visitors_who_leave_all_at_once(serve: Serve) -> None:
    chat = serve("chat")
    with contextlib.ExitStack() as visitors:
        for number in range(6):
            visitor = visitors.enter_context(connect(chat, f"?room=r&name=v{number}"))
            tell(visitor, type="hello")
            hear_until(visitor, "welcome")
    over: set[int] = set()
    while len(over) < 6:
        line = chat.wait_for(
            "request", lambda it: it["method"] == "$disconnect" and it["number"] not in over
        )
        assert line["status"] == 200
        over.add(line["number"])
    assert ask(chat, "GET", "/api/rooms/r/people").json() == []


def test_chat_refuses_a_visitor_without_a_name_and_a_room_of_no_name(serve: Serve) -> None:
    chat = serve("chat")
    refused = pytest.importorskip("websockets.exceptions").InvalidStatus
    for query in ("?room=r&name=", "?room=r", "?room=a/b&name=Ann"):
        with pytest.raises(refused, match="HTTP 403"):
            connect(chat, query)
    wrong = ask(chat, "POST", "/api/rooms/r/messages", json={"name": " ", "text": "x"})
    assert wrong.status_code == 422


def test_counter_is_turned_by_all(serve: Serve) -> None:
    counter = serve("facade")
    with connect(counter) as ann, connect(counter) as ben:
        tell(ann, add=0)
        assert hear(ann) == {"count": 0}
        tell(ann, add=2)
        assert (hear(ann), hear(ben)) == ({"count": 2}, {"count": 2})
        tell(ben, add=-3)
        assert (hear(ann), hear(ben)) == ({"count": -1}, {"count": -1})
        for wrong in ('{"add": "1"}', '{"add": true}', '{"add": 10001}', "{}", "[]"):
            ben.send(wrong)
            assert "error" in hear(ben)
    assert ask(counter, "GET", "/api/count").json() == {"count": -1}
    assert "text/html" in ask(counter, "GET", "/").headers["content-type"]


def test_board_pins_notices_from_sockets_and_from_a_view(serve: Serve) -> None:
    board = serve("django")
    assert "<h1>Board</h1>" in ask(board, "GET", "/").text
    assert ask(board, "POST", "/notices", data={"text": "to nobody"}).status_code == 201
    with connect(board) as ann, connect(board) as ben:
        tell(ann, pin="Hello")
        assert (hear(ann), hear(ben)) == ({"notice": "Hello"}, {"notice": "Hello"})
        assert ask(board, "POST", "/notices", data={"text": "Lunch"}).json() == {"pinned": "Lunch"}
        assert (hear(ann), hear(ben)) == ({"notice": "Lunch"}, {"notice": "Lunch"})
        for wrong in ("no JSON", "{}", '{"pin": " "}', "1"):
            ann.send(wrong)
            assert "error" in hear(ann)
    assert ask(board, "POST", "/notices", data={}).status_code == 400


def test_worker_answers_requests_but_takes_no_event_from_them(serve: Serve) -> None:
    worker = serve("worker")
    assert ask(worker, "GET", "/health").json() == {"worker": "ready"}
    assert ask(worker, "POST", "/events", json={"Records": []}).status_code == 404
