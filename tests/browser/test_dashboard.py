"""The dashboard in a browser, in front of a function that does as the path says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import Open, Serve, Served, Tab

if TYPE_CHECKING:
    from playwright.sync_api import Locator

FUNCTION = """
import os, time

def handler(event, context):
    if "requestContext" in event and "connectionId" in event["requestContext"]:
        return {"statusCode": 200}
    path = event["rawPath"]
    print("serving", path)
    if path == "/fail":
        return fail()
    if path == "/exit":
        os._exit(3)
    if path == "/wait":
        while not os.path.exists(os.environ["GATE"]):
            time.sleep(0.01)
    if path == "/bad":
        return {"statusCode": "many"}
    if path == "/big":
        return {"statusCode": 200, "body": "x" * 3_000_000}
    body = event.get("body") or "<h1>hello</h1>"
    headers = {"content-type": "text/html", "x-echo": event["headers"].get("x-echo", "")}
    return {"statusCode": 404 if path == "/missing" else 200, "headers": headers, "body": body}

def fail():
    raise ValueError("no luck <b>today</b>")
"""

HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Place:
    """The gateway, and the file whose existence lets `/wait` go on."""

    def __init__(self, served: Served, gate: Path) -> None:
        self.served = served
        self.gate = gate
        self.dashboard = f"{served.url}/_mangum"

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While a request is in the function."""
        self.gate.unlink(missing_ok=True)
        thread = threading.Thread(target=self.served.ask, args=("/wait",))
        thread.start()
        try:
            yield
        finally:
            self.gate.touch()
            thread.join()


