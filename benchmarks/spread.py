"""Medians with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """The median, and between which values the middle eighty of a hundred lie."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.low:{spec}}-{self.high:{spec}})"


def spread(values: Sequence[float]) -> Spread:
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return Spread(statistics.median(values), tenths[0], tenths[-1])


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Of values that were measured in pairs, one after the other: what disturbs both falls out."""
    return spread([a / b for a, b in zip(numerators, denominators, strict=True)])
