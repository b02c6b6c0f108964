"""The bodies that are sent in and out, the same in every process."""

from __future__ import annotations

import base64
import functools
import json
import random
from typing import NamedTuple

KIB = 1024
MIB = 1024 * KIB


class Payload(NamedTuple):
    """A body and its content type."""

    data: bytes
    content_type: str

    @property
    def is_binary(self) -> bool:
        return self.content_type == "application/octet-stream"

    @property
    def text(self) -> str:
        """As it stands in an event: text as it is, binary in base64."""
        return base64.b64encode(self.data).decode() if self.is_binary else self.data.decode()


NONE = "none"
PAYLOADS = (NONE, "10kb", "1mb", "4mb")
"""No body, 10 KB and 1 MB of text, 4 MB of binary."""


@functools.cache
def payload(name: str) -> Payload:
    if name == NONE:
        return Payload(b"", "application/json")
    if name == "10kb":
        return Payload(b"x" * 10 * KIB, "application/json")
    if name == "1mb":
        return Payload(_json_text(MIB), "application/json")
    if name == "4mb":
        return Payload(random.Random(0).randbytes(4 * MIB), "application/octet-stream")
    raise KeyError(name)


def _json_text(size: int) -> bytes:
    """A list of records as an API would return it, padded to its last byte."""
    records = []
    left = size - len("[]") - len(", ")
    for number in range(size):
        record = json.dumps(
            {"id": number, "name": f"item {number}", "price": number * 1.5, "tags": ["a", "b"]}
        )
        left -= len(record) + len(", ")
        if left < 0:
            break
        records.append(record)
    text = f"[{', '.join(records)}]"
    return text.ljust(size).encode()
