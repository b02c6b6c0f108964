"""When has an application finished with a message? For every kind of wait, whether a task in it is
at work, so that the answer waits for it, or at rest."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import sys
import threading
import time
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from mangum.protocols.websockets import WebSocketCycle
from mangum.types import Message, Receive, Scope, Send
from tests.protocols.driving import LOOPS, FarEnd, LoopFactory

MOMENT_S = 0.02
GIVEN_UP_S = 2.0
"""How long a wait that nobody ends would be waited for, were it taken for work."""

LEFT_OUT = {"debug_mode"} if sys.version_info >= (3, 12) else {"debug_mode", "eager_task_factory"}
KINDS = [loop for loop in LOOPS if loop.__name__ not in LEFT_OUT]


class Kit:
    """What a wait may need, and where it says that it is over."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.is_over = False
        self.loop: Any = asyncio.get_running_loop()
        self.resources = contextlib.ExitStack()
        self.tasks: list[asyncio.Task[Any]] = []
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.event = asyncio.Event()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of the application's own."""
        task = asyncio.ensure_future(coroutine)
        self.tasks.append(task)
        return task

    async def work(self) -> str:
        await asyncio.sleep(MOMENT_S)
        self.is_over = True
        return "done"

    def work_in_thread(self) -> str:
        time.sleep(MOMENT_S)
        self.is_over = True
        return "done"

    def later(self, call: Callable[[], Any]) -> None:
        """Have another thread call it in the loop's."""

        def finish() -> None:
            self.is_over = True
            call()

        def wait() -> None:
            time.sleep(MOMENT_S)
            self.loop.call_soon_threadsafe(finish)

        thread = threading.Thread(target=wait)
        thread.start()
        self.resources.callback(thread.join)

    def sockets(self) -> tuple[socket.socket, socket.socket]:
        """Two ends; the far one sends something in a moment."""
        near, far = socket.socketpair()
        near.setblocking(False)
        self.resources.enter_context(near)
        self.resources.enter_context(far)

        def send() -> None:
            time.sleep(MOMENT_S)
            self.is_over = True
            far.sendall(b"sent\n")

        thread = threading.Thread(target=send)
        thread.start()
        self.resources.callback(thread.join)
        return near, far

    async def stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        near, _ = self.sockets()
        reader, writer = await asyncio.open_connection(sock=near)
        self.resources.callback(writer.close)
        return reader, writer


Case = Callable[[Kit], Awaitable[Any]]
REST: dict[str, Case] = {}
WORK: dict[str, Case] = {}
UNKNOWN: dict[str, Case] = {}


def rest(case: Case) -> Case:
    REST[_words(case)] = case
    return case


def work(case: Case) -> Case:
    WORK[_words(case)] = case
    return case


def unknown(case: Case) -> Case:
    UNKNOWN[_words(case)] = case
    return case


def _words(case: Any) -> str:
    name: str = case.__name__
    return name.replace("_", " ")


# --- waits for what only the application's own tasks can bring about ------------------------------


@rest
async def queue_get(kit: Kit) -> None:
    await kit.queue.get()


@rest
async def queue_put(kit: Kit) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    queue.put_nowait(1)
    await queue.put(2)


@rest
async def priority_queue_get(kit: Kit) -> None:
    await asyncio.PriorityQueue[int]().get()


@rest
async def queue_join(kit: Kit) -> None:
    kit.queue.put_nowait(1)
    await kit.queue.join()


@rest
async def event_wait(kit: Kit) -> None:
    await kit.event.wait()


@rest
async def condition_wait(kit: Kit) -> None:
    async with (condition := asyncio.Condition()):
        await condition.wait()


@rest
async def condition_wait_for(kit: Kit) -> None:
    async with (condition := asyncio.Condition()):
        await condition.wait_for(lambda: False)


@rest
async def lock_acquire(kit: Kit) -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


@rest
async def semaphore_acquire(kit: Kit) -> None:
    await asyncio.Semaphore(0).acquire()


