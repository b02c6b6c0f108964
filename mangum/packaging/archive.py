"""A zip that is the same, byte for byte, for the same files."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that a zip knows
UNIX = 3
LEVEL = 9
FILE, PROGRAM = 0o644, 0o755  # readable for the user that Lambda runs a function as

MAX_UNZIPPED_BYTES = 250 * 1024**2
"""A function with all its layers.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

MAX_UPLOAD_BYTES = 50 * 1024**2
"""A zip that is given with the call; a larger one comes from S3."""


class Sizes(NamedTuple):
    unzipped: int
    zipped: int


class Archive(NamedTuple):
    path: Path
    sha256: str
    entries: Mapping[str, Sizes]  # `{"python/mangum/__init__.py": Sizes(…)}`

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def unzipped(self) -> int:
        return sum(sizes.unzipped for sizes in self.entries.values())


def write(folder: Path, path: Path) -> Archive:
    """Zip every file below `folder`. Written beside and renamed, so that `path` is never half."""
    names = {it.relative_to(folder).as_posix(): it for it in folder.rglob("*") if it.is_file()}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
            for name, source in sorted(names.items()):
                _add(archive, name, source)
            entries = {
                info.filename: Sizes(info.file_size, info.compress_size)
                for info in archive.infolist()
            }
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return Archive(path, hashlib.sha256(path.read_bytes()).hexdigest(), entries)


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.create_system = UNIX
    entry.compress_type = zipfile.ZIP_DEFLATED
    mode = PROGRAM if source.stat().st_mode & stat.S_IXUSR else FILE
    entry.external_attr = (stat.S_IFREG | mode) << 16
    archive.writestr(entry, source.read_bytes(), compresslevel=LEVEL)
