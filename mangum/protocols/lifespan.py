"""The ASGI `lifespan` connection: one run of it, and one that lasts as long as the process. Knows
no AWS."""

from __future__ import annotations

import logging
from asyncio import current_task, get_running_loop, shield, wait

from mangum.exceptions import LifespanFailure, LifespanUnsupported, UnexpectedMessage
from mangum.protocols.loop import start, wake
from mangum.protocols.states import LIFESPAN, RECEIVE, LifespanCycleState, type_of, unexpected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task
    from types import TracebackType
    from typing import Any, NoReturn

    from mangum.types import ASGI, LifespanMode, Message

__all__ = ["EnvironmentLifespan", "LifespanCycle", "LifespanCycleState"]

logger = logging.getLogger("mangum.lifespan")
DEBUG = logging.DEBUG
_levels: dict[int, bool] = getattr(logger, "_cache", {})  # which are on, as asking takes a while

READY = LifespanCycleState.READY
_NOTHING_TO_COME = (
    LifespanCycleState.SHUTDOWN,
    LifespanCycleState.COMPLETE,
    LifespanCycleState.FAILED,
    LifespanCycleState.UNSUPPORTED,
)


class LifespanCycle:
    """Starts an application, and shuts it down: `await startup()`, `await shutdown()`, or as a
    `with` block that drives the loop.

    `lifespan_state` is what the application put into `scope["state"]`. Both methods raise
    `LifespanFailure` for a failure that the application reports, and for a message that the
    protocol does not know. An exception of the application is logged, and kept in `exception`;
    `strict` makes that, and an application without lifespan where `lifespan` is `"on"`, a
    `LifespanFailure` of the startup, and takes a failed shutdown for a log line, as the answer is
    there already.
    """

    def __init__(self, app: ASGI, lifespan: LifespanMode, strict: bool = False) -> None:
        self.app = app
        self.lifespan = lifespan
        self.strict = strict
        self.state = LifespanCycleState.CONNECTING
        self.exception: Exception | None = None
        self.lifespan_state: dict[str, Any] = {}
        self.loop: AbstractEventLoop | None = None
        self._task: Task[None] | None = None
        self._is_settled = True  # unless startup() or shutdown() waits for the application's word
        self._settled: Future[None] | None = None  # what they wait for, if it takes a while
        self._receivers: list[Future[None]] = []
        self._shutting_down = False
        self._dropped = False  # thrown away while it waited
        self._exit: BaseException | None = None

    def __enter__(self) -> None:
        from mangum.protocols.loop import run

        run(self.startup())

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from mangum.protocols.loop import run

        run(self.shutdown())

    @property
    def started(self) -> bool:
        """Whether the application has started, has not been shut down, and its loop still
        exists."""
        return self.state is READY and not self._loop_is_closed

    @property
    def supported(self) -> bool:
        """Whether the application knows the protocol, as far as it has shown."""
        return self.state is not LifespanCycleState.UNSUPPORTED

    @property
    def _loop_is_closed(self) -> bool:
        """True at the end of the interpreter too, where what is parked here is thrown away."""
        return self.loop is not None and self.loop.is_closed()

    async def startup(self) -> None:
        """Call the application and wait until it has started, failed, or shown that it knows no
        lifespan."""
        is_debugged = _levels.get(DEBUG) is not False
        if is_debugged:
            logger.debug("Waiting for application startup.")
        self.loop = loop = get_running_loop()
        self._is_settled = False
        self._task = start(self.run(), loop)
        # Lambda ends the process without a word; a task that waits for the shutdown then is no
        # mistake
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]
        if not self._is_settled:
            await self._settlement()
        if self._exit is not None:
            raise self._exit
        if self.state is READY:
            if is_debugged:
                logger.debug("Application startup complete.")
            return
        self._end_task()
        if self.state is LifespanCycleState.FAILED:
            raise LifespanFailure(str(self.exception)) from self.exception
        if self.lifespan == "on" and self.strict:
            reason = (
                repr(self.exception) if self.exception else "the application does not support it"
            )
            raise LifespanFailure(
                f"Lifespan is 'on', but startup did not complete: {reason}"
            ) from self.exception
        if self.state is LifespanCycleState.UNSUPPORTED:
            level = logging.ERROR if self.lifespan == "on" else logging.DEBUG
            logger.log(level, "ASGI 'lifespan' protocol appears unsupported.")

    async def shutdown(self) -> None:
        """Tell the application to shut down and wait until its code has ended; nothing happens if
        it never started."""
        if self._task is not None and not self._task.done() and self.started:
            if _levels.get(DEBUG) is not False:
                logger.debug("Waiting for application shutdown.")
            self._shutting_down = True
            self._is_settled = False
            self._wake_receivers()
            if not self._is_settled:
                await self._settlement()
            if self._exit is not None:
                raise self._exit
            self._end_task()
        if self.state is LifespanCycleState.FAILED:
            if not self.strict:
                raise LifespanFailure(str(self.exception)) from self.exception
            logger.error("%s", self.exception)

    async def run(self) -> None:
        """Call the application with the `lifespan` scope."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.lifespan_state,
        }
        self._task = current_task()
        try:
            await self.app(scope, self.receive, self.send)
        except LifespanUnsupported:
            pass
        except Exception as exc:
            self._dropped = self._is_dropped()
            self._note(exc)
        except BaseException as exc:
            self._dropped = self._is_dropped()
            if self._is_settled or isinstance(exc, GeneratorExit):
                raise
            self._exit = exc  # for the one who waits: from here it would stop the loop under him
        finally:
            unanswered = self.state is LifespanCycleState.STARTUP and self.exception is None
            if unanswered or self.state is LifespanCycleState.CONNECTING:
                self.state = LifespanCycleState.UNSUPPORTED
            self._settle()

    async def receive(self) -> Message:
        """`lifespan.startup`, then `lifespan.shutdown` when it is time; after that there is nothing
        more to come."""
        if self.state is LifespanCycleState.CONNECTING:
            self.state = LIFESPAN[self.state][RECEIVE]
            return {"type": "lifespan.startup"}
        while not (self._shutting_down and self.state is READY):
            # another task of the application may listen while this one shuts down
            if self.state in _NOTHING_TO_COME and current_task() is self._task:
                self._settle()
            receiver = get_running_loop().create_future()
            self._receivers.append(receiver)
            await receiver
        self.state = LIFESPAN[self.state][RECEIVE]
        return {"type": "lifespan.shutdown"}

    async def send(self, message: Message) -> None:
        """Take the application's word. Raises `LifespanUnsupported`, `LifespanFailure` or
        `UnexpectedMessage` into it."""
        if self._dropped or self._loop_is_closed:  # nobody listens
            return
        message_type = type_of(message)
        if _levels.get(DEBUG) is not False:
            logger.debug("%s: '%s' event received from application.", self.state, message_type)
        if self.state in (LifespanCycleState.CONNECTING, LifespanCycleState.UNSUPPORTED):
            self.state = LifespanCycleState.UNSUPPORTED
            raise LifespanUnsupported("Lifespan protocol appears unsupported.")
        target = LIFESPAN[self.state].get(message_type) if isinstance(message_type, str) else None
        if target is None or message_type == RECEIVE:
            self._fail(
                UnexpectedMessage(unexpected(message_type, self.state, LIFESPAN[self.state]))
            )
        elif target is LifespanCycleState.FAILED:
            self._fail(
                LifespanFailure(
                    f"Lifespan {self.state.name.lower()} failure. {message.get('message', '')}"
                )
            )
        self.state = target
        if target is READY:
            self._settle()

    def _fail(self, error: Exception) -> NoReturn:
        self.state = LifespanCycleState.FAILED
        if self.exception is None:  # the first reason is the one that counts
            self.exception = error
        raise error

    async def _settlement(self) -> None:
        """Wait for the application's word. Whoever gives up waiting ends the application too."""
        self._settled = get_running_loop().create_future()
        try:
            await self._settled
        except BaseException:
            self._is_settled = True
            self._end_task()
            raise

    def _note(self, exc: Exception) -> None:
        if exc is self.exception:  # raised by send(), told by startup() or shutdown()
            return
        if self._dropped or self._loop_is_closed:
            return
        if self.state in (LifespanCycleState.CONNECTING, LifespanCycleState.UNSUPPORTED):
            logger.debug("The application raised at the lifespan scope: %s", type(exc).__name__)
        else:
            logger.error("Exception in 'lifespan' protocol.", exc_info=exc)
        if self.exception is None:
            self.exception = exc

    def _is_dropped(self) -> bool:
        """Whether the application is not stepped by its task any more, but closed as garbage."""
        return self._task is not None and current_task(self.loop) is not self._task

    def _end_task(self) -> None:
        """End an application that asks for one more message although none will come."""
        if self._task is not None and not self._task.done() and not self._loop_is_closed:
            self._task.cancel()

    def _settle(self) -> None:
        self._is_settled = True
        settled = self._settled
        if settled is not None and not settled.done() and not self._loop_is_closed:
            settled.set_result(None)

    def _wake_receivers(self) -> None:
        receivers, self._receivers = self._receivers, []
        for receiver in receivers:
            if not receiver.done():
                wake(receiver, self.loop)


