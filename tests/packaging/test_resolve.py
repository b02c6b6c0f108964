"""Wheels for a target, from a folder that stands for the index."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mangum.packaging.distributions import distributions
from mangum.packaging.resolve import MISSING_UV, CannotResolve, Wanted, install, named
from mangum.packaging.targets import Target
from tests.packaging.conftest import HERE, wanted
from tests.packaging.wheels import make_wheel

OLD, ARM64 = Target("3.10", "x86_64"), Target("3.13", "arm64")


def found(folder: Path) -> list[str]:
    return [f"{it.name} {it.version}" for it in distributions(folder)]


def test_the_newest_that_is_allowed_comes_with_what_it_needs(tmp_path: Path, index: Path) -> None:
    for version in ("1.0", "1.1", "2.0"):
        make_wheel(index, "tool", version, {"tool.py": ""}, requires=["part"])
    make_wheel(index, "part", "3.0", {"part/__init__.py": ""})
    install(wanted(index, "tool<2"), HERE, tmp_path / "to")
    assert found(tmp_path / "to") == ["part 3.0", "tool 1.1"]
    assert sorted(it.name for it in (tmp_path / "to").iterdir() if "." not in it.name) == ["part"]
    assert not (tmp_path / "to" / ".lock").exists()


def test_markers_are_those_of_the_target(tmp_path: Path, index: Path) -> None:
    """Which this interpreter and this machine need not be."""
    markers = {
        "for-old": "python_version < '3.11'",
        "for-arm": "platform_machine == 'aarch64'",
        "for-linux": "sys_platform == 'linux'",
    }
    requires = [f"{name}; {marker}" for name, marker in markers.items()]
    make_wheel(index, "tool", "1.0", {"tool.py": ""}, requires)
    for name in markers:
        make_wheel(index, name, "1.0", {f"{name.replace('-', '_')}.py": ""})
    for target, expected in ((OLD, "for-old"), (ARM64, "for-arm")):
        install(wanted(index, "tool"), target, tmp_path / target.arch)
        names = [it.partition(" ")[0] for it in found(tmp_path / target.arch)]
        assert names == sorted([expected, "for-linux", "tool"])


def test_of_several_wheels_the_targets_is_taken(tmp_path: Path, index: Path) -> None:
    for machine in ("x86_64", "aarch64"):
        tag = f"cp313-cp313-manylinux_2_17_{machine}"
        make_wheel(index, "fast", "1.0", {"fast.txt": machine}, tags=tag)
    install(wanted(index, "fast"), ARM64, tmp_path / "to")
    assert (tmp_path / "to" / "fast.txt").read_text(encoding="utf-8") == "aarch64"


def test_a_wheel_for_a_newer_glibc_is_not_taken_for_an_old_one(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "fast", "2", {"a.py": ""}, tags="cp310-cp310-manylinux_2_28_x86_64")
    make_wheel(index, "fast", "1", {"a.py": ""}, tags="cp310-cp310-manylinux2014_x86_64")
    install(wanted(index, "fast"), OLD, tmp_path / "to")
    assert found(tmp_path / "to") == ["fast 1"]


def test_a_package_without_a_wheel_for_the_target_is_named(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", {"tool.py": ""}, requires=["fast"])
    make_wheel(index, "fast", "1.0", {"a.py": ""}, tags="cp313-cp313-manylinux_2_17_x86_64")
    with pytest.raises(CannotResolve) as caught:
        install(wanted(index, "tool"), ARM64, tmp_path / "to")
    head, *explained = str(caught.value).splitlines()
    assert head == (
        "no wheel for Python 3.13 on arm64 of fast: choose a version that has one, or build one"
        " and name its folder with --find-links"
    )
    assert any("aarch64" in line for line in explained)


def test_requirements_that_contradict_each_other_are_explained(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", {"tool.py": ""})
    with pytest.raises(CannotResolve) as caught:
        install(wanted(index, "tool", "tool>1"), HERE, tmp_path / "to")
    assert str(caught.value).startswith(f"the requirements can't be resolved for {HERE}:\n")
    assert "tool>1" in str(caught.value)


def test_a_requirements_file_that_is_none_is_told(tmp_path: Path, index: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("<html>\n", encoding="utf-8")
    with pytest.raises(CannotResolve, match=r"requirements\.txt"):
        install(wanted(index, files=(file,)), HERE, tmp_path / "to")


@pytest.mark.parametrize("offline", [True, False])
def test_a_wheel_that_was_built_anew_is_the_one_that_is_taken(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    monkeypatch.setenv("UV_NO_INDEX", "1")
    for number in ("1", "2"):
        make_wheel(index, "tool", "1.0", {"tool.txt": number})
        install(Wanted(["tool"], find_links=[str(index)], offline=offline), HERE, tmp_path / number)
        assert (tmp_path / number / "tool.txt").read_text(encoding="utf-8") == number


def test_constraints_hold_for_what_is_needed_too(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", {"tool.py": ""}, requires=["part"])
    for version in ("1.0", "2.0"):
        make_wheel(index, "part", version, {"part.py": ""})
    held = Wanted(
        ["tool"], find_links=[str(index)], constraints=["part==1.0", "absent==1"], offline=True
    )
    install(held, None, tmp_path / "to")
    assert found(tmp_path / "to") == ["part 1.0", "tool 1.0"]


def test_a_password_in_an_index_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    lines = "--index-url http://user:s3cret@127.0.0.1:9/\ntool @ {url}\n"
    url = "http://127.0.0.1:9/tool-1-py3-none-any.whl?token=s3cret"
    file.write_text(lines.format(url=url), encoding="utf-8")
    with pytest.raises(CannotResolve) as caught:
        install(Wanted(files=[file]), HERE, tmp_path / "to")
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_is_asked_for_itself_is_known(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("Zope.Interface>=5 ; python_version > '3'\n")
    file = tmp_path / "requirements.txt"
    file.write_text("# comment\n-r more/base.txt\n--find-links here\n boto3[crt]==1\n-e .\n")
    asked = Wanted(["uvicorn>=0.4"], [file])
    assert named(asked) == {"boto3", "uvicorn", "zope-interface"}


def test_without_uv_the_message_says_how_to_get_it(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uv", None)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(CannotResolve) as caught:
        install(wanted(index, "tool"), HERE, tmp_path / "to")
    assert str(caught.value) == MISSING_UV
