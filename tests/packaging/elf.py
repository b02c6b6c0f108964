"""Libraries for any machine, as small as the loader's view of them can be."""

from __future__ import annotations

import struct

MACHINES = {"x86_64": 62, "aarch64": 183, "riscv64": 243}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_NEED = struct.Struct("<HHIII")
_NEED_VERSION = struct.Struct("<IHHII")

_STRTAB, _VERNEED = 3, 0x6FFFFFFE
_IDENT = b"\x7fELF\x02\x01\x01" + bytes(9)


def library(machine: str, *symbol_versions: str) -> bytes:
    """A shared library that needs these versions of symbols, `"GLIBC_2.17"`, of libc."""
    names = b"\0libc.so.6\0" + b"".join(it.encode() + b"\0" for it in symbol_versions)
    sections = [(b"", 0, b"", 0, 0), (b".dynstr", _STRTAB, names, 0, 0)]
    if symbol_versions:
        needs = _needs(names, symbol_versions)
        sections.append((b".gnu.version_r", _VERNEED, needs, 1, 1))
    titles = b"\0" + b"".join(name + b"\0" for name, *_ in sections[1:]) + b".shstrtab\0"
    sections.append((b".shstrtab", _STRTAB, titles, 0, 0))
    body, table = b"", b""
    for name, kind, content, link, info in sections:
        offset = _HEADER.size + len(body) if kind else 0
        title = titles.index(name + b"\0") if name else 0
        table += _SECTION.pack(title, kind, 0, 0, offset, len(content), link, info, 1, 0)
        body += content
    start = _HEADER.size + len(body)
    count = len(sections)
    head = (_IDENT, 3, MACHINES[machine], 1, 0, 0, start, 0, _HEADER.size, 0, 0)
    return _HEADER.pack(*head, _SECTION.size, count, count - 1) + body + table


def _needs(names: bytes, symbol_versions: tuple[str, ...]) -> bytes:
    count = len(symbol_versions)
    entries = _NEED.pack(1, count, names.index(b"libc.so.6"), _NEED.size, 0)
    for number, version in enumerate(symbol_versions, 1):
        more = _NEED_VERSION.size if number < count else 0
        entries += _NEED_VERSION.pack(0, 0, number + 1, names.index(version.encode()), more)
    return entries
