"""What is Redis's own: keys, expiry, scripts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mangum.backends import LIFETIME_S, Record, make_backend
from mangum.exceptions import ConfigurationError, WebSocketError
from tests import servers
from tests.backends.places import SCOPE, Place, on, redis_client
from tests.processes import output_of

pytestmark = on("redis")


def run(place: Place, test: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Run the test with a backend, and a client of its own."""

    async def main() -> None:
        with redis_client(place) as client:
            async with place.backend() as backend:
                await test(backend, client)

    asyncio.run(main())


def test_record_lies_where_older_versions_look_for_it(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one=", json_scope=SCOPE)
        assert client.get("one=") == SCOPE

    run(place, test)


def test_everything_expires(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        await backend.advance("one")
        await backend.group_add("room", "one")
        assert sorted(client.keys()) == ["mangum:group:room", "mangum:sequence:{one}", "one"]
        for key in ("mangum:group:room", "mangum:sequence:{one}", "one"):
            assert LIFETIME_S - 60 < client.ttl(key) <= LIFETIME_S

    run(place, test)


def test_nothing_is_left_of_a_connection(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        for remove in (backend.delete, backend.take):
            await backend.save("one", json_scope=SCOPE)
            await backend.advance("one")
            await backend.group_add("room", "one")
            await backend.group_discard("room", ["one"])
            await remove("one")
            assert client.keys() == []

    run(place, test)


def test_unknown_connection_leaves_no_sequence(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        with pytest.raises(WebSocketError):
            await backend.advance("one")
        assert client.keys() == []

    run(place, test)


@pytest.mark.parametrize("connection_id", ["L0SM9cOFvHcCIhw=", "abc", "ключ"])
def test_sequence_is_in_the_slot_of_its_record(place: Place, connection_id: str) -> None:
    from redis.crc import key_slot

    sequence_key = f"mangum:sequence:{{{connection_id}}}"
    assert key_slot(sequence_key.encode()) == key_slot(connection_id.encode())


def test_script_that_the_server_forgot_is_sent_again(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        client.script_flush()
        assert await backend.advance("one") == Record(SCOPE, 1)
        assert await backend.advance("one") == Record(SCOPE, 2)
        client.script_flush()
        assert await backend.advance("one") == Record(SCOPE, 3)

    run(place, test)


def test_group_loses_members_that_have_expired(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        clock = backend.clock
        await backend.group_add("room", "one")
        backend.clock = lambda: clock() + LIFETIME_S + 1
        await backend.group_add("room", "two")
        assert client.zrange("mangum:group:room", 0, -1) == ["two"]

    run(place, test)


def test_key_of_somebody_else_is_a_clear_error(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        client.rpush("one", "a list")
        for call in (backend.retrieve, backend.advance, backend.take):
            with pytest.raises(WebSocketError, match=r"redis://:\*\*\*@127.0.0.1.*wrong kind"):
                await call("one")

    run(place, test)


def test_answer_that_does_not_come_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        monkeypatch.setattr("mangum.backends.redis.OPERATION_S", 0.05)
        await backend.close()
        client.client_pause(500)
        with pytest.raises(WebSocketError, match="did not answer in time"):
            await backend.save("one", json_scope=SCOPE)
        client.client_unpause()
        assert await backend.retrieve("one") == SCOPE

    run(place, test)


def test_parameter_that_the_library_does_not_know_is_refused(place: Place) -> None:
    async def main() -> None:
        for parameter in ("no_such_thing=1", "socket_timeout=soon"):
            with pytest.raises(ConfigurationError, match="is no usable DSN"):
                await make_backend(f"{place.dsn}?{parameter}").open()

    asyncio.run(main())


def test_server_that_is_no_primary_any_more_is_left(place: Place) -> None:
    async def test(backend: Any, client: Any) -> None:
        await backend.save("one", json_scope=SCOPE)
        client.replicaof(servers.HOST, 9)
        try:
            with pytest.raises(WebSocketError, match="ReadOnlyError"):
                await backend.save("one", json_scope=SCOPE)
        finally:
            client.replicaof("no", "one")
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


def test_keys_of_one_call_are_in_one_slot_of_a_cluster(place: Place) -> None:
    cluster = servers.redis("--cluster-enabled", "yes")

    async def main() -> None:
        from redis import Redis

        with Redis(host=servers.HOST, port=cluster.port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            ends = time.monotonic() + servers.START_S
            while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
                assert time.monotonic() < ends
        async with make_backend(f"redis://{servers.HOST}:{cluster.port}") as backend:
            for connection_id in ("L0SM9cOFvHcCIhw=", "two", "three"):
                await backend.save(connection_id, json_scope=SCOPE)
                await backend.group_add("{room}", connection_id)
                assert await backend.advance(connection_id) == Record(SCOPE, 1)
                assert await backend.take(connection_id) == Record(SCOPE, 1)
                await backend.delete(connection_id)
            await backend.group_discard("{room}", ["two"])
            assert len(await backend.group_members("{room}")) == 2

    asyncio.run(main())


MISSING = """
import asyncio, sys
from mangum.backends import make_backend

sys.modules["redis"] = None
try:
    asyncio.run(make_backend("redis://host").open())
except Exception as error:
    print(type(error).__name__, error)
"""


def test_missing_driver_says_how_to_install_it(place: Place) -> None:
    assert output_of(MISSING) == [
        'WebSocketError The Redis backend needs redis-py: pip install "mangum[redis]"'
    ]
