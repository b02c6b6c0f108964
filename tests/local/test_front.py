"""The gateway's HTTP side: published clients, and sockets for what no client sends."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mangum.local.sources import SOURCES
from tests.local.serving import Serving

pytest.importorskip("awslambdaric")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

HANG_S = 30
MB = 2**20

MIRROR = """
import json

from mangum import Mangum


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope["path"].removeprefix(scope["root_path"])
    action, _, amount = path.lstrip("/").partition("/")
    status, kind = 200, b"application/json"
    if action == "status":
        status, data = int(amount), b""
    elif action == "bytes":
        kind, data = b"text/plain", b"x" * int(amount)
    elif action == "image":
        kind, data = b"image/gif", bytes(range(256))
    else:
        data = json.dumps({
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "root_path": scope["root_path"],
            "size": len(body),
            "text": body[:99].decode("latin-1"),
            "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        }).encode()
    headers = [(b"content-type", kind), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


handler = Mangum(app, edition="2026", lifespan="off")


def plain(event, context):
    return {"statusCode": 201, "body": event["rawPath"], "cookies": ["a=1"]}
"""

PREFIXED = [name for name in SOURCES if name != "http"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("front")
    (path / "mirror.py").write_text(MIRROR, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Serving]:
    """Every source: an HTTP API at the main port, the others below a prefix with their name."""
    also = [word for name in PREFIXED for word in ("--also", f"{name}:/{name}")]
    with Serving("mirror:handler", *also, "--concurrency", "2", folder=folder) as serving:
        yield serving


@pytest.fixture(scope="module")
def staged(folder: Path) -> Iterator[Serving]:
    """A REST API on its own domain, and a function URL, which has no stage, at its own port."""
    options = ("--source", "rest", "--stage", "prod", "--also", "url:0")
    types = ("--binary-media-types", "image/*,application/x-foo")
    with Serving("mirror:handler", *options, *types, folder=folder) as serving:
        yield serving


@pytest.fixture
def client() -> Iterator[Any]:
    with httpx.Client(timeout=HANG_S, trust_env=False) as opened:
        yield opened


def place(served: Serving, source: str) -> str:
    """The URL of a source, without the slash at its end."""
    main = served.url.rstrip("/")
    return main if source == "http" else f"{main}/{source}"


def talk(port: int, *pieces: bytes) -> bytes:
    """What is said to these bytes until the connection is closed."""
    with closing(socket.create_connection(("127.0.0.1", port), HANG_S)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [line, "Host: example.org", *headers]
    return "".join(f"{it}\r\n" for it in lines).encode("latin-1") + b"\r\n" + body


def curl(*arguments: str) -> str:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    command = [program, "-s", "--max-time", str(HANG_S), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --- sources --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_answers_httpx(served: Serving, client: Any, source: str) -> None:
    url = place(served, source)
    got = client.get(f"{url}/a%20b/", params={"x": "1", "y": "ü"})
    assert got.status_code == 200
    seen = got.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("GET", "/a b/", "x=1&y=%C3%BC")
    posted = client.post(f"{url}/post", content=b"\xc3\xbc", headers={"content-type": "image/gif"})
    assert (posted.json()["method"], posted.json()["text"]) == ("POST", "\xc3\xbc")


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_answers_curl(served: Serving, source: str) -> None:
    url = place(served, source)
    assert json.loads(curl(f"{url}/get?x=1"))["query"] == "x=1"
    seen = json.loads(curl(f"{url}/post", "-d", "text", "-H", "X-Name: value"))
    assert (seen["method"], seen["text"]) == ("POST", "text")
    assert ["x-name", "value"] in seen["headers"]


def test_a_source_has_a_line_of_its_own(served: Serving, client: Any) -> None:
    client.get(place(served, "alb") + "/of-the-load-balancer")
    line = served.wait_for("request", lambda it: it["path"] == "/of-the-load-balancer")
    assert (line["source"], line["method"], line["status"]) == ("alb", "GET", 200)
    assert line["environment"] >= 1
    assert line["duration_ms"] > 0


def test_a_path_that_only_begins_like_a_prefix_is_the_main_source_s(
    served: Serving, client: Any
) -> None:
    assert client.get(served.url + "restful").json()["path"] == "/restful"


def test_cookies_are_headers_of_their_own(served: Serving, client: Any) -> None:
    answer = client.get(served.url)
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_stage_begins_the_path(staged: Serving, client: Any) -> None:
    assert staged.url.endswith("/prod/")
    seen = client.get(staged.url + "items").json()
    assert (seen["path"], seen["root_path"]) == ("/prod/items", "/prod")


def test_outside_the_stage_there_is_nothing(staged: Serving, client: Any) -> None:
    answer = client.get(staged.url.replace("/prod/", "/other"))
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
    line = staged.wait_for("request", lambda it: it["path"] == "/other")
    assert (line["environment"], line["status"]) == (None, 403)
    assert "prod" in line["reason"]


def test_a_function_url_has_no_stage(staged: Serving, client: Any) -> None:
    url = staged.addresses["Function URL"]
    assert client.get(url).json()["path"] == "/"


def test_a_rest_api_knows_its_binary_types(staged: Serving, client: Any) -> None:
    answer = client.get(staged.url + "image", headers={"accept": "image/gif"})
    assert answer.content == bytes(range(256))


def test_a_base_path_is_that_of_a_domain(folder: Path, client: Any) -> None:
    with Serving("mirror:handler", "--base-path", "/api/", folder=folder) as serving:
        assert serving.url.endswith("/api/")
        assert client.get(serving.url + "items").status_code == 200
        assert client.get(serving.url.replace("/api/", "/items")).status_code == 404


def test_a_function_without_mangum_is_served(folder: Path, client: Any) -> None:
    with Serving("mirror.plain", folder=folder) as serving:
        answer = client.get(serving.url + "a/b")
    assert (answer.status_code, answer.text, answer.headers["set-cookie"]) == (201, "/a/b", "a=1")


# --- methods and answers --------------------------------------------------------------------------


def test_an_answer_to_head_has_the_length_and_no_body(served: Serving) -> None:
    answer = talk(served.port, request("HEAD /bytes/1000 HTTP/1.1", "Connection: close"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 1000" in head.lower()
    assert body == b""


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PATCH", "PUT", "PURGE"])
def test_any_method_reaches_the_function(served: Serving, client: Any, method: str) -> None:
    assert client.request(method, served.url + "x").json()["method"] == method


def test_options_for_the_whole_server_does_not_reach_the_function(served: Serving) -> None:
    answer = talk(served.port, request("OPTIONS * HTTP/1.1", "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 404 ")
    line = served.wait_for("request", lambda it: it["path"] == "*")
    assert (line["environment"], line["reason"]) == (None, "it names no path")


def test_a_whole_url_is_read_as_its_path(served: Serving) -> None:
    line = "GET http://example.org/by/proxy?x=1 HTTP/1.1"
    body = talk(served.port, request(line, "Connection: close")).partition(b"\r\n\r\n")[2]
    assert (json.loads(body)["path"], json.loads(body)["query"]) == ("/by/proxy", "x=1")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_no_length(served: Serving, status: int) -> None:
    answer = talk(served.port, request(f"GET /status/{status} HTTP/1.1", "Connection: close"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert body == b""


@pytest.mark.parametrize("status", [200, 299, 301, 404, 418, 503, 599])
def test_a_status_goes_through(served: Serving, client: Any, status: int) -> None:
    assert client.get(f"{served.url}status/{status}").status_code == status


# --- sizes ----------------------------------------------------------------------------------------


def test_large_bodies_go_both_ways(served: Serving, client: Any) -> None:
    headers = {"content-type": "text/plain"}
    size = 5 * MB
    posted = client.post(served.url, content=b"y" * size, headers=headers)
    assert posted.json()["size"] == size
    assert client.get(f"{served.url}bytes/{size}").content == b"x" * size


def test_a_request_over_the_limit_is_refused_with_a_line(served: Serving, client: Any) -> None:
    answer = client.post(served.url + "too-large", content=b"y" * (11 * MB))
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})
    line = served.wait_for("request", lambda it: it["path"] == "/too-large")
    assert (line["status"], line["environment"]) == (413, None)
    assert "bytes" in line["reason"]


def test_an_event_over_the_limit_is_refused(served: Serving, client: Any) -> None:
    """Base64 makes a third more of it than an event may hold."""
    image = {"content-type": "image/gif"}
    answer = client.post(served.url + "too-large-event", content=b"\xff" * (5 * MB), headers=image)
    assert answer.status_code == 413
    line = served.wait_for("request", lambda it: it["path"] == "/too-large-event")
    assert "Lambda takes" in line["reason"]


def test_a_result_over_the_limit_fails_as_it_does_there(served: Serving, client: Any) -> None:
    answer = client.get(f"{served.url}bytes/{7 * MB}")
    assert answer.status_code == 500
    assert client.get(served.url).status_code == 200


def test_a_hundred_headers_go_through(served: Serving, client: Any) -> None:
    headers = {f"x-header-{number}": str(number) for number in range(100)}
    seen = client.get(served.url, headers=headers).json()["headers"]
    assert [name for name in headers if [name, headers[name]] not in seen] == []


def test_a_long_query_string_goes_through(served: Serving, client: Any) -> None:
    query = "q=" + "x" * 60_000
    assert client.get(f"{served.url}?{query}").json()["query"] == query


# --- the wire -------------------------------------------------------------------------------------


def test_chunks_are_put_together(served: Serving, client: Any) -> None:
    chunks = iter([b"one,", b"two,", b"three"])
    kind = {"content-type": "text/plain"}
    seen = client.post(served.url, content=chunks, headers=kind).json()
    assert seen["text"] == "one,two,three"
    assert "transfer-encoding" not in dict(seen["headers"])


def test_who_expects_to_go_on_is_told_to(served: Serving) -> None:
    head = request("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 4")
    with closing(socket.create_connection(("127.0.0.1", served.port), HANG_S)) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(b"body")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_http_1_0_closes_the_connection(served: Serving) -> None:
    answer = talk(served.port, request("GET / HTTP/1.0"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 OK\r\n" in head
    assert json.loads(body)["path"] == "/"


def test_requests_on_one_connection_are_answered_in_turn(served: Serving) -> None:
    paths = ["/first", "/second", "/third"]
    pieces = [request(f"GET {path} HTTP/1.1") for path in paths]
    pieces.append(request("GET /last HTTP/1.1", "Connection: close"))
    answers = talk(served.port, *pieces).split(b"HTTP/1.1 ")[1:]
    bodies = [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers]
    assert [body["path"] for body in bodies] == [*paths, "/last"]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    ],
)
def test_what_is_no_http_is_a_400(served: Serving, client: Any, nonsense: bytes) -> None:
    answer = talk(served.port, nonsense)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert client.get(served.url).status_code == 200


def test_a_client_that_goes_away_leaves_nothing(served: Serving, client: Any) -> None:
    head = request("POST /half HTTP/1.1", "Content-Length: 1000")
    with closing(socket.create_connection(("127.0.0.1", served.port), HANG_S)) as connection:
        connection.sendall(head + b"half")
    assert client.get(served.url).status_code == 200
    assert [it for it in served.lines("request") if it["path"] == "/half"] == []


def test_bytes_in_a_path_and_a_header_go_through(served: Serving) -> None:
    line = "GET /a%00%1b[2J%ff HTTP/1.1"
    answer = talk(served.port, request(line, "X-Bytes: caf\xe9", "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_lines_hold_no_query_no_header_and_no_body(served: Serving, client: Any) -> None:
    client.post(
        served.url + "private?token=s3cret-query",
        content=b"s3cret-body",
        headers={"authorization": "s3cret-header"},
    )
    client.post(served.url + "private/large?token=s3cret-query", content=b"s3cret" * 2 * MB)
    served.wait_for("request", lambda it: it["path"] == "/private")
    served.wait_for("request", lambda it: it["path"] == "/private/large")
    assert "s3cret" not in json.dumps(served.lines("request") + served.lines("warning"))


def test_nothing_was_said_of_a_bug(served: Serving, staged: Serving) -> None:
    """The last test of the module: what the gateway itself got wrong would stand there."""
    assert [*served.lines("warning"), *staged.lines("warning")] == []
    assert (served.said, staged.said) == ("", "")
