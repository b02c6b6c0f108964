"""`mangum coldstart` with real processes of small functions; import reports and charts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mangum.cli.chart import Chart, Stack, svg, text_bars
from mangum.cli.coldstart import EXIT_CODES
from mangum.cli.importtime import (
    GROUPS,
    Import,
    Module,
    Names,
    by_group,
    by_package,
    charge,
    parse,
    smallest,
)
from mangum.cli.measure import Result
from mangum.cli.probe import Plan, Probe, Variant
from mangum.cli.report import FIELDS, print_results
from mangum.local.environment import Function
from tests.cli.conftest import ROOT, Project, Run

runtime = pytest.mark.skipif(sys.platform == "win32", reason="there is no os.wait4")

FUNCTIONS = {
    "main.py": """
        import os, sys
        import wave
        from helper import STATUS
        from mangum import Mangum

        async def app(scope, receive, send):
            import colorsys
            status = int(os.environ.get("STATUS", STATUS))
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b"s3cret"})

        handler = Mangum(app, lifespan="off")

        def constant(event, context):
            print("printed")
            print("printed too", file=sys.stderr)
            return {"answer": 42}

        def cached(event, context):
            # 222 if both have bytecode, 221 if the standard library alone has
            import helper, wave
            found = tuple(os.path.exists(it.__spec__.cached) for it in (wave, helper))
            return {"statusCode": {(True, True): 222, (True, False): 221}[found]}

        def checking(event, context):
            assert os.environ["AWS_EC2_METADATA_DISABLED"] == "true"
            assert os.environ["LAMBDA_TASK_ROOT"] == os.getcwd()
            assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == context.function_name == "main"
            assert os.environ["_HANDLER"] == "main.checking"
            assert os.environ["OWN"] == "needed"
            assert "PYTHONSAFEPATH" not in os.environ
            assert context.get_remaining_time_in_millis() > 0
            return event
    """,
    "helper.py": "STATUS = 200\n",
    "other/main.py": "def handler(event, context):\n    return {'statusCode': 202}\n",
    "broken.py": """
        import os, signal, sys

        def failing(event, context):
            raise LookupError("no such key")

        def leaving(event, context):
            sys.exit(3)

        def dying(event, context):
            print("last words", file=sys.stderr)
            os.kill(os.getpid(), signal.SIGKILL)

        def second(event, context, calls=[]):
            calls.append(event)
            if len(calls) == 2:
                raise LookupError("no more")

        def unmarshalled(event, context):
            return object()
    """,
    "raising.py": "def fail():\n    raise RuntimeError('no luck')\n\n\nfail()\n",
    "leaving.py": "import sys\n\nsys.exit(4)\n",
    "waiting.py": """
        import os, pathlib, subprocess, time

        sleeper = subprocess.Popen(["sleep", "1000"])
        path = pathlib.Path("pids.part")
        path.write_text(f"{os.getpid()} {sleeper.pid}")
        path.rename("pids")
        print("before the pause")
        time.sleep(1000)
    """,
}


class Functions(Project):
    """The project with the functions of this file."""

    def coldstart(self, function: str, *options: str, runs: int = 1) -> Run:
        where = ("--app-dir", str(self.folder))
        return self.run("coldstart", function, "--runs", str(runs), *where, *options)

    def figures(self, function: str, *options: str, runs: int = 1) -> list[dict[str, Any]]:
        """The variants of the JSON file."""
        path = self.folder / "figures.json"
        run = self.coldstart(function, "--json", str(path), *options, runs=runs)
        assert run.code == 0, run.err
        variants: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["variants"]
        return variants


@pytest.fixture
def functions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Functions]:
    pytest.importorskip("awslambdaric")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = Functions(tmp_path, capsys)
    for name, source in FUNCTIONS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
    yield made
    assert list(tmp_path.rglob("*.pyc")) == []  # the user's folder stays as it was


# --- measuring ------------------------------------------------------------------------------------


@runtime
def test_report_has_every_figure_and_the_imports(functions: Functions) -> None:
    run = functions.coldstart("main:handler", runs=2)
    assert (run.code, run.err) == (0, "")
    heading, how, name, *lines = run.out.splitlines()
    assert ", awslambdaric " in heading
    assert how == "2 runs; GET / of an HTTP API"
    assert name.startswith("main:handler  (mangum ")
    titles = FIELDS.values() if sys.platform == "linux" else {FIELDS["init_ms"]}
    assert {title for title in titles if not any(line.startswith(title) for line in lines)} == set()
    for title in ("Python and awslambdaric", "asyncio", "Mangum", "your modules"):
        assert any(line.startswith(title) and "%" in line for line in lines), title


@runtime
def test_json_holds_every_sample_and_every_import(functions: Functions) -> None:
    (variant,) = functions.figures("main:handler", runs=3)
    for name in ("init_ms", "first_ms", "second_ms", "cpu_ms", "memory_mib"):
        figures = variant[name]
        assert len(figures["all"]) == 3
        assert 0 < min(figures["all"]) == figures["min"] <= figures["median"]
    assert variant["status"] == 200
    modules = {it["name"]: it for it in variant["imports"]["modules"]}
    of = {name: (it["group"], it["package"], it["phase"]) for name, it in modules.items()}
    assert of["main"] == ("own", "main", "init")
    assert of["helper"] == ("own", "helper", "init")
    assert of["wave"] == ("own", "main", "init")
    assert of["mangum.adapter"] == ("mangum", "mangum", "init")
    assert of["asyncio"] == ("asyncio", "asyncio", "init")
    assert of["awslambdaric.bootstrap"] == ("python", "awslambdaric", "init")
    assert of["colorsys"][2] == "first"
    total = sum(it["self_ms"] for it in modules.values())
    for name in ("groups_ms", "packages_ms"):
        assert sum(variant["imports"][name].values()) == pytest.approx(total, rel=0.02)


@runtime
def test_variants_are_measured_side_by_side(functions: Functions) -> None:
    other = f"{functions.folder}/other/main:handler"
    variants = functions.figures(
        "main:handler",
        *("--env", "STATUS=201"),
        *("--env", "STATUS=203 OTHER='a b'"),
        *("--compare", "main:constant"),
        *("--compare", other),
    )
    assert [(it["name"], it["status"], it["environment"]) for it in variants] == [
        ("main:handler", 200, {}),
        ("main:handler with STATUS=201", 201, {"STATUS": "201"}),
        ("main:handler with STATUS=203 OTHER='a b'", 203, {"STATUS": "203", "OTHER": "a b"}),
        ("main:constant", None, {}),
        (other, 202, {}),
    ]


@runtime
def test_variants_have_columns_with_their_difference(functions: Functions) -> None:
    run = functions.coldstart("main:constant", "--compare", "main:handler")
    lines = run.out.splitlines()
    assert lines[1:4] == [
        "1 run of each, interleaved; GET / of an HTTP API",
        *[line for line in lines if line.startswith(("A  main:constant", "B  main:handler"))],
    ]
    (header,) = (line for line in lines if "A min" in line)
    assert header.split() == ["A", "min", "median", "B", "min", "median", "from", "A"]
    (init,) = (line for line in lines if line.startswith(FIELDS["init_ms"]))
    first, _, second, _, difference = map(float, init.split()[-5:])
    assert difference == pytest.approx(second - first, abs=0.11)


@runtime
def test_without_bytecode_only_the_code_of_the_function_has_none(functions: Functions) -> None:
    variants = functions.figures("main:cached", "--no-bytecode")
    assert [(it["name"], it["bytecode"], it["status"]) for it in variants] == [
        ("main:cached", True, 222),
        ("main:cached without bytecode", False, 221),
    ]


@runtime
def test_function_gets_the_environment_of_lambda_and_its_own(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN", "needed")
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    event = functions.write({"statusCode": 299, "secret": "s3cret"})
    (variant,) = functions.figures("main:checking", "--event", event)
    assert variant["status"] == 299


@runtime
def test_an_event_may_be_of_any_source_and_its_values_are_not_shown(functions: Functions) -> None:
    record = {"eventSource": "aws:sqs", "body": "s3cret"}
    event = functions.write({"Records": [record]})
    figures = str(functions.folder / "figures.json")
    run = functions.coldstart("main:constant", "--event", event, "--json", figures)
    assert (run.code, run.err) == (0, "")
    assert "an event of aws:sqs" in run.out.splitlines()[1]
    assert "s3cret" not in run.out + Path(figures).read_text()


@runtime
def test_an_answer_that_is_an_error_is_noted(functions: Functions) -> None:
    run = functions.coldstart("main:handler", "--env", "STATUS=404")
    assert run.code == 0
    assert run.err == (
        "mangum: main:handler with STATUS=404 answers the event with 404:"
        " --event names the file of one that it serves\n"
    )


@runtime
def test_svg_shows_every_variant(functions: Functions) -> None:
    path = functions.folder / "imports.svg"
    functions.coldstart("main:handler", "--compare", "main:constant", "--svg", str(path))
    texts = {node.text for node in ElementTree.parse(path).iter() if node.tag.endswith("text")}
    assert {"main:handler", "main:constant", *GROUPS.values(), "awslambdaric"} <= texts


@runtime
def test_output_is_plain_where_blocks_cannot_be_written(functions: Functions) -> None:
    arguments = ("coldstart", "main:constant", "-n", "1")
    run = functions.shell(*arguments, PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert (run.code, run.err) == (0, "")
    assert run.out.isascii()
    assert "######" in run.out


# --- functions that fail --------------------------------------------------------------------------

ANOTHER_EVENT = (
    "mangum: it may need another event than GET / of an HTTP API: --event names its file"
)


@runtime
@pytest.mark.parametrize(
    ("function", "lines"),
    [
        (
            "missing:handler",
            [
                "mangum: missing:handler failed in its initialisation",
                (
                    "[ERROR] Runtime.ImportModuleError:"
                    " Unable to import module 'missing': No module named 'missing'"
                ),
                "mangum: there is no missing in {folder}: --app-dir names its folder",
            ],
        ),
        (
            "main:missing",
            [
                "mangum: main:missing failed in its initialisation",
                "[ERROR] Runtime.HandlerNotFound: Handler 'missing' missing on module 'main'",
            ],
        ),
        (
            "leaving:handler",
            ["mangum: leaving:handler exited with code 4 in its initialisation"],
        ),
        (
            "broken:failing",
            [
                "mangum: broken:failing failed in its first invocation",
                "[ERROR] LookupError: no such key",
                "Traceback (most recent call last):",
                '  File "{folder}/broken.py", line 5, in failing',
                '    raise LookupError("no such key")',
                ANOTHER_EVENT,
            ],
        ),
        (
            "broken:second",
            [
                "mangum: broken:second failed in its second invocation",
                "[ERROR] LookupError: no more",
                "Traceback (most recent call last):",
                '  File "{folder}/broken.py", line 17, in second',
                '    raise LookupError("no more")',
                ANOTHER_EVENT,
            ],
        ),
        (
            "broken:leaving",
            ["mangum: broken:leaving exited with code 3 in its first invocation"],
        ),
        (
            "broken:dying",
            ["mangum: broken:dying was ended by SIGKILL in its first invocation", "last words"],
        ),
    ],
)
def test_a_function_that_fails_is_reported_as_lambda_would(
    functions: Functions, function: str, lines: list[str]
) -> None:
    run = functions.coldstart(function)
    assert (run.code, run.out) == (1, "")
    assert run.err.splitlines() == [line.format(folder=functions.folder) for line in lines]


@runtime
def test_an_exception_in_the_initialisation_has_its_traceback(functions: Functions) -> None:
    run = functions.coldstart("raising:handler")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(
        "mangum: raising:handler failed in its initialisation\n[ERROR] RuntimeError: no luck\n"
    )
    assert run.err.endswith(
        f'  File "{functions.folder}/raising.py", line 2, in fail\n'
        "    raise RuntimeError('no luck')\n"
    )


@runtime
def test_a_result_that_is_no_json_is_reported(functions: Functions) -> None:
    run = functions.coldstart("broken:unmarshalled")
    assert run.code == 1
    assert "[ERROR] Runtime.MarshalError: Unable to marshal response:" in run.err


@runtime
def test_a_function_that_hangs_is_ended(functions: Functions) -> None:
    run = functions.coldstart("waiting:handler", "--timeout", "1")
    assert (run.code, run.out) == (1, "")
    what = "mangum: waiting:handler did not end within 1 s in its initialisation\n"
    assert run.err.removesuffix("before the pause\n") == what


@runtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_end_with_the_tool(functions: Functions, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mangum", "coldstart", "waiting:handler"]
    pids = functions.folder / "pids"
    with subprocess.Popen(
        command, cwd=functions.folder, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline_s = time.monotonic() + 30
        while not pids.exists():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (128 + number, "")
    assert [pid for pid in pids.read_text().split() if _runs(int(pid))] == []


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie; who adopts an orphan reaps it when it likes."""
    done = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()[:1] not in ("", "Z")


