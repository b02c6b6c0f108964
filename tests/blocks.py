"""Runs the Python blocks of a page: `python -m tests.blocks PAGE`.

They share one module, from top to bottom, in a process that has configured nothing else. The exit
code is `SKIPPED`, after a line with the reason, if a framework that a block needs is missing.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType

from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser

SKIPPED = 77
FENCE = re.compile(r"^\s*(?:```|~~~)\s*(?:python|py)\b.*$", re.IGNORECASE | re.MULTILINE)

# A page is skipped where one of these is not installed.
OPTIONAL = {
    "channels",
    "django",
    "falcon",
    "fastapi",
    "litestar",
    "pydantic",
    "quart",
    "responder",
    "sanic",
    "starlette",
}


def main(path: str) -> int:
    document = Document.parse(path, PythonCodeBlockParser())
    examples = list(document.examples())
    fences = FENCE.findall(document.text)
    if len(examples) != len(fences):
        print(f"each Python block has to start with a plain ```python: {fences}", file=sys.stderr)
        return 1
    # A real module: frameworks look theirs up by name.
    page = sys.modules["page"] = ModuleType("page")
    for example in examples:
        example.namespace = vars(page)
        try:
            example.evaluate()
        except ModuleNotFoundError as error:
            if error.name not in OPTIONAL:
                raise
            print(f"line {example.line}: {error.name} is not installed", file=sys.stderr)
            return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
