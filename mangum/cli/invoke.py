"""`mangum invoke`: calls a function once, as Lambda would, and prints what the client would see."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import sys
import traceback
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from mangum import Mangum
from mangum.cli.answers import read_answer, write_answer, write_json
from mangum.cli.context import Context
from mangum.cli.events import SOURCES, check_source, read_event, recognise
from mangum.cli.load import load, split_target
from mangum.cli.terminal import painter
from mangum.cli.usage import WRONG_USE, WrongUse, describe, seconds
from mangum.local.messages import Answer, BadAnswer

ANSWERED, RAISED, CLIENT_ERROR, SERVER_ERROR = 0, 1, 4, 5

EXIT_CODES = {
    ANSWERED: "an answer below 400, or a result that is no HTTP answer",
    RAISED: "the function raised, or returned what is no JSON",
    WRONG_USE: "wrong use: no such file, module, function, …",
    CLIENT_ERROR: "an answer with a 4xx status",
    SERVER_ERROR: "an answer with a 5xx status, or one that the source would refuse",
}

DESCRIPTION = """\
Call a Lambda function once with an event from a file, and print its answer.

The function's logs and what it prints go to the standard error; the standard
output holds the answer alone."""

EXAMPLES = """\
  mangum invoke app:handler event.json
  mangum invoke app:handler event.json --raw | jq .headers
  sam local generate-event sqs receive-message | mangum invoke app:handler -"""


class FunctionFailed(Exception):
    """The function raised, at its import or when it was called; in the words of Lambda's report."""

    def __init__(self, error_type: str, message: str, cause: BaseException) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.cause = cause


def configure(parser: ArgumentParser) -> None:
    describe(
        parser,
        DESCRIPTION,
        EXAMPLES,
        sources={name: phrase for name, (phrase, _) in SOURCES.items()},
        exit_codes=EXIT_CODES,
    )
    add = parser.add_argument
    add("function", metavar="MODULE:HANDLER", help="the function; Lambda's MODULE.HANDLER does too")
    add("event", metavar="EVENT.json", help="the file of the event, - for the standard input")
    add("--source", choices=SOURCES, metavar="SOURCE", help="check that the event is of it")
    add("--raw", action="store_true", help="print the JSON that Lambda would get")
    add("--app-dir", default=".", metavar="DIR", help="where the module is (default: here)")
    add(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="what context.get_remaining_time_in_millis() starts at (default: 30)",
    )
    add("-v", "--verbose", action="store_true", help="logs from INFO on, else from WARNING on")


def run(arguments: Namespace) -> int:
    if arguments.function.endswith(".json"):
        raise WrongUse("the function comes before the event: mangum invoke app:handler event.json")
    event = read_event(arguments.event)
    if arguments.source:
        check_source(event, arguments.source, arguments.event)
    module_name, _ = split_target(arguments.function)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="[%(levelname)s] %(name)s: %(message)s",
        stream=sys.stderr,
    )
    context = Context(module_name.rpartition(".")[2], arguments.timeout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            function = _load(arguments.function, arguments.app_dir, module_name)
            result = call(function, event, context)
        code = _print_result(result, event, arguments.raw)
        if isinstance(function, Mangum):
            with contextlib.redirect_stdout(sys.stderr):
                _guard(function.shutdown)
    except FunctionFailed as error:
        _print_failure(error, context, arguments.raw)
        return RAISED
    return code


def _load(target: str, folder: str, module_name: str) -> Any:
    try:
        return _guard(load, target, folder)
    except FunctionFailed as error:
        if isinstance(error.cause, ImportError):
            error.error_type = "Runtime.ImportModuleError"
            error.message = f"Unable to import module '{module_name}': {error.cause}"
        elif isinstance(error.cause, SyntaxError):
            error.error_type = "Runtime.UserCodeSyntaxError"
            error.message = f"Syntax error in module '{module_name}': {error.cause}"
        raise


def call(function: Any, event: Any, context: Context) -> Any:
    """The result as it arrives where it is sent to: written as JSON and read again."""
    result = _guard(function, event, context)
    try:
        return json.loads(json.dumps(result))
    except (TypeError, ValueError, RecursionError) as error:
        message = f"Unable to marshal response: {error}"
        raise FunctionFailed("Runtime.MarshalError", message, error.with_traceback(None)) from None


def _guard(function: Any, *arguments: Any) -> Any:
    """Call code of the user's. Raises `FunctionFailed` for what it raises."""
    try:
        return function(*arguments)
    except WrongUse:
        raise
    except SystemExit as error:
        message = f"Runtime exited with exit status {error.code}"
        raise FunctionFailed("Runtime.ExitError", message, error) from None
    except Exception as error:
        raise FunctionFailed(type(error).__name__, str(error), error) from None


def _print_result(result: Any, event: Any, raw: bool) -> int:
    source = recognise(event)
    answer: Answer | None = None
    fault = None
    try:
        answer = read_answer(result, source, event)
    except BadAnswer as error:
        fault = str(error)
    if raw:
        print(write_json(result, indent=None))
    elif answer is None:
        print(write_json(result))
    else:
        _print_text(write_answer(answer, painter(sys.stdout)))
    if fault:
        print(f"mangum: {source.phrase} would refuse this result: {fault}", file=sys.stderr)
        return SERVER_ERROR
    return answer.status // 100 if answer and answer.status >= 400 else ANSWERED


def _print_text(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _print_failure(failure: FunctionFailed, context: Context, raw: bool) -> None:
    """What Lambda logs; with `raw` also what it returns to the caller."""
    cause = failure.cause
    cause.__traceback__ = own_frames(cause)
    lines = traceback.format_exception(type(cause), cause, cause.__traceback__)
    print(f"[ERROR] {failure.error_type}: {failure.message}", file=sys.stderr)
    if cause.__traceback__ or isinstance(cause, SyntaxError):
        print("".join(lines).rstrip(), file=sys.stderr)
    if raw:
        report = {
            "errorMessage": failure.message,
            "errorType": failure.error_type,
            "requestId": context.aws_request_id,
            "stackTrace": traceback.format_tb(cause.__traceback__),
        }
        print(write_json(report, indent=None))


def own_frames(error: BaseException) -> Any:
    """The traceback from the user's first frame on, without those that led there."""
    ours = (str(Path(__file__).parent), importlib.__file__, "<frozen importlib")
    frame = error.__traceback__
    while frame and frame.tb_frame.f_code.co_filename.startswith(ours):
        frame = frame.tb_next
    return frame
