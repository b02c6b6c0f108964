"""`mangum invoke`: in processes of its own for the main paths, in this one for the tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

import mangum
from mangum.cli import VERBS
from mangum.cli.events import SOURCES
from mangum.cli.invoke import EXIT_CODES
from tests.builders import (
    alb_event,
    edge_event,
    function_url_event,
    http_v1_event,
    http_v2_event,
    lattice_v1_event,
    lattice_v2_event,
    rest_event,
)
from tests.cli.conftest import ROOT, Project

QUEUE = {"Records": [{"eventSource": "aws:sqs", "body": "s3cret"}]}
AUTHORIZER = {"type": "TOKEN", "methodArn": "arn:s3cret", "authorizationToken": "s3cret"}
WEBSOCKET = {"requestContext": {"connectionId": "s3cret", "eventType": "CONNECT"}}

needs_terminals = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no pseudo-terminals"
)


# --- in a process of its own --------------------------------------------------------------------


def test_answer_is_printed_as_the_client_sees_it(project: Project) -> None:
    path = project.write(http_v2_event(path="/json"))
    run = project.shell("invoke", "app:handler", path)
    assert run == (
        0,
        """\
200 OK
content-type: application/json
set-cookie: a=1
set-cookie: b=2

{
  "a": [
    1,
    2
  ]
}
""",
        "",
    )


def test_event_may_come_from_the_standard_input(project: Project) -> None:
    run = project.shell("invoke", "app.handler", "-", stdin=json.dumps(alb_event()))
    assert (run.code, run.out.split("\n")[-2:], run.err) == (0, ["grüße", ""], "")


def test_raw_result_is_json_on_the_standard_output_alone(project: Project) -> None:
    run = project.shell("invoke", "app:function", project.write({}), "--raw", "--timeout", "2")
    result = json.loads(run.out)
    assert run.code == 0
    assert result["name"] == "app"
    assert 0 < result["ms"] <= 2000
    assert run.err == "printed\n[WARNING] function: warned\n"


def test_verbose_shows_logs_from_info_on(project: Project) -> None:
    run = project.shell("invoke", "app:function", project.write({}), "-v")
    assert run.err == "printed\n[INFO] function: noted\n[WARNING] function: warned\n"


def test_exception_of_the_function_is_reported_as_lambda_does(project: Project) -> None:
    run = project.shell("invoke", "app:raising", project.write({"key": "s3cret"}))
    file = project.folder / "app.py"
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(
        f"[ERROR] KeyError: 'name'\nTraceback (most recent call last):\n  File \"{file}\", line "
    )
    assert run.err.endswith("\nKeyError: 'name'\n")
    assert "mangum" not in run.err.replace(str(project.folder), "")


def test_lifespan_of_the_environment_is_shut_down_after_the_answer(project: Project) -> None:
    run = project.shell("invoke", "app:warm", project.write(rest_event()))
    assert (run.code, run.err) == (0, "shutting down\n")


def test_module_is_looked_for_in_the_current_folder_and_app_dir(project: Project) -> None:
    path = project.write({"answer": 42})
    (project.folder / "elsewhere").mkdir()
    (project.folder / "elsewhere" / "found.py").write_text("def handler(event, context): ...\n")
    assert project.shell("invoke", "package.inner:handler", path).code == 0
    assert project.shell("invoke", "found:handler", path).code == 2
    assert project.shell("invoke", "found:handler", path, "--app-dir", "elsewhere").code == 0


def test_reader_that_has_gone_is_no_error(project: Project) -> None:
    command = [sys.executable, "-m", "mangum", "invoke", "app:handler", project.write(rest_event())]
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        command,
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


@needs_terminals
@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({}, b"\x1b[1;32m200 OK\x1b[0m"),
        ({"NO_COLOR": "1"}, b"200 OK"),
        ({"TERM": "dumb"}, b"200 OK"),
    ],
    ids=["a terminal", "NO_COLOR", "a dumb terminal"],
)
def test_colours_are_for_terminals(
    project: Project, environment: dict[str, str], status: bytes
) -> None:
    terminal, other_end = os.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, "-m", "mangum", "invoke", "app:handler", project.write(rest_event())],
        cwd=project.folder,
        env={**env, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdout=other_end,
        check=False,
    )
    os.close(other_end)  # so that reading ends, whatever was written
    shown = os.read(terminal, 4096)
    os.close(terminal)
    assert (done.returncode, shown.split(b"\r\n")[0]) == (0, status)


def test_a_verb_is_imported_only_when_it_is_used() -> None:
    code = (
        "import sys, mangum\n"
        "assert not [name for name in sys.modules if name.startswith('mangum.cli')]\n"
        "from mangum.cli import main\n"
        "assert main(['--help']) == 0\n"
        "print(sorted(name for name in sys.modules if name.startswith('mangum.cli')))\n"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.endswith("['mangum.cli', 'mangum.cli.usage']\n")


# --- exit codes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"), [("200", 0), ("204", 0), ("308", 0), ("404", 4), ("500", 5), ("503", 5)]
)
def test_exit_code_tells_the_class_of_the_status(project: Project, status: str, code: int) -> None:
    event = rest_event(path="/empty", query=[("status", status)])
    run = project.invoke("app:handler", event)
    assert (run.code, run.out[:3], run.err) == (code, status, "")
    assert project.invoke("app:handler", event, "--raw").code == code


def test_result_for_an_event_that_is_no_request_is_printed_as_json(project: Project) -> None:
    run = project.invoke("app:queue", QUEUE, "--source", "event")
    assert run == (0, '{\n  "a": [\n    1,\n    2\n  ]\n}\n', "")


def test_result_that_the_source_would_refuse_is_printed_with_the_reason(project: Project) -> None:
    run = project.invoke("app:echo", {**rest_event(), "statusCode": "many"})
    assert run.code == 5
    assert json.loads(run.out)["statusCode"] == "many"
    assert run.err == (
        "mangum: a REST API would refuse this result:"
        " its `statusCode` is not a number from 200 to 599\n"
    )


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("app:raising", "KeyError: 'name'"),
        ("app:chained", "ValueError: no name"),
        ("app:exiting", "Runtime.ExitError: Runtime exited with exit status 3"),
        (
            "app:unmarshalled",
            (
                "Runtime.MarshalError: Unable to marshal response:"
                " Object of type object is not JSON serializable"
            ),
        ),
        (
            "no_dependency:handler",
            (
                "Runtime.ImportModuleError: Unable to import module 'no_dependency':"
                " No module named 'a_dependency_that_is_missing'"
            ),
        ),
        (
            "no_syntax:handler",
            (
                "Runtime.UserCodeSyntaxError: Syntax error in module 'no_syntax':"
                " invalid syntax (no_syntax.py, line 1)"
            ),
        ),
        ("no_luck:handler", "RuntimeError: at import"),
    ],
)
def test_function_that_fails_is_reported(project: Project, function: str, error: str) -> None:
    run = project.invoke(function, {}, "--raw")
    report = json.loads(run.out)
    assert run.code == 1
    assert run.err.split("\n")[0] == f"[ERROR] {error}"
    assert (f"{report['errorType']}: {report['errorMessage']}") == error
    assert all(str(project.folder) in frame for frame in report["stackTrace"])


def test_built_in_function_without_a_signature_is_called(project: Project) -> None:
    run = project.invoke("builtins:dir", {})
    assert (run.code, run.err[:18]) == (1, "[ERROR] TypeError:")


def test_cause_of_an_exception_is_shown(project: Project) -> None:
    run = project.invoke("app:chained", {})
    assert "direct cause" in run.err
    assert run.err.endswith("\nValueError: no name\n")


def test_interruption_has_the_exit_code_of_shells(project: Project) -> None:
    assert project.invoke("app:interrupted", {}) == (130, "", "")


# --- wrong use ----------------------------------------------------------------------------------

MODULE = "write module:handler or module.handler, for example"
LISTED = "`mangum invoke --help` lists what can be given"
WRONG_FUNCTIONS = [
    ("app", f"'app' names no function: {MODULE} app:handler"),
    ("app:", f"'app:' names no function: {MODULE} app:handler"),
    (":handler", f"':handler' names no function: {MODULE} app:handler"),
    ("app:a..b", f"'app:a..b' names no function: {MODULE} app:handler"),
    ("app.py", "app.py names a file: name its module and the function in it, app:handler"),
    ("x/app.py:f", "x/app.py:f names a file: name its module and the function in it, x.app:f"),
    ("event.json", "the function comes before the event: mangum invoke app:handler event.json"),
    ("ap:handler", "no module 'ap' in {folder} or installed: did you mean app?"),
    ("x.y:f", "no module 'x' in {folder} or installed: name its folder with --app-dir"),
    (
        "package.x:f",
        "no module 'package.x' in {folder} or installed: name its folder with --app-dir",
    ),
    ("app:handlr", "app has no 'handlr': did you mean handler?"),
    ("app:zzz", "app has no 'zzz': did you mean handler or warm or queue?"),
    ("app:namespace.zzz", "app has no 'namespace.zzz': did you mean handler or warm or queue?"),
    ("constants:f", "constants has no 'f': it has no function at all"),
    (
        "package.inner",
        "package.inner is a module: name the function in it, package.inner:handler",
    ),
    ("app:json", "app:json is a module: name the function in it"),
    ("app:App", "app:App is a class: name an instance or a function, for example app:handler"),
    ("app:secrets", "app:secrets is a list, not a function: name the Lambda handler"),
    ("app:app", "app:app is an ASGI application (App): name its Lambda handler, app:handler"),
    ("app:asgi", "app:asgi is an ASGI application: name its Lambda handler, app:handler"),
    (
        "asgi_only:app",
        (
            "asgi_only:app is an ASGI application: add `handler = Mangum(…)` and name that,"
            " asgi_only:handler"
        ),
    ),
    (
        "app:coroutine",
        "app:coroutine is an `async def`, which Lambda does not await: name a plain function",
    ),
    (
        "app:needing_one",
        (
            "app:needing_one takes other arguments than Lambda's: give it the parameters"
            " (event, context)"
        ),
    ),
]


@pytest.mark.parametrize(("function", "advice"), WRONG_FUNCTIONS)
def test_wrong_function_is_answered_with_advice(
    project: Project, function: str, advice: str
) -> None:
    run = project.invoke(function, {})
    assert run == (2, "", f"mangum: {advice.format(folder=project.folder.resolve())}\n")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is empty: it should hold one event as JSON"),
        (b"\n", "is empty: it should hold one event as JSON"),
        (b'{"a": s3cret}', "is not JSON: Expecting value, line 1, column 7"),
        (b'{"a": 1\n "b": 2}', "is not JSON: Expecting ',' delimiter, line 2, column 2"),
        (b'{"a": "\xff"}', "is not JSON: its byte 7 is not UTF-8"),
        (b"[" * 100_000, "is not JSON: it is nested too deeply"),
    ],
)
def test_file_that_holds_no_event_is_told(project: Project, data: bytes, fault: str) -> None:
    path = project.folder / "event.json"
    path.write_bytes(data)
    run = project.run("invoke", "app:handler", str(path))
    assert run == (2, "", f"mangum: {path} {fault}\n")


def test_event_may_be_utf8_with_a_mark_or_utf16(project: Project) -> None:
    path = project.folder / "event.json"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text('{"name": "λ"}', encoding=encoding)
        run = project.run("invoke", "app:echo", str(path), "--app-dir", str(project.folder))
        assert run == (0, '{\n  "name": "λ"\n}\n', "")


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.json", "No such file or directory"), (".", "Is a directory")]
)
def test_file_that_cannot_be_read_is_told(project: Project, name: str, reason: str) -> None:
    path = str(project.folder / name)
    advice = "name the file of an event, or - for stdin"
    run = project.run("invoke", "app:handler", path)
    assert run == (2, "", f"mangum: can't read {path} ({reason}): {advice}\n")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["invoke"], f"the following arguments are required: MODULE:HANDLER, EVENT.json; {LISTED}"),
        (["invoke", "app:f", "e", "more"], f"unrecognized arguments: more; {LISTED}"),
        (
            ["invoke", "app:f", "e", "--sauce", "alb"],
            f"unrecognized arguments: --sauce alb; {LISTED}",
        ),
        (
            ["invoke", "app:f", "e", "--timeout", "0"],
            f"argument --timeout: a number of seconds up to 900 is needed; {LISTED}",
        ),
        (
            ["invoke", "app:f", "e", "--timeout", "soon"],
            f"argument --timeout: a number of seconds up to 900 is needed; {LISTED}",
        ),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    project: Project, arguments: list[str], advice: str
) -> None:
    assert project.run(*arguments) == (2, "", f"mangum: {advice}\n")


def test_folder_of_the_application_must_be_one(project: Project) -> None:
    path = project.write({})
    run = project.run("invoke", "app:handler", path, "--app-dir", "nowhere")
    advice = "--app-dir nowhere is no folder: name the one that holds the module"
    assert run == (2, "", f"mangum: {advice}\n")


# --- sources ------------------------------------------------------------------------------------

EVENTS: list[tuple[str, Any]] = [
    ("rest", rest_event()),
    ("http", http_v1_event()),
    ("http", http_v2_event()),
    ("url", function_url_event()),
    ("alb", alb_event()),
    ("edge", edge_event()),
    ("lattice", lattice_v1_event()),
    ("lattice", lattice_v2_event()),
    ("websocket", WEBSOCKET),
    ("event", QUEUE),
    ("event", {}),
    ("event", []),
]


@pytest.mark.parametrize(("source", "event"), EVENTS)
def test_event_is_of_its_source_and_of_no_other(project: Project, source: str, event: Any) -> None:
    for name in SOURCES:
        run = project.invoke("app:echo", event, "--source", name, "--raw")
        assert (run.code == 2) == (name != source), (name, run.err)


@pytest.mark.parametrize(
    ("event", "source", "advice"),
    [
        (
            rest_event(),
            "url",
            "a function URL: it looks like one of a REST API; give --source rest, or leave it out",
        ),
        (
            QUEUE,
            "alb",
            (
                "an Application Load Balancer: it looks like one of aws:sqs;"
                " give --source event, or leave it out"
            ),
        ),
        (
            AUTHORIZER,
            "rest",
            "a REST API: it looks like one of an API Gateway authorizer; it can't be served",
        ),
        (
            {"path": "/s3cret", "httpMethod": "GET"},
            "rest",
            (
                "a REST API: that has `httpMethod` and `requestContext`,"
                " while the keys here are 'httpMethod', 'path'"
            ),
        ),
        ({}, "edge", "Lambda@Edge: that has `Records[0].cf`, while the keys here are none"),
        (["s3cret"], "http", "an HTTP API: that is an object, and this is JSON's array"),
        (7, "http", "an HTTP API: that is an object, and this is JSON's number"),
    ],
)
def test_event_of_another_source_is_told_by_name(
    project: Project, event: Any, source: str, advice: str
) -> None:
    run = project.invoke("app:handler", event, "--source", source)
    path = project.folder / "event.json"
    assert run == (2, "", f"mangum: {path} is not an event of {advice}\n")


# --- the command itself -------------------------------------------------------------------------


def test_version_is_that_of_the_package(project: Project) -> None:
    assert project.run("--version") == (0, f"mangum {mangum.__version__}\n", "")


def test_help_names_every_verb(project: Project) -> None:
    run = project.run("--help")
    assert (run.code, run.err) == (0, "")
    for name, (_, summary) in VERBS.items():
        assert re.search(rf"^ +{name}\s+{summary}$", run.out, re.MULTILINE)


def test_no_verb_prints_the_help_as_an_error(project: Project) -> None:
    assert project.run() == (2, "", project.run("--help").out)


def test_unknown_verb_is_told(project: Project) -> None:
    run = project.run("invok")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith("mangum: argument VERB: invalid choice: 'invok'")


def test_help_of_invoke_lists_sources_and_exit_codes(project: Project) -> None:
    run = project.run("invoke", "--help")
    assert (run.code, run.err) == (0, "")
    for name, (phrase, _) in SOURCES.items():
        assert re.search(rf"^  {name} +{phrase}$", run.out, re.MULTILINE)
    for code, meaning in EXIT_CODES.items():
        assert f"\n  {code}  {meaning}\n" in run.out


def test_command_is_the_module(project: Project) -> None:
    assert project.shell("--version") == (0, f"mangum {mangum.__version__}\n", "")


@needs_terminals
def test_terminal_as_standard_input_is_prompted(project: Project) -> None:
    terminal, other_end = os.openpty()
    os.write(terminal, b'{"typed": true}\n\x04')
    done = subprocess.run(
        [sys.executable, "-m", "mangum", "invoke", "app:echo", "-", "--raw"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=other_end,
        capture_output=True,
        check=False,
    )
    os.close(terminal)
    os.close(other_end)
    assert (done.returncode, done.stdout) == (0, b'{"typed": true}\n')
    assert done.stderr == b"Type or paste the event, and end it with Ctrl-D.\n"


def test_no_message_shows_a_value_of_the_event(project: Project) -> None:
    for event in (AUTHORIZER, QUEUE, WEBSOCKET, ["s3cret"], "s3cret"):
        for options in ((), ("--source", "rest"), ("-v",)):
            assert "s3cret" not in project.invoke("app:handler", event, *options).err
