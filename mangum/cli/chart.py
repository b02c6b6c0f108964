"""Bar charts: lines of text for a terminal, and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_EIGHTHS = " ▏▎▍▌▋▊▉█"
FULL = _EIGHTHS[-1]

BAR_CELLS = 30
MAX_NAME_CELLS = 40

COLOURS = ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#b6992d", "#59a14f", "#b07aa1", "#9c755f")
_INK = "#1f2328"
_ROW, _BAR, _LEFT, _RIGHT, _WIDTH = 26, 16, 250, 80, 900


def text_bars(rows: Mapping[str, float], *, total: float, blocks: bool = True) -> list[str]:
    """Lines of name, value in ms, share of `total` and a bar; `blocks` is false for plain ASCII."""
    width = min(max(map(len, rows), default=0), MAX_NAME_CELLS)
    largest = max(rows.values(), default=0.0) or 1.0
    lines = []
    for name, value in rows.items():
        share = f"{value / total:4.0%}" if total else "  0%"
        line = f"{_shortened(name):<{width}} {value:8.1f} {share}  "
        lines.append((line + _bar(value / largest, blocks)).rstrip())
    return lines


def _bar(fraction: float, blocks: bool) -> str:
    if not blocks:
        return "#" * round(fraction * BAR_CELLS)
    cells, eighths = divmod(round(fraction * BAR_CELLS * 8), 8)
    return FULL * cells + _EIGHTHS[eighths].strip()


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME_CELLS else "…" + name[1 - MAX_NAME_CELLS :]


class Stack(NamedTuple):
    """One bar of an SVG chart: its name, and the value of each part."""

    name: str
    parts: Mapping[str, float]


class Chart(NamedTuple):
    """Bars below a title; parts of the same name have the same colour in all of them."""

    title: str
    bars: Sequence[Stack]


def svg(charts: Sequence[Chart], *, unit: str = "ms") -> str:
    """A picture of the charts, one below the other, each on a scale of its own."""
    y = 0
    pieces: list[str] = []
    for chart in charts:
        drawn, y = _draw(chart, y + 30, unit)
        pieces += drawn
    height = y + 20
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="13">'
    )
    paper = f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, paper, *pieces, "</svg>\n"])


def _draw(chart: Chart, y: int, unit: str) -> tuple[list[str], int]:
    """The elements of one chart, and where they end."""
    names = list(dict.fromkeys(name for bar in chart.bars for name in bar.parts))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    largest = max((sum(bar.parts.values()) for bar in chart.bars), default=0.0) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / largest
    pieces = [_text(16, y, chart.title, weight="bold")]
    y += 14
    if len(names) > 1:
        legend, y = _legend(names, colours, y + 8)
        pieces += legend
    for bar in chart.bars:
        pieces.append(_text(_LEFT - 8, y + _BAR - 3, _shortened(bar.name), anchor="end"))
        x = float(_LEFT)
        for name, value in bar.parts.items():
            width = value * scale
            pieces.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}"'
                f' fill="{colours[name]}"><title>{escape(name)}: {value:.1f} {unit}</title></rect>'
            )
            x += width
        pieces.append(_text(x + 6, y + _BAR - 3, f"{sum(bar.parts.values()):.1f} {unit}"))
        y += _ROW
    return pieces, y


def _legend(names: Sequence[str], colours: Mapping[str, str], y: int) -> tuple[list[str], int]:
    pieces = []
    x = 16
    for name in names:
        width = 34 + 7 * len(name)
        if x + width > _WIDTH:
            x, y = 16, y + 20
        pieces.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colours[name]}"/>')
        pieces.append(_text(x + 18, y + 11, name))
        x += width
    return pieces, y + 26


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
        f' fill="{_INK}">{escape(text)}</text>'
    )
