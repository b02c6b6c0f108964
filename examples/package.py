"""Makes `build.zip` of an example, for Terraform and the Serverless Framework: `package.py chat`.

Packages come for Lambda's Python 3.13 on x86_64, whatever this machine is. Mangum comes from this
checkout, in pure Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

CHECKOUT = Path(__file__).resolve().parent.parent
TARGET = (
    "--python-version=3.13",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux2014_x86_64",
    "--only-binary=:all:",
)
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files are to make the same package


def main(folder: Path) -> Path:
    package = folder / "build.zip"
    with TemporaryDirectory() as temporary:
        wheels, content = Path(temporary, "wheels"), Path(temporary, "content")
        _pip("wheel", "--no-deps", "-w", str(wheels), str(CHECKOUT))
        requirements = str(folder / "requirements.txt")
        _pip(
            *("install", *TARGET, "--target", str(content)),
            *("--find-links", str(wheels), "-r", requirements),
        )
        files = {path.relative_to(content): path for path in content.rglob("*")}
        files |= {path.relative_to(folder): path for path in own_files(folder)}
        _zip(package, {name: path for name, path in files.items() if path.is_file()})
    return package


def own_files(folder: Path) -> list[Path]:
    """What the function needs of the example itself: modules, pages and packages."""
    packages = [path.parent for path in folder.glob("*/__init__.py")]
    found = [*folder.glob("*.py"), *folder.glob("*.html")]
    found += [path for package in packages for path in package.rglob("*")]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def _pip(*arguments: str) -> None:
    environment = {**os.environ, "MANGUM_PURE_PYTHON": "1"}
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
    subprocess.run(command, env=environment, check=True)


def _zip(package: Path, files: dict[Path, Path]) -> None:
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            if "__pycache__" not in name.parts:
                entry = zipfile.ZipInfo(name.as_posix(), LONG_AGO)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1], "requirements.txt").exists():
        sys.exit("Which example? package.py FOLDER")
    made = main(Path(sys.argv[1]).resolve())
    print(f"{made}: {made.stat().st_size:,} bytes")
