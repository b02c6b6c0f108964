"""Which files of a folder are a function's, and what becomes of the odd ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mangum.packaging.application import (
    ANYWHERE,
    AT_THE_TOP,
    MAYBE_SECRETS,
    SECRETS,
    Application,
    CannotRead,
    LeftOut,
    collect,
    copy,
)

KEY = "-----BEGIN RSA PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n"


def make(folder: Path, *names: str, text: str = "") -> Path:
    """The files; a name that ends in a slash is that of a folder with a file in it."""
    for name in names:
        path = folder / name / "file" if name.endswith("/") else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def example(pattern: str) -> str:
    """A name that a pattern of the tables matches."""
    return pattern.replace("y*ml", "yaml").replace("*", "x")


def taken(folder: Path, include: Sequence[str] = ()) -> list[str]:
    return list(collect(folder, include=include).files)


@pytest.fixture
def function(tmp_path: Path) -> Path:
    return make(tmp_path / "function", "main.py")


# --- the tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "pattern"),
    [(reason, it) for reason, row in ANYWHERE.items() for it in row if it != "*.pyc"],
)
def test_what_is_never_a_functions_is_left_out_anywhere(
    function: Path, reason: str, pattern: str
) -> None:
    name = example(pattern)
    found = collect(make(function, name, f"package/{name}/"))
    assert list(found.files) == ["main.py"]
    expected = [LeftOut(name, reason), LeftOut(f"package/{name}/", reason)]
    assert sorted(found.left_out) == sorted(expected)


@pytest.mark.parametrize(
    ("reason", "pattern"), [(reason, it) for reason, row in AT_THE_TOP.items() for it in row]
)
def test_what_is_left_out_at_the_top_is_taken_below(
    function: Path, reason: str, pattern: str
) -> None:
    name = example(pattern)
    found = collect(make(function, name, f"package/{name}"))
    assert list(found.files) == ["main.py", f"package/{name}"]
    assert found.left_out == [LeftOut(name, reason)]


@pytest.mark.parametrize("pattern", SECRETS)
def test_a_file_that_may_hold_secrets_is_left_out_and_named(function: Path, pattern: str) -> None:
    name = example(pattern)
    found = collect(make(function, name, f"package/{name}"))
    assert (list(found.files), found.left_out) == (["main.py"], [])
    assert sorted(found.secrets) == sorted([name, f"package/{name}"])


@pytest.mark.parametrize("pattern", MAYBE_SECRETS)
def test_certificates_are_taken_and_private_keys_are_not(function: Path, pattern: str) -> None:
    make(function, example(pattern), text=CERTIFICATE)
    make(function, f"package/{example(pattern)}", text=CERTIFICATE + KEY)
    found = collect(function)
    assert sorted(found.files) == ["main.py", example(pattern)]
    assert found.secrets == [f"package/{example(pattern)}"]


def test_a_virtual_environment_is_known_whatever_its_name(function: Path) -> None:
    found = collect(make(function, "env/pyvenv.cfg", "env/lib/it.py", "package/env.py"))
    assert list(found.files) == ["main.py", "package/env.py"]
    assert found.left_out == [LeftOut("env/", "a virtual environment")]


def test_everything_else_is_taken(function: Path) -> None:
    names = ["LICENSE", "README.md", "data.zip.json", "main.py", "page.html", "pyproject.toml"]
    assert taken(make(function, *names)) == names


def test_what_applications_serve_is_taken_though_it_is_hidden(function: Path) -> None:
    make(function, "static/.well-known/security.txt", "static/.cache", "uploads/.gitkeep")
    expected = ["main.py", "static/.well-known/security.txt", "uploads/.gitkeep"]
    assert taken(function) == expected


@pytest.mark.parametrize("include", ["dist", "d*", "dist/*"])
def test_what_is_included_is_taken_whatever_the_tables_say(function: Path, include: str) -> None:
    make(function, "dist/page.html")
    assert taken(function) == ["main.py"]
    assert taken(function, [include]) == ["dist/page.html", "main.py"]


def test_of_a_folder_that_is_left_out_a_part_can_be_included(function: Path) -> None:
    make(function, "dist/js/app.js", "dist/js/app.js.map", "dist/page.html", "node_modules/a.js")
    assert taken(function, ["dist/js/app.js"]) == ["dist/js/app.js", "main.py"]


def test_an_include_that_names_nothing_is_told(function: Path) -> None:
    found = collect(make(function, "page.html"), include=["page.html", "pages/*"])
    assert found.warnings == ["--include pages/* names nothing that is there"]


def test_bytecode_that_is_all_there_is_of_a_module_is_taken(function: Path) -> None:
    make(function, "own.pyc", "other.py", "other.pyc", "__pycache__/gone.pyc")
    assert taken(function) == ["main.py", "other.py", "own.pyc"]


def test_a_secret_can_be_included_by_name(function: Path) -> None:
    make(function, "certificates/api.key")
    assert taken(function, ["certificates/api.key"]) == ["certificates/api.key", "main.py"]


def test_what_is_about_to_be_written_is_not_taken(function: Path) -> None:
    make(function, "out/function.zip", "out/other.zip")
    found = collect(function, outputs=[function / "out" / ".." / "out" / "function.zip"])
    assert list(found.files) == ["main.py", "out/other.zip"]


# --- links, and what is no file -------------------------------------------------------------------


def test_links_are_followed_to_files_and_folders(function: Path, tmp_path: Path) -> None:
    make(tmp_path, "shared/util.py", text="x = 1\n")
    (function / "shared").symlink_to(tmp_path / "shared")
    (function / "util.py").symlink_to("../shared/util.py")
    found = collect(function)
    assert list(found.files) == ["main.py", "shared/util.py", "util.py"]
    assert copy(found, tmp_path / "stage") == []
    assert (tmp_path / "stage/util.py").read_text() == "x = 1\n"
    assert not (tmp_path / "stage/util.py").is_symlink()


def test_a_link_to_a_secret_is_left_out_under_any_name(function: Path, tmp_path: Path) -> None:
    make(tmp_path, "credentials")
    (function / "config").symlink_to(tmp_path / "credentials")
    found = collect(function)
    assert (list(found.files), found.secrets) == (["main.py"], ["config"])


@pytest.mark.parametrize("target", [".", "..", "/"])
def test_a_link_to_a_folder_that_holds_it_is_left_out(function: Path, target: str) -> None:
    make(function, "package/")
    (function / "package" / "link").symlink_to(target, target_is_directory=True)
    found = collect(function)
    assert list(found.files) == ["main.py", "package/file"]
    assert found.warnings == ["'package/link' is left out: a link to a folder that holds it"]


def test_what_can_not_be_in_a_zip_is_left_out_with_a_warning(function: Path) -> None:
    (function / "link").symlink_to("missing")
    (function / "loop").symlink_to("loop")
    os.mkfifo(function / "pipe")
    make(function, "back\\slash", "line\nbreak")
    os.close(os.open(os.fsencode(function) + b"/x\xff", os.O_CREAT))
    found = collect(function)
    assert list(found.files) == ["main.py"]
    assert found.warnings == [
        r"'back\\slash' is left out: its name is no text",
        r"'line\nbreak' is left out: its name is no text",
        "'link' is left out: a link to missing, where nothing is",
        "'loop' is left out: a link to loop, where nothing is",
        "'pipe' is left out: neither a file nor a folder",
        r"'x\\udcff' is left out: its name is no text",
    ]


def test_a_hidden_one_of_these_is_passed_over(function: Path) -> None:
    (function / ".#main.py").symlink_to("someone@example.org.1234")  # a lock of Emacs
    assert collect(function).warnings == []


def test_names_beyond_ascii_are_taken(function: Path) -> None:
    assert taken(make(function, "Zoë 1.html", "日本\u3000.txt")) == [
        *("Zoë 1.html", "main.py", "日本\u3000.txt")
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="a file that nobody can read is Linux's")
def test_a_file_that_can_not_be_read_is_an_error_that_names_it(
    function: Path, tmp_path: Path
) -> None:
    (function / "memory").symlink_to("/proc/self/mem")  # who reads its begin gets an error
    with pytest.raises(CannotRead, match=r"^can't pack .*/function/memory \(.*\): give it"):
        copy(collect(function), tmp_path / "stage")


# --- with the dependencies ------------------------------------------------------------------------


def staged(folder: Path, *names: str) -> Path:
    return make(folder / "stage", *names, text="dependency")


@pytest.mark.parametrize(
    ("own", "dependency", "expected"),
    [
        ("six.py", "six.py", ["six.py takes the place of a dependency's"]),
        (
            "main.py",
            "main/__init__.py",
            ["main.py is never imported: the package main of a dependency is"],
        ),
        (
            "six/__init__.py",
            "six.py",
            ["the package six hides the module six.py of a dependency"],
        ),
        ("json/__init__.py", "other.py", ["json hides the standard library's module of that name"]),
        ("google/mine.py", "google/auth/__init__.py", []),
        ("package/main.py", "main.py", []),
    ],
)
def test_what_hides_what_is_told(
    tmp_path: Path, own: str, dependency: str, expected: list[str]
) -> None:
    function = make(tmp_path / "function", own, text="own")
    stage = staged(tmp_path, dependency)
    assert copy(collect(function), stage) == expected
    assert (stage / own).read_text() == "own"


def test_programs_stay_programs_and_all_files_can_be_read(function: Path, tmp_path: Path) -> None:
    make(function, "bin/run")
    (function / "bin" / "run").chmod(0o700)
    (function / "main.py").chmod(0o400)
    copy(collect(function), tmp_path / "stage")
    modes = {name: (tmp_path / "stage" / name).stat().st_mode & 0o777 for name in taken(function)}
    assert modes == {"bin/run": 0o755, "main.py": 0o644}


def test_a_folder_that_is_not_there_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotRead, match="No such file"):
        collect(tmp_path / "missing")


def test_nothing_is_an_application_too(tmp_path: Path) -> None:
    assert collect(tmp_path) == Application()
