"""The adapter: an event and a context in, the result that AWS expects out."""

from __future__ import annotations

import os
import warnings

from mangum import options
from mangum.exceptions import ConfigurationError, InferenceError, RequestError
from mangum.options import DEFAULT_TEXT_MIME_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any

    from mangum.protocols.http import HTTPCycle
    from mangum.protocols.lifespan import EnvironmentLifespan, LifespanCycle
    from mangum.types import (
        ASGI,
        Edition,
        LambdaConfig,
        LambdaContext,
        LambdaEvent,
        LambdaHandler,
        LifespanMode,
        LifespanScope,
        WebSocketBinary,
        WebSocketMode,
        WebSocketReplay,
    )
    from mangum.websockets.adapter import AdapterGroups, EventCycle, WebSockets

__all__ = ["DEFAULT_TEXT_MIME_TYPES", "Mangum"]


class Mangum:
    """Runs an ASGI application on AWS Lambda: `handler = Mangum(app)`.

    * **app**: the ASGI 3 application.
    * **lifespan**: `"auto"` runs the application's lifespan if it has one, `"on"` insists on it,
      `"off"` leaves it out.
    * **api_gateway_base_path**: the prefix under which the function is mapped, `"/api"`. The
      classic edition strips it from the path; the 2026 edition names it in `root_path`.
    * **custom_handlers**: handler classes that are asked before the built-in ones.
    * **text_mime_types**: media types whose bodies are sent as text. A prefix, a suffix if it
      begins with a plus, or a word without a slash that is looked for anywhere. It replaces the
      defaults in the classic edition and adds to them in 2026.
    * **exclude_headers**: response headers to leave out.
    * **edition**: `"classic"` behaves as mangum 0.22 does, `"2026"` is what a new project should
      use.
    * **lifespan_scope**: `"invocation"` starts and shuts down for each event, `"environment"`
      starts once and keeps it. By default the edition decides: `"invocation"` in classic,
      `"environment"` in 2026.
    * **extra_text_mime_types**: media types to add to the ones in force, in either edition.
    * **raise_exceptions**: lets the application's exceptions reach Lambda instead of answering 500.
    * **forwarded_host**: the request header to take for the public host, `"x-forwarded-host"`. Only
      where a proxy sets it.
    * **root_path**: the prefix under which clients see the application, `"/prod"`; it is in `path`
      too.
    * **events_path**: where events that are not requests are sent, as `POST` with a JSON body;
      without it they are errors.
    * **loop_factory**: makes the event loop, `uvloop.new_event_loop`; by default asyncio's current
      or a new one serves.
    * **dsn**: where the connections of a WebSocket API are remembered between their events,
      `"dynamodb://table?region=eu-west-1"`, `"s3://bucket/prefix"`, `"postgresql://..."`,
      `"redis://..."` or `"sqlite:///file.db"`.
    * **ws_config**: the same in the form of older versions, `{"backend": "s3", "params": {"bucket":
      "..."}}`.
    * **api_gateway_endpoint_url**: where messages to WebSocket clients are posted; by default the
      API's own host, as the event tells.
    * **api_gateway_region_name**: the region of that API; by default that of its host, or of the
      function.
    * **websocket_mode**: `"message"` calls the application for each message, `"session"` once for
      each connection, as a server does. By default the edition decides: `"message"` in classic,
      `"session"` in 2026.
    * **websocket_path**: the `path` that the application sees, as no event carries one: a text, or
      a callable that takes the event.
    * **websocket_binary**: what to do with bytes that are not UTF-8, as API Gateway delivers text
      only: `"error"` refuses them, `"base64"` sends them as base64.
    * **websocket_replay**: what a session gets again where it goes on in another execution
      environment: `"connect"`, or `"messages"` for all that the client has sent, which is stored
      for that; what the application sends to the client meanwhile is left out.

    Raises `ConfigurationError` for a wrong value or an unknown option.
    """

    def __init__(
        self,
        app: ASGI,
        lifespan: LifespanMode = "auto",
        api_gateway_base_path: str | None = "/",
        custom_handlers: list[type[LambdaHandler]] | None = None,
        text_mime_types: list[str] | None = None,
        exclude_headers: list[str] | None = None,
        *,
        edition: Edition = "classic",
        lifespan_scope: LifespanScope | None = None,
        extra_text_mime_types: list[str] | None = None,
        raise_exceptions: bool = False,
        forwarded_host: str | None = None,
        root_path: str | None = None,
        events_path: str | None = None,
        loop_factory: Callable[[], AbstractEventLoop] | None = None,
        dsn: str | None = None,
        ws_config: dict[str, Any] | None = None,
        api_gateway_endpoint_url: str | None = None,
        api_gateway_region_name: str | None = None,
        websocket_mode: WebSocketMode | None = None,
        websocket_path: str | Callable[[LambdaEvent], str] | None = None,
        websocket_binary: WebSocketBinary = "error",
        websocket_replay: WebSocketReplay = "connect",
        **older: Any,
    ) -> None:
        if older:
            text_mime_types = _take_older(older, text_mime_types)
        if lifespan_scope is None:
            lifespan_scope = options.edition_default("lifespan_scope", edition)
        if websocket_mode is None:
            websocket_mode = options.edition_default("websocket_mode", edition)
        options.check(locals())  # every parameter by its name

        self.app = app
        self.lifespan = lifespan
        self.lifespan_scope = lifespan_scope
        self.custom_handlers = custom_handlers or []
        self.raise_exceptions = raise_exceptions
        self.loop_factory = loop_factory
        self.config: LambdaConfig = {
            "api_gateway_base_path": api_gateway_base_path or "/",
            "text_mime_types": options.text_mime_types(
                edition, text_mime_types, extra_text_mime_types
            ),
            "exclude_headers": [header.lower() for header in exclude_headers or ()],
            "edition": edition,
            "forwarded_host": forwarded_host,
            "root_path": root_path,
            "events_path": events_path,
            "websocket_mode": websocket_mode,
            "websocket_path": websocket_path,
        }
        self._app_without_lifespan: ASGI | None = None
        # what decorators that wrap a function look for
        self.__name__ = self.__qualname__ = type(self).__name__

        if "MANGUM_MARSHALLER" in os.environ:
            from mangum.runtime.marshaller import install_from_environment

            install_from_environment()
        # what every request needs, asyncio too, in the phase where Lambda gives a full core
        from mangum._speedups import read_request, write_result
        from mangum.protocols.http import HTTPCycle
        from mangum.protocols.loop import provide_in_thread, run

        provide_in_thread()
        self._read, self._write = read_request, write_result
        self._is_extended = type(self) is not Mangum  # a subclass may look into what handlers do
        self._cycle = HTTPCycle
        self._run = run
        self._environment: EnvironmentLifespan | None = None
        self._websockets: WebSockets | None = None
        self._websocket_options: dict[str, Any] = {
            "dsn": dsn,
            "ws_config": ws_config,
            "sessions": websocket_mode == "session",
            "endpoint_url": api_gateway_endpoint_url,
            "region": api_gateway_region_name,
            "binary": websocket_binary,
            "replay": websocket_replay,
            "raise_exceptions": raise_exceptions,
        }
        if lifespan != "off":
            self._make_environment()

    def __call__(self, event: LambdaEvent, context: LambdaContext) -> Any:
        """The Lambda handler. Raises `InferenceError` or `MalformedEvent` for an event that it
        can't serve, `LifespanFailure`, `EventError` if the application refuses an event that is no
        request, and `EventLoopRunning` where a loop runs already."""
        config = self.config
        if self.custom_handlers or self._is_extended:
            return self._handle(event, context)
        cycle = self._read(event, context, config, self._cycle, self.raise_exceptions)
        if cycle is None:
            return self._handle(event, context)
        self._run(
            cycle.run(self.app) if self.lifespan == "off" else self._respond(cycle),
            self.loop_factory,
        )
        result = self._write(event, cycle, config)
        return self.infer(event, context)(cycle.response) if result is None else result

    async def asgi(self, event: LambdaEvent, context: LambdaContext) -> Any:
        """The same call, for code that runs an event loop already."""
        handler = self.infer(event, context)
        try:
            cycle = self._begin(handler)
        except RequestError as exc:
            return handler(exc.response)
        await self._respond(cycle)
        return handler(cycle.response)

    def infer(self, event: Any, context: LambdaContext) -> LambdaHandler:
        """The handler of the event. Raises `InferenceError` if there is none."""
        config = self.config
        for handler in self.custom_handlers:
            if handler.infer(event, context, config):
                return handler(event, context, config)
        from mangum.handlers import find

        found = find(event)
        if found is not None:
            return found(event, context, config)
        from mangum.handlers import PassThrough
        from mangum.handlers._sources import describe

        if PassThrough.infer(event, context, config):
            return PassThrough(event, context, config)
        raise InferenceError(
            f"The adapter was unable to infer a handler to use for the event. {describe(event)} "
            "If it is meant for the application, set `events_path`; if it is a request, check that "
            "it is what the source sends."
        )

    def startup(self) -> None:
        """Start the application now: before a snapshot, with provisioned concurrency, in a test.
        Later events find it started, whatever `lifespan_scope` says. Raises `LifespanFailure`;
        `ConfigurationError` if `lifespan` is `"off"`."""
        if self.lifespan == "off":
            raise ConfigurationError('There is nothing to start: `lifespan` is "off".')
        self._run(self._start(), self.loop_factory)

    def shutdown(self) -> None:
        """Shut down what `startup()` or the first event started, and end the WebSocket sessions
        that wait in this process. Raises `LifespanFailure`."""
        try:
            if self._websockets is not None:
                self._run(self._websockets.close(), self.loop_factory)
        finally:
            if self._environment is not None:
                self._run(self._environment.shutdown(), self.loop_factory)

    def _handle(self, event: LambdaEvent, context: LambdaContext) -> Any:
        """The call by way of a handler: one of the user's own, that of a source which the hot path
        does not know, or one that can say what is wrong with the event."""
        handler = self.infer(event, context)
        try:
            cycle = self._begin(handler)
        except RequestError as exc:
            return handler(exc.response)
        self._run(self._respond(cycle), self.loop_factory)
        return handler(cycle.response)

    def _begin(self, handler: LambdaHandler) -> HTTPCycle | EventCycle:
        """The request. Raises `RequestError` for one that the application does not get to see."""
        if getattr(handler, "protocol", "http") == "websocket":
            return self._make_websockets().cycle(handler)
        scope, body = handler.scope, handler.body
        if self.config.get("events_path"):
            from mangum.handlers.passthrough import PassThrough, is_reserved

            if not isinstance(handler, PassThrough) and is_reserved(scope, self.config):
                raise RequestError(404, "Not Found")
        return self._cycle(scope, body, self.raise_exceptions)

    async def _respond(self, cycle: HTTPCycle | EventCycle) -> None:
        """Run the application within its lifespan, if it has one."""
        app = self.app
        if self.lifespan == "off":
            await cycle.run(app)
            return
        environment = self._environment or self._make_environment()
        if self._app_without_lifespan is app:
            cycle.scope["state"] = {}
            await cycle.run(app)
        elif (
            self.lifespan_scope == "environment"
            or environment.started is not None
            or cycle.outlives_event
        ):
            lifespan = await self._start()
            cycle.scope["state"] = lifespan.lifespan_state.copy()
            await cycle.run(app)
        else:
            lifespan = self._new_lifespan()
            await lifespan.startup()
            self._remember(lifespan)
            cycle.scope["state"] = lifespan.lifespan_state.copy()
            try:
                await cycle.run(app)
            finally:
                await lifespan.shutdown()

    async def _start(self) -> LifespanCycle:
        """The lifespan of the environment, started if it is not yet."""
        environment = self._environment or self._make_environment()
        lifespan = environment.started
        if lifespan is None:
            lifespan = await environment.startup(self._new_lifespan())
            self._remember(lifespan)
            if lifespan.started:
                from mangum.protocols.termination import shut_down_on_sigterm

                shut_down_on_sigterm(environment)
        return lifespan

    @property
    def groups(self) -> AdapterGroups:
        """The groups of WebSocket connections: `await handler.groups.group_send("room", "hello")`,
        from any event. Raises `ConfigurationError` without a `dsn`."""
        return self._make_websockets().groups

    def _make_websockets(self) -> WebSockets:
        websockets = self._websockets
        if websockets is None:
            from mangum.websockets.adapter import WebSockets

            websockets = self._websockets = WebSockets(self.app, **self._websocket_options)
        return websockets

    def _make_environment(self) -> EnvironmentLifespan:
        from mangum.protocols.lifespan import EnvironmentLifespan

        self._environment = made = EnvironmentLifespan()
        return made

    def _new_lifespan(self) -> LifespanCycle:
        from mangum.protocols.lifespan import LifespanCycle

        return LifespanCycle(
            self.app, self.lifespan, strict=self.config.get("edition", "classic") != "classic"
        )

    def _remember(self, lifespan: LifespanCycle) -> None:
        """An application without lifespan is not asked again, unless `"on"` insists."""
        if self.lifespan == "auto" and not lifespan.supported:
            self._app_without_lifespan = lifespan.app


def _take_older(older: dict[str, Any], text_mime_types: list[str] | None) -> list[str] | None:
    """The options of older versions, each with a warning; returns the `text_mime_types` to use."""
    options.reject_unknown(older, Mangum)
    for name in older:
        warnings.warn(
            f"`{name}` is deprecated: {options.SUCCESSORS[name]}.", DeprecationWarning, stacklevel=3
        )
    if "log_level" in older:
        options.set_log_level(older["log_level"])
    if "TEXT_MIME_TYPES" not in older:
        return text_mime_types
    if text_mime_types is not None:
        raise ConfigurationError(
            "Invalid argument supplied for `TEXT_MIME_TYPES`: `text_mime_types` is given as well."
        )
    types: list[str] | None = older["TEXT_MIME_TYPES"]
    return types
