"""The bill of materials beside a zip: CycloneDX 1.6, the same for the same zip.

What it lists are distributions; what lies compiled into one is read from the bill that its wheel
brought along.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mangum.packaging.archive import Archive
from mangum.packaging.distributions import Distribution, canonical
from mangum.packaging.errors import CannotPackage

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License
    from packageurl import PackageURL

SUFFIX = ".cdx.json"  # by which tools know such a file
FOLDER = "sboms"  # of a `*.dist-info`
LICENSE_FILE = "mangum:license-file"
HEAD = ("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components")
MISSING = "cyclonedx-python-lib is missing, which writes the SBOM: pip install 'mangum[package]'"

WheelBills = Mapping[str, Sequence[str]]
"""The bills that wheels brought, as text, by their distribution's key."""


class CannotWriteBill(CannotPackage):
    """One line that says what is missing, and what to do."""


def wheel_bills(folder: Path, found: Iterable[Distribution]) -> dict[str, list[str]]:
    """What wheels tell of what is in them. To be asked before anything is left out.

    Source: https://peps.python.org/pep-0770/
    """
    return {
        it.key: [
            (folder / file).read_text("utf-8", "replace") for file in it.files if _is_bill(file)
        ]
        for it in found
    }


def bill_path(archive: Path) -> Path:
    """`dist/layer.zip` → `dist/layer.cdx.json`."""
    return archive.with_name(archive.stem + SUFFIX)


def write_sbom(
    archive: Archive,
    found: Sequence[Distribution],
    *,
    version: str = "",
    prefix: str = "",
    bills: WheelBills | None = None,
    made_by: str = "",
) -> Path:
    """Write the bill beside the zip, and return where. Raises `CannotWriteBill`.

    `version` is that of the zip, if it has one, `prefix` where the distributions lie in it,
    `"python/"`, and `made_by` the version of Mangum. The date is SOURCE_DATE_EPOCH, or none.
    """
    try:
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        raise CannotWriteBill(MISSING) from None
    whole, tool = _whole(archive, version), _tool(made_by)
    with zipfile.ZipFile(archive.path) as opened:
        components = [_component(it, opened, prefix, bills or {}) for it in found]
    bill = _bill(archive, whole, tool, components)
    _connect(bill, whole, found, components)
    document = json.loads(JsonV1Dot6(bill).output_as_string())
    if not os.environ.get("SOURCE_DATE_EPOCH"):
        del document["metadata"]["timestamp"]  # the library's own idea is the time of day
    path = bill_path(archive.path)
    document = {name: document[name] for name in HEAD if name in document} | document
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _whole(archive: Archive, version: str) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name=archive.path.name,
        version=version or None,
        type=ComponentType.APPLICATION,
        bom_ref=archive.path.name,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=archive.sha256)],
    )


def _tool(version: str) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(name="mangum", version=version or None, type=ComponentType.APPLICATION)


def _bill(
    archive: Archive, whole: Component, tool: Component, components: Sequence[Component]
) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.tool import ToolRepository

    tools = ToolRepository(components=[tool])
    return Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{archive.sha256}"),
        components=components,
        metadata=BomMetaData(component=whole, tools=tools, timestamp=_date()),
    )


def _connect(
    bill: Bom, whole: Component, found: Sequence[Distribution], components: Sequence[Component]
) -> None:
    """Say what needs what, as far as it is in the zip."""
    by_key = {it.key: component for it, component in zip(found, components, strict=True)}
    for distribution, component in zip(found, components, strict=True):
        needed = [by_key[key] for key in _needs(distribution) if key in by_key]
        bill.register_dependency(component, needed)
    bill.register_dependency(whole, components)


def _needs(distribution: Distribution) -> list[str]:
    """Keys of what it requires, with any extra and under any condition."""
    names = (re.match(r"[\w.-]+", line) for line in distribution.requires)
    keys = dict.fromkeys(canonical(name[0]) for name in names if name)
    return [key for key in keys if key != distribution.key]


