"""`mangum layer`: a Lambda layer of Mangum, of further packages, of an application."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from mangum import __version__
from mangum.cli.packages import (
    EXIT_CODES,
    MADE,
    add_targets,
    add_wheels,
    check_output,
    note,
    requirements_files,
    tell_application,
    tell_failure,
    tell_left_out,
)
from mangum.cli.signals import ended_by_signals
from mangum.cli.usage import WrongUse, describe
from mangum.packaging import contents
from mangum.packaging.application import Application, collect
from mangum.packaging.archive import MAX_UNZIPPED_BYTES, MAX_UPLOAD_BYTES
from mangum.packaging.errors import CannotPackage
from mangum.packaging.layer import ROOT, Layer, build, output_for
from mangum.packaging.resolve import Wanted
from mangum.packaging.sbom import bill_path, write_sbom
from mangum.packaging.targets import Target

NEAR_LIMIT = 0.8

EXTRAS = {
    "asyncpg": "postgresql",
    "boto3": "aws",
    "orjson": "orjson",
    "postgresql": "postgresql",
    "redis": "redis",
    "aws": "aws",
}
"""What `--with` may name that Mangum has an extra for, which says the versions that it works with.
Anything else is a requirement like those of pip."""

DESCRIPTION = """\
Make a Lambda layer: Mangum with its compiled half, and the bytecode that a read-only
/opt can use. By default one zip that serves every Python of Lambda's, on both
architectures.

Where targets want different files of one name, each gets a zip of its own."""

EXAMPLES = """\
  mangum layer -o layer.zip
  mangum layer --python 3.13 --arch arm64 --with orjson,redis -o layer.zip
  mangum layer --requirements requirements.txt --app src -o layer.zip"""


def configure(parser: ArgumentParser) -> None:
    describe(parser, DESCRIPTION, EXAMPLES, exit_codes=EXIT_CODES)
    add = parser.add_argument
    add("-o", "--output", required=True, metavar="FILE", help="the zip to write")
    add_targets(parser)
    add(
        "--with",
        dest="packages",
        action="append",
        default=[],
        metavar="PACKAGE,…",
        help="add these packages, each with what it needs: orjson,redis",
    )
    add_wheels(parser)
    add("--app", metavar="DIR", help="add an application, as `mangum package` would")


def run(arguments: Namespace) -> int:
    output = check_output(arguments.output)
    targets = [Target(*it) for it in product(arguments.python, arguments.arch)]
    wanted = Wanted(
        requirements=requirements(arguments.packages),
        files=requirements_files(arguments.requirements),
        find_links=arguments.find_links,
        offline=arguments.offline,
    )
    with ended_by_signals(), tempfile.TemporaryDirectory(prefix="mangum-layer-") as work:
        try:
            application = _application(arguments.app, output, targets)
            layers = build(wanted, targets, output, Path(work), application)
            for layer in layers:
                _tell(layer, application)
        except (CannotPackage, OSError) as error:
            if f"mangum=={__version__}" in str(error) and ".dev" in __version__:
                note("this version is in no index: `make wheels`, and --find-links dist")
            return tell_failure(error)
    return MADE


def _application(name: str | None, output: Path, targets: Sequence[Target]) -> Application:
    """The files that `--app` names, but for zips that are about to be written."""
    if name is None:
        return Application()
    if not Path(name).is_dir():
        raise WrongUse(f"--app {name} is no folder: name the one that holds the application")
    zips = [output, *(output_for(output, target) for target in targets)]
    return collect(Path(name), outputs=[*zips, *map(bill_path, zips)])


def requirements(packages: Sequence[str]) -> list[str]:
    """Mangum in the version that runs, and what `--with` names."""
    names = [name.strip() for it in packages for name in it.split(",") if name.strip()]
    extras = sorted({EXTRAS[name] for name in names if name in EXTRAS})
    ours = f"mangum[{','.join(extras)}]" if extras else "mangum"
    return [f"{ours}=={__version__}", *(name for name in names if name not in EXTRAS)]


def _tell(layer: Layer, application: Application) -> None:
    archive = layer.archive
    print(f"{archive.path}  for {_targets(layer.targets)}")
    print(contents.text(contents.rows(archive, layer.distributions, f"{ROOT}/")))
    tell_left_out(layer.left_out)
    tell_application(application)
    print(f"sha256: {archive.sha256}")
    print(f"SBOM: {write_bill(layer)}")
    for warning in layer.warnings:
        note(warning)
    for version in layer.uncompiled:
        note(
            f"no bytecode for Python {version}, as no such interpreter is here: each cold start"
            " will compile every module anew"
        )
    for failure in layer.failures:
        note(f"{failure.path}:{failure.line} stays without bytecode: {failure.reason}")
    if archive.unzipped > NEAR_LIMIT * MAX_UNZIPPED_BYTES:
        note(
            f"it takes {contents.kb(archive.unzipped)} KB unzipped; a function with all its layers"
            f" may take {contents.kb(MAX_UNZIPPED_BYTES)} KB"
        )
    print(f"\n{_publish(layer)}\n")


def write_bill(layer: Layer) -> Path:
    """Write the bill of materials beside the zip."""
    return write_sbom(
        layer.archive,
        layer.distributions,
        version=__version__,
        prefix=f"{ROOT}/",
        bills=layer.bills,
        made_by=__version__,
    )


def _targets(targets: Sequence[Target]) -> str:
    pythons = dict.fromkeys(it.python for it in targets)
    architectures = dict.fromkeys(it.arch for it in targets)
    return f"Python {', '.join(pythons)} on {' and '.join(architectures)}"


def _publish(layer: Layer) -> str:
    """The command that makes a layer of the zip."""
    path = layer.archive.path
    is_large = layer.archive.size > MAX_UPLOAD_BYTES
    from_s3 = f"--content S3Bucket=BUCKET,S3Key={path.name}"
    source = from_s3 if is_large else f"--zip-file fileb://{path}"
    runtimes = " ".join(dict.fromkeys(it.runtime for it in layer.targets))
    architectures = " ".join(dict.fromkeys(it.arch for it in layer.targets))
    return (
        f"aws lambda publish-layer-version --layer-name mangum {source} \\\n"
        f"  --compatible-runtimes {runtimes} --compatible-architectures {architectures}"
    )
