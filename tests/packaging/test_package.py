"""`mangum package`: what is in the zip, what is refused, and what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from mangum.cli import main
from mangum.cli.coldstart import measured
from mangum.cli.load import locate
from mangum.cli.package_report import deployment
from mangum.cli.probe import Plan, Variant
from mangum.cli.usage import WRONG_USE
from mangum.packaging import interpreters
from mangum.packaging.archive import MAX_UPLOAD_BYTES, Archive
from mangum.packaging.errors import CannotPackage
from mangum.packaging.function import check_size
from mangum.packaging.targets import ARCHITECTURES, PYTHONS
from tests.packaging.conftest import HERE
from tests.packaging.elf import library
from tests.packaging.wheels import make_wheel
from tests.processes import HANG_S

OTHER = next(it for it in ARCHITECTURES if it != HERE.arch)
OTHER_MACHINE = ARCHITECTURES[OTHER]

HANDLER = "def handler(event, context):\n    return greeting.text()\n"
FILES = {
    "main.py": f"import greeting\n\n{HANDLER}",
    "page.html": "<p>Hello\n",
    "requirements.txt": "greeting\n",
    "tests/test_main.py": "",
    ".env": "SECRET=1\n",
}
GREETING = {
    "greeting/__init__.py": "from words import HELLO\n\ndef text():\n    return HELLO\n",
    "greeting/tests/test_it.py": "",
    "greeting/py.typed": "",
}
MADE, FAILED = 0, 1

pytest.importorskip("uv")
pytest.importorskip("elftools")


@pytest.fixture
def function(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a function, which is the current one, and an index with what it needs."""
    make_wheel(index, "greeting", "1.0", GREETING, requires=["words>=2"])
    make_wheel(index, "words", "2.1", {"words.py": "HELLO = 'Hello'\n"})
    folder = write(tmp_path / "function", FILES)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def package(*arguments: str, python: str = HERE.python, arch: str = HERE.arch) -> int:
    target = ["--python", python, "--arch", arch, "--offline", "--find-links", "../index"]
    return main(["package", *arguments, *target])


def names(path: str = "function.zip") -> set[str]:
    """Those in the zip, without metadata; bytecode by the name of its source, with a star."""
    with zipfile.ZipFile(path) as opened:
        found = [name for name in opened.namelist() if ".dist-info/" not in name]
    return {name.replace("__pycache__/", "").replace(f"{CACHED}.pyc", "py*") for name in found}


CACHED = HERE.cache_tag


def unpack(folder: Path, path: str = "function.zip") -> Path:
    with zipfile.ZipFile(path) as opened:
        opened.extractall(folder)
    return folder


def run(folder: Path, source: str, *options: str) -> str:
    """What a process says that has nothing but the folder and the standard library."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{source}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", *options, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    return done.stdout


COUNTED = """
from importlib.machinery import SourceFileLoader
compiled = []
def source_to_code(self, data, path, *rest, original=SourceFileLoader.source_to_code, **options):
    compiled.append(path)
    return original(self, data, path, *rest, **options)