def _component(
    distribution: Distribution, archive: zipfile.ZipFile, prefix: str, bills: WheelBills
) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=distribution.key, version=distribution.version)
    ref = purl.to_string()
    inside = {name for name in archive.namelist() if name.startswith(prefix)}
    licenses = [name for it in distribution.license_files if (name := prefix + it) in inside]
    files = [_extension(name, archive, ref) for name in _extensions(distribution, prefix, inside)]
    return Component(
        name=distribution.name,
        version=distribution.version,
        bom_ref=ref,
        purl=purl,
        licenses=_licenses(distribution.license),
        properties=[Property(name=LICENSE_FILE, value=name) for name in licenses],
        external_references=_website(distribution.home_page),
        components=[*files, *_parts(bills.get(distribution.key, ()), distribution, ref)],
    )


def _website(address: str) -> list[ExternalReference]:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    if not re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", address):
        return []
    return [ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(address))]


def _extensions(distribution: Distribution, prefix: str, inside: set[str]) -> list[str]:
    """Names in the zip of what is machine code."""
    names = (prefix + file for file in distribution.files if ".so" in PurePosixPath(file).suffixes)
    return [name for name in names if name in inside]


def _extension(name: str, archive: zipfile.ZipFile, owner: str) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    digest = hashlib.sha256(archive.read(name)).hexdigest()
    return Component(
        name=name,
        type=ComponentType.FILE,
        bom_ref=f"{owner}#{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def _parts(texts: Iterable[str], distribution: Distribution, owner: str) -> list[Component]:
    """What a wheel's own bill lists, each once. The wheels of two targets mostly list the same."""
    from cyclonedx.model.component import Component

    parts: dict[str, Component] = {}
    for entry in (it for text in texts for it in _entries(text)):
        purl = _purl(entry)
        if purl and (purl.type, canonical(purl.name)) == ("pypi", distribution.key):
            continue  # itself
        known = purl.to_string() if purl else f"{entry['name']}@{entry.get('version', '')}"
        parts[known] = Component(
            name=entry["name"],
            version=entry.get("version"),
            bom_ref=f"{owner}#{known}",
            purl=purl,
            licenses=_licenses(" AND ".join(_named(entry.get("licenses", [])))),
        )
    return list(parts.values())


def _entries(text: str) -> list[dict[str, Any]]:
    """Of a CycloneDX bill; of what is none, nothing."""
    try:
        bill = json.loads(text)
    except ValueError:
        return []
    components = bill.get("components") if isinstance(bill, dict) else None
    return [it for it in components or [] if isinstance(it, dict) and it.get("name")]


def _purl(entry: Mapping[str, Any]) -> PackageURL | None:
    """Without qualifiers: they tell of the machine it was built on, `?download_url=file:///…`."""
    from packageurl import PackageURL

    try:
        return PackageURL.from_string(entry["purl"])._replace(qualifiers={})
    except (KeyError, ValueError):
        return None


def _named(licenses: Iterable[Mapping[str, Any]]) -> list[str]:
    """`[{"license": {"id": "MIT"}}, {"expression": "MIT OR Apache-2.0"}]` → the texts."""
    found = []
    for it in licenses:
        license = it.get("license", {})
        found.append(it.get("expression") or license.get("id") or license.get("name") or "")
    several = len(found) > 1
    return [f"({it})" if several and " OR " in it else it for it in found if it]


def _licenses(text: str) -> list[License]:
    from cyclonedx.contrib.license.factories import LicenseFactory

    return [LicenseFactory().make_from_string(text)] if text else []


def _is_bill(file: str) -> bool:
    parts = PurePosixPath(file).parts
    return parts[0].endswith(".dist-info") and parts[1] == FOLDER and file.endswith(".json")


def _date() -> datetime:
    return datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or 0), timezone.utc)
