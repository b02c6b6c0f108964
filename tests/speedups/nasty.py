"""Texts and other values that are drawn to be awkward on purpose."""

from __future__ import annotations

import re

from hypothesis import strategies as st

NASTY = '\ud800\udfff\0%+&=;:, /?#[]"\\\t\r\n~-_.é€😀\u0130\u202e\x7f\x80\xffaAfF09'
"""Lone surrogates, NUL, what URLs and headers treat specially, non-ASCII, hexadecimal digits."""

texts = st.text(NASTY) | st.text()
escapes = st.lists(
    st.sampled_from(["%", "%2", "%zz", "%25", "%2F", "%ff", "%C3%A9", "%e2%82", "+", "é", "a"])
    | texts,
    max_size=6,
).map("".join)
"""Percent-encoded text, well or badly."""


def without_surrogates(text: str) -> str:
    """What is left of a text when it has been written as UTF-8."""
    return re.sub("[\ud800-\udfff]", "?", text)
