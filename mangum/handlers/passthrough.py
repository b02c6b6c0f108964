"""Any event that is not a request, as `POST events_path` with the event as a JSON body."""

from __future__ import annotations

from mangum._speedups import decode_path
from mangum._speedups.pure import build_scope, clean_prefix
from mangum.exceptions import EventError, MalformedEvent
from mangum.handlers._base import Handler
from mangum.handlers._sources import source_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

_MAX_DECODINGS = 5


class PassThrough(Handler):
    """An event of a queue, a schedule, a stream, … The application's JSON answer is the function's
    result.

    Any status but a 2xx raises `EventError`, so that the service delivers the event again and in
    the end hands it to a dead-letter queue: a 422 of a validator, a 404 or a redirect would lose it
    if it were taken for done. An application that wants to drop an event answers 204.
    """

    source = "an event source"

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return bool(config.get("events_path"))

    def __init__(self, event: Any, context: LambdaContext, config: LambdaConfig) -> None:
        super().__init__(event, context, config)
        self._json: bytes | None = None

    def read_scope(self) -> Scope:
        texts = {
            "host": "mangum",
            "content-type": "application/json",
            "content-length": str(len(self.read_body())),
        }
        scope = build_scope(
            self.event,
            self.context,
            {**self.config, "api_gateway_base_path": "/"},
            method="POST",
            headers=[[name.encode(), value.encode()] for name, value in texts.items()],
            texts=texts,
            path=str(self.config["events_path"]),
            raw_path=None,
            query_string=b"",
            client_ip=None,
        )
        scope["aws.event_source"] = source_of(self.event)
        return scope

    def read_body(self) -> bytes:
        if self._json is None:
            self._json = self._write_event()
        return self._json

    def _write_event(self) -> bytes:
        import json

        try:
            return json.dumps(self.event).encode()
        except (TypeError, ValueError, RecursionError):
            pass
        raise MalformedEvent("The event can't be written as JSON for `events_path`.")

    def __call__(self, response: Response) -> Any:
        """The function's result: a JSON answer's value, a text's text, `None` for no body. Raises
        `EventError`."""
        import json

        status = response["status"]
        if not 200 <= status < 300:
            raise EventError(f"The application answered {status} to {self._named}.")
        body = response["body"]
        if not body:
            return None
        try:
            text = body.decode()
            return json.loads(text) if self._is_json(response) else text
        except (ValueError, RecursionError):
            pass
        raise EventError(f"The application's answer to {self._named} is neither JSON nor text.")

    @property
    def _named(self) -> str:
        source = source_of(self.event) or "an unknown source"
        return f"the event of {source} at {self.config['events_path']}"

    def _is_json(self, response: Response) -> bool:
        for name, value in response["headers"]:
            if name.lower() == b"content-type":
                media_type = value.partition(b";")[0].strip().lower()
                return media_type == b"application/json" or media_type.endswith(b"+json")
        return False


def is_reserved(scope: Scope, config: LambdaConfig) -> bool:
    """Whether the path of a request is `events_path`, however it is spelled: encoded once more,
    with doubled slashes, dots or a trailing slash, behind any prefix that is known here and that an
    application may take for its root. So is a path that is encoded over and over."""
    stage, base = clean_prefix(_stage_of(scope)), clean_prefix(config["api_gateway_base_path"])
    prefixes = ("", scope.get("root_path") or "", stage, base, stage + base)
    spellings = {_normal(f"{prefix}/{config['events_path']}") for prefix in prefixes}
    path = scope.get("path") or ""
    for _ in range(_MAX_DECODINGS):
        if _normal(path) in spellings:
            return True
        decoded = decode_path(path)
        if decoded == path:
            return False
        path = decoded
    return True  # nobody encodes a path so often who means well


def _stage_of(scope: Scope) -> str:
    event = scope.get("aws.event")
    request_context = event.get("requestContext") if isinstance(event, dict) else None
    stage = request_context.get("stage") if isinstance(request_context, dict) else None
    return stage if isinstance(stage, str) else ""


def _normal(path: str) -> str:
    """The path without what one router or another overlooks: empty and dot segments, white space
    around a segment (a pattern's `$` allows a line break after it), and case."""
    segments: list[str] = []
    for raw_segment in path.split("/"):
        segment = raw_segment.strip().casefold()
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)
