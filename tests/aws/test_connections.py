"""A pool over real sockets: pool kept, lost, late, cancelled."""

from __future__ import annotations

import asyncio
import os
import socket
import threading

import pytest

from mangum.aws import connections as connections_module
from mangum.aws import sockets as sockets_module
from mangum.aws.connections import MAX_SOCKETS, Pool
from mangum.aws.endpoints import parse_url
from mangum.aws.replies import Malformed
from mangum.aws.sockets import Interrupted, connect
from tests.aws.pools import TrustingPool, ask, on_linux, to
from tests.aws.server import CLOSE, HANG_S, RESET, STALL, Answer, Server, reply, run, until
from tests.processes import output_of


def test_connection_is_used_again() -> None:
    async def main() -> None:
        async with Server(reply(200, b"a"), reply(200, b"b"), reply(410)) as server:
            pool = to(server)
            bodies = [(await ask(pool)).body for _ in range(3)]
            assert bodies == [b"a", b"b", b""]
            assert server.accepted == 1
            pool.close()
            await server.is_deserted()

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        Answer(reply(200, b"a", connection="close")),
        Answer(b"HTTP/1.1 200 OK\r\n\r\na", then="close"),
        Answer(b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na"),
        Answer(reply(200, b"a") + b"unasked"),
    ],
)
def test_connection_that_says_so_is_not_used_again(answer: Answer) -> None:
    async def main() -> None:
        async with Server(answer) as server:
            pool = to(server)
            assert (await ask(pool)).body == b"a"
            assert (await ask(pool)).body == b""
            assert server.accepted == 2
            pool.close()

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        Answer(reply(), then="close"),
        Answer(reply(), 0.01, then="reset"),
        Answer(reply(), 0.01, reply(408), then="close"),
    ],
)
def test_idle_connection_that_was_closed_is_replaced_for_any_request(answer: Answer) -> None:
    """Nothing is sent over it: looking at it is enough."""

    async def main() -> None:
        async with Server(answer, answer) as server:
            pool = to(server)
            for _ in range(3):
                await ask(pool)
                await asyncio.sleep(0.05)
            assert [it.connection for it in server.requests] == [1, 2, 3]
            pool.close()

    run(main())


def test_idle_connection_is_dropped_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Server() as server:
            pool = to(server)
            await ask(pool)
            monkeypatch.setattr(connections_module, "IDLE_S", -1)
            await ask(pool)
            assert server.accepted == 2
            monkeypatch.undo()
            pool.close()
            await server.is_deserted()

    run(main())


@on_linux
def test_request_that_a_closed_connection_has_not_taken_is_known_as_such() -> None:
    """As if the peer closed it between the look and the first byte."""

    async def main() -> None:
        async with Server() as server:
            connection = await connect(parse_url(server.url))
            request = b"POST / HTTP/1.1\r\n\r\n"
            await connection.exchange(request, "POST", 5)
            await server.drop()
            with pytest.raises(Interrupted) as caught:
                await connection.exchange(request, "POST", 5)
            assert caught.value.is_untaken
            assert len(server.requests) == 1
            connection.close()

    run(main())


@on_linux
def test_request_that_a_closed_connection_has_not_taken_is_sent_again() -> None:
    async def main() -> None:
        async with Server() as server:
            pool = TrustingPool(parse_url(server.url), 5)
            await ask(pool, b"1")
            await server.drop()
            await ask(pool, b"2")
            assert [(it.connection, it.body) for it in server.requests] == [(1, b"1"), (2, b"2")]
            pool.close()

    run(main())


@pytest.mark.parametrize("answer", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
def test_request_that_may_have_been_taken_is_sent_once(answer: Answer, is_kept: bool) -> None:
    async def main() -> None:
        async with Server(*[reply()] * is_kept, answer) as server:
            pool = to(server)
            if is_kept:
                await ask(pool)
            with pytest.raises(Interrupted) as caught:
                await ask(pool, b"message")
            assert not caught.value.is_untaken
            assert [it.body for it in server.requests] == [*[b""] * is_kept, b"message"]
            pool.close()
            await server.is_deserted()

    run(main())


@pytest.mark.parametrize("answer", [CLOSE, RESET], ids=["closed", "reset"])
def test_repeatable_request_is_sent_again_when_a_kept_connection_is_lost(answer: Answer) -> None:
    async def main() -> None:
        async with Server(reply(), answer, reply(200, b"second")) as server:
            pool = to(server)
            await ask(pool)
            assert (await ask(pool, repeatable=True)).body == b"second"
            assert [it.connection for it in server.requests] == [1, 1, 2]
            pool.close()

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
@pytest.mark.parametrize("repeatable", [False, True])
def test_answer_that_breaks_off_is_an_error(data: bytes, repeatable: bool) -> None:
    async def main() -> None:
        async with Server(reply(), Answer(data, then="close")) as server:
            pool = to(server)
            await ask(pool)
            with pytest.raises(Interrupted, match="incomplete") as caught:
                await ask(pool, repeatable=repeatable)
            assert not caught.value.is_untaken
            assert len(server.requests) == 2
            await server.is_deserted()

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    ],
)
def test_answer_that_does_not_come_is_waited_for_so_long(data: bytes) -> None:
    async def main() -> None:
        async with Server(reply(), STALL._replace(data=data)) as server:
            pool = to(server, timeout_s=0.05)
            await ask(pool)
            with pytest.raises(Interrupted, match=r"no answer in 0\.05 s") as caught:
                await ask(pool)
            assert not caught.value.is_untaken
            await server.is_deserted()

    run(main())


