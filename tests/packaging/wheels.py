"""Makes small wheels on the spot, so that no test needs a package index."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PURE = "py3-none-any"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files are to make the same wheel


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    requires: Sequence[str] = (),
    tags: str | Sequence[str] = PURE,
) -> Path:
    """Write `folder/NAME-VERSION-TAG.whl` with the files, by their paths, and its metadata.

    Several tags are given as one compressed text, `"cp313-cp313-manylinux_2_17_x86_64"`, or as a
    list of texts of the same Python and ABI, `["py3-none-manylinux_2_17_x86_64", …]`.
    """
    tags = [tags] if isinstance(tags, str) else list(tags)
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    info = f"{stem}.dist-info"
    contents = {path: _encode(content) for path, content in files.items()}
    contents.setdefault(f"{info}/METADATA", _metadata(name, version, requires))
    contents.setdefault(f"{info}/WHEEL", _wheel(tags))
    contents[f"{info}/RECORD"] = _record(contents, f"{info}/RECORD")
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{stem}-{_compressed(tags)}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path, LONG_AGO)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return wheel


def _encode(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _metadata(name: str, version: str, requires: Sequence[str]) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, "", ""]).encode()


def _wheel(tags: Sequence[str]) -> bytes:
    pure = str(all(tag.endswith("-none-any") for tag in tags)).lower()
    lines = ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {pure}"]
    return "\n".join([*lines, *(f"Tag: {tag}" for tag in tags), ""]).encode()


def _record(contents: Mapping[str, bytes], own: str) -> bytes:
    rows = [f"{path},{_digest(content)},{len(content)}" for path, content in contents.items()]
    return "\n".join([*rows, f"{own},,", ""]).encode()


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return "sha256=" + digest.decode().rstrip("=")


def _compressed(tags: Sequence[str]) -> str:
    """`["py3-none-a", "py3-none-b"]` → `"py3-none-a.b"`."""
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(dict.fromkeys(part)) for part in parts)
