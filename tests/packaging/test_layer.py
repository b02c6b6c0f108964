"""`mangum layer`, with small wheels in place of the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from mangum import __version__
from mangum.cli import main
from mangum.cli.packages import FAILED, MADE
from mangum.cli.usage import WRONG_USE
from mangum.packaging import interpreters
from tests.packaging.conftest import HERE
from tests.packaging.elf import library
from tests.packaging.wheels import make_wheel

OTHER = "3.10" if HERE.python != "3.10" else "3.11"
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


def mangum_wheels(index: Path, pythons: Sequence[str] = (HERE.python,)) -> None:
    """Of each machine, with an extension each and one part that only developers need."""
    for python in pythons:
        tag = python.replace(".", "")
        for machine in MACHINES.values():
            files: dict[str, str | bytes] = {
                "mangum/__init__.py": "from mangum.answer import ANSWER\n",
                "mangum/answer.py": "ANSWER = 42\n",
                "mangum/cli/__init__.py": "",
                f"mangum/fast.cpython-{tag}-{machine}-linux-gnu.so": library(machine),
            }
            tags = f"cp{tag}-cp{tag}-manylinux_2_17_{machine}"
            requires = ["pybase64", "orjson>=1; extra == 'orjson'"]
            make_wheel(index, "mangum", __version__, files, requires, tags)
    make_wheel(index, "pybase64", "1.0", {"pybase64.py": ""})


@pytest.fixture
def layer(tmp_path: Path, index: Path) -> Path:
    mangum_wheels(index)
    return tmp_path / "layer.zip"


def run(index: Path, output: Path, *arguments: str, python: str = HERE.python) -> int:
    common = ["--find-links", str(index), "--offline", "-o", str(output)]
    return main(["layer", *common, "--python", python, *arguments])


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as opened:
        return opened.namelist()


def test_one_zip_serves_both_architectures(
    layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(index, layer) == MADE
    tag = HERE.cache_tag
    assert names(layer) == [
        f"python/__pycache__/pybase64.{tag}.pyc",
        f"python/mangum-{__version__}.dist-info/METADATA",
        "python/mangum/__init__.py",
        f"python/mangum/__pycache__/__init__.{tag}.pyc",
        f"python/mangum/__pycache__/answer.{tag}.pyc",
        "python/mangum/answer.py",
        f"python/mangum/fast.{tag}-aarch64-linux-gnu.so",
        f"python/mangum/fast.{tag}-x86_64-linux-gnu.so",
        "python/pybase64-1.0.dist-info/METADATA",
        "python/pybase64.py",
    ]
    shown = capsys.readouterr()
    assert f"{layer}  for Python {HERE.python} on x86_64 and arm64\n" in shown.out
    assert "\ntogether " in shown.out
    assert "\nleft out: notes of installers" in shown.out
    assert shown.out.endswith(
        "aws lambda publish-layer-version --layer-name mangum"
        f" --zip-file fileb://{layer} \\\n"
        f"  --compatible-runtimes python{HERE.python} --compatible-architectures x86_64 arm64\n\n"
    )
    assert shown.err == ""
    assert layer.with_name("layer.cdx.json").is_file()


def test_it_holds_no_part_for_developers(layer: Path, index: Path) -> None:
    assert run(index, layer) == MADE
    assert not any(name.startswith("python/mangum/cli/") for name in names(layer))


def test_it_is_imported_without_a_compilation(tmp_path: Path, layer: Path, index: Path) -> None:
    """The sources are taken away, so that nothing else can have run."""
    assert run(index, layer) == MADE
    with zipfile.ZipFile(layer) as opened:
        opened.extractall(tmp_path / "opt")
    for path in (tmp_path / "opt").rglob("*.py"):
        path.write_text("raise SystemExit('compiled')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import mangum; print(mangum.ANSWER)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "opt" / "python")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_the_same_wheels_make_the_same_zip(tmp_path: Path, layer: Path, index: Path) -> None:
    again = tmp_path / "again" / layer.name
    again.parent.mkdir()
    umask = os.umask(0o077)
    try:
        assert run(index, layer) == MADE
        os.umask(0o022)
        assert run(index, again) == MADE
    finally:
        os.umask(umask)
    for suffix in (".zip", ".cdx.json"):
        first, second = (it.with_suffix(suffix).read_bytes() for it in (layer, again))
        assert first == second


def test_packages_and_requirements_are_added(tmp_path: Path, layer: Path, index: Path) -> None:
    for name in ("orjson", "tool", "part"):
        make_wheel(index, name, "1.0", {f"{name}.py": ""})
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("tool\n", encoding="utf-8")
    more = ("--with", "part, orjson", "--requirements", str(requirements))
    assert run(index, layer, *more) == MADE
    assert {"python/orjson.py", "python/part.py", "python/tool.py"} <= set(names(layer))


def test_an_application_is_added(tmp_path: Path, layer: Path, index: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("handler = print\n", encoding="utf-8")
    (folder / ".env").write_text("TOKEN=s3cret\n", encoding="utf-8")
    assert run(index, layer, "--app", str(folder)) == MADE
    assert f"python/__pycache__/main.{HERE.cache_tag}.pyc" in names(layer)
    assert "python/.env" not in names(layer)


def test_what_is_no_part_of_the_application_is_told(
    tmp_path: Path, layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "app"
    (folder / "zips").mkdir(parents=True)
    for name in ("main.py", "json.py", ".env", "test_main.py"):
        (folder / name).write_text("", encoding="utf-8")
    output = folder / "zips" / "layer.zip"
    for _ in range(2):  # the second time it finds the first one's zip
        assert run(index, output, "--app", str(folder)) == MADE
    assert not any(name.endswith((".zip", ".cdx.json")) for name in names(output))
    shown = capsys.readouterr()
    assert "left out, as they may hold secrets: .env\n" in shown.out
    assert "left out, tests: test_main.py\n" in shown.out
    assert shown.err == 2 * "mangum: json hides the standard library's module of that name\n"


def test_a_zip_that_cannot_be_written_is_one_line(
    layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(index, Path("/proc/layer.zip")) == FAILED
    error = capsys.readouterr().err
    assert error.startswith("mangum: can't write or read /proc/.layer.zip")
    assert error.count("\n") == 1


def test_where_files_differ_each_target_gets_its_own(
    layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for machine in MACHINES.values():
        files = {"fast.abi3.so": library(machine)}
        make_wheel(index, "fast", "1.0", files, tags=f"cp310-abi3-manylinux_2_17_{machine}")
    assert run(index, layer, "--with", "fast") == MADE
    made = [it.name for it in layer.parent.glob("*.zip")]
    assert sorted(made) == [f"layer-python{HERE.python}-{arch}.zip" for arch in sorted(MACHINES)]
    for arch, machine in MACHINES.items():
        path = layer.with_name(f"layer-python{HERE.python}-{arch}.zip")
        with zipfile.ZipFile(path) as opened:
            assert opened.read("python/fast.abi3.so") == library(machine)
        assert path.with_name(f"{path.stem}.cdx.json").is_file()
    assert capsys.readouterr().out.count("publish-layer-version") == 2


def test_where_versions_differ_each_target_gets_its_own(layer: Path, index: Path) -> None:
    mangum_wheels(index, [OTHER])
    for python, version in ((HERE.python, "2.0"), (OTHER, "1.0")):
        tag = python.replace(".", "")
        files = {f"tool_{tag}.py": ""}
        make_wheel(index, "tool", version, files, tags=f"cp{tag}-none-any")
    assert run(index, layer, "--python", OTHER, "--arch", "x86_64", "--with", "tool") == MADE
    made = sorted(it.name for it in layer.parent.glob("*.zip"))
    expected = [f"layer-python{python}-x86_64.zip" for python in (HERE.python, OTHER)]
    assert made == sorted(expected)


def test_an_extension_that_the_target_cannot_load_is_refused(
    layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"fast.abi3.so": library("aarch64")}
    make_wheel(index, "fast", "1.0", files)  # with a tag that promises too much
    assert run(index, layer, "--with", "fast", "--arch", "x86_64") == FAILED
    assert capsys.readouterr().err == (
        f"mangum: fast.abi3.so is for aarch64, which Python {HERE.python} on x86_64 can't load\n"
    )
    assert not layer.exists()


def test_a_package_without_a_wheel_is_named(
    layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(index, "fast", "1.0", {}, tags="cp310-abi3-manylinux_2_17_x86_64")
    assert run(index, layer, "--with", "fast") == FAILED
    head = capsys.readouterr().err.splitlines()[0]
    assert head.startswith(f"mangum: no wheel for Python {HERE.python} on arm64 of fast: choose")
    assert not layer.exists()


def test_a_version_without_an_interpreter_is_told(
    index: Path,
    layer: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mangum_wheels(index, [OTHER])
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", os.devnull)
    interpreters.find.cache_clear()
    try:
        assert run(index, layer, "--python", OTHER) == MADE
    finally:
        interpreters.find.cache_clear()
    assert capsys.readouterr().err == (
        f"mangum: no bytecode for Python {OTHER}, as no such interpreter is here: each cold start"
        " will compile every module anew\n"
    )
    assert {HERE.cache_tag} == {it.split(".")[-2] for it in names(layer) if it.endswith(".pyc")}


def test_a_file_that_is_no_python_stays_and_is_told(
    layer: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(index, "tool", "1.0", {"tool/template.py": "{{ name }} = (\n"})
    assert run(index, layer, "--with", "tool") == MADE
    assert "python/tool/template.py" in names(layer)
    error = capsys.readouterr().err
    assert error.startswith("mangum: python/tool/template.py:1 stays without bytecode: SyntaxError")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--python", "3.9"], "3.9 is no Python of Lambda's"),
        (["--arch", "mips"], "mips is no architecture of Lambda's"),
        (["--requirements", "none.txt"], "--requirements none.txt is no file"),
        (["--app", "nowhere"], "--app nowhere is no folder"),
        (["-o", "layer"], "-o layer is no zip: name a file such as layer.zip"),
        (["-o", "nowhere/layer.zip"], "can't write nowhere/layer.zip"),
    ],
)
def test_wrong_use_is_one_line(
    index: Path,
    layer: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(index, layer, *arguments) == WRONG_USE
    error = capsys.readouterr().err
    assert error.startswith("mangum: ")
    assert message in error
    assert error.count("\n") == 1
    assert not layer.exists()
