"""Values that encoders of JSON treat in different ways, and texts that decoders do."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import fractions
import pathlib
import types
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.runtime.needed import needed

orjson = needed("orjson")
simplejson = needed("simplejson")

UTC = datetime.timezone.utc


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Number(float):
    pass


class Mapping(dict[Any, Any]):
    pass


class Items(list[Any]):
    pass


class Pair(tuple[Any, ...]):
    __slots__ = ()


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str, enum.Enum):
    YES = "yes"


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Record:
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Slotted:
    name: str


class ForJSON:
    def for_json(self) -> Any:
        return {"for": "json"}

    def __json__(self) -> Any:
        return {"for": "json"}


class AsDict:
    def _asdict(self) -> Any:
        return {"as": "dict", "nan": float("nan")}


class AsDictWithoutCall(dict[str, Any]):
    _asdict = "not callable"


class Raising:
    def _asdict(self) -> Any:
        raise RuntimeError("it can't be written")


def cyclic_list() -> Any:
    items: list[Any] = [1]
    items += [items, items]
    return items


def cyclic_dict() -> Any:
    pairs: dict[str, Any] = {"a": 1}
    pairs["b"] = {"c": pairs}
    return pairs


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


# Functions that make them, for a failure shows the name of each, and some are used up.
OBJECTS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b'{"a": 1}',
    "bytes, empty": lambda: b"",
    "bytearray": lambda: bytearray(b"x"),
    "memoryview": lambda: memoryview(b"x"),
    "array": lambda: array.array("d", [1.0]),
    "set": lambda: {1},
    "frozenset": lambda: frozenset({"a"}),
    "range": lambda: range(2),
    "generator": lambda: (it for it in (1, 2)),
    "map": lambda: map(str, (1, 2)),
    "dict view": lambda: {"a": 1}.values(),
    "mapping proxy": lambda: types.MappingProxyType({"a": 1}),
    "object": lambda: types.SimpleNamespace(a=1),
    "class": lambda: Record,
    "function": lambda: len,
    "exception": lambda: ValueError("x"),
    "ellipsis": lambda: ...,
    "complex": lambda: 1j,
    "fraction": lambda: fractions.Fraction(1, 3),
    "path": lambda: pathlib.PurePosixPath("/a"),
    "datetime": lambda: datetime.datetime(2020, 1, 2, tzinfo=UTC),
    "date": lambda: datetime.date(2020, 1, 2),
    "time": lambda: datetime.time(1, 2),
    "timedelta": lambda: datetime.timedelta(1),
    "uuid": lambda: uuid.UUID(int=1),
    "enum": lambda: Colour.RED,
    "int enum": lambda: Level.HIGH,
    "str enum": lambda: Word.YES,
    "flags": lambda: Flags.A | Flags.B,
    "dataclass": lambda: Record("a", 1),
    "slotted dataclass": lambda: Slotted("a"),
    "namedtuple": lambda: Point(1, "b"),
    "namedtuple with NaN": lambda: Point(float("nan"), None),
    "str subclass": lambda: Text("ü"),
    "int subclass": lambda: Whole(7),
    "float subclass": lambda: Number(1.5),
    "float subclass, NaN": lambda: Number("nan"),
    "dict subclass": lambda: Mapping(a=1),
    "list subclass": lambda: Items([1]),
    "tuple subclass": lambda: Pair((1, 2)),
    "ordered dict": lambda: collections.OrderedDict(b=1, a=2),
    "defaultdict": lambda: collections.defaultdict(int, a=1),
    "counter": lambda: collections.Counter("aab"),
    "chain map": lambda: collections.ChainMap({"a": 1}),
    "deque": lambda: collections.deque([1]),
    "user dict": lambda: collections.UserDict({"a": 1}),
    "for_json": ForJSON,
    "_asdict": AsDict,
    "_asdict that is no function": lambda: AsDictWithoutCall(a=1),
    "_asdict that raises": Raising,
    "simplejson's raw JSON": lambda: simplejson.RawJSON('{"a":NaN}'),
    "orjson's fragment": lambda: orjson.Fragment(b"{"),
    "decimal": lambda: decimal.Decimal("1.10"),
    "decimal, long": lambda: decimal.Decimal("0.1234567890123456789012345678901234567890"),
    "decimal, exponent": lambda: decimal.Decimal("1E+400"),
    "decimal, NaN": lambda: decimal.Decimal("NaN"),
    "decimal, -NaN": lambda: decimal.Decimal("-NaN"),
    "decimal, sNaN": lambda: decimal.Decimal("sNaN"),
    "decimal, infinity": lambda: decimal.Decimal("-Infinity"),
    "cyclic list": cyclic_list,
    "cyclic dict": cyclic_dict,
    "150 lists": lambda: nested(150, lambda it: [it]),
    "300 dicts": lambda: nested(300, lambda it: {"a": it}),
    "100,000 lists": lambda: nested(100_000, lambda it: [it]),
    "100,000 dicts": lambda: nested(100_000, lambda it: {"a": it}),
}

KEYS: tuple[Any, ...] = (
    *(True, False, None, 0, 1, -1, 2**70, 1.0, 1.5, -0.0, 1e16, float("nan"), float("inf")),
    *("", "a", "ü", "\ud800", "\0", "1", "true", "null", Text("a"), Word.YES, Colour.RED),
    *(Level.HIGH, Whole(1), Number(1.5), decimal.Decimal("1.0"), decimal.Decimal("NaN")),
    *(b"a", (), (1,), Point(1, 2), frozenset(), uuid.UUID(int=1)),
    *(datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, tzinfo=UTC), ...),
)

FLOATS: tuple[float, ...] = (
    *(float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 5e-324),
    *(1e-07, 9.999e-06, 1e-05, -1e-05, 1.5e-05, 9.9999e-05, 0.0001, 0.00012345678901234567),
    *(1e15, 1e16, 1e17, 123456789012345680.0, 1e21, 1e22, 1e23, 2.0**53, 2.0**63, -(2.0**63)),
    *(2.0**64, 1.7976931348623157e308, 2.2250738585072014e-308),
)

INTEGERS: tuple[int, ...] = tuple(
    sign * (2**bits + delta)
    for bits in (31, 32, 53, 63, 64, 65, 200)
    for delta in (-1, 0, 1)
    for sign in (1, -1)
)

TEXTS: tuple[str, ...] = (
    *("", "a", "\0", "\x1f", "\x7f", "\x80", '"', "\\", "/", "</script>", "\b\f\n\r\t"),
    *("ü", "€", "\u2028", "\u2029", "\ufeff", "\uffff", "😀", "\ud800", "\udc00", "\udc00\ud800"),
    *("a\ud800b", "NaN", "null", "%00", "\u0130", "e\u0301"),
)

NUMBERS: tuple[str, ...] = (
    *("0", "-0", "-0.0", "-0e0", "0e400", "1e400", "-1e400", "1e-400", "1E5", "1e+5", "1e05"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("-9223372036854775809", "18446744073709551615", "18446744073709551616"),
    *("9" * 30, "-" + "9" * 30, "1" * 400, "1" * 5000, "1" * 20 + ".0", "1" * 400 + "e-390"),
    *("0.1234567890123456789012345678901234567890", "1.7976931348623159e308"),
    *("9007199254740993.0", "2.4703282292062327e-324", "2.4703282292062328e-324", "1e999999999"),
    *("01", "-01", "+1", "1.", ".5", "-", "--1", "1e", "1e+", "0x1", "1_0", "1L", "\u0661"),
    *("NaN", "-NaN", "nan", "Infinity", "-Infinity", "inf", "true", "false", "null", "True"),
)

LITERALS: tuple[str, ...] = (
    *("", " ", "\t\n\r 1 \t\n\r", "\x0b1", "\x0c1", "\xa01", "\ufeff1", "ï»¿1", "1\ufeff", "1\0"),
    *('"', '"\\"', "''", '"\t"', '"\0"', '"\x1f"', '"\x7f"', '"\\x41"', '"\\u12"', '"\\u00zz"'),
    *('"\\u0000"', '"\\/\\b\\f\\n\\r\\t\\"\\\\"', '"\\a"', '"\\U0041"', '"\\u004"', '"\\u+041"'),
    *('"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"', '"\\ud83d\\ud83d\\ude00"', '"\\uD83DX"'),
    *('"\\u0041\\u00e9\\u20ac"', '{"\\u0061": 1, "a": 2}', '"\u2028\u2029"', '"😀"'),
    *('{"a":1,"b":2,"a":3}', '{"a":1,"a":NaN}', '{"":0}', "{1:2}", "{'a':1}", '{"a"}', '{"a":}'),
    *("[1,]", "[,1]", "[,]", "[", "]", "[1 2]", "{", "}", '{"a":1,}', "[}", "[1]]", "[1][2]"),
    *("// c\n1", "/* c */ 1", "1 // c", "1 1", '1"', "[]x", "nullx", "True", "[none]"),
    *("[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101, "[" * 200_000, '{"a":' * 200_000),
    *("[" * 300 + "]" * 300, "[" * 2000 + "]" * 2000, "[" * 50_000 + "]" * 50_000),
)

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be", "latin-1")

PIECES: tuple[bytes, ...] = (
    *(b"", b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf"),
    *(b"\xe2\x82", b'"', b"\\", b"\\u", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b" "),
    *(b"0", b"-", b".", b"e", b"E+", b"1" * 19, b"9" * 20, b"NaN", b"Infinity", b"null", b"//"),
)

texts = st.sampled_from(TEXTS) | st.text() | st.text(st.characters(categories=["Cs", "Cc", "L"]))
floats = st.sampled_from(FLOATS) | st.floats()
integers = st.sampled_from(INTEGERS) | st.integers()
plain = st.none() | st.booleans() | integers | floats | texts
objects = st.sampled_from(sorted(OBJECTS)).map(lambda name: OBJECTS[name]())

values = st.recursive(
    plain | plain | plain | objects | st.decimals(),
    lambda below: (
        st.lists(below, max_size=5)
        | st.lists(below, max_size=3).map(tuple)
        | st.dictionaries(texts, below, max_size=5)
        | st.dictionaries(texts | st.sampled_from(KEYS), below, max_size=3)
        | st.builds(Point, below, below)
        | st.builds(Record, texts, below)
        | st.dictionaries(texts, below, max_size=3).map(Mapping)
        | st.lists(below, max_size=3).map(Items)
    ),
    max_leaves=12,
)

plain_values = st.recursive(
    plain,
    lambda below: st.lists(below, max_size=5) | st.dictionaries(texts, below, max_size=5),
    max_leaves=20,
)

_spaces = st.text(" \t\r\n", max_size=2)
_number = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
_string = texts.map(lambda text: simplejson.dumps(text, ensure_ascii=len(text) % 2 == 0))
_literal = st.sampled_from(NUMBERS) | _number | _number | _string | st.sampled_from(LITERALS)


def _array(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(below, max_size=4)
    return st.builds(lambda items, s: f"[{s}{f'{s},{s}'.join(items)}{s}]", items, _spaces)


def _object(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.sampled_from(['"a"', '"a"', '"\\u0061"', '""']) | _string
    pairs = st.lists(st.builds(lambda key, value: f"{key}:{value}", keys, below), max_size=4)
    return st.builds(lambda pairs, s: f"{{{s}{f'{s},{s}'.join(pairs)}{s}}}", pairs, _spaces)


documents = st.recursive(
    _number | _string | _literal, lambda below: _array(below) | _object(below), max_leaves=10
)
"""Texts that are JSON, or nearly."""


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def _mutated(data: bytes, piece: bytes, at: int, removed: int) -> bytes:
    at %= len(data) + 1
    return data[:at] + piece + data[at + removed :]


requests = st.one_of(
    documents.map(lambda text: _encoded(text, "utf-8")),
    plain_values.map(lambda it: _encoded(simplejson.dumps(it, allow_nan=True), "utf-8")),
    plain_values.map(
        lambda it: _encoded(simplejson.dumps(it, allow_nan=True, ensure_ascii=False), "utf-8")
    ),
    st.builds(
        _mutated,
        documents.map(lambda text: _encoded(text, "utf-8")),
        st.sampled_from(PIECES) | st.binary(max_size=3),
        st.integers(0, 10_000),
        st.integers(0, 3),
    ),
    st.builds(_encoded, documents, st.sampled_from(ENCODINGS)),
    st.binary(),
)
"""What the Runtime API may send as an event."""
