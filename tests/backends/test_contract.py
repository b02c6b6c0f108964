"""What every backend does, on real servers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mangum.backends import LIFETIME_S, Record, WebSocketBackend, make_backend
from mangum.exceptions import UnknownConnection, WebSocketError
from tests.backends.places import SCOPE, Place, on
from tests.processes import HANG_S, ROOT, STRICT
from tests.servers import HOST, PASSWORD, QUOTED_PASSWORD

AWKWARD = (
    "L0SM9cOFvHcCIhw=",
    "a/b//c",
    "/a",
    "a b+c%2Fd",
    "'; drop table mangum_websockets; --",
    'quo"ted <&> {braces}',
    "Zoë 🦊 ключ",
    "x" * 200,
)
GROUPS = (*AWKWARD, "..", ".", "{a}", "a:b", "🦊" * 200, "%", "line\nbreak", "?#&=", "Ünïcödé")


def run(place: Place, test: Callable[[WebSocketBackend], Awaitable[None]]) -> None:
    """Run the test with an open backend."""

    async def main() -> None:
        async with place.backend() as backend:
            await test(backend)

    asyncio.run(main())


async def is_unknown(awaitable: Awaitable[Any]) -> bool:
    try:
        await awaitable
    except UnknownConnection:
        return True
    return False


# --- records --------------------------------------------------------------------------------------


def test_saved_scope_is_retrieved(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        await backend.save("two", json_scope='{"path": "/ключ \\u0000"}')
        assert await backend.retrieve("one") == SCOPE
        assert await backend.retrieve("two") == '{"path": "/ключ \\u0000"}'

    run(place, test)


def test_scope_of_100_kilobytes_comes_back_whole(place: Place) -> None:
    scope = json.dumps({"headers": [[f"x-{n}", "é" * 1000] for n in range(17)]})
    assert len(scope) > 100_000

    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=scope)
        assert await backend.retrieve("one") == scope
        assert await backend.advance("one") == Record(scope, 1)
        assert await backend.take("one") == Record(scope, 1)

    run(place, test)


def test_connection_that_was_never_saved_is_unknown(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        for attempt in range(2):
            assert await is_unknown(backend.retrieve("nobody")), attempt
            assert await is_unknown(backend.advance("nobody")), attempt
            assert await backend.take("nobody") is None
            await backend.delete("nobody")

    run(place, test)


def test_error_for_an_unknown_connection_does_not_show_its_id(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        with pytest.raises(WebSocketError, match="Connection not found: ") as caught:
            await backend.retrieve("nobody")
        assert "nobody" not in str(caught.value)

    run(place, test)


def test_sequence_begins_at_0_and_is_raised_by_1(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        assert await backend.advance("one") == Record(SCOPE, 1)
        assert await backend.advance("one") == Record(SCOPE, 2)
        assert await backend.retrieve("one") == SCOPE
        assert await backend.take("one") == Record(SCOPE, 2)

    run(place, test)


def test_taken_record_is_gone(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        assert await backend.take("one") == Record(SCOPE, 0)
        assert await backend.take("one") is None
        assert await is_unknown(backend.retrieve("one"))
        assert await is_unknown(backend.advance("one"))

    run(place, test)


def test_deleted_record_is_gone_with_its_sequence(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        await backend.advance("one")
        await backend.delete("one")
        assert await is_unknown(backend.retrieve("one"))
        await backend.save("one", json_scope=SCOPE)
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


def test_save_replaces_what_was_there(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        await backend.advance("one")
        await backend.save("one", json_scope="{}")
        assert await backend.advance("one") == Record("{}", 1)

    run(place, test)


def test_any_text_is_an_id(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        for number, connection_id in enumerate(AWKWARD):
            await backend.save(connection_id, json_scope=f"[{number}]")
        for number, connection_id in enumerate(AWKWARD):
            assert await backend.retrieve(connection_id) == f"[{number}]"
            assert await backend.advance(connection_id) == Record(f"[{number}]", 1)
        for number, connection_id in enumerate(AWKWARD):
            assert await backend.take(connection_id) == Record(f"[{number}]", 1)

    run(place, test)


def test_id_that_is_no_text_is_a_clear_error(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        for call in (
            backend.save("\ud800", json_scope=SCOPE),
            backend.retrieve("\ud800"),
            backend.advance("\ud800"),
            backend.group_add("room", "\ud800"),
            backend.group_discard("room", ["\ud800", "one"]),
        ):
            with pytest.raises(WebSocketError):
                await call
        await backend.save("one", json_scope=SCOPE)
        assert await backend.retrieve("one") == SCOPE

    run(place, test)


# --- groups ---------------------------------------------------------------------------------------


def test_members_are_those_added_and_not_discarded(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        assert await backend.group_members("room") == []
        for connection_id in ("one", "two", "three", "two"):
            await backend.group_add("room", connection_id)
        assert sorted(await backend.group_members("room")) == ["one", "three", "two"]
        await backend.group_discard("room", ["two", "nobody"])
        assert sorted(await backend.group_members("room")) == ["one", "three"]
        await backend.group_discard("room", ["one"])
        await backend.group_discard("room", ["one"])
        await backend.group_discard("room", [])
        await backend.group_discard("no room", ["one", "two"])
        assert await backend.group_members("room") == ["three"]
        assert await backend.group_members("no room") == []

    run(place, test)


def test_groups_do_not_share_members(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        for group in ("a", "a/b", "ab", "A", "a%2Fb"):
            await backend.group_add(group, f"in {group}")
        for group in ("a", "a/b", "ab", "A", "a%2Fb"):
            assert await backend.group_members(group) == [f"in {group}"]

    run(place, test)


def test_groups_and_members_may_have_awkward_names(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        for group in GROUPS:
            await backend.group_add(group, "one")
        for connection_id in AWKWARD:
            await backend.group_add("room", connection_id)
        for group in GROUPS:
            assert await backend.group_members(group) == ["one"]
            await backend.group_discard(group, ["one", "two"])
            assert await backend.group_members(group) == []
        assert sorted(await backend.group_members("room")) == sorted(AWKWARD)
        await backend.group_discard("room", AWKWARD)
        assert await backend.group_members("room") == []

    run(place, test)


@pytest.mark.parametrize("name", ["", "x" * 201, "nul\0", "\ud800", 5])
def test_name_that_no_group_has_is_refused(place: Place, name: Any) -> None:
    async def test(backend: WebSocketBackend) -> None:
        for call in (
            backend.group_add(name, "one"),
            backend.group_discard(name, ["one"]),
            backend.group_members(name),
        ):
            with pytest.raises(WebSocketError, match="A group's name"):
                await call

    run(place, test)


def test_group_may_have_many_members(place: Place) -> None:
    count = {"dynamodb": 200}.get(place.kind, 1100)  # S3 lists and deletes a thousand at once
    members = [f"member-{number}=" for number in range(count)]

    async def test(backend: WebSocketBackend) -> None:
        for start in range(0, len(members), 20):
            batch = members[start : start + 20]
            await asyncio.gather(*(backend.group_add("room", it) for it in batch))
        assert sorted(await backend.group_members("room")) == sorted(members)
        await backend.group_discard("room", members[:-50])
        assert sorted(await backend.group_members("room")) == sorted(members[-50:])

    run(place, test)


# --- expiry ---------------------------------------------------------------------------------------


@on("sqlite", "postgresql", "dynamodb", "s3")
def test_expired_record_counts_as_gone(place: Place) -> None:
    async def test(backend: Any) -> None:
        clock = backend.clock
        for connection_id in ("one", "two", "three"):
            await backend.save(connection_id, json_scope=SCOPE)
        await backend.advance("two")
        backend.clock = lambda: clock() + LIFETIME_S - 60
        assert await backend.retrieve("one") == SCOPE
        assert await backend.advance("one") == Record(SCOPE, 1)
        backend.clock = lambda: clock() + LIFETIME_S + 60
        assert await is_unknown(backend.retrieve("one"))
        assert await is_unknown(backend.advance("two"))
        assert await backend.take("three") is None
        await backend.save("one", json_scope=SCOPE)
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


@pytest.mark.parametrize(
    "place", ["sqlite", "postgresql", "redis", "dynamodb", "s3"], indirect=True
)
def test_members_that_have_expired_are_left_out(place: Place) -> None:
    async def test(backend: Any) -> None:
        clock = backend.clock
        await backend.group_add("room", "one")
        await backend.group_add("room", "two")
        backend.clock = lambda: clock() + LIFETIME_S - 60
        assert sorted(await backend.group_members("room")) == ["one", "two"]
        backend.clock = lambda: clock() + LIFETIME_S + 60
        assert await backend.group_members("room") == []

    run(place, test)


# --- what older versions wrote --------------------------------------------------------------------


def test_record_of_an_older_version_is_read(place: Place) -> None:
    place.write_old("old", SCOPE)

    async def test(backend: WebSocketBackend) -> None:
        assert await backend.retrieve("old") == SCOPE
        assert await backend.advance("old") == Record(SCOPE, 1)
        assert await backend.advance("old") == Record(SCOPE, 2)
        assert await backend.take("old") == Record(SCOPE, 2)
        assert await backend.take("old") is None

    run(place, test)


def test_record_of_an_older_version_has_the_sequence_0(place: Place) -> None:
    place.write_old("old", SCOPE)

    async def test(backend: WebSocketBackend) -> None:
        assert await backend.take("old") == Record(SCOPE, 0)

    run(place, test)


def test_table_of_an_older_version_takes_new_records_and_groups(place: Place) -> None:
    place.write_old("old", SCOPE)

    async def test(backend: WebSocketBackend) -> None:
        await backend.save("x" * 200, json_scope=SCOPE)
        await backend.group_add("room", "old")
        assert await backend.advance("x" * 200) == Record(SCOPE, 1)
        assert await backend.group_members("room") == ["old"]
        assert await backend.retrieve("old") == SCOPE

    run(place, test)


# --- several at once ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        lambda backend: backend.save("one", json_scope=SCOPE),
        lambda backend: backend.group_add("room", "one"),
        lambda backend: backend.take("one"),
        lambda backend: backend.group_members("room"),
    ],
    ids=["save", "group_add", "take", "group_members"],
)
def test_what_is_missing_is_made_by_several_at_once(
    place: Place, first: Callable[[WebSocketBackend], Awaitable[Any]]
) -> None:
    async def main() -> None:
        backends = [place.backend() for _ in range(4)]
        await asyncio.gather(*(backend.open() for backend in backends))
        await asyncio.gather(*(first(backend) for backend in backends))
        await backends[0].save("two", json_scope=SCOPE)
        assert [await backend.retrieve("two") for backend in backends] == [SCOPE] * 4
        await asyncio.gather(*(backend.close() for backend in backends))

    asyncio.run(main())


def test_each_number_is_given_once_to_two_environments(place: Place) -> None:
    async def main() -> None:
        async with place.backend() as here, place.backend() as there:
            await here.save("one", json_scope=SCOPE)

            async def advance(backend: WebSocketBackend) -> list[int]:
                return [(await backend.advance("one")).sequence for _ in range(10)]

            first, second = await asyncio.gather(advance(here), advance(there))
            assert first == sorted(first)
            assert second == sorted(second)
            assert sorted(first + second) == list(range(1, 21))

    asyncio.run(main())


def test_each_record_is_taken_once_by_two_environments(place: Place) -> None:
    async def main() -> None:
        async with place.backend() as here, place.backend() as there:
            for number in range(10):
                await here.save(f"{number}", json_scope=SCOPE)
                taken = await asyncio.gather(
                    *[backend.take(f"{number}") for backend in (here, there, here, there)]
                )
                assert [it for it in taken if it is not None] == [Record(SCOPE, 0)]
                assert await is_unknown(here.retrieve(f"{number}"))

    asyncio.run(main())


RACER = """
import asyncio, sys
from mangum.backends import make_backend

