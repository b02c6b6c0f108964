"""A contender's process: `python -m benchmarks.worker NAME` answers one command a line.

`{"check": {…row…}}` makes the row and answers what it gives, `{"time": calls}` calls it again and
answers how long that took. Whatever an application prints goes to the standard error.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
import sys
from typing import Any

from benchmarks.contenders import ContenderFailed, enter
from benchmarks.rows import Row
from benchmarks.steps import Step

LONGEST_SHOWN = 120


def outline(value: Any) -> Any:
    """A value as JSON, with a digest in place of whatever is long."""
    if isinstance(value, dict):
        return {str(key): outline(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [outline(item) for item in value]
    if isinstance(value, (str, bytes)) and len(value) > LONGEST_SHOWN:
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        return f"{type(value).__name__} of {len(value)}, sha256 {hashlib.sha256(data).hexdigest()}"
    return repr(value) if isinstance(value, bytes) else value


class Worker:
    def __init__(self, contender: str) -> None:
        self.contender = contender
        self.step: Step | None = None

    def check(self, row: dict[str, Any]) -> Any:
        self.step = None
        gc.unfreeze()
        gc.collect()
        self.step = Step(Row(**row), self.contender)
        seen = outline(self.step.look())
        # what is here now is not the calls' to clean up
        gc.collect()
        gc.freeze()
        return seen

    def time(self, calls: int) -> int:
        assert self.step is not None, "check a row first"
        return self.step.time_ns(calls)

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        ((name, argument),) = command.items()
        try:
            return {"answer": self.check(argument) if name == "check" else self.time(argument)}
        except Exception as exc:
            return {"error": f"{type(exc).__name__}: {exc}"}


def main() -> int:
    contender = sys.argv[1]
    logging.getLogger().addHandler(logging.NullHandler())  # the level stays: INFO is not written
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        first: dict[str, Any] = {"answer": enter(contender)}
    except ContenderFailed as exc:
        first = {"error": str(exc)}
    answers.write(json.dumps(first) + "\n")
    answers.flush()
    worker = Worker(contender)
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
