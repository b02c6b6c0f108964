"""Functions behind a gateway that is not ours, MiniStack, which checks every signature, called by a
client that is not ours, `websockets`."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.websockets.ministack import PERMITTED, Api, MiniStack

HANG_S = 15
BACKENDS = ("dynamodb", "s3", "sqlite")
NEEDED = {
    "dynamodb": "dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem"
    " dynamodb:BatchGetItem"
    " dynamodb:CreateTable dynamodb:DescribeTable dynamodb:UpdateTimeToLive",
    "s3": "s3:GetObject s3:PutObject s3:DeleteObject s3:ListBucket s3:CreateBucket",
}
"""The permissions that the documentation of a backend names."""

Deploy = Callable[..., Api]


@pytest.fixture(scope="module")
def ministack() -> Iterator[MiniStack]:
    stack = MiniStack()
    yield stack
    stack.close()


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary.jsonl"


@pytest.fixture(params=BACKENDS)
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for connections that is not there yet."""
    name = f"connections-{uuid4().hex}"
    return {
        "dynamodb": f"dynamodb://{name}",
        "s3": f"s3://{name}/prefix",
        "sqlite": f"sqlite:///{tmp_path / 'connections.db'}",
    }[request.param]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the functions have logged."""
    return tmp_path / "log.txt"


@pytest.fixture
def deploy(ministack: MiniStack, diary: Path, log: Path, tmp_path: Path) -> Iterator[Deploy]:
    """Deploys a handler with options of the adapter; afterwards shows what it has logged."""

    def deployed(
        handler: str,
        *,
        elsewhere: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
        permitted: tuple[str, ...] = PERMITTED,
        **options: Any,
    ) -> Api:
        own = {"edition": "2026", "dsn": f"sqlite:///{tmp_path / 'own.db'}", **options}
        variables = {"DIARY": str(diary), "LOG": str(log), "OPTIONS": json.dumps(own)}
        variables |= environ or {}
        return ministack.deploy(handler, variables, elsewhere=elsewhere, permitted=permitted)

    yield deployed
    print(log.read_text(encoding="utf-8") if log.exists() else "nothing was logged")


def open_socket(api: Api, query: str = "", *subprotocols: str) -> ClientConnection:
    return connect(
        f"{api.url}{query}",
        proxy=None,
        open_timeout=HANG_S,
        subprotocols=[Subprotocol(it) for it in subprotocols] or None,
    )


def ask(socket: ClientConnection, text: str, answers: int = 1) -> list[str]:
    """Send a message and read so many."""
    socket.send(text)
    return hear(socket, answers)


def hear(socket: ClientConnection, count: int = 1) -> list[str]:
    return [str(socket.recv(HANG_S)) for _ in range(count)]


def own_options(ministack: MiniStack, api: Api) -> dict[str, Any]:
    """The options of the adapter that a function was deployed with."""
    describe = ministack.client("lambda").get_function_configuration
    variables = describe(FunctionName=api.functions[0])["Environment"]["Variables"]
    options: dict[str, Any] = json.loads(variables["OPTIONS"])
    return options


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline_s, "it does not come to pass"
        time.sleep(0.02)


def entries(diary: Path, count: int) -> list[Any]:
    """The first so many lines of a diary, which may still have to be written."""
    wait_until(lambda: diary.exists() and diary.read_text().count("\n") >= count)
    return [json.loads(line) for line in diary.read_text().splitlines()]


def event(kind: str, connection_id: str, **fields: Any) -> dict[str, Any]:
    """An event of a connection that there is not, for what the service's own events can't hold."""
    context = {"eventType": kind, "connectionId": connection_id, "stage": "prod"}
    routes = {"CONNECT": "$connect", "MESSAGE": "$default", "DISCONNECT": "$disconnect"}
    context |= {"routeKey": routes[kind], "domainName": "api.execute-api.localhost", "apiId": "api"}
    return {
        "requestContext": context | fields.pop("context", {}),
        "isBase64Encoded": False,
    } | fields


@pytest.mark.parametrize("options", [{"edition": "classic"}, {"edition": "2026"}], ids=str)
def test_messages_are_answered(deploy: Deploy, dsn: str, options: dict[str, str]) -> None:
    with open_socket(deploy("echo.handler", dsn=dsn, **options)) as socket:
        assert ask(socket, "one two", 2) == ["one", "two"]
        assert ask(socket, '{"häßlich":"☃"}') == ['{"häßlich":"☃"}']


def test_connections_do_not_meet(deploy: Deploy) -> None:
    api = deploy("counter.handler")
    with open_socket(api, "?user=a") as one, open_socket(api, "?user=b") as other:
        assert ask(one, "1", 2)[0] == "welcome a"
        assert ask(other, "1", 2)[0] == "welcome b"
        assert [json.loads(ask(it, "2")[0])["number"] for it in (one, other)] == [2, 2]


def test_a_session_goes_on_in_its_environment(deploy: Deploy, dsn: str) -> None:
    with open_socket(deploy("counter.handler", dsn=dsn), "?user=a") as socket:
        welcome, first = ask(socket, "1", 2)
        second, third = ask(socket, "2") + ask(socket, "3")
    pid = json.loads(first)["pid"]
    assert welcome == "welcome a"
    assert [json.loads(it) for it in (first, second, third)] == [
        {"number": number, "pid": pid} for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(("replay", "numbers"), [("connect", [1, 2]), ("messages", [2, 3])])
def test_a_session_outlives_its_environment(
    ministack: MiniStack, deploy: Deploy, dsn: str, replay: str, numbers: list[int]
) -> None:
    api = deploy("counter.handler", dsn=dsn, websocket_replay=replay)
    with open_socket(api, "?user=a") as socket:
        _, before = ask(socket, "1", 2)
        pid = json.loads(before)["pid"]
        # the client has its answer before the function is through: the next event is served then
        other = event("CONNECT", "other", queryStringParameters={"user": "b"})
        assert ministack.invoke(api.functions[0], other).result == {"statusCode": 200}
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _is_dead(pid))
        after = [json.loads(answer) for answer in ask(socket, "2") + ask(socket, "3")]
    assert [it["number"] for it in after] == numbers  # and the client is welcomed once
    assert after[0]["pid"] == after[1]["pid"] != pid


@pytest.mark.parametrize(
    ("replay", "expected"),
    [("connect", [2, 1, 2, 1, 2]), ("messages", [2, 3, 4, 5, 6])],
)
def test_two_environments_serve_one_connection(
    deploy: Deploy, dsn: str, replay: str, expected: list[int]
) -> None:
    api = deploy("counter.handler", elsewhere=("there",), dsn=dsn, websocket_replay=replay)
    here, there = "here", '{"action":"there"}'
    with open_socket(api, "?user=a") as socket:
        assert ask(socket, here, 2)[0] == "welcome a"
        texts = (here, there, there, here, here)
        answers = [json.loads(ask(socket, text)[0]) for text in texts]
    pids = [answer["pid"] for answer in answers]
    assert [answer["number"] for answer in answers] == expected
    assert pids[1] == pids[2] != pids[0] == pids[3] == pids[4]


@pytest.mark.parametrize("handler", ["chat.handler", "consumer.handler"])
def test_a_room_is_shared_by_environments(deploy: Deploy, dsn: str, handler: str) -> None:
    api = deploy(handler, elsewhere=("there",), dsn=dsn)
    with open_socket(api, "?room=r&name=a") as one, open_socket(api, "?room=s&name=b") as apart:
        with open_socket(api, "?room=r&name=c") as other:
            assert hear(one, 2) == ["a is here", "c is here"]
            one.send(json.dumps({"action": "there", "say": "☃"}))
            said = [{"from": "a", "said": "☃"}, {"from": "c", "said": "hello"}]
            assert json.loads(hear(one)[0]) == said[0]
            heard = hear(other)
            if heard == ["c is here"]:  # which may have to wait for the client's own message
                heard += hear(other)
            other.send(json.dumps({"action": "here", "say": "hello"}))
            assert json.loads(hear(one)[0]) == said[1]
            heard += hear(other, 3 - len(heard))
            heard.remove("c is here")
            assert [json.loads(it) for it in heard] == said
        assert hear(one) == ["c has left"]
        greeting, answer = ask(apart, json.dumps({"say": "anybody?"}), 2)
        assert (greeting, json.loads(answer)) == ("b is here", {"from": "b", "said": "anybody?"})


def test_an_application_may_refuse_a_client(deploy: Deploy) -> None:
    api = deploy("gate.handler")
    for query in ("", "?reason=who"):
        with pytest.raises(InvalidStatus) as refused, open_socket(api, query):
            pass
        assert refused.value.response.status_code == 403  # of MiniStack, whatever it is told


def test_an_application_may_refuse_with_an_answer_of_its_own(
    ministack: MiniStack, deploy: Deploy
) -> None:
    (function,) = deploy("gate.handler").functions
    query = {"queryStringParameters": {"reason": "who"}}
    refused = ministack.invoke(function, event("CONNECT", "a", **query))
    assert refused.result["statusCode"] == 401
    assert json.loads(refused.result["body"]) == {"error": "who"}
    assert ministack.invoke(function, event("CONNECT", "b")).result["statusCode"] == 403


def test_a_subprotocol_is_spoken(ministack: MiniStack, deploy: Deploy) -> None:
    api = deploy("graphql.handler")
    protocol = "graphql-transport-ws"
    with open_socket(api, "", "other", protocol) as socket:
        assert ask(socket, '{"type":"connection_init"}') == ['{"type":"connection_ack"}']
        answers = ask(socket, '{"id":"1","type":"subscribe"}', 3)
        assert [json.loads(it)["type"] for it in answers] == ["next", "next", "complete"]
    with open_socket(api, "", protocol) as socket, pytest.raises(ConnectionClosed):
        ask(socket, '{"id":"1","type":"subscribe"}')
    # which one it is, MiniStack does not tell the client
    headers = {"Sec-WebSocket-Protocol": f"other, {protocol}"}
    accepted = ministack.invoke(api.functions[0], event("CONNECT", "a", headers=headers)).result
    assert accepted == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": protocol}}


def test_an_application_learns_that_its_client_is_gone(deploy: Deploy, diary: Path) -> None:
    with open_socket(deploy("echo.handler")) as socket:
        ask(socket, "hello")
    assert entries(diary, 1) == [[1006, ""]]  # of MiniStack, whatever the client says


def test_an_application_learns_why_its_client_is_gone(
    ministack: MiniStack, deploy: Deploy, diary: Path
) -> None:
    (function,) = deploy("echo.handler").functions
    ministack.invoke(function, event("CONNECT", "a"))
    reason = {"disconnectStatusCode": 4001, "disconnectReason": "bored"}
    done = ministack.invoke(function, event("DISCONNECT", "a", context=reason))
    assert (done.result, done.failed) == ({"statusCode": 200}, False)
    assert entries(diary, 1) == [[4001, "bored"]]


def test_an_application_may_close(deploy: Deploy, dsn: str) -> None:
    with open_socket(deploy("echo.handler", dsn=dsn)) as socket:
        assert ask(socket, "hello") == ["hello"]
        with pytest.raises(ConnectionClosed) as closed:
            ask(socket, "close")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000  # of API Gateway: it can't pass on another


def test_nothing_is_kept_of_a_closed_connection(ministack: MiniStack, deploy: Deploy) -> None:
    table = f"connections-{uuid4().hex}"
    scan = ministack.client("dynamodb").scan
    with open_socket(deploy("echo.handler", dsn=f"dynamodb://{table}")) as socket:
        ask(socket, "hello")
        assert scan(TableName=table)["Count"] == 1
    wait_until(lambda: scan(TableName=table)["Count"] == 0)


@pytest.mark.parametrize("suffix", ["", "/", "/@connections"])
def test_the_endpoint_may_be_an_option(ministack: MiniStack, deploy: Deploy, suffix: str) -> None:
    nowhere = {"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "http://127.0.0.1:9"}
    api = deploy("echo.handler", environ=nowhere)
    options = own_options(ministack, api) | {"api_gateway_endpoint_url": api.endpoint_url + suffix}
    ministack.set_variables(api.functions[0], {"OPTIONS": json.dumps(options)})
    with open_socket(api) as socket:
        assert ask(socket, "hello") == ["hello"]


@pytest.mark.parametrize(("dsn", "permitted"), [*NEEDED.items()], indirect=["dsn"])
def test_the_permissions_that_a_backend_names_are_enough(
    deploy: Deploy, dsn: str, permitted: str
) -> None:
    needed = ("execute-api:ManageConnections", *permitted.split())
    with open_socket(deploy("chat.handler", dsn=dsn, permitted=needed), "?room=r&name=a") as socket:
        greeting, answer = ask(socket, '{"say":"hello"}', 2)
    assert (greeting, json.loads(answer)) == ("a is here", {"from": "a", "said": "hello"})


def test_a_missing_permission_is_named(ministack: MiniStack, deploy: Deploy, log: Path) -> None:
    (function,) = deploy("echo.handler", permitted=("s3:*",)).functions
    ministack.invoke(function, event("CONNECT", "a"))
    refused = ministack.invoke(function, event("MESSAGE", "a", body="hello"))
    assert refused.result == {"statusCode": 500}
    assert "execute-api:ManageConnections" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("dsn", ["dynamodb", "s3"], indirect=True)
def test_wrong_credentials_are_an_error_that_says_so(
    ministack: MiniStack, deploy: Deploy, dsn: str
) -> None:
    secret = "wrong+secret"
    (function,) = deploy("echo.handler", environ={"WRONG_SECRET": secret}, dsn=dsn).functions
    refused = ministack.invoke(function, event("CONNECT", "a"))
    told = json.dumps(refused.result) + refused.log
    assert "SignatureDoesNotMatch" in told or "signature" in told
    assert secret not in told


def _is_dead(pid: int) -> bool:
    """Whether all threads of the process have ended, though its parent may not have asked yet."""
    try:
        stats = [(it / "stat").read_text() for it in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return not Path(f"/proc/{pid}").exists()
    return all(stat.rpartition(")")[2].split()[0] in "XZ" for stat in stats)
