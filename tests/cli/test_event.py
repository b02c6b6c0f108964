"""`mangum event`: a request on the command line becomes an event."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from mangum.local.messages import Deployment, Request
from mangum.local.sources import SOURCES
from tests.cli.conftest import Project, Run

LISTED = "`mangum event --help` lists what can be given"


def printed(run: Run) -> Any:
    assert (run.code, run.err) == (0, "")
    return json.loads(run.out)


def test_event_of_a_pipe_is_served(project: Project) -> None:
    for source in SOURCES:
        event = project.shell("event", source, "get", "/json?a=1&status=201")
        answer = project.shell("invoke", "app:handler", "-", stdin=event.out)
        assert (answer.code, answer.out[:11]) == (0, "201 Created"), source


@pytest.mark.parametrize("source", SOURCES)
def test_event_is_the_one_that_the_source_sends(project: Project, source: str) -> None:
    event = printed(
        project.run("event", source, "post", "/a%20b?x=1", "-H", "X-A: 1", "--data", "hello")
    )
    headers = [("host", "example.org"), ("content-length", "5"), ("x-a", "1")]
    sent = Request("POST", "/a%20b", "x=1", headers, b"hello")
    assert event.keys() == SOURCES[source].encode(sent, Deployment()).keys()
    assert "hello" in json.dumps(event) or "aGVsbG8=" in json.dumps(event)


def test_header_may_be_given_several_times(project: Project) -> None:
    arguments = ("-H", "host: a.example", "-H", "X-A:1", "--header", "x-a: λ:2")
    event = printed(project.run("event", "alb-multi", "GET", "/", *arguments))
    headers = event["multiValueHeaders"]
    assert (headers["host"], headers["x-a"]) == (["a.example"], ["1", "λ:2"])


def test_path_loses_its_fragment_and_keeps_its_query(project: Project) -> None:
    event = printed(project.run("event", "url", "GET", "/a?b=?c#d?e"))
    assert (event["rawPath"], event["rawQueryString"]) == ("/a", "b=?c")


def test_data_of_a_file_and_of_the_standard_input_is_bytes(project: Project) -> None:
    path = project.folder / "data"
    path.write_bytes(b"\xff\x00")
    event = printed(project.run("event", "http", "POST", "/", "-d", f"@{path}"))
    assert b64decode(event["body"]) == b"\xff\x00"
    assert event["headers"]["content-length"] == "2"
    event = printed(project.shell("event", "http", "POST", "/", "-d", "@-", stdin="grüße"))
    assert b64decode(event["body"]) == "grüße".encode()


def test_no_data_is_no_body(project: Project) -> None:
    event = printed(project.run("event", "url", "GET", "/"))
    assert "body" not in event
    assert "content-length" not in event["headers"]


def test_request_comes_over_tls(project: Project) -> None:
    headers = printed(project.run("event", "url", "GET", "/"))["headers"]
    told = {name: headers[name] for name in ("host", "x-forwarded-proto", "x-forwarded-port")}
    assert told == {"host": "example.org", "x-forwarded-proto": "https", "x-forwarded-port": "443"}


def test_stage_base_path_and_binary_types_are_the_deployment(project: Project) -> None:
    event = printed(project.run("event", "rest", "GET", "/prod/a", "--stage", "prod"))
    assert (event["path"], event["requestContext"]["path"]) == ("/a", "/prod/a")
    for given in ("/api/v1", "api/v1/", "//api/v1"):
        event = printed(project.run("event", "http", "GET", "/api/v1/a", "--base-path", given))
        assert event["rawPath"] == "/a"
    arguments = ("-H", "content-type: image/png", "-d", "a", "--binary-media-types")
    for types, is_base64 in (("image/*,a/b", True), ("a/b", False)):
        event = printed(project.run("event", "rest", "PUT", "/", *arguments, types))
        assert event["isBase64Encoded"] is is_base64


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["http", "GET"], f"the following arguments are required: PATH; {LISTED}"),
        (["http", "GET", "a"], f"argument PATH: a path begins with a slash; {LISTED}"),
        (
            ["http", "GET", "https://example.org/"],
            f"argument PATH: a path begins with a slash; {LISTED}",
        ),
        (["http", "G T", "/"], f"argument METHOD: a method is a word such as GET; {LISTED}"),
        (["http", "", "/"], f"argument METHOD: a method is a word such as GET; {LISTED}"),
        (
            ["http", "GET", "/", "-H", "accept"],
            f"argument -H/--header: a header is written 'Name: value'; {LISTED}",
        ),
        (
            ["http", "GET", "/", "-H", "a b: c"],
            f"argument -H/--header: a header is written 'Name: value'; {LISTED}",
        ),
        (
            ["http", "GET", "/", "-d", "@missing"],
            "can't read missing (No such file or directory): name a file after the @, or -",
        ),
        (
            ["http", "GET", "/", "-d", "@."],
            "can't read . (Is a directory): name a file after the @, or - for stdin",
        ),
        (["alb", "GET", "/", "--stage", "v1"], "an Application Load Balancer has no stage: omit"),
        (["url", "GET", "/", "--base-path", "/a"], "a function URL has no base path: omit"),
        (
            ["http", "GET", "/", "--binary-media-types", "a/b"],
            "an HTTP API has no binary media types: omit --binary-media-types",
        ),
        (["http", "GET", "/", "--stage", "v1"], "the path is outside /v1: begin it with that"),
        (["rest", "GET", "/", "--base-path", "a"], "the path is outside /a: begin it with that"),
        (
            ["http", "GET", "/", "--stage", "a b"],
            "argument --stage: a stage has letters, digits, - and _, or is $default",
        ),
        (
            ["rest", "GET", "/v1", "--stage", "v1", "--base-path", "/v1"],
            "on a domain with a base path no path shows the stage: omit one of the two",
        ),
        (
            ["rest", "GET", "/", "--binary-media-types", "png"],
            "argument --binary-media-types: media types are written image/png,image/*",
        ),
    ],
)
def test_wrong_use_is_told_in_one_line(project: Project, arguments: list[str], advice: str) -> None:
    run = project.run("event", *arguments)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith(f"mangum: {advice}")


def test_unknown_source_is_told(project: Project) -> None:
    run = project.run("event", "htp", "GET", "/")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith("mangum: argument SOURCE: invalid choice: 'htp'")


@pytest.mark.parametrize(
    ("source", "size", "advice"),
    [
        (
            "alb",
            1_048_577,
            "the body has 1,048,577 bytes, while an Application Load Balancer takes 1,048,576",
        ),
        ("http", 5_000_000, "the event has 6,667,"),
    ],
)
def test_request_that_is_too_large_is_told(
    project: Project, source: str, size: int, advice: str
) -> None:
    (project.folder / "data").write_bytes(bytes(size))
    run = project.run("event", source, "POST", "/", "-d", f"@{project.folder / 'data'}")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith(f"mangum: {advice}")


def test_help_lists_every_source(project: Project) -> None:
    run = project.run("event", "--help")
    assert (run.code, run.err) == (0, "")
    for name, source in SOURCES.items():
        assert f"  {name:<10} {source.phrase}\n" in run.out


def test_no_path_shows_the_default_stage(project: Project) -> None:
    run = project.run("event", "http", "GET", "/items", "--stage", "$default")
    event = json.loads(run.out)
    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/items", "$default")
