"""The bill of materials beside a zip, held against CycloneDX's own schema."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mangum.packaging.archive import Archive, write
from mangum.packaging.distributions import Distribution, distributions
from mangum.packaging.prune import prune
from mangum.packaging.sbom import CannotWriteBill, bill_path, wheel_bills, write_sbom
from tests.packaging.wheels import make_wheel

EXTENSION = "fast/_speed.cpython-313-x86_64-linux-gnu.so"
INFO = "fast-1.0.dist-info"
BILL = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [
        {
            "type": "library",
            "name": "zlib",
            "version": "1.3",
            "purl": "pkg:generic/zlib@1.3?download_url=file:///home/builder/zlib",
            "licenses": [{"license": {"id": "Zlib"}}],
        },
        {"type": "library", "name": "either", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
        {"type": "library", "name": "fast", "version": "1.0", "purl": "pkg:pypi/fast@1.0"},
    ],
}


def metadata(*lines: str) -> str:
    return "\n".join(["Metadata-Version: 2.4", *lines, "", ""])


def fast_wheel(folder: Path, bill: object = BILL) -> Path:
    """With an extension, its licence, and a bill of what is compiled into it."""
    files: dict[str, str | bytes] = {
        "fast/__init__.py": "",
        EXTENSION: b"\x7fELF",
        f"{INFO}/METADATA": metadata(
            "Name: fast",
            "Version: 1.0",
            "License-Expression: BSD-2-Clause",
            "Home-page: https://example.org/fast",
            "Requires-Dist: Slow.Thing<2; python_version < '4'",
            "Requires-Dist: elsewhere",
        ),
        f"{INFO}/licenses/LICENSE": "Do as you like.",
        f"{INFO}/sboms/fast.cdx.json": bill if isinstance(bill, str) else json.dumps(bill),
    }
    return make_wheel(folder, "fast", "1.0", files)


def slow_wheel(folder: Path, *lines: str) -> Path:
    about = metadata("Name: slow-thing", "Version: 1.5", *lines)
    files = {"slow.py": "", "slow_thing-1.5.dist-info/METADATA": about}
    return make_wheel(folder, "slow-thing", "1.5", files)


def install(wheels: Sequence[Path], folder: Path) -> list[Distribution]:
    for wheel in wheels:
        zipfile.ZipFile(wheel).extractall(folder)
    return distributions(folder)


def bill_of(tmp_path: Path, *wheels: Path, version: str = "") -> tuple[Archive, dict[str, Any]]:
    """The zip of these, as a layer, and the bill that was written beside it."""
    folder = tmp_path / "stage" / "python"
    found = install(wheels, folder)
    bills = wheel_bills(folder, found)
    prune(folder, found)
    archive = write(tmp_path / "stage", tmp_path / "layer.zip")
    path = write_sbom(
        archive, found, version=version, prefix="python/", bills=bills, made_by="1.2.3"
    )
    assert path == tmp_path / "layer.cdx.json"
    text = path.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return archive, json.loads(text)


def component(bill: Mapping[str, Any], name: str) -> dict[str, Any]:
    (found,) = (it for it in bill["components"] if it["name"] == name)
    return dict(found)


def test_a_bill_names_the_zip_by_its_hash_and_what_made_it(tmp_path: Path) -> None:
    archive, bill = bill_of(tmp_path, slow_wheel(tmp_path), version="1.0")
    assert bill["metadata"] == {
        "component": {
            "bom-ref": "layer.zip",
            "type": "application",
            "name": "layer.zip",
            "version": "1.0",
            "hashes": [{"alg": "SHA-256", "content": archive.sha256}],
        },
        "tools": {"components": [{"type": "application", "name": "mangum", "version": "1.2.3"}]},
    }


def test_a_distribution_is_listed_with_its_license_and_its_machine_code(tmp_path: Path) -> None:
    _, bill = bill_of(tmp_path, fast_wheel(tmp_path))
    fast = component(bill, "fast")
    parts = fast.pop("components")
    assert fast == {
        "bom-ref": "pkg:pypi/fast@1.0",
        "type": "library",
        "name": "fast",
        "version": "1.0",
        "purl": "pkg:pypi/fast@1.0",
        "licenses": [{"license": {"id": "BSD-2-Clause"}}],
        "externalReferences": [{"type": "website", "url": "https://example.org/fast"}],
        "properties": [{"name": "mangum:license-file", "value": f"python/{INFO}/licenses/LICENSE"}],
    }
    assert [it for it in parts if it["type"] == "file"] == [
        {
            "bom-ref": f"pkg:pypi/fast@1.0#python/{EXTENSION}",
            "type": "file",
            "name": f"python/{EXTENSION}",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(b"\x7fELF").hexdigest()}],
        }
    ]


def test_what_a_wheel_says_is_compiled_into_it_is_listed_without_its_builders_paths(
    tmp_path: Path,
) -> None:
    _, bill = bill_of(tmp_path, fast_wheel(tmp_path))
    parts = [it for it in component(bill, "fast")["components"] if it["type"] == "library"]
    assert sorted(parts, key=lambda it: str(it["name"])) == [
        {
            "bom-ref": "pkg:pypi/fast@1.0#either@",
            "type": "library",
            "name": "either",
            "licenses": [{"expression": "MIT OR Apache-2.0"}],
        },
        {
            "bom-ref": "pkg:pypi/fast@1.0#pkg:generic/zlib@1.3",
            "type": "library",
            "name": "zlib",
            "version": "1.3",
            "purl": "pkg:generic/zlib@1.3",
            "licenses": [{"license": {"id": "Zlib"}}],
        },
    ]


@pytest.mark.parametrize("theirs", ["not JSON", "[]", '{"spdxVersion": "SPDX-2.3"}'])
def test_a_wheels_bill_in_another_format_is_passed_over(tmp_path: Path, theirs: str) -> None:
    _, bill = bill_of(tmp_path, fast_wheel(tmp_path, theirs))
    assert [it["type"] for it in component(bill, "fast")["components"]] == ["file"]


def test_a_bill_says_what_needs_what(tmp_path: Path) -> None:
    _, bill = bill_of(tmp_path, fast_wheel(tmp_path), slow_wheel(tmp_path))
    needs = {it["ref"]: it.get("dependsOn", []) for it in bill["dependencies"]}
    fast, slow = "pkg:pypi/fast@1.0", "pkg:pypi/slow-thing@1.5"
    assert {ref: needs[ref] for ref in ("layer.zip", fast, slow)} == {
        "layer.zip": [fast, slow],
        fast: [slow],
        slow: [],
    }


@pytest.mark.parametrize(
    ("line", "license"),
    [
        ("License-Expression: MIT OR Apache-2.0", {"expression": "MIT OR Apache-2.0"}),
        ("License: mit", {"license": {"id": "MIT"}}),
        ("License: The Slow Licence", {"license": {"name": "The Slow Licence"}}),
        (
            "Classifier: License :: OSI Approved :: BSD License",
            {"license": {"name": "BSD License"}},
        ),
    ],
)
def test_a_license_is_an_identifier_an_expression_or_a_name(
    tmp_path: Path, line: str, license: dict[str, Any]
) -> None:
    _, bill = bill_of(tmp_path, slow_wheel(tmp_path, line))
    assert component(bill, "slow-thing")["licenses"] == [license]


def test_a_distribution_that_states_no_license_has_none(tmp_path: Path) -> None:
    _, bill = bill_of(tmp_path, slow_wheel(tmp_path, "Home-page: see the README"))
    assert not {"licenses", "externalReferences"} & component(bill, "slow-thing").keys()


def test_the_bill_of_the_same_zip_is_the_same(tmp_path: Path) -> None:
    texts = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        bill_of(folder, fast_wheel(folder), slow_wheel(folder))
        texts.append((folder / "layer.cdx.json").read_bytes())
    assert texts[0] == texts[1]


def test_another_zip_has_another_serial_number(tmp_path: Path) -> None:
    serials = set()
    for name, wheel in (("first", fast_wheel), ("second", slow_wheel)):
        folder = tmp_path / name
        folder.mkdir()
        serials.add(bill_of(folder, wheel(folder))[1]["serialNumber"])
    assert len(serials) == 2


def test_a_bill_is_dated_by_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    _, bill = bill_of(tmp_path, slow_wheel(tmp_path))
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


def test_a_bill_lies_beside_its_zip() -> None:
    assert bill_path(Path("dist/layer-1.0.zip")) == Path("dist/layer-1.0.cdx.json")


def test_a_missing_library_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.output.json", None)
    with pytest.raises(CannotWriteBill, match=r"pip install 'mangum\[package\]'$"):
        bill_of(tmp_path, slow_wheel(tmp_path))


def test_pybase64_names_the_library_that_is_compiled_into_it(tmp_path: Path) -> None:
    """It is what every layer holds beside Mangum, with two licences that must come along."""
    import pybase64

    site = Path(pybase64.__file__).parent.parent
    (found,) = (it for it in distributions(site) if it.key == "pybase64")
    assert len(found.license_files) == 2
    (parts,) = wheel_bills(site, [found]).values()
    names = [it["name"] for text in parts for it in json.loads(text)["components"]]
    assert "base64" in names
