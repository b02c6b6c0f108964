"""A layer with a further package, made without an index from what is installed here."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mangum.local.invocations import InitFailed
from mangum.packaging.targets import Target
from tests.layer.conftest import HOST, python_of
from tests.layer.function import EVENTS, copy_client, outcomes
from tests.layer.opt import Opt, unpacked
from tests.packaging.wheels import make_wheel
from tests.processes import ROOT

HANG_S = 120


@pytest.fixture(scope="module")
def wheels(archive: Path, opt: Opt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheels for this very Python: those of the layer, made again, and orjson's."""
    if HOST is None:
        pytest.skip("Lambda has no Python like this one")
    python_of(HOST, opt)
    folder = tmp_path_factory.mktemp("wheels")
    tag = f"{HOST.wheel_tag}-{HOST.wheel_tag}-manylinux_2_17_{HOST.machine}"
    with zipfile.ZipFile(archive) as layer:
        files = {name.removeprefix("python/"): layer.read(name) for name in layer.namelist()}
    for name in ("mangum", "pybase64"):
        own = {path: it for path, it in files.items() if _belongs(path, name, HOST)}
        make_wheel(folder, name, importlib.metadata.version(name), own, tags=tag)
    brought = {
        path.as_posix(): Path(str(path.locate())).read_bytes()
        for path in importlib.metadata.files("orjson") or ()
        if path.suffix != ".pyc" and path.name not in ("RECORD", "WHEEL")
    }
    make_wheel(folder, "orjson", importlib.metadata.version("orjson"), brought, tags=tag)
    return folder


@pytest.fixture(scope="module")
def with_orjson(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opt]:
    assert HOST is not None
    folder = tmp_path_factory.mktemp("with-orjson")
    words = ["--with", "orjson", "--python", HOST.python, "--arch", HOST.arch]
    words += ["--find-links", str(wheels), "--offline", "-o", str(folder / "layer.zip")]
    made = subprocess.run(
        [sys.executable, "-m", "mangum", "layer", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    with unpacked(folder / "layer.zip", folder / "opt") as place:
        yield place


def test_a_layer_with_orjson_reads_and_writes_with_it(
    with_orjson: Opt, function: Path, tmp_path: Path
) -> None:
    client = copy_client(tmp_path / "runtime")
    event = EVENTS["HTTP API"]
    [fast] = outcomes(with_orjson, function, client, [event], MANGUM_MARSHALLER="orjson")
    [slow] = outcomes(with_orjson, function, client, [event])
    assert fast.fault is None
    assert fast.body.startswith(b'{"statusCode":200,')
    assert slow.body.startswith(b'{"statusCode": 200, ')
    assert json.loads(fast.body) == json.loads(slow.body)


def test_the_same_marshaller_is_refused_where_orjson_is_not_in_the_layer(
    opt: Opt, wheels: Path, function: Path, tmp_path: Path
) -> None:
    client = copy_client(tmp_path / "runtime")
    with pytest.raises(InitFailed, match="The marshaller needs orjson"):
        outcomes(opt, function, client, [EVENTS["HTTP API"]], MANGUM_MARSHALLER="orjson")


def _belongs(path: str, name: str, target: Target) -> bool:
    """Whether it is a file of the distribution's wheel for the target."""
    if path.endswith(".so"):
        return path.startswith(f"{name}/") and f".{target.cache_tag}-{target.machine}-" in path
    return path.startswith((f"{name}/", f"{name}-")) and not path.endswith(".pyc")
