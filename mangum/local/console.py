"""What a developer sees: one line for each request, and what the function prints."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any, TextIO

from mangum.cli.terminal import Painter, painter, plain
from mangum.local.journal import Entry

__all__ = ["Console", "printable"]

STATUS_STYLES = {1: "cyan", 2: "green", 3: "cyan", 4: "yellow", 5: "red"}
MAX_PATH_CHARS = 60
MAX_HELD_CHARS = 256 * 1024
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")

BESIDE_THE_POINT = "LAMBDA_WARNING: Unhandled exception."
"""In a long line that the runtime client prints where a function fails, on updates of Lambda's."""


class Console:
    """Writes to a stream: lines to read, or with `as_json` an object for each."""

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self._stream = stream
        self._json = as_json
        self._paint: Painter = plain if as_json else painter(stream)
        self._held: list[str] | None = None

    def hold(self) -> None:
        """Keep what comes until there is a banner to stand above it, the beginning at least."""
        self._held = []

    def listening(self, title: str, addresses: list[tuple[str, str]], notes: list[str]) -> None:
        """The banner. `addresses` are pairs of a name and a URL."""
        held, self._held = self._held, None
        self._banner(title, addresses, notes)
        if held:
            self._write("".join(held))

    def _banner(self, title: str, addresses: list[tuple[str, str]], notes: list[str]) -> None:
        if self._json:
            urls: dict[str, str] = {}
            for name, url in addresses:
                same = sum(it.split(" #")[0] == name for it in urls)
                urls[f"{name} #{same + 1}" if same else name] = url
            self._object("listening", title=title, addresses=urls, notes=notes)
            return
        width = max(len(name) for name, _ in addresses)
        lines = ["", self._paint("bold", title)]
        lines += [f"  {name:<{width}}  {self._paint('cyan', url)}" for name, url in addresses]
        lines += [self._paint("dim", f"  {note}") for note in notes]
        self._write("\n".join([*lines, "", ""]))

    def finished(self, entry: Entry) -> None:
        """An invocation, at its end."""
        call = entry.call
        method = f"{call.method} (replay)" if entry.replay_of else call.method
        self._request(
            number=entry.number,
            request_id=entry.request_id,
            method=method,
            path=call.path.partition("?")[0],
            status=entry.answer.status if entry.answer else None,
            source=call.source,
            environment=entry.environment,
            total_ms=_ms(entry.total_s),
            duration_ms=_ms(entry.duration_s),
            init_ms=_ms(entry.init_s),
            memory_mb=round(entry.memory_bytes / 2**20) if entry.memory_bytes else None,
            reason=entry.reason,
        )

    def refused(self, source: str, method: str, path: str, status: int, reason: str) -> None:
        """A request that the function never saw."""
        self._request(
            method=method,
            path=path.partition("?")[0],
            status=status,
            source=source,
            environment=None,
            duration_ms=None,
            init_ms=None,
            memory_mb=None,
            reason=reason,
        )

    def output(self, environment: int, text: str) -> None:
        """Whole lines that the function has printed."""
        if self._json:
            self._object("output", environment=environment, text=text)
            return
        before = self._paint("dim", f"  {environment} │ ")
        lines = [it for it in text.rstrip("\n").split("\n") if BESIDE_THE_POINT not in it]
        self._write("".join(f"{before}{self._harmless(line)}\n" for line in lines))

    def note(self, text: str) -> None:
        if self._json:
            self._object("note", text=text)
        else:
            self._write(f"{self._paint('dim', f'{_clock()}  {_lines(text)}')}\n")

    def warn(self, text: str) -> None:
        if self._json:
            self._object("warning", text=text)
        else:
            self._write(f"{self._paint('yellow', f'{_clock()}  {_lines(text)}')}\n")

    def _request(self, **values: Any) -> None:
        if self._json:
            self._object("request", **values)
            return
        status = values["status"]
        style = STATUS_STYLES.get((status or 500) // 100, "bold")
        path = printable(values["path"])
        if len(path) > MAX_PATH_CHARS:
            path = f"{path[: MAX_PATH_CHARS - 1]}…"
        where = "" if values["environment"] is None else f"env {values['environment']}"
        took = _amount(values["duration_ms"], "ms")
        init = _amount(values["init_ms"], "ms")
        parts = [
            self._paint("dim", _clock()),
            self._paint(style, str(status or "—")),
            f"{printable(values['method']) + ' ':<8}{path}".ljust(40),
            self._paint("dim", f"{values['source']:<9} {where:<6}"),
            f"{took:>10}",
            self._paint("yellow", f"init {init}") if init else "",
            self._paint("dim", _amount(values["memory_mb"], "MB")),
        ]
        line = "  ".join(part for part in parts if part)
        if values["reason"]:
            reason = printable(values["reason"].replace("\n", " "))
            line += "\n" + self._paint(style, f"          └ {reason}")
        self._write(f"{line}\n")

    def _harmless(self, line: str) -> str:
        """What a function has printed: its colours stay where there are any, the cursor is ours."""
        parts = COLOUR.split(line.replace("\t", "    "))
        colours = COLOUR.findall(line) if self._paint is not plain else []
        if not colours:
            return "".join(map(printable, parts))
        pairs = zip(map(printable, parts), [*colours, "\x1b[0m"], strict=True)
        return "".join(part + colour for part, colour in pairs)

    def _object(self, kind: str, **values: Any) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._write(json.dumps({"type": kind, "time": now, **values}) + "\n")

    def _write(self, text: str) -> None:
        if self._held is not None:
            if sum(map(len, self._held)) < MAX_HELD_CHARS:
                self._held.append(text)
            return
        encoding = self._stream.encoding or "utf-8"
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()


def printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(it if it.isprintable() else "\ufffd" for it in text)


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 3)


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.1f} {unit}" if value < 100 and unit == "ms" else f"{value:,.0f} {unit}"