def test_answer_that_comes_bit_by_bit_is_read() -> None:
    async def main() -> None:
        data = reply(200, b"hello")
        async with Server(Answer(data[:20], 0.02, data[20:])) as server:
            pool = to(server)
            assert (await ask(pool)).body == b"hello"
            pool.close()

    run(main())


def test_malformed_answer_ends_the_connection() -> None:
    async def main() -> None:
        async with Server(b"SSH-2.0-OpenSSH\r\n\r\n") as server:
            with pytest.raises(Malformed):
                await ask(to(server))
            await server.is_deserted()

    run(main())


def test_refusal_is_read_even_if_the_request_was_not() -> None:
    """A service may answer, and close, before all of the body has been sent."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(413))
        await asyncio.sleep(0.02)  # the client's buffers are full, and so are ours
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        pool = Pool(parse_url(f"http://127.0.0.1:{port}"), 10)
        assert (await ask(pool, b"x" * 5_000_000)).status == 413
        pool.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)

    run(main())


def test_large_bodies_go_both_ways() -> None:
    async def main() -> None:
        body = os.urandom(3_000_000)
        async with Server(reply(200, body)) as server:
            pool = to(server)
            assert (await ask(pool, body)).body == body
            assert server.requests[0].body == body
            pool.close()

    run(main())


def test_unreachable_service_is_an_error_that_names_the_host() -> None:
    async def main() -> None:
        with socket.socket() as sock:  # bound, but nobody listens
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            pool = Pool(parse_url(f"http://127.0.0.1:{port}"), 5)
            with pytest.raises(Interrupted, match=rf"127\.0\.0\.1:{port} can't be rea") as caught:
                await ask(pool)
        assert caught.value.is_untaken

    run(main())


def test_peer_that_accepts_nobody_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(sockets_module, "CONNECT_TIMEOUT_S", 0.05)
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()  # accepts no TLS
            endpoint = parse_url(f"https://127.0.0.1:{sock.getsockname()[1]}")
            with pytest.raises(Interrupted, match=r"no connection in 0\.05 s"):
                await ask(Pool(endpoint, 5))

    run(main())


def test_host_may_be_a_name() -> None:
    async def main() -> None:
        async with Server() as server:
            pool = Pool(parse_url(f"http://localhost:{server.port}"), 5)
            assert (await ask(pool)).status == 200
            pool.close()
        # what the next line finds is for the resolver to say, but an error of ours it must be
        for host in ("nowhere.invalid", "a..b", "a" * 64):
            with pytest.raises(Interrupted, match=f"{host} can't be reached"):
                await ask(Pool(parse_url(f"http://{host}"), 5))

    run(main())


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_host_may_be_an_ipv6_address() -> None:
    async def main() -> None:
        try:
            async with Server(host="::1") as server:
                pool = to(server)
                assert (await ask(pool)).status == 200
                pool.close()
        except OSError:
            pytest.skip("no IPv6 here")

    run(main())


def test_sockets_are_bounded_in_number_and_all_requests_answered() -> None:
    async def main() -> None:
        count = 5 * MAX_SOCKETS
        async with Server(*[Answer(pause_s=0.01, rest=reply())] * count) as server:
            pool = to(server)
            replies = await asyncio.gather(*(ask(pool) for _ in range(count)))
            assert {it.status for it in replies} == {200}
            assert len(server.requests) == count
            assert server.most == server.accepted == MAX_SOCKETS
            pool.close()
            await server.is_deserted()

    run(main())


def test_what_is_under_way_when_a_pool_is_closed_ends_and_is_not_kept() -> None:
    async def main() -> None:
        async with Server(Answer(pause_s=0.02, rest=reply(200, b"late"))) as server:
            pool = to(server)
            task = asyncio.ensure_future(ask(pool))
            await until(lambda: len(server.requests) == 1)
            pool.close()
            assert (await task).body == b"late"
            await server.is_deserted()

    run(main())


def test_cancelled_request_leaves_no_socket_and_no_slot_taken() -> None:
    async def main() -> None:
        count = 2 * MAX_SOCKETS
        async with Server(*[STALL] * MAX_SOCKETS) as server:
            pool = to(server)
            tasks = [asyncio.ensure_future(ask(pool)) for _ in range(count)]
            await until(lambda: len(server.requests) == MAX_SOCKETS)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(it, asyncio.CancelledError) for it in outcomes)
            await server.is_deserted()
            replies = await asyncio.gather(*(ask(pool) for _ in range(count)))
            assert {it.status for it in replies} == {200}
            pool.close()
            await server.is_deserted()

    run(main())


def test_request_that_is_cancelled_while_it_connects_leaves_no_socket() -> None:
    async def main() -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            endpoint = parse_url(f"https://127.0.0.1:{sock.getsockname()[1]}")
            task = asyncio.ensure_future(ask(Pool(endpoint, 5)))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            accepted, _ = sock.accept()
            with accepted:
                accepted.settimeout(5)
                while accepted.recv(65536):
                    pass

    run(main())


def test_kept_pool_survive_the_loop_that_opened_them() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(HANG_S)
        pool = to(server)
        for _ in range(3):
            assert asyncio.run(ask(pool)).status == 200
        assert server.accepted == 1
        pool.close()
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(HANG_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_process_may_end_with_pool_that_are_kept() -> None:
    printed = output_of(
        """
        import asyncio
        from mangum.aws.service import Service
        from tests.aws.server import Server

        async def main():
            async with Server() as server:
                global service
                service = Service("s3", "eu-west-1", server.url)
                print((await service.request("GET", "/")).status)

        asyncio.run(main())
        """
    )
    assert printed == ["200"]
