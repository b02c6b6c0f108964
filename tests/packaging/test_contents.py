"""What lies in a folder and in a zip, by distribution."""

from __future__ import annotations

from pathlib import Path

from mangum.packaging import archive, contents
from mangum.packaging.contents import APPLICATION, Row
from mangum.packaging.distributions import canonical, distributions
from mangum.packaging.resolve import install
from tests.packaging.conftest import HERE, wanted
from tests.packaging.wheels import make_wheel

METADATA = """\
Metadata-Version: 2.1
Name: Some.Tool
Version: 1.0
Requires-Dist: part>=2
Requires-Dist: extra-part; extra == "full"
{lines}

License: of the body, which is none
"""


def described(folder: Path, index: Path, *lines: str) -> tuple[str, str]:
    metadata = METADATA.format(lines="\n".join(lines)).replace("\n\n\n", "\n\n")
    make_wheel(index, "Some.Tool", "1.0", {"Some_Tool-1.0.dist-info/METADATA": metadata})
    make_wheel(index, "part", "2", {})
    install(wanted(index, "some-tool"), HERE, folder)
    tool = next(it for it in distributions(folder) if it.key == "some-tool")
    assert tool.requires == ["part>=2", 'extra-part; extra == "full"']
    return tool.license, tool.home_page


def test_a_license_expression_is_taken(tmp_path: Path, index: Path) -> None:
    lines = ("License-Expression: MIT AND BSD-2-Clause", "License: something else")
    assert described(tmp_path / "to", index, *lines)[0] == "MIT AND BSD-2-Clause"


def test_a_license_by_classifier_is_named(tmp_path: Path, index: Path) -> None:
    text = f"License: {'a whole text ' * 20}"
    classifier = "Classifier: License :: OSI Approved :: MIT License"
    assert described(tmp_path / "to", index, text, classifier)[0] == "MIT License"


def test_a_license_that_is_not_told_is_empty(tmp_path: Path, index: Path) -> None:
    link = "Project-URL: Source, https://example.org/tool"
    assert described(tmp_path / "to", index, link) == ("", "https://example.org/tool")


def test_files_are_those_of_the_record_that_are_there(tmp_path: Path, index: Path) -> None:
    info = "Tool-1.0.dist-info"
    contents = {"tool.py": "", f"{info}/licenses/deep/NOTICE": "", f"{info}/LICENSE.txt": ""}
    make_wheel(index, "Tool", "1.0", contents)
    install(wanted(index, "tool"), HERE, tmp_path / "to")
    (tmp_path / "to" / "tool.py").unlink()
    [tool] = distributions(tmp_path / "to")
    assert tool.license_files == [f"{info}/LICENSE.txt", f"{info}/licenses/deep/NOTICE"]
    assert "tool.py" not in tool.files
    assert f"{info}/RECORD" in tool.files


def test_names_are_compared_as_the_index_does() -> None:
    assert canonical("Zope.Interface") == canonical("zope__interface") == "zope-interface"


def test_each_file_counts_for_who_brought_it(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", {"tool/__init__.py": "#" * 50, "tool/a.so": "x" * 10})
    stage = tmp_path / "stage"
    install(wanted(index, "tool"), HERE, stage / "python")
    found = distributions(stage / "python")
    extra = {
        "python/tool/__pycache__/__init__.cpython-313.pyc": 30,
        "python/tool/later.txt": 1,
        "python/main.py": 5,
        "python/main.pyc": 7,
    }
    for name, size in extra.items():
        (stage / name).parent.mkdir(exist_ok=True)
        (stage / name).write_bytes(b"x" * size)
    table = contents.rows(archive.write(stage, tmp_path / "it.zip"), found, "python/")
    rows = {row.label: row for row in table}
    assert set(rows) == {"tool 1.0", APPLICATION}
    assert rows["tool 1.0"][1:3] == (10, 30)
    assert rows[APPLICATION][1:5] == (0, 7, 6, 13)
    assert table[0].label == "tool 1.0"


def test_the_table_is_aligned_and_summed_up() -> None:
    table = [Row("tool 1.0", 0, 2048, 1024, 3072, 1536), Row("it", 204_800, 0, 0, 204_800, 100)]
    assert contents.text(table).splitlines() == [
        "          extensions  bytecode  other files  unzipped  zipped",
        "tool 1.0           -    2.0 KB       1.0 KB    3.0 KB  1.5 KB",
        "it            200 KB         -            -    200 KB  0.1 KB",
        "together      200 KB    2.0 KB       1.0 KB    203 KB  1.6 KB",
    ]