SourceFileLoader.source_to_code = source_to_code
"""
"""Keeps what is compiled from then on in a list."""


# --- what is in it --------------------------------------------------------------------------------


def test_the_zip_has_the_function_its_dependencies_and_bytecode_of_both(function: Path) -> None:
    assert package() == MADE
    modules = {"main.py", "greeting/__init__.py", "words.py"}
    assert names() == {"page.html"} | modules | {f"{name}*" for name in modules}


def test_a_read_only_folder_compiles_nothing(function: Path, tmp_path: Path) -> None:
    assert package() == MADE
    source = f"{COUNTED}\nimport main; print(main.handler(0, 0), compiled)"
    assert run(unpack(tmp_path / "task"), source, "-B") == "Hello []\n"


def test_tracebacks_name_the_place_on_lambda(function: Path, tmp_path: Path) -> None:
    (function / "main.py").write_text(f"{HANDLER}\ngreeting = None\n", encoding="utf-8")
    assert package() == MADE
    task = unpack(tmp_path / "task")
    (task / "main.py").unlink()  # as if it lay elsewhere
    said = run(task, "import importlib.util as it\nprint(it.cache_from_source('main.py'))")
    assert CACHED in said
    code = "import marshal; exec(marshal.loads(open(sys.argv[1], 'rb').read()[16:]))\nhandler(0, 0)"
    path = str(task / "__pycache__" / f"main.{CACHED}.pyc")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}", path],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert 'File "/var/task/main.py", line 2, in handler' in done.stderr


def test_without_sources_bytecode_alone_is_there_and_works(function: Path, tmp_path: Path) -> None:
    write(function, {"broken.py": "def (\n"})
    assert package("--no-sources") == MADE
    modules = {"main.pyc", "greeting/__init__.pyc", "words.pyc"}
    assert names() == {"page.html", "broken.py"} | modules
    task = unpack(tmp_path / "task")
    assert run(task, "import main; print(main.handler(0, 0))") == "Hello\n"
    raising = run(task, "import main; main.greeting = None; main.handler(0, 0)")
    assert 'File "/var/task/main.py", line 4, in handler\nAttributeError' in raising


def test_patterns_leave_out_files_of_both(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(function, {"docs/a/b.html": "", "lib/c.html": ""})
    excluded = ["--exclude=docs/", "--exclude", "greet*/*.py", "--exclude=nothing", "--no-check"]
    assert package(*excluded) == MADE
    modules = {"main.py", "words.py"}
    assert names() == {"page.html", "lib/c.html"} | modules | {f"{name}*" for name in modules}
    said = capsys.readouterr()
    assert "mangum: --exclude nothing names nothing that is there\n" in said.err
    assert "what --exclude names 0.1 KB" in said.out


def test_what_is_left_out_is_told(function: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert package() == MADE
    out = capsys.readouterr().out
    assert "left out, as they may hold secrets: .env\n" in out
    assert "left out, tests: tests/\n" in out
    assert "left out, a tool's: requirements.txt\n" in out


def test_the_output_never_holds_itself(function: Path) -> None:
    (function / "out").mkdir()
    first = names_after(["-o", "out/function.zip"], "out/function.zip")
    second = names_after(["-o", "out/function.zip"], "out/function.zip")
    assert first == second
    assert not any(name.startswith("out/") for name in second)


def names_after(arguments: Sequence[str], path: str) -> set[str]:
    assert package(*arguments) == MADE
    return names(path)


def test_lambdas_own_sdk_can_be_used(
    function: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(index, "boto3", "1.9", {"boto3.py": "import six\n"}, requires=["six", "urllib3"])
    make_wheel(index, "six", "1.0", {"six.py": ""})
    make_wheel(index, "urllib3", "2.0", {"urllib3.py": ""})
    make_wheel(index, "requests", "3.0", {"requests.py": ""}, requires=["urllib3"])
    write(function, {"requirements.txt": "boto3\nrequests\n"})
    write(function, {"main.py": "import boto3, requests\ndef handler(event, context): ...\n"})
    assert package("--use-lambda-boto3") == MADE
    assert not {"boto3.py", "six.py"} & names()
    assert {"requests.py", "urllib3.py"} <= names()
    out = capsys.readouterr().out
    assert "left to Lambda: boto3 1.9, six 1.0\n" in out
    assert f"handler: main:handler imported with Python {release()} on " in out
    assert ", and boto3 lent for it\n" in out


def release() -> str:
    found = interpreters.find(HERE.python)
    assert found is not None
    return found.release


def test_the_bill_of_materials_lies_beside_it(function: Path) -> None:
    pytest.importorskip("cyclonedx")
    assert package() == MADE
    bill = json.loads((function / "function.cdx.json").read_text(encoding="utf-8"))
    assert [it["purl"] for it in bill["components"]] == [
        "pkg:pypi/greeting@1.0",
        "pkg:pypi/words@2.1",
    ]


def test_the_same_input_makes_the_same_bytes(function: Path, tmp_path: Path) -> None:
    """Whatever the order of creation, the dates, the permissions and the place."""
    write(function, {"z.py": "x = {'a', 'b', 'c'}\n", "a.py": "y = frozenset('abc')\n"})
    other = tmp_path / "elsewhere"
    before = os.umask(0o077)
    try:
        write(other, {name: (function / name).read_text() for name in ["z.py", "a.py", *FILES]})
        for path in other.rglob("*"):
            os.utime(path, (10**9, 10**9))
        assert package(str(other), "-o", str(tmp_path / "second.zip")) == MADE
    finally:
        os.umask(before)
    assert package() == MADE
    assert (tmp_path / "second.zip").read_bytes() == (function / "function.zip").read_bytes()


def test_a_function_without_dependencies_needs_no_requirements(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (function / "requirements.txt").unlink()
    write(function, {"pyproject.toml": "", "main.py": HANDLER})
    assert package() == MADE
    assert names() == {"main.py", "main.py*", "page.html", "pyproject.toml"}
    expected = "mangum: no requirements.txt: the zip has no dependencies; --requirements"
    assert capsys.readouterr().err == f"{expected} pyproject.toml takes them\n"


# --- for another machine --------------------------------------------------------------------------


def make_compiled(index: Path, machine: str) -> None:
    tag = f"{HERE.wheel_tag}-{HERE.wheel_tag}-manylinux_2_17_{machine}"
    extension = f"fast/_it.{HERE.cache_tag}-{machine}-linux-gnu.so"
    files: dict[str, str | bytes] = {
        "fast/__init__.py": f"MACHINE = {machine!r}\n",
        extension: library(machine),
    }
    make_wheel(index, "fast", "1.0", files, tags=tag)


@pytest.fixture
def compiled(function: Path, index: Path) -> Path:
    """A function with a compiled dependency, whose wheel is there for the other machine."""
    make_compiled(index, OTHER_MACHINE)
    write(function, {"requirements.txt": "fast\n", "main.py": f"import fast\n{HANDLER}"})
    return function


def test_wheels_of_the_target_are_packed_and_those_of_this_machine_imported(
    compiled: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_compiled(index, HERE.machine)
    assert package(arch=OTHER) == MADE
    assert {name for name in names() if ".so" in name} == {
        name for name in names() if name.endswith(f"-{OTHER_MACHINE}-linux-gnu.so")
    }
    out = capsys.readouterr().out
    assert f"handler: main:handler imported with Python {release()} on {HERE.machine}\n" in out
    assert f"--architectures {OTHER}\n" in out


def test_what_can_not_be_imported_here_is_said_not_to_be_checked(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert package(arch=OTHER) == MADE
    out = capsys.readouterr().out
    assert (
        f"handler: main:handler not checked: for this machine, no wheel for {HERE} of fast" in out
    )


def test_an_extension_of_the_applications_own_can_not_be_imported_here(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (function / "native.so").write_bytes(library(OTHER_MACHINE))
    assert package(arch=OTHER) == MADE
    expected = f"not checked: native.so of the application can't be loaded on {HERE.machine}\n"
    assert expected in capsys.readouterr().out


def test_a_missing_wheel_is_an_error_that_names_package_and_target(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert package() == FAILED
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"mangum: no wheel for {HERE} of fast: choose a version that has one")
    assert not (compiled / "function.zip").exists()


def test_an_extension_for_another_machine_is_an_error(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (function / "native.so").write_bytes(library(OTHER_MACHINE))
    assert package() == FAILED
    expected = f"mangum: native.so is for {OTHER_MACHINE}, which {HERE} can't load\n"
    assert capsys.readouterr().err == expected


def test_a_version_without_an_interpreter_is_packed_and_said_not_to_be_checked(
    function: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "HOME", "PYENV_ROOT", "XDG_CACHE_HOME", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, "/nowhere")
    python = next(it for it in PYTHONS if it != HERE.python)
    interpreters.find.cache_clear()
    try:
        assert package(python=python) == MADE
        assert package("--no-sources", python=python) == FAILED
    finally:
        interpreters.find.cache_clear()
    said = capsys.readouterr()
    missing = f"no interpreter of Python {python} is here"
    assert f"handler: main:handler not checked: {missing}: `uv python install {python}`" in said.out
    assert f"mangum: {missing} to write bytecode: each cold start will compile" in said.err
    assert f"mangum: {missing}, and --no-sources needs one to compile" in said.err


# --- the check ------------------------------------------------------------------------------------


def test_a_handler_that_does_not_import_is_an_error_with_the_end_of_its_traceback(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(function, {"main.py": f"import missing\n{HANDLER}"})
    assert package() == FAILED
    err = capsys.readouterr().err
    assert err.startswith(f"mangum: main:handler fails the check with Python {release()} on ")
    assert '\n  File "/var/task/main.py", line 1, in <module>\n    import missing\n' in err
    assert "\nModuleNotFoundError: No module named 'missing'\n" in err
    assert err.endswith(
        "Name what brings missing in the requirements; or --no-check, if a layer does\n"
    )
    assert sorted(os.listdir()) == sorted({name.split("/")[0] for name in FILES})


def test_an_older_zip_stays_where_a_new_one_fails(function: Path) -> None:
    assert package() == MADE
    before = (function / "function.zip").read_bytes()
    write(function, {"main.py": f"{HANDLER}raise ValueError\n"})
    assert package() == FAILED
    assert (function / "function.zip").read_bytes() == before


def test_the_check_can_be_left_out(function: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(function, {"main.py": f"import missing\n{HANDLER}"})
    assert package("--no-check") == MADE
    assert "handler: main:handler not checked, as --no-check says\n" in capsys.readouterr().out


def test_a_handler_can_be_named(function: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(function, {"web/api.py": "def start(event, context): ...\n"})
    assert package("--handler", "web.api:start") == MADE
    assert "handler: web.api:start imported with" in capsys.readouterr().out
    assert package("--handler", "web.api:stop") == FAILED
    assert ": no stop is in web.api\n" in capsys.readouterr().err


def test_a_handler_in_a_module_that_is_not_there_is_told(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert package("--handler", "api:handler") == FAILED
    assert capsys.readouterr().err.endswith("\nThere is no api in the folder of the function\n")


def test_what_lambda_brings_and_is_not_here_is_said_not_to_be_checked(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(function, {"main.py": f"import boto3\n{HANDLER}"})
    assert package() == MADE
    expected = "handler: main:handler not checked: it imports boto3, which Lambda brings; here "
    assert expected in capsys.readouterr().out


def test_without_a_usual_handler_the_zip_is_made_and_it_is_said(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (function / "main.py").rename(function / "api.py")
    assert package() == MADE
    expected = "handler: not checked, as there is none of main:handler, app:handler, "
    assert expected in capsys.readouterr().out


def test_a_variable_that_the_function_needs_can_be_set(
    function: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(function, {"main.py": f"import os\nos.environ['TABLE']\n{HANDLER}"})
    assert package() == FAILED
    assert "A variable that it needs can be set: NAME=value mangum" in capsys.readouterr().err
    monkeypatch.setenv("TABLE", "orders")
    assert package() == MADE


def test_what_the_function_writes_when_it_is_imported_is_not_in_the_zip(function: Path) -> None:
    source = f"import pathlib\npathlib.Path(__file__).with_name('log').touch()\n{HANDLER}"
    write(function, {"main.py": source})
    assert package() == MADE
    assert "log" not in names()


def test_a_module_that_hides_the_librarys_does_not_run_while_it_is_packed(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(function, {"struct.py": "raise SystemExit('it runs')\n"})
    assert package() == MADE
    expected = "mangum: struct hides the standard library's module of that name\n"
    assert capsys.readouterr().err == expected


# --- what is warned of ----------------------------------------------------------------------------


def test_a_syntax_error_is_told_for_the_application_and_counted_for_dependencies(
    function: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(index, "greeting", "1.1", {**GREETING, "greeting/py2.py": "print 1\n"})
    write(function, {"old.py": "x = 1\nprint 1\n", "requirements.txt": "greeting\nwords"})
    assert package() == MADE
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"mangum: old.py:2 is no Python {HERE.python}: SyntaxError: ")
    assert second == f"mangum: 1 files of dependencies are no Python {HERE.python}"
    assert "old.py" in names()


def test_a_file_that_hides_a_dependencys_is_told(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(function, {"words.py": "HELLO = 'Hi'\n"})
    assert package() == MADE
    assert "mangum: words.py takes the place of a dependency's\n" in capsys.readouterr().err


def test_of_what_is_installed_as_a_link_only_the_metadata_is_packed(
    function: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = {"url": "file:///home/me/linked", "dir_info": {"editable": True}}
    links = {"_linked.pth": "/home/me/linked\n", "_linked_finder.py": "PATH = '/home/me'\n"}
    path = "linked-1.0.dist-info/direct_url.json"
    make_wheel(index, "linked", "1.0", {**links, path: json.dumps(note)})
    write(function, {"requirements.txt": "greeting\nlinked\n"})
    assert package() == MADE
    assert not [name for name in names() if "linked" in name]
    with zipfile.ZipFile("function.zip") as opened:
        assert [it for it in opened.namelist() if "linked" in it] == [
            "linked-1.0.dist-info/METADATA"
        ]
    assert "mangum: linked is required with -e, as a link" in capsys.readouterr().err


def test_more_than_lambda_unpacks_is_an_error_that_names_the_largest(tmp_path: Path) -> None:
    write(tmp_path, {"numpy/a": "x" * 2**20, "numpy/b": "x" * 2**20, "main.py": "", "data": "x"})
    check_size(tmp_path, 2 * 2**20 + 1)
    with pytest.raises(
        CannotPackage, match=r"^it takes 2.0 MB unzipped .* are numpy 2.0 MB, data 0.0 MB, main.py"
    ):
        check_size(tmp_path, 2 * 2**20)


def test_the_command_that_deploys_it_is_said(
    function: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert package("-o", "it.zip") == MADE
    assert capsys.readouterr().out.endswith(
        f"\n\n# to a function with --runtime python{HERE.python} --handler main.handler\n"
        "aws lambda update-function-code --function-name NAME"
        f" --zip-file fileb://it.zip --architectures {HERE.arch}\n"
    )


def test_a_large_zip_is_deployed_from_s3(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    assert deployment(Archive(path, "", {}), HERE, None).splitlines() == [
        f"# to a function with --runtime python{HERE.python}",
        "# more than 51,200 KB has to come from S3",
        f"aws s3 cp {path} s3://BUCKET/large.zip",
        (
            "aws lambda update-function-code --function-name NAME --s3-bucket BUCKET"
            f" --s3-key large.zip --architectures {HERE.arch}"
        ),
    ]


# --- wrong uses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["main.py"], "main.py is no folder"),
        (["--requirements", "none.txt"], "--requirements none.txt is no file"),
        (["--python", "3.9"], "3.9 is no Python of Lambda's"),
        (["--arch", "mips"], "mips is no architecture of Lambda's"),
        (["-o", "out.tar"], "-o out.tar is no zip"),
        (["-o", "nowhere/function.zip"], "can't write nowhere/function.zip"),
        (["--no-check", "--handler", "main:handler"], "--no-check checks nothing"),
        (["--no-check", "--measure"], "--measure runs the handler"),
        (["--handler", "main.py"], "main.py names a file"),
        (["--handler", "main:a.b"], "Lambda takes no a.b"),
        (["--measure", "--arch", OTHER], "--measure runs the function here"),
        (["--event", "main.py"], "--event is what is measured with"),
        (["--unknown"], "unrecognized arguments: --unknown"),
    ],
)
def test_wrong_use_is_one_line(
    function: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["package", *arguments]) == WRONG_USE
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("mangum: ")
    assert expected in said.err


def test_a_folder_with_nothing_in_it_is_a_wrong_use(
    function: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert package("../empty") == WRONG_USE
    assert "../empty has nothing of a function" in capsys.readouterr().err
    assert not (function / "function.zip").exists()


# --- measured -------------------------------------------------------------------------------------


ASKED = f"""
import importlib.util
if importlib.util.find_spec("pytest"):
    raise RuntimeError("what is installed here can be imported")
{COUNTED}
import greeting
def handler(event, context):
    return {{"statusCode": 200 + len(compiled)}}