@rest
async def wait_for_tasks_at_rest(kit: Kit) -> None:
    await asyncio.wait({kit.start(kit.queue.get()), kit.start(kit.event.wait())})


@rest
async def wait_for_the_first_of_tasks_at_rest(kit: Kit) -> None:
    tasks = {kit.start(kit.queue.get()), kit.start(kit.event.wait())}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


@rest
async def wait_with_a_timeout_for_a_task_at_rest(kit: Kit) -> None:
    """The next message may come before it is over, and a heartbeat is no work on the last one."""
    await asyncio.wait({kit.start(kit.queue.get())}, timeout=60)


@rest
async def wait_for_a_queue(kit: Kit) -> None:
    await asyncio.wait_for(kit.queue.get(), 60)


@rest
async def wait_for_a_task_at_rest(kit: Kit) -> None:
    await asyncio.wait_for(kit.start(kit.queue.get()), 60)


@rest
async def gather_of_waits_at_rest(kit: Kit) -> None:
    await asyncio.gather(kit.queue.get(), kit.event.wait())


@rest
async def as_completed_of_waits_at_rest(kit: Kit) -> None:
    tasks = [kit.start(kit.queue.get()), kit.start(kit.event.wait())]
    for first in asyncio.as_completed(tasks):
        await first


@rest
async def task_at_rest(kit: Kit) -> None:
    await kit.start(kit.queue.get())


@rest
async def task_of_a_task_of_a_task_at_rest(kit: Kit) -> None:
    async def nested(depth: int) -> None:
        if depth:
            await kit.start(nested(depth - 1))
        else:
            await kit.queue.get()

    await nested(5)


@rest
async def deep_coroutine_at_rest(kit: Kit) -> None:
    async def nested(depth: int) -> None:
        await (nested(depth - 1) if depth else kit.queue.get())

    await nested(50)


@rest
async def async_generator_at_rest(kit: Kit) -> None:
    async def items() -> AsyncIterator[Any]:
        while True:
            yield await kit.queue.get()

    async for _ in items():
        pass


@rest
async def async_generator_over_another_at_rest(kit: Kit) -> None:
    async def inner() -> AsyncIterator[Any]:
        yield await kit.queue.get()

    async def outer() -> AsyncIterator[Any]:
        async for item in inner():
            yield item

    await outer().__anext__()


@rest
async def async_generator_sent_to_at_rest(kit: Kit) -> None:
    async def items() -> Any:
        yield 1
        await kit.event.wait()
        yield 2

    generator = items()
    await generator.asend(None)
    await generator.asend("x")


@rest
async def anext_with_a_default_at_rest(kit: Kit) -> None:
    async def items() -> AsyncIterator[Any]:
        yield await kit.queue.get()

    await anext(items(), None)


@rest
async def context_manager_at_rest(kit: Kit) -> None:
    @contextlib.asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        await kit.event.wait()
        yield

    async with manager():
        pass


