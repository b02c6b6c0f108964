"""Colours, on a terminal only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

Painter = Callable[[str, str], str]
"""Takes the name of a style and a text, and returns the text in that style."""

_CODES = {"bold": "1", "dim": "2", "red": "1;31", "green": "1;32", "yellow": "1;33", "cyan": "1;36"}


def painter(stream: TextIO) -> Painter:
    """Colours if the stream is a terminal that has them, and NO_COLOR is not set.

    Source: https://no-color.org
    """
    dumb = os.environ.get("TERM") == "dumb"
    return plain if os.environ.get("NO_COLOR") or dumb or not stream.isatty() else _coloured


def plain(style: str, text: str) -> str:
    return text


def _coloured(style: str, text: str) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
