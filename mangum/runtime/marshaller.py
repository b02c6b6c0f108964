"""JSON at the boundary: events and results through orjson, in place of awslambdaric's simplejson.

orjson serves where its outcome is the original's. Everything else goes to the original: what orjson
refuses, and what it would read or write in another way. So values, types and faults stay the same.
A result is the same JSON in other letters: no spaces between the items, and no `\\u` escapes.

Imports orjson only when it is installed as the marshaller. Knows no events and no applications.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from importlib import import_module

from mangum._speedups import find_floats
from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ORJSON = "orjson"
VARIABLE = "MANGUM_MARSHALLER"
RUNTIME_CLIENT = "awslambdaric.lambda_runtime_client"

JSON = "application/json"

INFINITY = float("inf")
MAX_INTEGER = 2.0**63  # orjson makes floats of longer integers

SAMPLE = (
    b'{"text": "\\u00fc", "numbers": [1, -1.5, 18446744073709551616], "more": [null, true]}',
    {"text": "ü", "numbers": [1, -1.5, 18446744073709551616], "more": [None, True]},
)
"""What an original has to read and write like this, or it is none that we know."""

logger = logging.getLogger("mangum.runtime")

_told = False


class UnknownRuntime(ConfigurationError):
    """The runtime client has another shape than the one that the marshaller was written for."""


class OrjsonMarshaller:
    """Has the interface of awslambdaric's `LambdaMarshaller`, and the original behind it."""

    original: Any = None

    def __init__(
        self, original: Any, loads: Callable[[bytes], Any], dumps: Callable[[Any], bytes]
    ) -> None:
        self.original = original
        self._loads = loads
        self._dumps = dumps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)  # what other versions of the runtime client may ask for

    def unmarshal_request(self, request: Any, content_type: str | None = JSON) -> Any:
        """The event. Raises the original's `FaultException` if it can't be read."""
        if content_type == JSON and type(request) is bytes:
            try:
                event = self._loads(request)
            except Exception:
                pass  # the original reads it, or says in its own words why not
            else:
                floats = find_floats(event)
                if floats is not None and _are_read_alike(floats):
                    return event
        return self.original.unmarshal_request(request, content_type)

    def marshal_response(self, response: Any) -> Any:
        """The result and its content type: `(b'{"statusCode":200}', "application/json")`, or
        `(str, …)` where the original has written it. Raises the original's `FaultException`."""
        try:
            result = self._dumps(response)
        except Exception:
            pass
        else:
            # Not before: orjson has refused cycles, so the walk ends.
            floats = find_floats(response)
            if floats is not None and _are_written_alike(floats):
                return result, JSON
        return self.original.marshal_response(response)


def _are_read_alike(floats: list[float]) -> bool:
    """False if one may have been an integer."""
    return not floats or (min(floats) > -MAX_INTEGER and max(floats) < MAX_INTEGER)


def _are_written_alike(floats: list[float]) -> bool:
    """False for NaN and the infinities, which orjson writes as `null`, and for the range in which
    its text is the longer one: `0.00001` for `1e-05`."""
    return not [
        it
        for it in floats
        if not (1e-04 <= it < INFINITY or -1e-05 < it < 1e-05 or -INFINITY < it <= -1e-04)
    ]


def install_marshaller() -> None:
    """Let awslambdaric read events and write results with orjson, from the next event on.

    Call it while the function's module is imported. A second call changes nothing.

    Raises `ConfigurationError` if orjson or awslambdaric is not installed, if another marshaller is
    in place, or if awslambdaric is of a version with another shape; the original then stays.
    """
    client = _client_class(_import_runtime_client())
    original = client.marshaller
    if type(original) is OrjsonMarshaller:
        return
    _check(original)
    orjson = _import_orjson()
    options = (
        orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
    )
    dumps = partial(orjson.dumps, option=options)
    client.marshaller = OrjsonMarshaller(original, orjson.loads, dumps)