class Awaited:
    """An awaitable that is no coroutine."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.make = make

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.make().__await__()


@rest
async def awaitable_at_rest(kit: Kit) -> None:
    await Awaited(kit.queue.get)


@rest
async def generator_based_coroutine_at_rest(kit: Kit) -> None:
    @types.coroutine
    def wait() -> Any:
        yield from kit.queue.get().__await__()

    await wait()


@rest
async def receive_in_another_task(kit: Kit) -> None:
    await kit.start(kit.receive())  # type: ignore[arg-type]


@rest
async def receive_with_a_timeout(kit: Kit) -> None:
    await asyncio.wait_for(kit.receive(), 60)


@rest
async def receive_besides_a_queue(kit: Kit) -> None:
    await asyncio.gather(kit.receive(), kit.queue.get())


@rest
async def receive_or_a_queue(kit: Kit) -> None:
    tasks = {kit.start(kit.receive()), kit.start(kit.queue.get())}  # type: ignore[arg-type]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


@rest
async def receive_in_an_async_generator(kit: Kit) -> None:
    async def messages() -> AsyncIterator[Message]:
        while True:
            yield await kit.receive()

    async for _ in messages():
        pass


@rest
async def anyio_event(kit: Kit) -> None:
    await anyio.Event().wait()


@rest
async def anyio_condition(kit: Kit) -> None:
    async with (condition := anyio.Condition()):
        await condition.wait()


@rest
async def anyio_memory_stream_receive(kit: Kit) -> None:
    send, receive = anyio.create_memory_object_stream[int]()
    kit.resources.enter_context(send)
    with receive:
        await receive.receive()


@rest
async def anyio_memory_stream_iteration(kit: Kit) -> None:
    send, receive = anyio.create_memory_object_stream[int]()
    kit.resources.enter_context(send)
    with receive:
        async for _ in receive:
            pass


@rest
async def anyio_memory_stream_send(kit: Kit) -> None:
    send, receive = anyio.create_memory_object_stream[int]()
    kit.resources.enter_context(receive)
    with send:
        await send.send(1)


@rest
async def anyio_task_group_at_rest(kit: Kit) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(kit.queue.get)
        group.start_soon(kit.receive)  # type: ignore[arg-type]


@rest
async def anyio_task_group_within_another_at_rest(kit: Kit) -> None:
    async def inner() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(kit.queue.get)

    async with anyio.create_task_group() as group:
        group.start_soon(inner)


@rest
async def anyio_timeout_around_a_queue(kit: Kit) -> None:
    with anyio.move_on_after(60):
        await kit.queue.get()


@rest
async def gather_at_rest_within_another(kit: Kit) -> None:
    await asyncio.gather(asyncio.gather(kit.queue.get()), kit.event.wait())


@rest
async def anyio_lock(kit: Kit) -> None:
    lock = anyio.Lock()
    await lock.acquire()
    await kit.start(lock.acquire())


@rest
async def anyio_semaphore(kit: Kit) -> None:
    await anyio.Semaphore(0).acquire()


@rest
async def anyio_sleep_for_ever(kit: Kit) -> None:
    await anyio.sleep_forever()


if sys.version_info >= (3, 11):

    @rest
    async def barrier_wait(kit: Kit) -> None:
        await asyncio.Barrier(2).wait()

    @rest
    async def timeout_around_a_queue(kit: Kit) -> None:
        async with asyncio.timeout(60):
            await kit.queue.get()

    @rest
    async def timeout_around_receive(kit: Kit) -> None:
        async with asyncio.timeout(60):
            await kit.receive()

    @rest
    async def task_group_at_rest(kit: Kit) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(kit.queue.get())
            group.create_task(kit.event.wait())

    @rest
    async def runner_of_a_task_in_a_context_of_its_own_at_rest(kit: Kit) -> None:
        await kit.loop.create_task(kit.queue.get(), context=contextvars.copy_context())


# --- waits for anything else ----------------------------------------------------------------------


@work
async def sleep(kit: Kit) -> None:
    await kit.work()


@work
async def sleep_of_no_time_over_and_over(kit: Kit) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
    kit.is_over = True


@work
async def wait_for_a_sleep(kit: Kit) -> None:
    await asyncio.wait_for(kit.work(), 60)


@work
async def shielded_sleep(kit: Kit) -> None:
    await asyncio.shield(kit.work())


@work
async def shielded_task(kit: Kit) -> None:
    await asyncio.shield(kit.start(kit.work()))


@work
async def task_that_sleeps(kit: Kit) -> None:
    await kit.start(kit.work())


@work
async def task_that_is_not_waited_for(kit: Kit) -> None:
    kit.start(kit.work())
    await kit.queue.get()


@work
async def task_of_a_task_that_is_not_waited_for(kit: Kit) -> None:
    async def start() -> None:
        kit.start(kit.work())

    kit.start(start())
    await kit.queue.get()


@work
async def task_that_a_callback_starts(kit: Kit) -> None:
    kit.loop.call_soon(lambda: kit.start(kit.work()))
    await kit.queue.get()


@work
async def wait_for_the_first_of_a_sleep_and_a_queue(kit: Kit) -> None:
    tasks = {kit.start(kit.queue.get()), kit.start(kit.work())}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


@work
async def wait_for_all_of_a_sleep_and_a_queue(kit: Kit) -> None:
    await asyncio.wait({kit.start(kit.queue.get()), kit.start(kit.work())})


@work
async def gather_of_a_sleep_and_a_queue(kit: Kit) -> None:
    await asyncio.gather(kit.queue.get(), kit.work())


@work
async def gather_within_another(kit: Kit) -> None:
    await asyncio.gather(asyncio.gather(kit.work()), kit.queue.get())


@work
async def as_completed_with_a_sleep(kit: Kit) -> None:
    tasks = [kit.start(kit.queue.get()), kit.start(kit.work())]
    for first in asyncio.as_completed(tasks):
        await first


@work
async def queue_that_a_task_at_work_fills(kit: Kit) -> None:
    async def fill() -> None:
        await asyncio.sleep(MOMENT_S)
        kit.queue.put_nowait(1)

    kit.start(fill())
    await kit.queue.get()
    await kit.work()


@work
async def lock_that_a_task_at_work_holds(kit: Kit) -> None:
    lock = asyncio.Lock()

    async def hold() -> None:
        async with lock:
            await asyncio.sleep(MOMENT_S)

    kit.start(hold())
    await asyncio.sleep(0)
    async with lock:
        kit.is_over = True


@work
async def executor(kit: Kit) -> None:
    await kit.loop.run_in_executor(None, kit.work_in_thread)


@work
async def wait_for_an_executor(kit: Kit) -> None:
    await asyncio.wait_for(kit.loop.run_in_executor(None, kit.work_in_thread), 60)


@work
async def wait_of_an_executor(kit: Kit) -> None:
    await asyncio.wait({kit.loop.run_in_executor(None, kit.work_in_thread)})


@work
async def wait_of_an_executor_and_a_queue(kit: Kit) -> None:
    futures = {kit.start(kit.queue.get()), kit.loop.run_in_executor(None, kit.work_in_thread)}
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


@work
async def gather_of_an_executor_and_a_queue(kit: Kit) -> None:
    await asyncio.gather(
        kit.loop.run_in_executor(None, kit.work_in_thread), kit.queue.get(), kit.event.wait()
    )


@work
async def shielded_executor(kit: Kit) -> None:
    await asyncio.shield(kit.loop.run_in_executor(None, kit.work_in_thread))


@work
async def thread(kit: Kit) -> None:
    await asyncio.to_thread(kit.work_in_thread)


@work
async def future_of_a_thread(kit: Kit) -> None:
    future = kit.loop.create_future()
    kit.later(lambda: future.set_result(None))
    await future


@work
async def future_of_a_timer(kit: Kit) -> None:
    future = kit.loop.create_future()

    def finish() -> None:
        kit.is_over = True
        future.set_result(None)

    kit.loop.call_later(MOMENT_S, finish)
    await future


@work
async def future_in_wait_for(kit: Kit) -> None:
    future = kit.loop.create_future()
    kit.later(lambda: future.set_result(None))
    await asyncio.wait_for(future, 60)


@work
async def stream_read(kit: Kit) -> None:
    reader, _ = await kit.stream()
    await reader.read(100)


@work
async def stream_readline_with_a_timeout(kit: Kit) -> None:
    reader, _ = await kit.stream()
    await asyncio.wait_for(reader.readline(), 60)


@work
async def stream_iteration(kit: Kit) -> None:
    reader, _ = await kit.stream()
    async for _ in reader:
        break


@work
async def stream_read_in_an_async_generator(kit: Kit) -> None:
    reader, _ = await kit.stream()

    async def lines() -> AsyncIterator[bytes]:
        yield await reader.readline()

    async for _ in lines():
        pass


@work
async def stream_that_a_task_reads_for_a_queue(kit: Kit) -> None:
    reader, _ = await kit.stream()

    async def read() -> None:
        kit.queue.put_nowait(await reader.readline())

    kit.start(read())
    await kit.queue.get()


@work
async def stream_drain(kit: Kit) -> None:
    near, far = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=near)
    kit.resources.enter_context(far)
    writer.transport.set_write_buffer_limits(0)
    far.setblocking(True)
    writer.write(b"x" * 10_000_000)

    def read() -> None:
        time.sleep(MOMENT_S)
        kit.is_over = True
        while far.recv(1_000_000):
            pass

    thread = threading.Thread(target=read)
    thread.start()
    kit.resources.callback(thread.join)
    kit.resources.callback(far.shutdown, socket.SHUT_RDWR)
    kit.resources.callback(writer.close)
    await writer.drain()


@work
async def socket_of_the_loop(kit: Kit) -> None:
    near, _ = kit.sockets()
    await kit.loop.sock_recv(near, 100)


@work
async def socket_that_a_driver_watches_for_an_event(kit: Kit) -> None:
    """As psycopg does."""
    near, _ = kit.sockets()
    ready = asyncio.Event()
    kit.loop.add_reader(near, ready.set)
    try:
        await ready.wait()
    finally:
        kit.loop.remove_reader(near)


@work
async def socket_that_a_driver_watches_for_an_event_with_a_timeout(kit: Kit) -> None:
    near, _ = kit.sockets()
    ready = asyncio.Event()
    kit.loop.add_reader(near, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), 60)
    finally:
        kit.loop.remove_reader(near)


@work
async def child_process(kit: Kit) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(0.02)"
    )
    await process.wait()
    kit.is_over = True


@work
async def server_that_is_connected_to(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            time.sleep(MOMENT_S)
            kit.is_over = True
            connection.sendall(b"sent\n")
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        kit.resources.callback(thread.join)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        kit.resources.callback(writer.close)
        await reader.readline()


@work
async def async_generator_that_sleeps(kit: Kit) -> None:
    async def items() -> AsyncIterator[None]:
        await kit.work()
        yield

    async for _ in items():
        pass


@work
async def awaitable_that_sleeps(kit: Kit) -> None:
    await Awaited(kit.work)


@work
async def receive_besides_a_sleep(kit: Kit) -> None:
    await asyncio.gather(kit.receive(), kit.work())


@work
async def anyio_sleep(kit: Kit) -> None:
    await anyio.sleep(MOMENT_S)
    kit.is_over = True


@work
async def anyio_task_group_that_sleeps(kit: Kit) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(kit.queue.get)
        group.start_soon(kit.work)


@work
async def anyio_task_group_start_that_sleeps(kit: Kit) -> None:
    async def start(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        await asyncio.sleep(MOMENT_S)
        kit.is_over = True
        task_status.started()
        await kit.queue.get()

    async with anyio.create_task_group() as group:
        await group.start(start)


@work
async def anyio_thread(kit: Kit) -> None:
    await anyio.to_thread.run_sync(kit.work_in_thread)


@work
async def anyio_thread_with_a_timeout(kit: Kit) -> None:
    with anyio.fail_after(60):
        await anyio.to_thread.run_sync(kit.work_in_thread)


@work
async def anyio_thread_that_waits_for_its_turn(kit: Kit) -> None:
    limiter = anyio.CapacityLimiter(1)
    kit.start(anyio.to_thread.run_sync(time.sleep, MOMENT_S, limiter=limiter))
    await asyncio.sleep(0)
    await anyio.to_thread.run_sync(kit.work_in_thread, limiter=limiter)


@work
async def anyio_socket_stream(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            time.sleep(MOMENT_S)
            kit.is_over = True
            connection.sendall(b"sent\n")
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        kit.resources.callback(thread.join)
        async with await anyio.connect_tcp(*listener.getsockname()) as stream:
            await stream.receive()


@work
async def anyio_readable_socket(kit: Kit) -> None:
    near, _ = kit.sockets()
    await anyio.wait_readable(near)


@work
async def anyio_datagram(kit: Kit) -> None:
    async with await anyio.create_udp_socket(local_host="127.0.0.1") as near:
        address: Any = near.extra(anyio.abc.SocketAttribute.local_address)

        def send() -> None:
            time.sleep(MOMENT_S)
            kit.is_over = True
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
                far.sendto(b"sent", address)

        thread = threading.Thread(target=send)
        thread.start()
        kit.resources.callback(thread.join)
        await near.receive()


if sys.version_info >= (3, 11):

    @work
    async def timeout_around_a_sleep(kit: Kit) -> None:
        async with asyncio.timeout(60):
            await kit.work()

    @work
    async def task_group_that_sleeps(kit: Kit) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(kit.queue.get())
            group.create_task(kit.work())

    @work
    async def task_in_a_copied_context(kit: Kit) -> None:
        kit.loop.create_task(kit.work(), context=contextvars.copy_context())
        await kit.queue.get()

    @work
    async def task_in_an_empty_context(kit: Kit) -> None:
        kit.tasks.append(kit.loop.create_task(kit.work(), context=contextvars.Context()))
        await kit.queue.get()


# --- waits that may be either ---------------------------------------------------------------------


@unknown
async def future_of_its_own(kit: Kit) -> None:
    await kit.loop.create_future()


@unknown
async def shielded_queue(kit: Kit) -> None:
    await asyncio.shield(kit.queue.get())


# --- how they are judged --------------------------------------------------------------------------


def judge(
    case: Case, factory: LoopFactory, *, inside: bool = False, given_up_s: float = GIVEN_UP_S
) -> str:
    """`work` if the application was waited for until the case was over, `rest` if it was not.

    The case waits in a task beside the one that receives: in a child, or `inside` the application's
    own.
    """
    kits: list[Kit] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        kits.append(kit := Kit(receive))
        try:
            if inside:
                kit.start(receive())  # type: ignore[arg-type]
                await case(kit)
                await asyncio.Event().wait()
            else:
                kit.start(case(kit))  # type: ignore[arg-type]
                await receive()
        finally:
            await asyncio.gather(*_cancelled(kit.tasks), return_exceptions=True)

    async def main() -> str:
        cycle = WebSocketCycle({"type": "websocket"}, FarEnd())
        cycle.start(app)
        loop = asyncio.get_running_loop()
        try:
            rests = await cycle.proceed(loop.time() + given_up_s)
            assert cycle.error is None
            for task in kits[0].tasks:
                if task.done():
                    task.result()
            if not rests:
                return "work without end"
            return "work" if kits[0].is_over else "rest"
        finally:
            await cycle.end()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*_cancelled(others), return_exceptions=True)
            kits[0].resources.close()
            await asyncio.sleep(0)
            await loop.shutdown_asyncgens()

    loop = factory()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _cancelled(tasks: Any) -> list[Any]:
    for task in tasks:
        task.cancel()
    return [*tasks]


ways = pytest.mark.parametrize(
    ("factory", "inside"),
    [
        (kind, inside)
        for kind in KINDS
        for inside in (False, True)
        if kind is KINDS[0] or not inside
    ],
    ids=lambda value: getattr(value, "__name__", "in its own task" if value else "in a child"),
)


@ways
@pytest.mark.parametrize("name", REST)
def test_wait_for_the_applications_own_tasks_is_rest(
    name: str, factory: LoopFactory, inside: bool
) -> None:
    assert judge(REST[name], factory, inside=inside) == "rest"


SELECTOR_NEEDED = {
    _words(socket_that_a_driver_watches_for_an_event),
    _words(socket_that_a_driver_watches_for_an_event_with_a_timeout),
}
"""What no loop but asyncio's own tells."""


@ways
@pytest.mark.parametrize("name", WORK)
def test_wait_for_anything_else_is_work(name: str, factory: LoopFactory, inside: bool) -> None:
    if name in SELECTOR_NEEDED and factory.__name__ == "uvloop_loop":
        pytest.skip("uvloop does not tell which sockets it watches")
    assert judge(WORK[name], factory, inside=inside) == "work"


@pytest.mark.parametrize("name", UNKNOWN)
def test_wait_that_may_be_either_is_taken_for_work(name: str) -> None:
    judged = judge(UNKNOWN[name], asyncio.new_event_loop, given_up_s=5 * MOMENT_S)
    assert judged == "work without end"
