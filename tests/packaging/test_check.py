"""A handler is found, and imported as Lambda imports it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mangum.packaging import check
from mangum.packaging.check import Outcome, import_handler
from mangum.packaging.handlers import HANDLERS, find_handler
from mangum.packaging.interpreters import Interpreter
from tests.packaging.conftest import HERE

THIS = Interpreter(HERE.python, "", sys.executable)
HANDLER = "def handler(event, context):\n    pass\n"


def outcome(folder: Path, source: str, handler: str = "main:handler") -> Outcome:
    (folder / "main.py").write_text(source, encoding="utf-8")
    return import_handler(handler, folder, THIS)


# --- finding it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", HANDLERS)
@pytest.mark.parametrize("place", ["{}.py", "{}/__init__.py"])
def test_the_usual_handlers_are_found(tmp_path: Path, candidate: str, place: str) -> None:
    module, _, name = candidate.partition(":")
    path = tmp_path / place.format(module)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"def {name}(event, context): ...\n")
    assert find_handler(tmp_path) == candidate


@pytest.mark.parametrize(
    "source",
    [
        "handler = Mangum(app)",
        "handler: Handler = Mangum(app)",
        "a, handler = make()",
        "from elsewhere import handler",
        "from elsewhere import it as handler",
        "from elsewhere import *",
        "async def handler(event, context): ...",
        "class handler: ...",
        "if TESTING:\n    pass\nelse:\n    handler = 1",
        "try:\n    import it\nexcept ImportError:\n    handler = 1",
        "with it:\n    handler = 1",
        "def (",  # what is no Python is left to the import, which tells it
    ],
)
def test_however_it_is_defined(tmp_path: Path, source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    assert find_handler(tmp_path) == "main:handler"


@pytest.mark.parametrize("source", ["", "app = FastAPI()", "def make():\n    handler = 1"])
def test_what_is_not_defined_is_not_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    assert find_handler(tmp_path) is None


# --- importing it ---------------------------------------------------------------------------------


def test_nothing_is_said_of_a_handler_that_imports(tmp_path: Path) -> None:
    assert outcome(tmp_path, f"print('hello')\n{HANDLER}") == Outcome()


def test_a_handler_within_packages_is_imported(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text(HANDLER)
    assert import_handler("package.module:handler", tmp_path, THIS) == Outcome()


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "no handler is in main"),
        ("handler = 1", "handler of main can't be called: it is of the type int"),
        (
            "async def handler(scope, receive, send): ...",
            "handler of main does not take an event and a context",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "the process ended with exit code 3"),
        ("import missing.part", "ModuleNotFoundError: No module named 'missing'"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, source: str, fault: str) -> None:
    assert outcome(tmp_path, source).fault == fault


def test_the_end_of_a_process_shows_what_it_printed(tmp_path: Path) -> None:
    source = "import os\nprint('no licence', flush=True)\nos._exit(3)\n"
    assert outcome(tmp_path, source).trace == "no licence"


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TIMEOUT_S", 1)
    assert outcome(tmp_path, "while True: pass").fault == "it did not end within 1 s"


def test_the_traceback_names_the_place_on_lambda(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def fail():\n    raise ValueError('no good')\n")
    found = outcome(tmp_path, "import helper\nhelper.fail()\n")
    assert found.fault == "ValueError: no good"
    assert [line for line in found.trace.splitlines() if "^" not in line and "~" not in line] == [
        '  File "/var/task/main.py", line 2, in <module>',
        "    helper.fail()",
        '  File "/var/task/helper.py", line 2, in fail',
        "    raise ValueError('no good')",
        "ValueError: no good",
    ]


def test_of_a_long_traceback_the_end_is_told(tmp_path: Path) -> None:
    calls = [f"def f{n}():\n    f{n + 1}()" for n in range(9)]
    found = outcome(tmp_path, "\n".join([*calls, "f9 = lambda: 1 / 0", "f0()"]))
    assert len(found.trace.splitlines()) == check.TAIL_LINES
    assert found.trace.endswith("ZeroDivisionError: division by zero")


def test_nothing_that_is_installed_here_can_be_imported(tmp_path: Path) -> None:
    found = outcome(tmp_path, "import pytest")
    assert (found.missing, found.needs) == ("pytest", None)


def test_what_lambda_brings_is_known_by_its_distribution(tmp_path: Path) -> None:
    assert outcome(tmp_path, "import dateutil.parser").needs == "python-dateutil"
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "dateutil.py").write_text("parser = 1")
    (tmp_path / "main.py").write_text("from dateutil import parser\n" + HANDLER)
    assert import_handler("main:handler", tmp_path, THIS, [tmp_path / "lent"]) == Outcome()


def test_the_functions_own_modules_come_first(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("OWN = 1")
    assert outcome(tmp_path, f"from colorsys import OWN\n{HANDLER}") == Outcome()


def test_it_is_given_what_lambda_sets_and_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE", "orders")
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert "AWS_SECRET_ACCESS_KEY" in os.environ
    expected = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PROFILE": None,
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": None,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONPATH": None,
        "TABLE": "orders",
        "_HANDLER": "main.handler",
    }
    source = f"import os\nfor name, value in {expected!r}.items():\n"
    source += "    assert os.environ.get(name) == value, name\n"
    assert outcome(tmp_path, source + HANDLER) == Outcome()


def test_nothing_is_written_beside_it(tmp_path: Path) -> None:
    assert outcome(tmp_path, HANDLER) == Outcome()
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


def test_threads_do_not_keep_it(tmp_path: Path) -> None:
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=[99]).start()\n"
    assert outcome(tmp_path, source + HANDLER) == Outcome()
