"""Bar charts as SVG, written by hand; they are readable on a light and on a dark ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from benchmarks.spread import Spread

WIDTH = 960
LABEL_WIDTH = 420
VALUE_WIDTH = 90
BAR_HEIGHT = 14
GAP = 8
TOP = 64

COLOURS = ("#2f81f7", "#8a63d2", "#c2762b", "#2e9a6b")
"""Of the series in their order, which stays where one is missing; each stands out from white and
from black."""

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.axis { stroke: #8c959f; }
.spread { stroke: #57606a; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #d0d7de; }
  .spread { stroke: #d0d7de; }
}
"""


class Group(NamedTuple):
    """A label, and the value of each series that has one."""

    label: str
    values: dict[str, Spread]


class Scale(NamedTuple):
    """From values to pixels. A logarithmic one begins at 1, smaller values lie to its left."""

    lowest: float
    highest: float
    logarithmic: bool

    def x(self, value: float) -> float:
        low, high, at = self.lowest, self.highest, value
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return LABEL_WIDTH + (at - low) / (high - low) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH)

    @property
    def origin(self) -> float:
        return self.x(1.0 if self.logarithmic else 0.0)


def bar_chart(
    title: str, unit: str, series: Sequence[str], groups: Sequence[Group], *, ratios: bool = False
) -> str:
    """Horizontal bars with their medians and spreads; `ratios` are drawn from 1 on."""
    groups = [group for group in groups if group.values]
    title = f"{title} (logarithmic scale)" if ratios else title
    colours = dict(zip(series, COLOURS, strict=False))
    scale = _scale(groups, ratios)
    body: list[str] = []
    y = TOP
    for group in groups:
        middle = y + BAR_HEIGHT * len(group.values) / 2 + 3
        body.append(_text(LABEL_WIDTH - 10, middle, group.label, anchor="end"))
        for name, value in group.values.items():
            body.append(_bar(scale, y, value, colours[name], unit))
            y += BAR_HEIGHT
        y += GAP
    axis = f'<line class="axis" x1="{scale.origin:.1f}" x2="{scale.origin:.1f}" y1="{TOP - 6}"'
    body.append(f'{axis} y2="{y}"/>')
    size = f'width="{WIDTH}" height="{y + 10}" viewBox="0 0 {WIDTH} {y + 10}"'
    root = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"'
    head = [f"{root} aria-label={quoteattr(title)}>", f"<style>{STYLE}</style>"]
    head += [_text(10, 24, title, name="title"), *_legend(colours, groups)]
    return "\n".join([*head, *body, "</svg>\n"])


def _scale(groups: Sequence[Group], ratios: bool) -> Scale:
    values = [edge for group in groups for spread in group.values.values() for edge in spread]
    highest = max(values, default=1.0)
    if ratios:
        return Scale(min(0.8, *values, 0.8), max(highest, 2.0), logarithmic=True)
    return Scale(0.0, highest or 1.0, logarithmic=False)


def _bar(scale: Scale, y: float, value: Spread, colour: str, unit: str) -> str:
    left, right = sorted((scale.origin, scale.x(value.median)))
    low, high = scale.x(value.low), scale.x(value.high)
    middle = y + BAR_HEIGHT / 2
    bar = f'<rect x="{left:.1f}" y="{y:.1f}" width="{right - left:.1f}" height="{BAR_HEIGHT - 2}"'
    line = f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle - 1}"'
    label = _text(max(right, high) + 6, y + BAR_HEIGHT - 2, f"{_short(value.median)}{unit}")
    return f'{bar} fill="{colour}"/>{line} y2="{middle - 1}"/>{label}'


def _legend(colours: dict[str, str], groups: Sequence[Group]) -> list[str]:
    parts = []
    x = 10
    for name, colour in colours.items():
        if any(name in group.values for group in groups):
            parts.append(f'<rect x="{x}" y="38" width="12" height="12" fill="{colour}"/>')
            parts.append(_text(x + 18, 48, name))
            x += 40 + 8 * len(name)
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", name: str = "label") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{name}"'
    return f"<text {place}>{escape(text)}</text>"


def _short(value: float) -> str:
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
