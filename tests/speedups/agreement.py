"""What it means that the two halves agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any

Halves = tuple[ModuleType, ModuleType]


def same(expected: Any, actual: Any) -> bool:
    """Whether two values are equal and of equal types all the way down, dicts in the same order."""
    kind = type(expected)
    if expected is actual or kind is not type(actual):
        return expected is actual
    if kind is bytes or kind is str:
        return bool(expected == actual)
    if isinstance(expected, dict):
        expected, actual = [*expected.items()], [*actual.items()]
    elif not isinstance(expected, (list, tuple)):
        return repr(expected) == repr(actual) if kind is float else bool(expected == actual)
    return len(expected) == len(actual) and all(map(same, expected, actual))


def exact(value: Any) -> Any:
    """What is equal only for values that are the `same`."""
    kind = type(value)
    if isinstance(value, dict):
        return kind, [(exact(name), exact(item)) for name, item in value.items()]
    if isinstance(value, (list, tuple)):
        return kind, [exact(item) for item in value]
    return kind, repr(value) if kind is float else value


def outcome(function: Callable[..., Any], *given: Any) -> tuple[str, Any]:
    """What a call returns, or the type of what it raises."""
    try:
        return "returned", function(*given)
    except Exception as error:
        return "raised", type(error)


def read(half: ModuleType, event: Any, context: Any, config: Any) -> tuple[str, Any, bytes] | None:
    """What `read_request` reads: the source, the scope and the body."""
    exchange = half.read_request(event, context, config, half.Exchange)
    if exchange is None:
        return None
    assert type(exchange) is half.Exchange
    assert (exchange.stage, exchange.raise_exceptions) == (0, False)
    return exchange.source, exchange.scope, exchange.request_body


def write(half: ModuleType, source: str, event: Any, exchange: Any, config: Any) -> Any:
    """The result of an exchange with a source."""
    exchange.source = source
    return half.write_result(event, exchange, config)


def named(half: ModuleType, name: str) -> Callable[..., Any]:
    """A function by its name; `read` for `read_request`, whose exchanges are of the half's own
    type."""
    function: Callable[..., Any] = getattr(half, name)
    return partial(read, half) if name == "read_request" else function


def difference(expected: Any, actual: Any) -> tuple[Any, Any]:
    """The innermost parts in which two values differ, with their types."""
    return _innermost(exact(expected), exact(actual))


def _innermost(expected: Any, actual: Any) -> tuple[Any, Any]:
    is_sequence = isinstance(expected, (list, tuple)) and type(expected) is type(actual)
    if is_sequence and len(expected) == len(actual):
        for ours, theirs in zip(expected, actual, strict=True):
            if ours != theirs:
                return _innermost(ours, theirs)
    return expected, actual


def assert_agree(expected: Any, actual: Any, of: Any = "") -> None:
    if not same(expected, actual):
        ours, theirs = difference(expected, actual)
        raise AssertionError(f"{theirs!r} instead of {ours!r}: {shown(of)}")


def disagreements(
    halves: Halves, name: str, calls: Iterable[tuple[Any, ...]], limit: int = 5
) -> list[Any]:
    """The first calls of a function on which the halves differ, with what either makes of them."""
    return [*islice(_differences(halves, name, calls), limit)]


def _differences(halves: Halves, name: str, calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    pure, compiled = (named(half, name) for half in halves)
    seen = set()
    for call in calls:
        expected, actual = outcome(pure, *call), outcome(compiled, *call)
        if not same(expected, actual):
            yield shown(call), *difference(expected, actual)
        seen.add(expected[0])
    assert "returned" in seen, "nothing to compare but errors"


def shown(call: Any) -> str:
    """A call's arguments, whatever they hold, in some words."""
    try:
        return repr(call)[:500]
    except (ValueError, RecursionError) as error:  # huge numbers, deep lists
        return f"<{error}>"