"""


def test_its_cold_start_is_measured_beside_that_of_a_plain_zip(
    function: Path,
    index: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Lambda brings is there in both, even if it is imported by a call alone."""
    pytest.importorskip("awslambdaric")
    monkeypatch.setattr("mangum.cli.package_measure.RUNS", 1)
    make_wheel(index, "boto3", "1.9", {"boto3.py": ""})
    picky = ASKED.replace("return {", "import boto3; assert event['id'] == 1; return {")
    write(function, {"main.py": picky, "event.json": '{"id": 1}'})
    assert package("--measure", "--event", "event.json") == MADE
    out = capsys.readouterr().out
    assert "A  as packaged\nB  as a plain zip: `pip install --target`, no bytecode\n" in out
    assert "init: start to first `next`, wall ms" in out
    assert "; an event of yours\n" in out


def test_bytecode_that_is_deployed_is_what_counts_in_a_measurement(
    function: Path, tmp_path: Path
) -> None:
    pytest.importorskip("awslambdaric")
    write(function, {"main.py": ASKED.replace("raise Runtime", "print; Runtime")})
    assert package("--no-check") == MADE
    task = locate("main:handler", str(unpack(tmp_path / "task")))
    plan = Plan(sys.executable, b"{}", runs=1, timeout_s=HANG_S)
    packaged = Variant("packaged", task, bytecode=False, packages=[task.folder])
    plain = Variant("plain", task, bytecode=False)
    for variants, expected in (([packaged], [200]), ([plain], [202])):
        assert [it.status for it in measured(variants, plan, default_event=True)] == expected