MARSHALLERS: dict[str, Callable[[], None]] = {ORJSON: install_marshaller}
"""The values of the variable."""


def install_from_environment() -> None:
    """Install the marshaller that `MANGUM_MARSHALLER` names, if it names one.

    A process in which awslambdaric does not run is left alone, for tests and servers share their
    environment with functions; a runtime client that AWS has changed too, for a function that
    answers more slowly is better than none. Both are logged. Raises `ConfigurationError` for an
    unknown name, and if orjson is not installed.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return
    if name not in MARSHALLERS:
        raise ConfigurationError(
            f"Invalid value for the environment variable {VARIABLE}: {name!r}. "
            f"It has to be one of: {', '.join(MARSHALLERS)}."
        )
    if RUNTIME_CLIENT not in sys.modules:
        _tell(f"{VARIABLE}={name} has no effect: awslambdaric does not run in this process.")
        return
    try:
        MARSHALLERS[name]()
    except UnknownRuntime as error:
        _tell(f"{VARIABLE}={name} has no effect: {error}")


def _tell(message: str) -> None:
    """Once in a process, however many handlers it makes."""
    global _told
    if not _told:
        _told = True
        logger.warning(message)


def _import_orjson() -> Any:
    try:
        return import_module(ORJSON)
    except ImportError as error:
        if error.name != ORJSON:
            raise ConfigurationError(
                f"orjson is installed but can't be loaded ({error}): it has to be the one for the "
                "function's Python version and architecture."
            ) from error
        raise ConfigurationError(
            'The marshaller needs orjson: pip install "mangum[orjson]".'
        ) from None


def _import_runtime_client() -> Any:
    try:
        return import_module(RUNTIME_CLIENT)
    except ModuleNotFoundError as error:
        if error.name not in (RUNTIME_CLIENT, RUNTIME_CLIENT.partition(".")[0]):
            raise
        raise ConfigurationError(
            "The marshaller is a part of awslambdaric, which is not installed. It is there on "
            "AWS's Python runtimes; in an image of your own: pip install awslambdaric."
        ) from None


def _client_class(module: Any) -> Any:
    """The class that holds the marshaller of every runtime client in the module."""
    client = getattr(module, "BaseLambdaRuntimeClient", None)  # there since awslambdaric 4.0
    client = client or getattr(module, "LambdaRuntimeClient", None)
    if not isinstance(client, type) or "marshaller" not in vars(client):
        raise _unknown("its runtime client has no marshaller")
    for other in vars(module).values():
        derived = isinstance(other, type) and issubclass(other, client) and other is not client
        if derived and "marshaller" in vars(other):
            raise _unknown(f"{other.__name__} has a marshaller of its own")
    return client


def _check(marshaller: Any) -> None:
    """Raise `ConfigurationError` for one that is not awslambdaric's own, `UnknownRuntime` for one
    that does not behave as it does."""
    kind = type(marshaller)
    if kind.__module__.partition(".")[0] != "awslambdaric":
        raise ConfigurationError(
            f"Another marshaller is in place, {kind.__module__}.{kind.__qualname__}: "
            "it would no longer be asked. Install one of the two."
        )
    try:
        read = marshaller.unmarshal_request(SAMPLE[0], JSON)
        written, content_type = marshaller.marshal_response(SAMPLE[1])
        again = marshaller.unmarshal_request(written.encode(), JSON)
    except Exception as error:
        raise _unknown(f"its marshaller raises {type(error).__name__}") from error
    # Compared by their text, for 1 == 1.0 == Decimal(1) == True.
    if repr(read) != repr(SAMPLE[1]) or repr(again) != repr(SAMPLE[1]) or content_type != JSON:
        raise _unknown("its marshaller reads or writes JSON in another way")


def _unknown(reason: str) -> UnknownRuntime:
    version = getattr(sys.modules.get("awslambdaric"), "__version__", "?")
    return UnknownRuntime(
        f"awslambdaric {version} has another shape than this marshaller knows, for {reason}. "
        "Its own marshaller stays in place."
    )