async def main():
    async with make_backend(sys.argv[1]) as backend:
        await backend.retrieve("one")
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(20):
            print((await backend.advance("one")).sequence)

asyncio.run(main())
"""


def test_each_number_is_given_once_to_two_processes(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)

    run(place, test)
    processes = [
        subprocess.Popen(
            [sys.executable, *STRICT, "-c", RACER, place.dsn],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        numbers = [[int(it) for it in p.communicate(timeout=HANG_S)[0].split()] for p in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 41))


def test_one_of_several_takes_the_record(place: Place) -> None:
    async def main() -> None:
        async with place.backend() as here, place.backend() as there:
            await here.save("one", json_scope=SCOPE)
            await there.retrieve("one")
            taken = await asyncio.gather(here.take("one"), there.take("one"))
            if place.kind != "s3":  # which has no operation that reads and deletes
                assert sorted(map(bool, taken)) == [False, True]
            assert await is_unknown(here.retrieve("one"))

    asyncio.run(main())


def test_one_backend_does_many_things_at_once(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        names = [f"connection-{number}" for number in range(30)]
        await asyncio.gather(*(backend.save(it, json_scope=SCOPE) for it in names))
        await asyncio.gather(*(backend.group_add("room", it) for it in names))
        records = await asyncio.gather(*(backend.advance(it) for it in names))
        assert records == [Record(SCOPE, 1)] * len(names)
        assert sorted(await backend.group_members("room")) == sorted(names)
        await asyncio.gather(*(backend.delete(it) for it in names))

    run(place, test)


def test_cancelled_call_leaves_a_backend_that_works(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        for steps in range(6):
            task = asyncio.ensure_future(backend.retrieve("one"))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await backend.retrieve("one") == SCOPE
        assert await backend.advance("one") == Record(SCOPE, 1)

    run(place, test)


# --- life and death -------------------------------------------------------------------------------


def test_backend_works_again_after_it_was_closed(place: Place) -> None:
    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        await backend.close()
        await backend.close()
        assert await backend.retrieve("one") == SCOPE

    run(place, test)


def test_backend_opens_again_on_another_loop(place: Place) -> None:
    backend = place.backend()

    async def first() -> None:
        await backend.open()
        await backend.save("one", json_scope=SCOPE)

    async def second() -> None:
        assert await backend.advance("one") == Record(SCOPE, 1)
        assert await backend.retrieve("one") == SCOPE
        await backend.close()

    asyncio.run(first())
    asyncio.run(second())
    asyncio.run(second_of(backend))


async def second_of(backend: WebSocketBackend) -> None:
    assert await backend.advance("one") == Record(SCOPE, 2)
    await backend.close()


@on("postgresql", "redis", "dynamodb", "s3")
def test_server_may_die_and_come_back(place: Place) -> None:
    server = place.server
    assert server is not None

    async def test(backend: WebSocketBackend) -> None:
        await backend.save("one", json_scope=SCOPE)
        for restart in range(2):
            server.kill()
            server.start()
            await backend.save("two", json_scope=SCOPE)
            assert await backend.advance("two") == Record(SCOPE, 1), restart
        server.kill()
        try:
            for call in (
                backend.save("three", json_scope=SCOPE),
                backend.advance("two"),
            ):
                with pytest.raises(WebSocketError) as caught:
                    await call
                assert not isinstance(caught.value, UnknownConnection)
                assert_no_secret(caught.value)
        finally:
            server.start()
        await backend.save("two", json_scope=SCOPE)
        assert await backend.retrieve("two") == SCOPE

    run(place, test)


@on("postgresql", "redis")
@pytest.mark.parametrize("call", ["save", "retrieve", "advance", "take", "group_members"])
def test_any_call_reopens_a_dead_connection(place: Place, call: str) -> None:
    server = place.server
    assert server is not None

    async def test(backend: Any) -> None:
        await backend.open()
        await backend.save("one", json_scope=SCOPE)
        server.kill()
        server.start()
        if place.kind == "redis":  # it has forgotten everything
            async with place.backend() as other:
                await other.save("one", json_scope=SCOPE)
        if call == "save":
            await backend.save("one", json_scope=SCOPE)
        elif call == "group_members":
            assert await backend.group_members("room") == []
        elif call == "retrieve":
            assert await backend.retrieve("one") == SCOPE
        else:
            assert (await getattr(backend, call)("one")).json_scope == SCOPE

    run(place, test)


# --- secrets --------------------------------------------------------------------------------------


def assert_no_secret(error: BaseException, *secrets: str) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error)
    for secret in (PASSWORD, QUOTED_PASSWORD, *secrets):
        assert secret not in shown


@pytest.mark.parametrize("kind", ["postgresql", "redis", "rediss"])
@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid", "[::1]:9"])
def test_password_is_in_no_error(kind: str, host: str, caplog: pytest.LogCaptureFixture) -> None:
    secret = "hunter2%2Fand+more"

    async def main() -> None:
        backend = make_backend(f"{kind}://someone:{secret}@{host}/0")
        assert "hunter2" not in repr(backend) + str(backend)
        with pytest.raises(WebSocketError) as caught:
            await backend.save("one", json_scope=SCOPE)
        assert f"{kind}://someone:***@{host}/0" in str(caught.value)
        assert_no_secret(caught.value, "hunter2", "and+more")
        await backend.close()

    caplog.set_level(0)
    asyncio.run(main())
    assert "hunter2" not in caplog.text


@on("postgresql", "redis")
def test_wrong_password_is_in_no_error(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        backend = make_backend(place.dsn.replace(QUOTED_PASSWORD, "hunter2"))
        with pytest.raises(WebSocketError) as caught:
            await backend.retrieve("one")
        assert_no_secret(caught.value, "hunter2")
        await backend.close()

    caplog.set_level(0)
    asyncio.run(main())
    assert "hunter2" not in caplog.text
    assert HOST in place.dsn
