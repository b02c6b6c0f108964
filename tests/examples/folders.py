"""The examples, and what their pages and deployment files say."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.processes import ROOT

EXAMPLES = ROOT / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/main.py"))
HANDLER = "main.handler"


def read(name: str, file: str) -> str:
    return (EXAMPLES / name / file).read_text(encoding="utf-8")


def commands(name: str, program: str) -> list[list[str]]:
    """What the example's page tells to type, `[["mangum", "serve", "main:handler"], …]`."""
    page = read(name, "README.md").replace("\\\n", "")
    lines = re.findall(r"^\$ (.*)$", page, re.MULTILINE)
    return [words for line in lines if (words := shlex.split(line, comments=True))[0] == program]


def read_yaml(name: str, file: str) -> Any:
    """The document; `!Sub text` becomes `{"Fn::Sub": text}`."""
    yaml: Any = pytest.importorskip("yaml")

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    def intrinsic(loader: Any, tag: str, node: Any) -> dict[str, Any]:
        value = loader.construct_scalar(node)
        return {tag if tag == "Ref" else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", intrinsic)
    return yaml.load(read(name, file), Loader)


def sources(name: str) -> str:
    """All Python of the example."""
    files: list[Path] = sorted((EXAMPLES / name).rglob("*.py"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def load(path: Path) -> ModuleType:
    """A module of the examples that needs no other one, under a name that no other one has."""
    name = "_".join(path.relative_to(ROOT).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
