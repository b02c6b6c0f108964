"""What a source distribution and a wheel hold, with the compiled half and without."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import mangum
from mangum._speedups import COMPILED

ROOT = Path(__file__).parent.parent
LEFTOVERS = shutil.ignore_patterns(
    ".*", "build", "dist", "site", "results", "*.egg-info", "__pycache__", "*.c", "*.so"
)
SPEEDUPS = Path("mangum", "_speedups")
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
EXTENSION = f"mangum/_speedups/compiled{SUFFIX}"
PURE = {"MANGUM_PURE_PYTHON": "1"}
REQUIRE = {"MANGUM_REQUIRE_COMPILED": "1"}
NO_COMPILER = {"CC": "/bin/false"}
STATED_DATE = {"SOURCE_DATE_EPOCH": "1700000000"}

needs_compiler = pytest.mark.skipif(not COMPILED, reason="the pure half runs; none is compiled")


def run(
    *arguments: str, folder: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MANGUM")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def build(
    source: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Without a network: what builds is in this environment."""
    command = ("-m", "build", "--no-isolation", "--outdir", "dist", *options)
    return run(*command, folder=source, env=env)


def copy_of_the_tree(folder: Path) -> Path:
    """Clean, but for what compiling leaves in a tree."""
    shutil.copytree(ROOT, folder / "source", ignore=LEFTOVERS)
    for stray in ("compiled.c", "compiled.cpython-27-pdp11.so"):
        (folder / "source" / SPEEDUPS / stray).write_text("left behind", encoding="utf-8")
    return folder / "source"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return copy_of_the_tree(tmp_path)


@pytest.fixture
def quick_source(source: Path) -> Path:
    """With next to nothing to compile."""
    (source / SPEEDUPS / "compiled.pyx").write_text("a = 1\n", encoding="utf-8")
    return source


@pytest.fixture(scope="module")
def pure_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose `dist` has the sdist, and the pure wheel made of that."""
    source = copy_of_the_tree(tmp_path_factory.mktemp("pure"))
    done = build(source, env=PURE)
    assert done.returncode == 0, done.stdout
    return source


@pytest.fixture(scope="module")
def compiled_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose `dist` has the sdist, and the compiled wheel made of that."""
    source = copy_of_the_tree(tmp_path_factory.mktemp("compiled"))
    done = build(source, env=REQUIRE | STATED_DATE)
    assert done.returncode == 0, done.stdout
    return source


def wheel_in(source: Path) -> zipfile.ZipFile:
    (path,) = (source / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def package_in(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def metadata_in(wheel: zipfile.ZipFile, file: str = "METADATA") -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(f".dist-info/{file}"))
    return message_from_bytes(wheel.read(name))


def files_in(source: Path, folder: str, *patterns: str) -> set[str]:
    found = (path for pattern in patterns for path in (source / folder).rglob(pattern))
    return {path.relative_to(source).as_posix() for path in found if path.is_file()}


def python_files(source: Path) -> set[str]:
    """And those of the local gateway's page."""
    page = ("*.css", "*.html", "*.js", "*.svg")
    return files_in(source, "mangum", "*.py", "*.pyi", "py.typed", *page)


# --- the source distribution ----------------------------------------------------------------------


def test_sdist_holds_what_a_test_run_needs(pure_source: Path) -> None:
    (path,) = (pure_source / "dist").glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "mkdocs.yml", "pyproject.toml"}
    expected |= {"setup.py", "mangum/_speedups/compiled.pyx", "mangum/_speedups/compiled.pyi"}
    for folder in ("benchmarks", "docs", "examples", "mangum", "scripts", "tests"):
        expected |= files_in(pure_source, folder, "*")
    generated = {name for name in expected if name.endswith((".c", ".so"))}
    assert len(generated) == 2
    assert expected - generated - names == set()
    assert {name for name in names if name.endswith((".c", ".so"))} == set()


# --- the pure wheel -------------------------------------------------------------------------------


def test_pure_wheel_holds_the_package_and_nothing_else(pure_source: Path) -> None:
    assert package_in(wheel_in(pure_source)) == python_files(pure_source)


def test_pure_wheel_is_for_every_python_and_platform(pure_source: Path) -> None:
    wheel = wheel_in(pure_source)
    assert Path(str(wheel.filename)).stem.endswith("-py3-none-any")
    assert metadata_in(wheel, "WHEEL")["Root-Is-Purelib"] == "true"
    assert metadata_in(wheel, "WHEEL").get_all("Tag") == ["py3-none-any"]


def test_wheel_is_of_the_version_the_package_names(pure_source: Path) -> None:
    metadata = metadata_in(wheel_in(pure_source))
    assert (metadata["Name"], metadata["Version"]) == ("mangum", mangum.__version__)


def test_wheel_needs_pybase64_alone(pure_source: Path) -> None:
    needed = metadata_in(wheel_in(pure_source)).get_all("Requires-Dist") or []
    assert [line for line in needed if "extra ==" not in line] == ["pybase64"]


