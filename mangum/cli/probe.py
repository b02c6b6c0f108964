"""What is to be measured, and what an interpreter says of itself before it is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mangum.local.environment import FOREIGN, RUNTIME, Function

TIMEOUT_S = 60  # an interpreter that takes longer hangs

_PROBE = """
import sys
sys.dont_write_bytecode = True
import importlib.metadata, importlib.util, json, platform, sysconfig
found = {
    "implementation": platform.python_implementation(),
    "python": platform.python_version(),
    "machine": platform.machine(),
    "system": platform.system(),
    "standard_library": sorted(sys.stdlib_module_names),
    "library_folders": [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")],
    "packages": sorted(importlib.metadata.packages_distributions()),
    "runtime": None,
    "mangum": None,
    "compiled": None,
}
if importlib.util.find_spec("awslambdaric"):
    import awslambdaric
    found["runtime"] = awslambdaric.__version__
try:
    import mangum
    found["mangum"] = getattr(mangum, "__version__", None) or importlib.metadata.version("mangum")
    from mangum._speedups import COMPILED
    found["compiled"] = COMPILED
except Exception:
    pass  # mangum 0.22 has but one half, and a function need not have mangum at all
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Variant:
    """One of the things that are compared."""

    label: str
    function: Function
    environ: Mapping[str, str] = field(default_factory=dict)  # beside that of this process
    bytecode: bool = True  # that which Python writes here for the function
    packages: Sequence[Path] = ()  # folders whose own bytecode is deployed with them, and counts


@dataclass(frozen=True)
class Plan:
    """What is the same for every variant."""

    python: str
    event: bytes
    runs: int
    timeout_s: float  # of each phase


@dataclass(frozen=True)
class Probe:
    """What an interpreter says of itself in the environment of a variant."""

    implementation: str
    python: str
    machine: str
    system: str
    standard_library: Collection[str]
    library_folders: Sequence[str]
    packages: Collection[str]
    runtime: str | None  # versions
    mangum: str | None
    compiled: bool | None


class InterpreterFailed(Exception):
    """It can't run functions; the message says why, and what to do."""


def prepare(variants: Sequence[Variant], plan: Plan) -> tuple[list[Variant], list[Probe]]:
    """The variants for the interpreter, and what it says of itself. Raises `InterpreterFailed`."""
    probes = [_probe(plan, variant) for variant in variants]
    if any(found.runtime is None for found in probes):
        raise InterpreterFailed(
            f"{RUNTIME} is missing, Lambda's runtime client: {plan.python} -m pip install {RUNTIME}"
        )
    prepared = []
    for variant, found in zip(variants, probes, strict=True):
        version = ".".join(found.python.split(".")[:2])
        function = replace(variant.function, python_version=version)
        prepared.append(replace(variant, function=function))
    return prepared, probes


def _probe(plan: Plan, variant: Variant) -> Probe:
    environ = environment_of(variant).items()
    try:
        done = subprocess.run(
            [plan.python, "-c", _PROBE],
            cwd=variant.function.folder,
            env={name: value for name, value in environ if name not in FOREIGN},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
        return Probe(**json.loads(done.stdout.splitlines()[-1]))
    except OSError as error:
        raise InterpreterFailed(f"can't run {plan.python}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise InterpreterFailed(f"{plan.python} did not answer in {TIMEOUT_S} s") from None
    except (IndexError, TypeError, ValueError):
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise InterpreterFailed(
            f"{plan.python} is no Python 3.10 or newer that works: {said[0]}"
        ) from None


def environment_of(variant: Variant) -> dict[str, str]:
    return {**os.environ, **variant.environ}
