"""What a run leaves behind: one JSON file for each table, in a folder that git does not see."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.compare import Timing
from benchmarks.rows import Row
from benchmarks.spread import Spread

FOLDER = Path(__file__).parent / "results"


def about(processes_about: dict[str, Any], **more: Any) -> dict[str, Any]:
    """On what it was measured."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "contenders": processes_about,
        **more,
    }


def save(folder: Path, name: str, value: Any) -> None:
    write(folder, f"{name}.json", json.dumps(value, indent=1) + "\n")


def write(folder: Path, name: str, text: str) -> None:
    """Write a file of the results; git is told to leave the folder alone."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    (folder / name).write_text(text, encoding="utf-8")


def load(folder: Path, name: str) -> Any:
    """A file that `save` wrote, `None` if there is none."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def timing_to_json(timing: Timing) -> dict[str, Any]:
    return {**timing._asdict(), "row": asdict(timing.row), "name": timing.row.name}


def timing_from_json(value: dict[str, Any]) -> Timing:
    return Timing(
        Row(**value["row"]),
        {name: Spread(*it) for name, it in value["times_us"].items()},
        {name: Spread(*it) for name, it in value["speedups"].items()},
        value["notes"],
        value["equal"],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
