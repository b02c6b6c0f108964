"""What is asked of every framework: each feature is a function that visits an application.

A path parameter, a cookie or a file must arrive as the client sent it, and the client must get what
the application answered, whichever source is between them.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

from .apps import common
from .visits import Visit, json_of

LAST_VALUE_ONLY = frozenset({"ALB", "Lattice v1"})  # of a repeated query key

ORDER = {"name": "Zoë ☕", "amounts": [1, 2, 3]}
TAGS = ["a b", "ü+1", "a b", "100%25"]
FILE = common.BINARY[::-1]
BOUNDARY = "0123456789abcdef"
FORM = b"\r\n".join(
    (
        f"--{BOUNDARY}".encode(),
        b'Content-Disposition: form-data; name="title"',
        b"",
        "Grüße".encode(),
        f"--{BOUNDARY}".encode(),
        b'Content-Disposition: form-data; name="file"; filename="a.png"',
        b"Content-Type: image/png",
        b"",
        FILE,
        f"--{BOUNDARY}--\r\n".encode(),
    )
)


def json_in_and_out(visit: Visit) -> None:
    sent = json.dumps(ORDER, ensure_ascii=False).encode()
    headers = [("Content-Type", "application/json")]
    answer = visit.send("/json", method="POST", headers=headers, body=sent)
    assert json_of(answer) == {"received": ORDER}


def path_parameter(visit: Visit) -> None:
    answer = visit.send("/items/caf%C3%A9%2Fcr%C3%A8me+a%20b")
    assert json_of(answer) == {"name": "café/crème+a b"}


def repeated_query(visit: Visit) -> None:
    answer = visit.send("/query", query=[("other", "x"), *(("tag", tag) for tag in TAGS)])
    arrived = TAGS[-1:] if visit.source in LAST_VALUE_ONLY else TAGS
    assert json_of(answer) == {"tags": arrived}


def cookies(visit: Visit) -> None:
    answer = visit.send("/cookies", cookies=["a=1", "b=zwei"])
    assert json_of(answer) == {"cookies": {"a": "1", "b": "zwei"}}
    session, theme = answer.cookies
    assert session.startswith("session=abc123")
    assert theme.startswith("theme=dark")
    assert re.search(", 02.Jan.2041 03:04:0", theme)


def upload(visit: Visit) -> None:
    headers = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")]
    answer = visit.send("/upload", method="POST", headers=headers, body=FORM)
    assert json_of(answer) == {
        "title": "Grüße",
        "filename": "a.png",
        "type": "image/png",
        "data": FILE.hex(),
    }


def download(visit: Visit) -> None:
    answer = visit.send("/download")
    assert answer.status == 200
    assert answer.header("content-type") == "application/octet-stream"
    assert answer.body == common.BINARY


def stream(visit: Visit) -> None:
    answer = visit.send("/stream")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/plain")
    assert answer.body.decode() == "".join(common.STREAMED)


def compression(visit: Visit) -> None:
    plain = visit.send("/long")
    assert "content-encoding" not in dict(plain.headers)
    assert plain.body.decode() == common.LONG_TEXT
    compressed = visit.send("/long", headers=[("Accept-Encoding", "gzip")])
    assert compressed.header("content-encoding") == "gzip"
    assert gzip.decompress(compressed.body).decode() == common.LONG_TEXT


def redirect(visit: Visit) -> None:
    answer = visit.send("/redirect")
    assert answer.status == 307
    assert answer.header("location") == common.REDIRECT_TO


def not_found(visit: Visit) -> None:
    answer = visit.send("/missing")
    assert answer.status == 404
    assert b"not found" in answer.body.lower()


def exception(visit: Visit) -> None:
    answer = visit.send("/error")
    assert answer.status == 500
    assert b"server error" in answer.body.lower()
    assert b"secret" not in answer.body
    path_parameter(visit)  # the environment is as good as before


def lifespan(visit: Visit) -> None:
    environment = visit.cold(lifespan="on")
    event = visit.event("/items/a")
    assert common.happened == []
    if visit.edition != "classic":
        environment.startup()
        assert common.happened == [common.STARTED]
    for _ in range(2):
        assert json_of(visit.send_to(environment, event)) == {"name": "a"}
    environment.shutdown()
    runs = 2 if visit.edition == "classic" else 1
    assert common.happened == [common.STARTED, common.STOPPED] * runs


def background(visit: Visit) -> None:
    assert json_of(visit.send("/background")) == {"queued": True}
    if visit.framework.leaves_tasks and common.WORKED not in common.happened:
        path_parameter(visit)  # the task goes on with the next invocation
    assert common.happened.count(common.WORKED) == 1


def stage(visit: Visit) -> None:
    event = visit.event("/items/caf%C3%A9", staged=True)
    environment = visit.cold(**stage_options(visit))
    assert json_of(visit.send_to(environment, event)) == {"name": "café"}
    environment.shutdown()
    if visit.edition != "classic" and not visit.framework.takes_root_path:
        environment = visit.cold()
        assert visit.send_to(environment, event).status == 404
        environment.shutdown()


def stage_options(visit: Visit) -> dict[str, Any]:
    """What has the stage taken off the path where the application can't do that itself."""
    if visit.edition == "classic":
        return {"api_gateway_base_path": "/prod"}
    return {} if visit.framework.takes_root_path else {"root_path": ""}


FEATURES: dict[str, Callable[[Visit], None]] = {
    "JSON": json_in_and_out,
    "path parameter": path_parameter,
    "repeated query": repeated_query,
    "Set-Cookie twice": cookies,
    "upload": upload,
    "download": download,
    "stream": stream,
    "gzip": compression,
    "redirect": redirect,
    "404": not_found,
    "exception": exception,
    "lifespan": lifespan,
    "background": background,
    "stage prefix": stage,
}