class EnvironmentLifespan:
    """One lifespan for the life of the process: started before the first request, or by hand.

    A startup that failed is tried again by the next request. A process that uses several event
    loops has one on each, as what an application opens belongs to its loop.
    """

    def __init__(self) -> None:
        self._cycles: dict[AbstractEventLoop, LifespanCycle] = {}
        self._starting: Task[LifespanCycle] | None = None

    def __reduce__(self) -> tuple[type[EnvironmentLifespan], tuple[()]]:
        return EnvironmentLifespan, ()  # a copy of the adapter starts the application by itself

    @property
    def started(self) -> LifespanCycle | None:
        """The lifespan that has started on the running loop."""
        cycle = self._cycles.get(get_running_loop())
        return cycle if cycle is not None and cycle.started else None

    @property
    def loops(self) -> list[AbstractEventLoop]:
        """The loops on which the application has started."""
        return [loop for loop, cycle in self._cycles.items() if cycle.started]

    async def startup(self, cycle: LifespanCycle) -> LifespanCycle:
        """Start `cycle`, unless another one is just starting; returns the one that counts.

        The startup is a task of its own: a caller that is cancelled does not spoil it for another.
        """
        loop = get_running_loop()
        while self._starting is not None and self._starting.get_loop() is loop:
            await wait([self._starting])
        started = self.started
        if started is not None:
            return started
        self._starting = starting = loop.create_task(self._begin(cycle, loop))
        starting.add_done_callback(self._end_of_startup)
        return await shield(starting)

    async def _begin(self, cycle: LifespanCycle, loop: AbstractEventLoop) -> LifespanCycle:
        await cycle.startup()
        self._cycles = {other: kept for other, kept in self._cycles.items() if kept.started}
        self._cycles[loop] = cycle
        return cycle

    def _end_of_startup(self, starting: Task[LifespanCycle]) -> None:
        if self._starting is starting:
            self._starting = None
        if not starting.cancelled():
            starting.exception()  # if those who wait are gone, nobody need be told it was not seen

    async def shutdown(self) -> None:
        """Shut down what was started on the running loop; nothing happens otherwise. Raises
        `LifespanFailure` if that is running on another loop only."""
        cycle = self._cycles.pop(get_running_loop(), None)
        if cycle is not None:
            await cycle.shutdown()
        elif any(other.started for other in self._cycles.values()):
            raise LifespanFailure(
                "The application was started on another event loop; shut it down there."
            )
