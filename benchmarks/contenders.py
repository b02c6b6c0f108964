"""The three that are compared, each in a process of its own, and where mangum 0.22.0 comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPILED, PURE, UPSTREAM = "compiled", "pure", "0.22.0"
CONTENDERS = (COMPILED, PURE, UPSTREAM)
UPSTREAM_FOLDER = ROOT / ".venv" / f"mangum-{UPSTREAM}"


class ContenderFailed(Exception):
    """A contender can't be had; the message says why."""


def fetch_upstream() -> Path:
    """The folder that mangum 0.22.0 is in, which the package index gives at the first time."""
    if not UPSTREAM_FOLDER.exists():
        parts = UPSTREAM_FOLDER.with_name(f"{UPSTREAM_FOLDER.name}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--target", str(parts), f"mangum=={UPSTREAM}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(parts, ignore_errors=True)
            raise ContenderFailed(f"mangum {UPSTREAM} can't be installed.\n{done.stderr.strip()}")
        try:
            parts.rename(UPSTREAM_FOLDER)
        except OSError:  # another process was faster
            shutil.rmtree(parts)
    return UPSTREAM_FOLDER


def environment(contender: str) -> dict[str, str]:
    """The environment variables of a contender's process, without any of AWS's."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MANGUM"))
    }
    variables |= {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONHASHSEED": "0"}
    if contender == PURE:
        variables["MANGUM_PURE_PYTHON"] = "1"
    return variables


def enter(contender: str) -> dict[str, object]:
    """Make `import mangum` give this contender, and say what it is; to be called once, before it.

    Raises `ContenderFailed` for another one than was asked for.
    """
    # the runtime client and the adapter both look at it
    os.environ["AWS_EXECUTION_ENV"] = "AWS_Lambda_python{}.{}".format(*sys.version_info)
    if contender == UPSTREAM:
        sys.path.insert(0, str(UPSTREAM_FOLDER))
    import mangum

    folder = Path(mangum.__file__).parent.parent
    if (folder == UPSTREAM_FOLDER) != (contender == UPSTREAM):
        raise ContenderFailed(f"{contender} is wanted, but mangum was imported from {folder}.")
    compiled = contender != UPSTREAM and _is_compiled()
    if compiled != (contender == COMPILED):
        raise ContenderFailed(f"this build of mangum runs {'compiled' if compiled else 'pure'}.")
    return {"python": sys.version.split()[0], "version": getattr(mangum, "__version__", UPSTREAM)}


def version_of(python: str) -> str:
    """`"3.13"`, of an interpreter."""
    command = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _is_compiled() -> bool:
    from mangum import _speedups

    return _speedups.COMPILED
