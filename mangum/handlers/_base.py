"""What the sources share: the shape of a handler, and the one place where foreign errors become
`MalformedEvent`."""

from __future__ import annotations

import logging

from mangum._speedups import decode_body, may_exceed
from mangum._speedups.constants import LIMITS
from mangum.exceptions import (
    InferenceError,
    MalformedEvent,
    MangumError,
    RequestError,
    ResponseError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope


logger = logging.getLogger("mangum")

TEXT, OBJECT, MAP, LIST = "a text", "an object", "an object of texts", "a list"
"""What a field of an event holds, in the words of an error."""

PROXY_FIELDS = (
    ("httpMethod", TEXT),
    ("path", TEXT),
    ("headers", MAP),
    ("multiValueHeaders", MAP),
    ("queryStringParameters", MAP),
    ("multiValueQueryStringParameters", MAP),
    ("body", TEXT),
)
"""The fields that REST APIs and load balancers have in common."""

FAULTS = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What reading an event of an unexpected shape raises."""

_FITS: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, (str, bytes)),
    OBJECT: lambda value: isinstance(value, dict),
    MAP: lambda value: (
        isinstance(value, dict) and all(_is_listing(item) for item in value.values())
    ),
    LIST: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
}


class Handler:
    """One event source. A subclass reads its own fields in `read_scope` and `read_body`, and writes
    `write_result`."""

    source = "event"
    """The name of the source in messages."""

    fields: tuple[tuple[str, str], ...] = ()
    """`(("requestContext.http.method", TEXT), ...)`: what is read of an event, for the message that
    says what is wrong."""

    required: tuple[str, ...] = ()
    """The fields without which there is no request."""

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self.event = event
        self.context = context
        self.config = config

    @property
    def scope(self) -> Scope:
        """The ASGI `http` scope. Raises `MalformedEvent` for an event that the source never
        sends."""
        try:
            return self.read_scope()
        except FAULTS as exc:
            fault = self._fault(exc)
        # outside the except clause, so that no traceback shows the values of the event
        raise fault

    @property
    def body(self) -> bytes:
        """The request's body. Raises `RequestError` if it can't be decoded."""
        try:
            return self.read_body()
        except FAULTS as exc:
            fault = self._fault(exc)
        raise fault

    def __call__(self, response: Response) -> dict[str, Any]:
        """The result for Lambda. An answer over the source's limits becomes a 500 that says so."""
        try:
            result = self.write_result(response)
            if may_exceed(response, self.max_result_bytes, self.max_header_bytes):
                from mangum.handlers._response import check_size

                check_size(result, self.max_result_bytes, self.max_header_bytes)
        except ResponseError as exc:
            error = ResponseError(f"The response is too large for {self.source}: {exc}.")
            logger.error("%s", error)
            return self.write_result(error.response)
        return result

    @property
    def max_result_bytes(self) -> int:
        """How large a result may be as JSON."""
        return LIMITS["APIGateway"][0]

    @property
    def max_header_bytes(self) -> int | None:
        """How large all names and values of its headers together may be, if there is a limit."""
        return None

    def read_scope(self) -> Scope:
        raise NotImplementedError

    def read_body(self) -> bytes:
        return decode(self.event.get("body"), bool(self.event.get("isBase64Encoded")))

    def write_result(self, response: Response) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def modern(self) -> bool:
        """Whether the edition is newer than the classic one."""
        return self.config.get("edition", "classic") != "classic"

    def _fault(self, exc: Exception) -> MangumError:
        """What to raise for an error that came while the event was read."""
        if isinstance(exc, MangumError):
            return exc
        fault = find_fault(self.event, self.fields, self.required)
        reason = fault or f"a field has an unexpected shape ({type(exc).__name__})"
        return MalformedEvent(f"This looks like an event of {self.source}, but {reason}.")


class Refusal(Handler):
    """A source whose events never reach an application: making the handler raises
    `InferenceError`."""

    refusal = ""

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        raise InferenceError(self.refusal)


def decode(body: Any, is_base64: bool) -> bytes:
    """The body's bytes. Raises `RequestError` for invalid base64."""
    try:
        return decode_body(body, is_base64)
    except ValueError:
        reason = "Bad Request: the body is not valid base64"
    raise RequestError(400, reason)


def find_fault(
    event: LambdaEvent, fields: tuple[tuple[str, str], ...], required: tuple[str, ...]
) -> str | None:
    """The first field that does not hold what it should; names and types only, as values may be
    secret."""
    for path, kind in fields:
        value = _look_up(event, path)
        if value is None and path in required:
            return f"`{path}` is missing"
        if value is not None and not _FITS[kind](value):
            return f"`{path}` does not hold {kind}" + (
                "" if kind == MAP else f" but a {type(value).__name__}"
            )
    return None


def _look_up(event: LambdaEvent, path: str) -> Any:
    value: Any = event
    for key in path.split("."):
        if isinstance(value, list) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_listing(value: Any) -> bool:
    if isinstance(value, list):
        return all(item is None or isinstance(item, (str, int, float, dict)) for item in value)
    return value is None or isinstance(value, (str, int, float))
