"""A gateway at a steady rate of requests, whether the answers come or not: what is lost, how long
answers take, and whether descriptors, processes or memory grow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.gateway_contenders import MAIN, Ours, Usage
from benchmarks.gateway_load import Offered, OpenLoop, percentiles
from benchmarks.tables import Table

NAME = "gateway-minute"
RATE, SECONDS = 1000, 60
WARM = ("--warm", "4")


def run(output: Path, rate: int = RATE, seconds: int = SECONDS) -> dict[str, Any]:
    """Requests at a steady rate, and what is there before and after. Raises `LoadFailed`."""
    counts: list[tuple[int, int]] = []
    memory: list[float] = []
    with closing(Ours(*WARM)) as gateway:
        usage = Usage(gateway.pid)

        def look() -> None:
            counts.append(usage.counts())
            memory.append(usage.memory_mb()[0])

        OpenLoop(gateway.urls[MAIN], rate / 4, min(seconds, 2)).run()
        time.sleep(1)  # for the connections' ends
        look()
        usage.per_request_us(1)
        offered = OpenLoop(gateway.urls[MAIN], rate, seconds).run(look)
        cpu_us = usage.per_request_us(offered.total)
        time.sleep(1)
        look()
    print(f"\n{table(offered, rate, cpu_us, counts, memory).text()}\n", flush=True)
    figures = {
        "rate": rate,
        "seconds": seconds,
        **offered._asdict(),
        "times_ms": percentiles(offered.times_ms),
        "counts": counts,
        "memory_mb": memory,
        "cpu_us": cpu_us,
    }
    results.save(output, NAME, figures)
    return figures


def table(
    offered: Offered,
    rate: int,
    cpu_us: tuple[float, float],
    counts: Sequence[tuple[int, int]],
    memory_mb: Sequence[float],
) -> Table:
    """What was counted at the beginning, while it went on and at the end."""

    def over(values: Sequence[float]) -> str:
        return f"{values[0]:.0f}, up to {max(values):.0f}, {values[-1]:.0f}"

    low, middle, high = percentiles(offered.times_ms)
    descriptors, processes = zip(*counts, strict=True)
    rows = [
        ["requests", f"{offered.total:,}"],
        ["lost", f"{offered.lost:,}"],
        ["refused", f"{offered.refused:,}"],
        [
            "p50, p95, p99, most",
            f"{low:.1f}, {middle:.1f}, {high:.1f}, {max(offered.times_ms):.1f} ms",
        ],
        ["CPU of the gateway, of environments", f"{cpu_us[0]:.0f}, {cpu_us[1]:.0f} µs a request"],
        ["descriptors", over(descriptors)],
        ["processes", over(processes)],
        ["memory of the gateway, MB", over(memory_mb)],
    ]
    notes = ["Times begin when a request is due, not when a connection is free for it."]
    return Table(
        f"{rate:,} requests a second", ["what", "at the beginning, most, at the end"], rows, notes
    )