@pytest.fixture(scope="module")
def place(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("function")
    (folder / "main.py").write_text(FUNCTION, encoding="utf-8")
    gate = folder / "gate"
    served = serve(folder, "main:handler", "--concurrency", "2", "--env", f"GATE={gate}")
    return Place(served, gate)


def expect(found: Locator) -> Any:
    from playwright.sync_api import expect

    return expect(found)


def row(tab: Tab, path: str) -> Locator:
    """The newest row of a path."""
    return tab.find("#rows tr", has=tab.page.get_by_text(path, exact=True)).first


def choose(tab: Tab, path: str) -> None:
    """Open the newest invocation of a path, once it is through."""
    expect(row(tab, path).locator(".badge")).not_to_have_text("…")
    row(tab, path).click()
    expect(tab.find("#detail h2 .path")).to_have_text(path)


def show_tab(tab: Tab, name: str) -> Locator:
    tab.page.get_by_role("tab", name=name).click()
    return tab.find("#tab-panel")


def test_an_empty_page_says_what_to_do(place: Place, open_tab: Open) -> None:
    tab = open_tab(place.dashboard)
    expect(tab.find("#live")).to_have_text("live")
    expect(tab.find("#empty")).to_be_visible()
    expect(tab.find("#curl")).to_have_text(f"curl -i {place.served.url}/")
    expect(tab.find("#environments .card")).to_have_count(1)
    tab.shoot("dashboard-empty")
    assert place.served.invocations() == []  # a browser asks for an icon, too


def test_invocations_appear_as_they_come(place: Place, open_tab: Open) -> None:
    tab = open_tab(place.dashboard)
    expect(tab.find("#live")).to_have_text("live")
    for path in ("/first", "/missing"):
        place.served.ask(f"{path}?x=1")
        expect(row(tab, path)).to_be_visible()
    expect(row(tab, "/first").locator(".badge.good")).to_have_text("200")
    expect(row(tab, "/missing").locator(".badge.refused")).to_have_text("404")
    expect(tab.find("#rows tr").first).to_contain_text("/missing")
    expect(tab.find("#chart .mark")).to_have_count(2)
    expect(tab.find("#chart .cold")).to_have_count(1)


def test_one_is_shown_in_detail(place: Place, open_tab: Open) -> None:
    place.served.ask("/detail?x=1", method="POST", headers={"x-echo": "e"}, body=b"<p>sent</p>")
    tab = open_tab(place.dashboard, color_scheme="dark")
    choose(tab, "/detail")
    event = json.loads(show_tab(tab, "Event").locator("pre").inner_text())
    assert (event["rawPath"], event["rawQueryString"]) == ("/detail", "x=1")
    expect(show_tab(tab, "Scope")).to_contain_text("'raw_path': b'/detail'")
    expect(tab.find("#tab-panel")).to_contain_text("Options of the function's own")
    tab.shoot("dashboard-scope-dark")
    tab.find("#edition").select_option("classic")
    expect(tab.find("#tab-panel")).to_contain_text("'raw_path': None")
    result = json.loads(show_tab(tab, "Result").locator("pre").inner_text())
    assert result["body"] == "<p>sent</p>"
    answer = show_tab(tab, "Answer")
    expect(answer.locator(".status-line")).to_have_text("200 OK")
    expect(answer.locator(".headers tr", has_text="x-echo").locator("td")).to_have_text("e")
    expect(answer.locator("pre")).to_have_text("<p>sent</p>")
    expect(show_tab(tab, "Log")).to_contain_text("serving /detail")


def test_it_is_used_by_keyboard(place: Place, open_tab: Open) -> None:
    for path in ("/keys/1", "/keys/2", "/other"):
        place.served.ask(path)
    tab = open_tab(place.dashboard)
    expect(row(tab, "/other")).to_be_visible()
    press = tab.page.keyboard.press
    press("/")
    tab.page.keyboard.type("keys")
    expect(tab.find("#rows tr")).to_have_count(2)
    press("Tab")
    press("ArrowDown")
    press("Enter")
    expect(tab.find("#detail h2 .path")).to_have_text("/keys/1")
    press("ArrowUp")
    expect(tab.find("#detail h2 .path")).to_have_text("/keys/2")
    assert tab.page.url.endswith(f"#{place.served.invocations()[-2]['number']}")
    tab.find("#tab-Event").focus()
    press("ArrowRight")
    expect(tab.find("#tab-Scope")).to_be_focused()
    press("Escape")
    expect(tab.find("#detail")).to_be_hidden()
    expect(row(tab, "/keys/2")).to_be_focused()
    press("/")
    press("Escape")
    expect(row(tab, "/other")).to_be_visible()


def test_the_filter_knows_words_for_what_went_wrong(place: Place, open_tab: Open) -> None:
    for path in ("/fail", "/missing"):
        place.served.ask(path)
    tab = open_tab(place.dashboard)
    expect(row(tab, "/missing")).to_be_visible()
    for words, badge in (("5xx", ".badge.bad"), ("failed", ".badge.bad"), ("4xx", ".refused")):
        tab.find("#filter").fill(words)
        expect(tab.find(f"#rows tr:not(:has({badge}))")).to_have_count(0)
        expect(tab.find(f"#rows {badge}").first).to_be_visible()
    tab.find("#filter").fill("there is no such thing")
    expect(tab.find("#nothing")).to_be_visible()


def test_a_replay_calls_the_function_again(place: Place, open_tab: Open) -> None:
    place.served.ask("/again", method="POST", body=b"once more")
    before = place.served.invocations()[-1]["number"]
    tab = open_tab(place.dashboard)
    choose(tab, "/again")
    tab.find("#replay").click()
    expect(tab.find(".facts")).to_contain_text(f"replay of#{before}")
    expect(show_tab(tab, "Answer").locator("pre")).to_have_text("once more")
    expect(show_tab(tab, "Log")).to_contain_text("serving /again")
    expect(row(tab, "/again")).to_contain_text(f"replay of #{before}")
    tab.page.get_by_role("link", name=f"#{before}").click()
    expect(tab.find(".facts")).to_contain_text(f"invocation#{before}")


def test_an_invocation_is_downloaded(place: Place, open_tab: Open, tmp_path: Path) -> None:
    place.served.ask("/kept", method="POST", body=b"body")
    number = place.served.invocations()[-1]["number"]
    tab = open_tab(place.dashboard)
    choose(tab, "/kept")
    kept = {}
    for link, name in (("download", "invocation"), ("download-event", "event")):
        with tab.page.expect_download() as started:
            tab.find(f"#{link}").click()
        assert started.value.suggested_filename == f"{name}-{number}.json"
        started.value.save_as(tmp_path / name)
        kept[name] = json.loads((tmp_path / name).read_bytes())
    assert kept["invocation"]["event"] == kept["event"]
    assert kept["event"]["rawPath"] == "/kept"
    assert kept["invocation"]["result"]["body"] == "body"


def test_hostile_content_is_shown_as_text(place: Place, open_tab: Open) -> None:
    path = f"/{HTML.replace(' ', '%20')}"
    hostile = {"x-echo": HTML, "cookie": HTML, "user-agent": HTML, "content-type": "text/plain"}
    answer = place.served.ask(f"{path}?{path}", method="POST", headers=hostile, body=HTML.encode())
    assert answer.status == 200
    tab = open_tab(place.dashboard)
    choose(tab, path)
    expect(show_tab(tab, "Event")).to_contain_text(f'"user-agent": "{HTML}"')
    expect(show_tab(tab, "Scope")).to_contain_text(f"b'{HTML}'")
    expect(show_tab(tab, "Result")).to_contain_text(HTML)
    expect(show_tab(tab, "Answer").locator("pre")).to_have_text(HTML)
    expect(tab.find(".headers tr", has_text="x-echo").locator("td")).to_have_text(HTML)
    expect(show_tab(tab, "Log")).to_contain_text("serving /<script>")
    tab.find("#filter").fill(HTML.partition(" ")[0])
    expect(row(tab, path)).to_be_visible()
    tab.shoot("dashboard-hostile")
    assert tab.find("#columns script, #columns img").count() == 0


def test_an_environment_is_busy_while_the_function_runs(place: Place, open_tab: Open) -> None:
    tab = open_tab(place.dashboard)
    with place.waiting():
        expect(tab.find("#environments .busy")).to_have_count(1)
        expect(row(tab, "/wait").locator(".badge")).to_have_text("…")
        row(tab, "/wait").click()
        expect(tab.find("#detail .actions .badge")).to_have_text("running")
        tab.shoot("dashboard-running")
    expect(tab.find("#environments .busy")).to_have_count(0)
    expect(tab.find("#detail .actions .badge")).to_have_text("200")


def test_a_crash_shows_its_traceback(place: Place, open_tab: Open) -> None:
    place.served.ask("/fail")
    tab = open_tab(place.dashboard)
    choose(tab, "/fail")
    expect(tab.find(".fault p").first).to_have_text("ValueError: no luck <b>today</b>")
    expect(tab.find(".fault pre")).to_contain_text("in fail")
    expect(show_tab(tab, "Log")).to_contain_text("Traceback (most recent call last):")
    tab.shoot("dashboard-crash")


def test_an_end_of_the_environment_and_a_bad_result_are_explained(
    place: Place, open_tab: Open
) -> None:
    place.served.ask("/exit")
    place.served.ask("/bad")
    tab = open_tab(place.dashboard)
    choose(tab, "/exit")
    expect(tab.find(".fault")).to_contain_text("exit status 3")
    choose(tab, "/bad")
    expect(tab.find(".reason")).to_contain_text("statusCode")
    assert json.loads(show_tab(tab, "Result").locator("pre").inner_text()) == {"statusCode": "many"}


def test_a_large_result_is_cut_and_its_size_named(place: Place, open_tab: Open) -> None:
    place.served.ask("/big")
    tab = open_tab(place.dashboard)
    choose(tab, "/big")
    expect(show_tab(tab, "Result").locator(".note")).to_contain_text("the whole has 3,000,0")
    note = show_tab(tab, "Answer").locator(".note")
    expect(note).to_have_text("The first 131,072 of 3,000,000 characters.")


def test_the_clients_of_the_websocket_api_are_shown(place: Place, open_tab: Open) -> None:
    client = pytest.importorskip("websockets.sync.client")
    tab = open_tab(place.dashboard)
    with client.connect(f"ws://{place.served.address}/") as socket:
        socket.send("hello")
        card = tab.find("#connections .card")
        expect(card).to_contain_text("1 in, 0 out")
        expect(card.locator(".state")).to_have_text("open")
        tab.shoot("dashboard-connections")
    expect(card).to_have_count(0)
    choose(tab, row(tab, "$disconnect").locator(".path span").inner_text())
    expect(show_tab(tab, "Scope")).to_contain_text("the scope of the connection's CONNECT")


def test_a_narrow_window_and_a_wide_one_have_all_that_matters(place: Place, open_tab: Open) -> None:
    for number in range(60):
        place.served.ask(f"/items/{number}")
    place.served.ask("/narrow")
    tab = open_tab(place.dashboard, viewport={"width": 400, "height": 800})
    expect(row(tab, "/narrow").locator(".badge")).to_be_visible()
    assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    tab.shoot("dashboard-narrow")
    choose(tab, "/narrow")
    tab.shoot("dashboard-narrow-detail")
    tab.find("#close").click()
    expect(row(tab, "/narrow")).to_be_visible()
    tab.page.set_viewport_size({"width": 1440, "height": 1000})
    expect(tab.find("#rows tr")).to_have_count(len(place.served.invocations()))
    tab.shoot("dashboard-light")
    choose(tab, "/narrow")
    tab.page.emulate_media(color_scheme="dark")
    tab.shoot("dashboard-dark")


def test_the_page_tells_when_the_gateway_has_gone_and_does_not_hold_it_up(
    serve: Serve, browser: Any, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(FUNCTION, encoding="utf-8")
    served = serve(tmp_path, "main:handler", "--warm", "0")
    page = browser.new_page()
    page.goto(f"{served.url}/_mangum")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#environments")).to_contain_text("the next request starts one")
    assert served.serving.stop() == 0
    expect(page.locator("#live")).to_have_text("the gateway is not reachable")
    page.close()
