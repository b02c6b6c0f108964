"""What `mangum package` says of a zip: what is in it, what is not, and how to deploy it."""

from __future__ import annotations

from mangum import __version__
from mangum.cli.packages import note, tell_application, tell_left_out
from mangum.packaging import contents
from mangum.packaging.archive import MAX_UPLOAD_BYTES, Archive
from mangum.packaging.check import Checked
from mangum.packaging.function import Plan, Staged
from mangum.packaging.sbom import CannotWriteBill, write_sbom
from mangum.packaging.targets import Target


def tell(written: Archive, plan: Plan, staged: Staged, handler: str | None, checked: str) -> None:
    print(f"{written.path}  for {plan.target}\n")
    print(contents.text(contents.rows(written, staged.distributions)), end="\n\n")
    tell_left_out(staged.left_out)
    if staged.by_lambda:
        names = ", ".join(f"{it.name} {it.version}" for it in staged.by_lambda)
        print(f"left to Lambda: {names}")
    tell_application(plan.application)
    print(f"handler: {handler + ' ' if handler else ''}{checked}")
    print(f"sha256: {written.sha256}")
    try:
        bill = write_sbom(written, staged.distributions, bills=staged.bills, made_by=__version__)
        print(f"SBOM: {bill}")
    except CannotWriteBill as error:
        note(str(error))
    for warning in staged.warnings:
        note(warning)
    if staged.uncompilable:
        note(f"{staged.uncompilable} files of dependencies are no Python {plan.target.python}")
    print(f"\n{deployment(written, plan.target, handler)}", flush=True)


def deployment(written: Archive, target: Target, handler: str | None) -> str:
    """The command that deploys it, and what the function has to be configured with."""
    update = "aws lambda update-function-code --function-name NAME"
    arch = f"--architectures {target.arch}"
    path = written.path
    named = f" --handler {handler.replace(':', '.')}" if handler else ""
    lines = [f"# to a function with --runtime {target.runtime}{named}"]
    if written.size <= MAX_UPLOAD_BYTES:
        return "\n".join([*lines, f"{update} --zip-file fileb://{path} {arch}"])
    lines += [
        f"# more than {contents.kb(MAX_UPLOAD_BYTES)} KB has to come from S3",
        f"aws s3 cp {path} s3://BUCKET/{path.name}",
        f"{update} --s3-bucket BUCKET --s3-key {path.name} {arch}",
    ]
    return "\n".join(lines)


def fault(handler: str, found: Checked) -> str:
    """A line, the end of the traceback, and what to do if that can be told."""
    outcome = found.outcome
    told = f"it raises\n{outcome.trace}" if outcome.trace else outcome.fault
    lines = [f"{handler} fails the check with {found.by}: {told}"]
    missing = outcome.missing.partition(".")[0]
    if missing and missing == handler.partition(":")[0].partition(".")[0]:
        lines.append(f"There is no {missing} in the folder of the function")
    elif missing:
        lines.append(
            f"Name what brings {missing} in the requirements; or --no-check, if a layer does"
        )
    elif outcome.fault.startswith("KeyError"):
        lines.append("A variable that it needs can be set: NAME=value mangum package …")
    return "\n".join(lines)
