"""A layer's zip, unpacked where processes can read it and not write to it, as Lambda does it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

OPT = "/opt"

MOUNT = f"""
mount --bind "$1" {OPT} && mount -o remount,bind,ro {OPT} || exit 125
shift
exec "$@"
"""
"""In a namespace of its own: nobody else's /opt changes, and it ends with the process."""

NAMESPACES = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))
"""For root, and for users where the system lets them."""

FOREIGN = ("PYTHON", "MANGUM_", "COVERAGE", "VIRTUAL_ENV")
"""What variables of the environment begin with that no function on Lambda has."""


class Opt(NamedTuple):
    """An unpacked layer. `root` is the folder as the processes see it that `command` starts."""

    folder: Path
    root: str
    namespace: Sequence[str]

    @property
    def is_mounted(self) -> bool:
        return self.root == OPT

    def command(self, *words: object) -> list[str]:
        return [*self.namespace, *map(str, words)]

    def environ(self, *folders: object, **more: str) -> dict[str, str]:
        """That of this process, with the layer on Python's path, and `folders` behind it."""
        own = {name: it for name, it in os.environ.items() if not name.startswith(FOREIGN)}
        return {**own, "PYTHONPATH": ":".join([f"{self.root}/python", *map(str, folders)]), **more}

    def files(self) -> Mapping[str, tuple[int, int]]:
        """Size and date of each file, and of each folder, for a change would show there."""
        found = {path.relative_to(self.folder): path.stat() for path in self.folder.rglob("*")}
        return {it.as_posix(): (stat.st_size, stat.st_mtime_ns) for it, stat in found.items()}


@contextlib.contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Opt]:
    """The layer at /opt for the processes that its `command` starts, where the system allows that,
    or else in `folder`. Read-only."""
    with zipfile.ZipFile(archive) as layer:
        layer.extractall(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        namespace = _namespace(folder)
        yield Opt(folder, OPT if namespace else str(folder), namespace)
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)


def _namespace(folder: Path) -> list[str]:
    """What a command begins with that is to see `folder` at /opt; nothing if that can't be."""
    if not (shutil.which("unshare") and shutil.which("mount") and Path(OPT).is_dir()):
        return []
    for words in NAMESPACES:
        command = [*words, "sh", "-c", MOUNT, "sh", str(folder)]
        tried = subprocess.run(
            [*command, "test", "-d", f"{OPT}/python"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return command
    return []
