"""What packages bring that no function uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mangum.packaging.distributions import Distribution, distributions
from mangum.packaging.prune import leave_to_lambda, narrowed, prune
from mangum.packaging.resolve import install
from tests.packaging.conftest import HERE, wanted
from tests.packaging.wheels import make_wheel

PACKAGE = {
    "tool/__init__.py": "",
    "tool/__init__.pyi": "",
    "tool/py.typed": "",
    "tool/data.json": "{}",
    "tool/fast.abi3.so": "",
    "tool/fast.c": "",
    "tool/fast.pyx": "",
    "tool/include/fast.h": "",
    "tool/test/__init__.py": "",
    "tool/testing.py": "",
    "tool/tests/__init__.py": "",
    "tool/tests/data/a.json": "",
    "tests.py": "",
    "bin/tool": "",
    "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
    "tool-1.0.dist-info/licenses/LICENSE": "",
    "tool-1.0.dist-info/direct_url.json": "{}",
    "tool-1.0.dist-info/sboms/tool.cdx.json": "{}",
}


def installed(folder: Path, index: Path, *requirements: str) -> list[Distribution]:
    install(wanted(index, *requirements), HERE, folder)
    return distributions(folder)


def files(folder: Path) -> list[str]:
    return sorted(it.relative_to(folder).as_posix() for it in folder.rglob("*") if it.is_file())


def test_what_a_function_may_use_stays(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", PACKAGE)
    folder = tmp_path / "to"
    left_out = prune(folder, installed(folder, index, "tool"))
    assert files(folder) == [
        "tests.py",
        "tool-1.0.dist-info/METADATA",
        "tool-1.0.dist-info/entry_points.txt",
        "tool-1.0.dist-info/licenses/LICENSE",
        "tool/__init__.py",
        "tool/data.json",
        "tool/fast.abi3.so",
        "tool/test/__init__.py",
        "tool/testing.py",
    ]
    assert set(left_out) == {
        "notes of installers",
        "scripts",
        "sources of extensions",
        "tests",
        "type stubs",
    }
    assert not any(it.is_dir() and not any(it.iterdir()) for it in folder.rglob("*"))


USES_OF_TESTS = {
    "from . import tests": "tool/a.py",
    "from .tests.data import x": "tool/a.py",
    "from ..tests import (\n    data,\n)": "tool/sub/a.py",
    "import tool.tests.data": "other.py",
    "from tool import tests": "other.py",
    "import_module('tool.tests')": "other.py",
    "import_module('.tests', __package__)": "tool/a.py",
}


@pytest.mark.parametrize(("source", "path"), USES_OF_TESTS.items())
def test_tests_that_any_module_imports_stay(
    tmp_path: Path, index: Path, source: str, path: str
) -> None:
    make_wheel(index, "tool", "1.0", {**PACKAGE, "tool/sub/tests/__init__.py": ""})
    make_wheel(index, "more", "1.0", {path: source})
    folder = tmp_path / "to"
    prune(folder, installed(folder, index, "tool", "more"))
    assert (folder / "tool/tests/data/a.json").exists()
    assert not (folder / "tool/sub/tests").exists()


def test_tests_that_the_application_imports_stay(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", PACKAGE)
    (tmp_path / "main.py").write_text("import tool.tests\n", encoding="utf-8")
    folder = tmp_path / "to"
    found = installed(folder, index, "tool")
    prune(folder, found, {"main.py": tmp_path / "main.py"})
    assert (folder / "tool/tests/__init__.py").exists()


def test_a_word_in_a_text_keeps_no_tests(tmp_path: Path, index: Path) -> None:
    source = "'Runs the tool.tests of it.'\nnames = ['tests', 'a.b']\n"
    broken = "import tool.tests\ndef broken(\n"
    make_wheel(index, "tool", "1.0", {**PACKAGE, "tool/a.py": source, "tool/b.py": broken})
    folder = tmp_path / "to"
    prune(folder, installed(folder, index, "tool"))
    assert not (folder / "tool/tests").exists()


def test_stubs_that_a_package_reads_stay(tmp_path: Path, index: Path) -> None:
    lazy = {"tool/lazy.py": "lazy_loader.attach_stub(__name__, __file__)"}
    make_wheel(index, "tool", "1.0", {**PACKAGE, **lazy})
    folder = tmp_path / "to"
    prune(folder, installed(folder, index, "tool"))
    assert (folder / "tool/__init__.pyi").exists()
    assert not (folder / "tool/py.typed").exists()


def test_sources_that_a_module_names_stay(tmp_path: Path, index: Path) -> None:
    reader = {"tool/build.py": "compile(here / 'fast.c'); here.glob('*.h')"}
    make_wheel(index, "tool", "1.0", {**PACKAGE, **reader})
    folder = tmp_path / "to"
    prune(folder, installed(folder, index, "tool"))
    kept = {it.name for it in folder.rglob("fast.*")}
    assert kept == {"fast.abi3.so", "fast.c", "fast.h"}


def test_sources_of_no_extension_stay(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "tool", "1.0", {"tool/__init__.py": "", "tool/templates/main.c": ""})
    folder = tmp_path / "to"
    prune(folder, installed(folder, index, "tool"))
    assert (folder / "tool/templates/main.c").exists()


def test_bytecode_that_is_all_there_is_of_a_module_stays(tmp_path: Path, index: Path) -> None:
    own = dict.fromkeys(("tool/own.pyc", "tool/data.pyc", "tool/data.py"), "")
    make_wheel(index, "tool", "1.0", {**PACKAGE, **own, "tool/__pycache__/b.pyc": ""})
    folder = tmp_path / "to"
    prune(folder, installed(folder, index, "tool"))
    assert [it.name for it in folder.rglob("*.pyc")] == ["own.pyc"]


def test_mangum_itself_comes_without_its_tools(tmp_path: Path, index: Path) -> None:
    kept = ["mangum/__init__.py", "mangum/adapter.py", "mangum/handlers/cli.py"]
    tools = ["__main__.py", "cli/__init__.py", "local/dashboard/page.html", "packaging/layer.py"]
    contents = dict.fromkeys([*kept, *(f"mangum/{it}" for it in tools)], "x")
    contents["mangum/packaging/layer.py"] = "'.pyi'"  # no reason to keep stubs, as it goes itself
    contents["mangum/it.pyi"] = ""
    make_wheel(index, "mangum", "9.0", contents)
    folder = tmp_path / "to"
    left_out = prune(folder, installed(folder, index, "mangum"))
    assert [it for it in files(folder) if it.startswith("mangum/")] == kept
    assert left_out["development parts"] == len(tools) - 1 + len("'.pyi'")


SDK = {
    "boto3": ("botocore", "jmespath", "s3transfer"),
    "botocore": ("jmespath", "python-dateutil", "urllib3"),
    "s3transfer": ("botocore",),
    "jmespath": (),
    "python-dateutil": ("six",),
    "six": (),
    "urllib3": (),
}


def sdk_and(index: Path, **others: tuple[str, ...]) -> None:
    for name, requires in {**SDK, **others}.items():
        make_wheel(index, name, "1.0", {f"{name.replace('-', '_')}.py": ""}, requires)


def test_the_sdk_that_lambda_brings_can_be_left_to_it(tmp_path: Path, index: Path) -> None:
    sdk_and(index, app=("boto3",))
    folder = tmp_path / "to"
    kept = leave_to_lambda(folder, installed(folder, index, "app"))
    assert [it.name for it in kept] == ["app"]
    assert [it for it in files(folder) if it.endswith(".py")] == ["app.py"]


def test_what_another_package_needs_too_stays(tmp_path: Path, index: Path) -> None:
    sdk_and(index, app=("boto3", "Requests"), requests=("urllib3[brotli]<3,>=0.9",))
    folder = tmp_path / "to"
    kept = leave_to_lambda(folder, installed(folder, index, "app"))
    assert [it.name for it in kept] == ["app", "requests", "urllib3"]


def test_what_the_requirements_name_themselves_stays(tmp_path: Path, index: Path) -> None:
    sdk_and(index, app=("boto3",))
    folder = tmp_path / "to"
    found = installed(folder, index, "app", "urllib3==1.0")
    kept = leave_to_lambda(folder, found, {"app", "urllib3"})
    assert [it.name for it in kept] == ["app", "urllib3"]


def test_what_asks_for_a_certain_version_of_lambdas_is_told(tmp_path: Path, index: Path) -> None:
    sdk_and(index, app=("botocore<2,>=1", "boto3; python_version>='3.8'"))
    folder = tmp_path / "to"
    found = installed(folder, index, "app")
    kept = leave_to_lambda(folder, found)
    by_lambda = [it for it in found if it not in kept]
    assert narrowed(kept, by_lambda) == ["app requires botocore<2,>=1"]


def test_what_it_needs_in_turn_stays_too(tmp_path: Path, index: Path) -> None:
    sdk_and(index, app=("boto3", "python_dateutil"))
    folder = tmp_path / "to"
    kept = leave_to_lambda(folder, installed(folder, index, "app"))
    assert [it.name for it in kept] == ["app", "python-dateutil", "six"]
