"""Zips that are the same for the same files."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from mangum.packaging import archive


def tree(folder: Path, names: list[str], *, mode: int = 0o600, date: int = 0) -> Path:
    folder.mkdir()
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n" * 9, encoding="utf-8")
        path.chmod(mode)
        os.utime(path, (date, date))
    return folder


def test_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    names = ["b.py", "a/b/c.txt", "a.py", "é.txt"]
    first = archive.write(tree(tmp_path / "1", names), tmp_path / "1.zip")
    later = tree(tmp_path / "2", names[::-1], mode=0o644, date=1_700_000_000)
    second = archive.write(later, tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert first.sha256 == second.sha256
    assert list(first.entries) == ["a.py", "a/b/c.txt", "b.py", "é.txt"]


def test_every_user_may_read_what_is_unpacked(tmp_path: Path) -> None:
    folder = tree(tmp_path / "1", ["data.txt", "run.sh"])
    (folder / "run.sh").chmod(0o700)
    written = archive.write(folder, tmp_path / "1.zip")
    with zipfile.ZipFile(written.path) as opened:
        modes = {it.filename: oct(it.external_attr >> 16) for it in opened.infolist()}
        assert all(it.create_system == archive.UNIX for it in opened.infolist())
    assert modes == {"data.txt": "0o100644", "run.sh": "0o100755"}


def test_sizes_are_told(tmp_path: Path) -> None:
    written = archive.write(tree(tmp_path / "1", ["a.txt"]), tmp_path / "1.zip")
    assert written.entries["a.txt"].unzipped == len("content of a.txt\n" * 9) == written.unzipped
    assert 0 < written.entries["a.txt"].zipped < written.unzipped
    assert written.size == (tmp_path / "1.zip").stat().st_size


def test_an_older_zip_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "1.zip"
    target.write_bytes(b"old")
    archive.write(tree(tmp_path / "1", ["a.txt"]), target)
    assert zipfile.is_zipfile(target)
    assert sorted(it.name for it in tmp_path.iterdir()) == ["1", "1.zip"]


def test_what_fails_leaves_an_older_zip_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "1.zip"
    target.write_bytes(b"old")
    folder = tree(tmp_path / "1", ["a.txt"])

    def vanish(self: Path) -> bytes:
        raise OSError("gone")

    monkeypatch.setattr(Path, "read_bytes", vanish)
    with pytest.raises(OSError, match="gone"):
        archive.write(folder, target)
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["1", "1.zip"]
