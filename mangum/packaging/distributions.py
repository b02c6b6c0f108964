"""What lies in a folder of installed packages, by the distribution that brought it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Distribution:
    """One of them, as its metadata tells. Files are relative to the folder."""

    name: str  # as it writes itself, "PyYAML"
    version: str
    files: Sequence[str]  # `["yaml/__init__.py", "PyYAML-6.0.dist-info/METADATA", …]`
    requires: Sequence[str]  # `["anyio<5,>=3.6.2", 'httpx; extra == "full"']`
    license: str  # an SPDX expression, or what stands for it; "" if it does not say
    home_page: str

    @property
    def key(self) -> str:
        return canonical(self.name)

    @property
    def license_files(self) -> list[str]:
        return [file for file in self.files if _LICENSE.search(file)]


_LICENSE = re.compile(
    r"\.dist-info/(licenses/.+|(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)$", re.IGNORECASE
)


def canonical(name: str) -> str:
    """`"Zope.Interface"` → `"zope-interface"`, by which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(line: str) -> str:
    """The key of what a requirement asks for, `" httpx[http2]>=0.27"` → `"httpx"`; "" of none."""
    name = re.match(r"\s*([A-Za-z0-9][\w.-]*)", line)
    return canonical(name[1]) if name else ""


def distributions(folder: Path) -> list[Distribution]:
    """Those in `folder`, by name. To be asked before anything is left out: RECORD tells it."""
    found = [_read(path, folder) for path in folder.glob("*.dist-info")]
    return sorted(found, key=lambda it: it.key)


def _read(info: Path, folder: Path) -> Distribution:
    text = (info / "METADATA").read_text(encoding="utf-8", errors="replace")
    metadata = Parser().parsestr(text, headersonly=True)
    return Distribution(
        name=metadata["Name"],
        version=metadata["Version"],
        files=_files(info, folder),
        requires=metadata.get_all("Requires-Dist", []),
        license=_license(metadata),
        home_page=_home_page(metadata),
    )


def _files(info: Path, folder: Path) -> list[str]:
    record = info / "RECORD"
    with record.open(encoding="utf-8", newline="") as lines:
        names = {PurePosixPath(row[0]).as_posix() for row in csv.reader(lines) if row}
    return sorted(name for name in names if (folder / name).is_file())


def _license(metadata: Message) -> str:
    """The expression; in older metadata a word, a classifier, or a whole text, which says less."""
    expression = metadata["License-Expression"]
    if expression:
        return str(expression)
    text = (metadata["License"] or "").strip()
    if text and "\n" not in text and len(text) < 60:
        return str(text)
    classifiers = metadata.get_all("Classifier", [])
    named = [it.split(" :: ")[-1] for it in classifiers if it.startswith("License :: ")]
    return " AND ".join(named)


def _home_page(metadata: Message) -> str:
    """The first link that a project names of itself."""
    links = [line.partition(",")[2].strip() for line in metadata.get_all("Project-URL", [])]
    return str(metadata["Home-page"] or next(iter(links), ""))
