"""Debian's Chromium, driven by Playwright, in front of the real `mangum serve`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.local.serving import Serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Locator, Page

PATIENCE_S = 20.0  # for whatever a test waits for
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZE: Any = {"width": 1440, "height": 1000}


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """A running `mangum serve`, and requests to it."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.url = serving.url.rstrip("/")
        self.address = urlsplit(self.url).netloc

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """A request as it is written here, which browsers and other clients would mend. A body is
        text, unless the headers say otherwise."""
        kind = {} if body is None else {"content-type": "text/plain"}
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {**kind, **(headers or {})})
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def invocations(self) -> list[dict[str, Any]]:
        """What the dashboard knows, the oldest first."""
        state = json.loads(self.ask("/_mangum/api/state").body)
        return [*state["invocations"]]


Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """`serve(folder, "main:handler", "--concurrency", "2")`"""
    for name in ("awslambdaric", "uvicorn", "websockets"):
        pytest.importorskip(name, reason=f"{name}, which serve needs, is not installed")
    with contextlib.ExitStack() as stack:

        def start(folder: Path, target: str, *options: str) -> Served:
            return Served(stack.enter_context(Serving(target, *options, folder=folder)))

        yield start


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Closed at the module's end: while Playwright runs, an event loop does in this thread."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is missing")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    playwright.expect.set_options(timeout=PATIENCE_S * 1000)
    home = tmp_path_factory.mktemp("home")
    with playwright.sync_playwright() as running:
        environ: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
        opened = running.chromium.launch(executable_path=program, args=ARGUMENTS, env=environ)
        yield opened
        opened.close()


class Tab:
    """A page, and whatever goes wrong in it."""

    def __init__(self, page: Page, screenshots: Path) -> None:
        self.page = page
        self.problems: list[str] = []
        self._screenshots = screenshots
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", lambda it: self._note(it.type in ("error", "warning"), it.text))
        page.on("pageerror", lambda it: self._note(True, str(it)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda it: self._note(not _is_local(it.url), f"request to {it.url}"))

    def _dismiss(self, dialog: Dialog) -> None:
        self._note(True, f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, is_problem: bool, what: str) -> None:
        if is_problem:
            self.problems.append(what)

    def find(self, selector: str, **options: Any) -> Locator:
        return self.page.locator(selector, **options)

    def shoot(self, name: str) -> None:
        """A picture for people to look at."""
        self.page.screenshot(path=self._screenshots / f"{name}.png")


Open = Callable[..., Tab]


@pytest.fixture
def open_tab(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """`open_tab(url, color_scheme="dark")`; at the end there must have been no problem in it."""
    screenshots = Path(os.environ.get("MANGUM_SCREENSHOTS") or tmp_path)
    screenshots.mkdir(parents=True, exist_ok=True)
    contexts = []
    tabs = []

    def start(url: str, **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": SIZE, **options})
        contexts.append(context)
        tab = Tab(context.new_page(), screenshots)
        tabs.append(tab)
        tab.page.goto(url)
        return tab

    yield start
    for context in contexts:
        context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []


def _is_local(url: str) -> bool:
    return re.match(r"(http|ws)://127\.0\.0\.1:\d+/|data:", url) is not None