# --- wrong use ------------------------------------------------------------------------------------


@runtime
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--app-dir", "/no/such"], "--app-dir /no/such is no folder: name the one that"),
        (["--compare", "/no/such/a:b"], "/no/such is no folder: name the one that holds"),
        (["--compare", "nothing"], "'nothing' names no function: write module:handler"),
        (["--env", "NAME"], "--env takes NAME=VALUE, or several in quotes: --env 'A=1 B=2'"),
        (["--env", "A='1"], "--env takes NAME=VALUE, or several in quotes: --env 'A=1 B=2'"),
        (["--event", "/no/such.json"], "can't read /no/such.json (No such file or directory)"),
        (["--json", "/no/such/file"], "can't write /no/such/file: name a file in a folder"),
        (["--python", "no-such-python"], "--python no-such-python is no program: name an"),
        (["--python", "true"], "is no Python 3.10 or newer that works: it said nothing"),
        (["--runs", "0"], "argument -n/--runs: a number from 1 to 10000 is needed"),
        (["--timeout", "x"], "argument --timeout: a number of seconds up to 900 is needed"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    functions: Functions, options: list[str], message: str
) -> None:
    run = functions.coldstart("main:handler", *options)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err


@runtime
def test_a_handler_deeper_in_a_module_is_refused(functions: Functions) -> None:
    run = functions.coldstart("main:a.b")
    assert run == (
        2,
        "",
        "mangum: Lambda takes no a.b: the handler is to be a name in main\n",
    )