def test_each_extra_brings_what_it_names(pure_source: Path) -> None:
    metadata = metadata_in(wheel_in(pure_source))
    assert metadata.get_all("Provides-Extra") == [
        *("aws", "local", "orjson", "package", "postgresql", "redis"),
    ]
    needed = metadata.get_all("Requires-Dist", [])
    assert [line for line in needed if "extra ==" in line] == [
        'boto3>=1.34; extra == "aws"',
        'awslambdaric>=3.0; extra == "local"',
        'httptools>=0.6; extra == "local"',
        'uvicorn>=0.40; extra == "local"',
        'watchfiles>=1.0; extra == "local"',
        'websockets>=16.0; extra == "local"',
        'orjson>=3.10; extra == "orjson"',
        'cyclonedx-python-lib>=11.6; extra == "package"',
        'pyelftools>=0.32; extra == "package"',
        'uv>=0.9; extra == "package"',
        'asyncpg>=0.29; extra == "postgresql"',
        'redis>=7.2; extra == "redis"',
    ]


def test_wheel_brings_its_license_and_command(pure_source: Path) -> None:
    wheel = wheel_in(pure_source)
    assert metadata_in(wheel)["License-Expression"] == "MIT"
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert wheel.read(entry_points).decode().split("\n")[:2] == [
        "[console_scripts]",
        "mangum = mangum.cli:main",
    ]


# --- the compiled wheel ---------------------------------------------------------------------------


@needs_compiler
def test_compiled_wheel_holds_one_extension_more(compiled_source: Path) -> None:
    wheel = wheel_in(compiled_source)
    assert package_in(wheel) == python_files(compiled_source) | {EXTENSION}


@needs_compiler
def test_compiled_wheel_is_for_this_python_and_platform(compiled_source: Path) -> None:
    wheel = wheel_in(compiled_source)
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert Path(str(wheel.filename)).stem.endswith(f"-{python}-{python}-{platform}")
    assert metadata_in(wheel, "WHEEL")["Root-Is-Purelib"] == "false"


@needs_compiler
def test_compiled_wheel_runs_compiled(compiled_source: Path, tmp_path: Path) -> None:
    wheel_in(compiled_source).extractall(tmp_path)
    done = run(
        "-c",
        "from mangum import _speedups as it; print(it.COMPILED, it.decode_path('/a%20b'))",
        folder=tmp_path,
        env=REQUIRE,
    )
    assert done.stdout == "True /a b\n"


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="the flags for it are those of Linux")
def test_extension_is_the_same_wherever_it_is_built(compiled_source: Path, source: Path) -> None:
    done = build(source, "--wheel", env=REQUIRE | STATED_DATE)
    assert done.returncode == 0, done.stdout
    first, second = (wheel_in(it).read(EXTENSION) for it in (compiled_source, source))
    assert first == second
    assert str(source.parent).encode() not in first


# --- a build that fails ---------------------------------------------------------------------------


def test_without_a_compiler_the_wheel_is_pure_and_the_build_says_so(quick_source: Path) -> None:
    done = build(quick_source, "--wheel", env=NO_COMPILER)
    assert done.returncode == 0, done.stdout
    wheel = wheel_in(quick_source)
    assert package_in(wheel) == python_files(quick_source)
    assert metadata_in(wheel, "WHEEL").get_all("Tag") == ["py3-none-any"]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("mangum: "))
    assert line == (
        "mangum: pure Python, without the compiled half: /bin/false ended with exit code 1; it"
        " takes Cython, a C compiler and Python's headers (Debian: gcc libc6-dev python3-dev)"
    )


@pytest.mark.parametrize("fault", ["no compiler", "no source", "a source with an error"])
def test_a_build_that_must_be_compiled_and_cannot_be_fails(quick_source: Path, fault: str) -> None:
    pyx = quick_source / SPEEDUPS / "compiled.pyx"
    if fault == "no source":
        pyx.unlink()
    elif fault == "a source with an error":
        pyx.write_text("def (", encoding="utf-8")
    compiler = NO_COMPILER if fault == "no compiler" else {}
    done = build(quick_source, "--wheel", env=REQUIRE | compiler)
    assert done.returncode != 0
    assert "\nmangum: cannot build the compiled half: " in f"\n{done.stdout}"
    assert list((quick_source / "dist").glob("*.whl")) == []


@needs_compiler
def test_what_an_older_build_left_does_not_stand_in_for_one_that_fails(quick_source: Path) -> None:
    source = quick_source
    in_place = ("setup.py", "-q", "build_ext", "--inplace")
    assert run(*in_place, folder=source, env=REQUIRE).returncode == 0
    assert (source / EXTENSION).exists()
    assert len(list((source / "build").rglob(Path(EXTENSION).name))) == 1
    assert build(source, "--wheel", env=REQUIRE | NO_COMPILER).returncode != 0
    assert run(*in_place, folder=source, env=NO_COMPILER).returncode == 0
    assert not (source / EXTENSION).exists()
    assert build(source, "--wheel", env=NO_COMPILER).returncode == 0
    assert package_in(wheel_in(source)) == python_files(source)


def test_a_build_cannot_be_both_pure_and_compiled(source: Path) -> None:
    done = run("setup.py", "--version", folder=source, env=PURE | REQUIRE)
    assert done.returncode != 0
    last = done.stdout.splitlines()[-1]
    assert last == "MANGUM_PURE_PYTHON and MANGUM_REQUIRE_COMPILED exclude each other"


def test_the_variables_are_read_alike_at_build_and_at_run_time() -> None:
    def body_of(function: str, path: Path) -> str:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        (found,) = (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == function
        )
        return ast.unparse(found.body[-1])

    switch = body_of("_is_set", ROOT / SPEEDUPS / "__init__.py")
    assert body_of("is_set", ROOT / "setup.py") == switch
