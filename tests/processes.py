"""Runs Python source in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
STRICT = ("-W", "error")
HANG_S = 60  # a process that takes longer hangs


def run_python(
    source: str,
    *,
    options: Sequence[str] = STRICT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the source to its end. Raises `subprocess.TimeoutExpired` for a process that hangs."""
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(source)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


def output_of(source: str, *, env: Mapping[str, str] | None = None) -> list[str]:
    """The lines printed by a process that must end well, and say nothing on stderr."""
    done = run_python(source, env=env)
    assert (done.stderr, done.returncode) == ("", 0), f"exit code {done.returncode}: {done.stderr}"
    return done.stdout.splitlines()
