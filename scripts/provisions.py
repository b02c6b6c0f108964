"""The programs that tests start, servers and a browser: installs those that are missing.

Only where it may: as root, with Debian's or Ubuntu's package manager. Elsewhere, and where that
fails, the tests that need it are skipped, and say so.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess

PACKAGES = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "postgresql": ("postgres", "/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres"),
    "redis-server": ("redis-server", "valkey-server"),
}
"""Debian's packages, and the programs of which one must be there: on the `PATH`, or at a path."""


def missing() -> list[str]:
    """The packages of which no program is here."""
    return [
        package
        for package, programs in PACKAGES.items()
        if not any(shutil.which(it) or glob.glob(it) for it in programs)
    ]


def provide() -> list[str]:
    """Install what is missing, and return what is missing still."""
    wanted = missing()
    if wanted and os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(wanted)}", flush=True)
        _apt_get("update", "-q")
        for package in wanted:  # one that this system lacks must not take the others with it
            _apt_get("install", "-q", "-y", "--no-install-recommends", package)
    return missing()


def _apt_get(*arguments: str) -> None:
    # The packages would start servers of their own, which nobody needs.
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        ("apt-get", *arguments),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        print(f"$ apt-get {' '.join(arguments)}\n{done.stdout.rstrip()}", flush=True)


if __name__ == "__main__":
    for package in provide():
        print(f"missing: {package} (Debian: apt-get install {package})")
