"""The table of what an archive holds, by size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from mangum.packaging.archive import Archive, Sizes
from mangum.packaging.distributions import Distribution

APPLICATION = "your application"
COLUMNS = ("extensions", "bytecode", "other files", "unzipped", "zipped")


class Row(NamedTuple):
    """What one distribution, or the application, takes. All in bytes."""

    label: str  # `"starlette 1.10.0"`
    extensions: int
    bytecode: int
    other: int
    unzipped: int
    zipped: int


def rows(archive: Archive, found: Iterable[Distribution], prefix: str = "") -> list[Row]:
    """One for each distribution and one for all else, the largest first.

    `prefix` is where the distributions lie in the archive, `"python/"`.
    """
    owners = {prefix + file: f"{it.name} {it.version}" for it in found for file in it.files}
    sizes: dict[str, list[tuple[str, Sizes]]] = defaultdict(list)
    for name, size in archive.entries.items():
        sizes[_owner(name, owners)].append((name, size))
    table = [_row(label, entries) for label, entries in sizes.items()]
    return sorted(table, key=lambda row: (-row.zipped, row.label))


def text(table: Iterable[Row]) -> str:
    """Aligned lines with a head and a sum, in KB of 1,024 bytes."""
    table = list(table)
    total = Row("together", *(sum(column) for column in list(zip(*table, strict=True))[1:]))
    lines = [("", *COLUMNS), *map(_cells, [*table, total])]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def kb(size: int) -> str:
    """`1536` → `"1.5"`, `2048000` → `"2,000"`."""
    return f"{size / 1024:,.1f}" if size < 102_400 else f"{size / 1024:,.0f}"


def _cells(row: Row) -> tuple[str, ...]:
    return (row.label, *(f"{kb(size)} KB" if size else "-" for size in row[1:]))


def _owner(name: str, owners: Mapping[str, str]) -> str:
    """Bytecode belongs to whom its source belongs to."""
    path = PurePosixPath(name)
    module = path.name.split(".")[0] + ".py"
    folder = path.parent.parent if path.parent.name == "__pycache__" else path.parent
    source = (folder / module).as_posix()
    return owners.get(name) or owners.get(source) or APPLICATION


def _row(label: str, entries: Iterable[tuple[str, Sizes]]) -> Row:
    entries = list(entries)
    kinds = {"extensions": 0, "bytecode": 0, "other": 0}
    for name, size in entries:
        path = PurePosixPath(name)
        kind = "bytecode" if path.suffix == ".pyc" else "other"
        kinds["extensions" if ".so" in path.suffixes else kind] += size.unzipped
    unzipped, zipped = (sum(column) for column in zip(*(it for _, it in entries), strict=True))
    return Row(label, **kinds, unzipped=unzipped, zipped=zipped)