@runtime
def test_a_missing_runtime_client_is_named_with_its_installation(functions: Functions) -> None:
    python = functions.folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    run = functions.coldstart("main:handler", "--python", str(python))
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        f"mangum: awslambdaric is missing, Lambda's runtime client:"
        f" {python} -m pip install awslambdaric\n"
    )


def test_windows_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "wait4", raising=False)
    assert project.run("coldstart", "main:handler") == (
        2,
        "",
        "mangum: coldstart needs os.wait4, which Windows lacks: run it in WSL\n",
    )


def test_help_lists_the_exit_codes(project: Project) -> None:
    run = project.run("coldstart", "--help")
    assert run.code == 0
    assert [line for line in EXIT_CODES.values() if line not in run.out] == []


# --- import reports -------------------------------------------------------------------------------

REPORT = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   _io
printed by the function
import time:        50 |        150 | site
import time:        20 |         20 | awslambdaric
import time:        40 |         40 |     json.decoder
import time:        30 |         70 |   json
import time:        10 |         80 | awslambdaric.bootstrap
no line of its own: import time:         5 |          5 |       select
import time:        60 |         65 |     asyncio
import time:        70 |        135 |   mangum
import time:         7 |          7 |     pydantic
import time:         8 |         15 |   starlette
import time:         3 |          3 |   boto3
import time:         9 |        162 | main
import time:         2 |          2 | pydantic.lazy
"""

NAMES = Names(
    standard_library=frozenset({"_io", "site", "json", "select", "asyncio"}),
    own=frozenset({"main"}),
)


def test_report_is_read_as_a_tree() -> None:
    imports = parse(REPORT)
    parents = {it.name: None if it.parent is None else imports[it.parent].name for it in imports}
    assert parents == {
        "_io": "site",
        "site": None,
        "awslambdaric": None,
        "json.decoder": "json",
        "json": "awslambdaric.bootstrap",
        "awslambdaric.bootstrap": None,
        "select": "asyncio",
        "asyncio": "mangum",
        "mangum": "main",
        "pydantic": "starlette",
        "starlette": "main",
        "boto3": "main",
        "main": None,
        "pydantic.lazy": None,
    }
    assert imports[0] == Import("_io", 100, 1)


def test_every_import_is_charged_to_whom_it_is_due() -> None:
    modules = charge({"init": parse(REPORT)}, NAMES)
    assert {it.name: (it.package, it.group) for it in modules} == {
        "_io": ("Python", "python"),
        "site": ("Python", "python"),
        "awslambdaric": ("awslambdaric", "python"),
        "json.decoder": ("awslambdaric", "python"),
        "json": ("awslambdaric", "python"),
        "awslambdaric.bootstrap": ("awslambdaric", "python"),
        "select": ("asyncio", "asyncio"),
        "asyncio": ("asyncio", "asyncio"),
        "mangum": ("mangum", "mangum"),
        "pydantic": ("pydantic", "framework"),
        "starlette": ("starlette", "framework"),
        "boto3": ("boto3", "packages"),
        "main": ("main", "own"),
        "pydantic.lazy": ("pydantic", "framework"),
    }
    assert by_group(modules) == pytest.approx(
        {
            "python": 0.250,
            "asyncio": 0.065,
            "mangum": 0.070,
            "framework": 0.017,
            "packages": 0.003,
            "own": 0.009,
        }
    )
    assert [*by_package(modules)][:3] == ["Python", "awslambdaric", "mangum"]


def test_smallest_time_of_each_module_counts() -> None:
    def run(first_ms: float, second_ms: float) -> list[Module]:
        return [
            Module("a", first_ms, "a", "own", "init"),
            Module("b", second_ms, "b", "own", "init"),
        ]

    assert smallest([run(3, 1), run(1, 2), run(2, 3)]) == run(1, 1)


@pytest.mark.parametrize("report", ["", "no report", "import time: self [us] | x | y\n"])
def test_no_report_is_no_imports(report: str) -> None:
    assert charge({"init": parse(report)}, NAMES) == []


# --- charts ---------------------------------------------------------------------------------------


def test_bars_of_text_are_as_long_as_their_values() -> None:
    lines = text_bars({"one": 8.0, "three": 4.0, "zero": 0.0}, total=12.0)
    assert lines == [
        f"one        8.0  67%  {'█' * 30}",
        f"three      4.0  33%  {'█' * 15}",
        "zero       0.0   0%",
    ]
    assert text_bars({"a": 1.0}, total=2.0, blocks=False) == [f"a      1.0  50%  {'#' * 30}"]
    assert text_bars({}, total=0.0) == []
    assert text_bars({"x" * 50: 0.0}, total=0.0) == [f"…{'x' * 39}      0.0   0%"]


def test_bars_of_a_picture_are_as_wide_as_their_values() -> None:
    picture = svg([Chart("a < b", [Stack("x", {"p": 1.0, "q": 3.0}), Stack("&", {"p": 2.0})])])
    root = ElementTree.fromstring(picture)
    bars = [node for node in root.iter() if len(node) and node.tag.endswith("rect")]
    widths = [float(node.attrib["width"]) for node in bars]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 3, 2], rel=0.01)
    assert len({node.attrib["fill"] for node in bars}) == 2


def test_figures_that_a_system_lacks_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    from mangum.cli.measure import Sample

    sample = Sample(100.0, 2.0, 1.0, 90.0, None, None, 30.0)
    function = Function("main.handler", Path(), "main")
    probe = Probe("CPython", "3.13.0", "arm64", "Darwin", (), (), (), "4.2.2", None, None)
    result = Result(Variant("main:handler", function), probe, None, [sample], [])
    print_results([result], Plan("python", b"{}", 1, 30))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines[5:10]] == [
        ["100.0", "100.0"],
        ["2.0", "2.0"],
        ["1.0", "1.0"],
        ["90.0", "90.0"],
        ["30.0", "30.0"],
    ]
