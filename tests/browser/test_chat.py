"""The chat of the examples, as visitors see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import Open, Serve, Served, Tab
from tests.processes import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Locator

HTML = '<img src="x" onerror="alert(1)"><script>alert(2)</script>'


@pytest.fixture(scope="module")
def chat(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Served:
    pytest.importorskip("fastapi", reason="FastAPI is missing")
    data = tmp_path_factory.mktemp("chat")
    return serve(ROOT / "examples" / "chat", "main:handler", "--env", f"CHAT_DATA={data}")


def join(tab: Tab, name: str) -> None:
    tab.find("#name").fill(name)
    tab.find("#join button").click()
    expect(tab.find("#status")).to_have_text("Connected")


def say(tab: Tab, text: str) -> None:
    tab.find("#text").fill(text)
    tab.find("#text").press("Enter")


def expect(found: Locator) -> Any:
    from playwright.sync_api import expect

    return expect(found)


def test_two_visitors_talk_and_one_reloads(chat: Served, open_tab: Open) -> None:
    ada, grace = open_tab(f"{chat.url}/?room=test"), open_tab(f"{chat.url}/?room=test")
    join(ada, "Ada")
    join(grace, "Grace")
    expect(ada.find("#people li")).to_have_text(["AAda (you)", "GGrace"])

    say(ada, "Hello, Grace!")
    expect(grace.find("#messages .said")).to_have_text(["Hello, Grace!"])
    say(grace, "Hello, Ada!")
    expect(ada.find("#messages .said")).to_have_text(["Hello, Grace!", "Hello, Ada!"])

    ada.page.reload()
    expect(ada.find("#status")).to_have_text("Connected")
    expect(ada.find("#messages .said")).to_have_text(["Hello, Grace!", "Hello, Ada!"])
    say(grace, "Are you back?")
    say(ada, "I am.")
    for tab in (ada, grace):
        expect(tab.find("#messages .said").nth(3)).to_be_visible()
        assert {"Are you back?", "I am."} <= set(tab.find("#messages .said").all_inner_texts())
        expect(tab.find("#people li")).to_have_count(2)
    ada.shoot("chat-light")


def test_what_a_visitor_writes_stays_text(chat: Served, open_tab: Open) -> None:
    ada = open_tab(f"{chat.url}/?room=html", color_scheme="dark")
    grace = open_tab(f"{chat.url}/?room=html")
    join(ada, HTML[:40])
    join(grace, "Grace")
    say(ada, HTML)
    for tab in (ada, grace):
        expect(tab.find("#messages .said")).to_have_text(HTML)
        expect(tab.find("#messages b")).to_have_text(HTML[:40])
        assert tab.find("#messages img, #messages script").count() == 0
    ada.shoot("chat-dark")


def test_a_message_by_the_api_reaches_the_sockets(chat: Served, open_tab: Open) -> None:
    ada = open_tab(f"{chat.url}/?room=api")
    join(ada, "Ada")
    answer = chat.ask(
        "/api/rooms/api/messages",
        method="POST",
        headers={"content-type": "application/json"},
        body=b'{"name": "Cron", "text": "It is noon."}',
    )
    assert answer.status == 201
    expect(ada.find("#messages .said")).to_have_text("It is noon.")
