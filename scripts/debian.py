"""Packages of any release and architecture of Debian, unpacked into a folder and never installed.

apt does it, with a state of its own: it finds what a package depends on, and checks signatures.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"  # what comes from it is signed
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEEDED = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    KEYRING: "debian-archive-keyring",
}
"""Programs and files, and the packages of this system that have them."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MERGED = ("bin", "lib", "lib64", "sbin")  # links to the same below usr/
TRIES = 3  # a mirror may change between the reading of its list and a download
TIMEOUT_S = 600


class CannotUnpack(Exception):
    """The message is the reason, in one line."""


def unpack(
    folder: Path, suite: str, machine: str, packages: Sequence[str], alone: Sequence[str] = ()
) -> None:
    """Put `packages` of a release with what they depend on, and those in `alone` without it, into
    an empty folder. Raises `CannotUnpack`."""
    lacking = [it for it, package in NEEDED.items() if not (shutil.which(it) or Path(it).exists())]
    if lacking:
        names = " ".join(dict.fromkeys(NEEDED[it] for it in lacking))
        raise CannotUnpack(
            f"{', '.join(lacking)} is missing (Debian, Ubuntu: apt-get install {names})"
        )
    for name in MERGED:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    with tempfile.TemporaryDirectory() as temporary:
        for file in _download(Path(temporary), suite, machine, packages, alone):
            _extract(file, folder)


def _download(
    state: Path, suite: str, machine: str, packages: Sequence[str], alone: Sequence[str]
) -> list[Path]:
    apt_get = ["apt-get", "-q", "-y", *_options(state, suite, ARCHITECTURES[machine])]
    archives = state / "cache" / "archives"
    for attempt in range(1, TRIES + 1):
        try:
            _run([*apt_get, "update"], state)
            if packages:
                _run([*apt_get, "install", "--download-only", *packages], state)
            if alone:
                _run([*apt_get, "download", *alone], archives)
            break
        except CannotUnpack:
            if attempt == TRIES:
                raise
    return sorted(archives.glob("*.deb"))


def _options(state: Path, suite: str, architecture: str) -> list[str]:
    """Nothing of this system's own apt is read or written."""
    for name in ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()  # as if nothing were installed
    sources = state / "etc" / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n", encoding="utf-8")
    settings = {
        "Dir::Etc": state / "etc",
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",  # no other user may write here
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
        "Debug::NoLocking": "true",  # of the system's dpkg
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _extract(archive: Path, folder: Path) -> None:
    """As dpkg does, through the links from `lib` to `usr/lib`, which old packages know not of."""
    content = archive.with_suffix(".tar")
    with content.open("wb") as file:
        _run(["dpkg-deb", "--fsys-tarfile", str(archive)], folder, file)
    tar = ["tar", "-x", "-f", str(content), "--keep-directory-symlink", "--no-same-owner"]
    _run(
        [*tar, "--exclude=./dev", "--exclude=./usr/share/doc", "--exclude=./usr/share/man"], folder
    )
    content.unlink()


def _run(command: list[str], folder: Path, output: object = subprocess.PIPE) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise CannotUnpack(f"{command[0]} ended with exit code {done.returncode}: {said[-500:]}")
