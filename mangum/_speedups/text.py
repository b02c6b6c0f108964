"""The pieces of the hot path in plain Python: paths, query strings, headers and bodies."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_hex, b2a_base64

from mangum._speedups.constants import MIN_SIMD_BASE64_BYTES, PATH_SAFE, UNRESERVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Pairs = list[list[bytes]]
    Texts = dict[str, str]

# Request side: paths and query strings


def _quoting_table(safe: bytes) -> list[str]:
    return [chr(byte) if byte in safe else f"%{byte:02X}" for byte in range(256)]


_PATH_TABLE = _quoting_table(PATH_SAFE)
_QUERY_TABLE = _quoting_table(UNRESERVED)
_QUERY_TABLE[0x20] = "+"


def decode_path(path: str) -> str:
    """Percent-decode a path once, as UTF-8; what is not UTF-8 becomes U+FFFD, a plus sign stays."""
    if path.isascii() and "%" not in path:
        return path
    return _unquote_to_bytes(path).decode("utf-8", "replace")


def encode_path(path: str) -> bytes:
    """Percent-encode a decoded path for `raw_path`."""
    data = _utf8(path)
    if not data.rstrip(PATH_SAFE):
        return data
    return data.decode("latin-1").translate(_PATH_TABLE).encode()


def encode_query_string(params: Mapping[str, Any] | None) -> bytes:
    """Encode decoded parameters: `{"a": "1", "b": ["2", "3"]}` → `b"a=1&b=2&b=3"`, a space as a
    plus."""
    return _join_query(params, _quote_plus)


def encode_alb_query_string(params: Mapping[str, Any] | None, as_sent: bool) -> bytes:
    """Join parameters that arrived encoded, either as they are or in the spelling of
    `encode_query_string`.

    The second is done on bytes, so that an escape which is not UTF-8, such as `%FF`, survives.
    """
    return _join_query(params, str if as_sent else _requote_plus)


def _join_query(params: Mapping[str, Any] | None, quote: Callable[[str], str]) -> bytes:
    if not params:
        return b""
    parts = []
    for key, value in params.items():
        name = quote(key) + "="
        values = [value] if type(value) is str else value
        if type(values) is list and {*map(type, values)} == {str}:
            parts += [name + quote(text) for text in values]
        else:
            parts += [name + quote(text) for text in _texts(value)]
    return _utf8("&".join(parts))


def _quote_plus(text: str) -> str:
    return _quote_bytes(text if text.isascii() else _utf8(text).decode("latin-1"))


def _quote_bytes(text: str) -> str:
    """Bytes in the form of Latin-1 text."""
    if text.isascii():  # whether it is words only is quick to see
        if text.isalnum():
            return text
        words = text.replace(" ", "")
        if words.isalnum():
            return text.replace(" ", "+")
    return text.translate(_QUERY_TABLE)


def _requote_plus(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return _quote_plus(text)
    return _quote_bytes(_unquote_to_bytes(text).decode("latin-1"))


def _unquote_to_bytes(text: str) -> bytes:
    first, *rest = _utf8(text).split(b"%")
    parts = [first]
    for part in rest:
        try:
            # a2b_hex takes nothing but pairs of hexadecimal digits, and b"" for none at all
            parts.append(a2b_hex(part[:2]) + part[2:] if part else b"%")
        except ValueError:
            parts.append(b"%" + part)
    return b"".join(parts)


# Request side: headers

_MAX_KNOWN = 256
_MAX_NAMES = 64
_MAX_NAME = 64
_NOTED = ("host", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto")
"""The headers that decide other parts of a scope."""


class _Known(dict):  # type: ignore[type-arg]
    """By the names of headers, `("Host", "Accept")`: their keys, `[b"host", b"accept"]`, and the
    noted ones among them by their lower-case and their own names, `[("host", "Host")]`.

    Clients are few kinds of programs, and each sends the same names with every request. Raises
    `TypeError` for names that can't be keys as they are.
    """

    def __missing__(self, names: tuple[Any, ...]) -> tuple[list[bytes], list[tuple[str, str]]]:
        lower = {}
        for name in names:
            if type(name) is not str or len(name) > _MAX_NAME or not name.isascii():
                raise TypeError
            lower[name.lower()] = name
        if len(lower) != len(names):  # one in two spellings
            raise TypeError
        if len(self) >= _MAX_KNOWN:
            self.clear()
        keys = [name.encode() for name in lower]
        found = keys, [(name, lower[name]) for name in _NOTED if name in lower]
        if len(names) <= _MAX_NAMES:
            self[names] = found
        return found


_known = _Known()


def quick_headers(headers: Any, cookies: Any) -> tuple[Pairs, Texts] | None:
    """As `encode_headers`, but the texts are those of the headers that decide other parts of a
    scope; `None` if it takes a closer look."""
    if type(headers) is not dict:
        return None
    try:
        names = (*headers,)
        keys, noted = _known[names]
        pairs = [[key, value.encode()] for key, value in zip(keys, headers.values())]
        if cookies:
            if type(cookies) is not list or b"cookie" in keys:
                return None
            pairs.append([b"cookie", "; ".join(cookies).encode()])
    except _UNUSUAL:
        return None
    return pairs, {text: headers[name] for text, name in noted}


def quick_multi_value_headers(
    headers: Any, multi_value_headers: Any, split: bool
) -> tuple[Pairs, Texts] | None:
    """As `encode_multi_value_headers`, but with the texts of `quick_headers`; `None` if it takes a
    closer look."""
    if type(multi_value_headers) is not dict:
        return None
    if {*map(type, multi_value_headers.values())} != {list}:
        return None
    try:
        names = (*multi_value_headers,)
        if headers and (type(headers) is not dict or (*headers,) != names):
            return None
        keys, noted = _known[names]
        texts = {}
        for text, name in noted:
            [texts[text]] = multi_value_headers[name]
        try:
            pairs = [
                [key, value.encode()] for key, [value] in zip(keys, multi_value_headers.values())
            ]
        except ValueError:
            pairs = _join_or_split(keys, multi_value_headers, split)
    except _UNUSUAL:
        return None
    return pairs, texts


def _join_or_split(
    keys: list[bytes], multi_value_headers: dict[str, list[str]], split: bool
) -> Pairs:
    pairs = []
    for key, values in zip(keys, multi_value_headers.values()):
        if not values:
            raise TypeError
        if split and key != b"cookie":
            pairs += [[key, value.encode()] for value in values]
        else:
            pairs.append([key, ("; " if key == b"cookie" else ", ").join(values).encode()])
    return pairs


_UNUSUAL = (AttributeError, LookupError, TypeError, ValueError)


def encode_headers(
    headers: Mapping[str, Any] | None, cookies: list[str] | None
) -> tuple[Pairs, Texts]:
    """Headers that have one value each, and the cookies that stand for the `cookie` header, if any.

    Returns the ASGI pairs, `[[b"host", b"example.org"], ...]`, and the same as lower-case text,
    `{"host": "example.org"}`.
    """
    headers = {} if headers is None else headers
    try:
        texts = {name.lower(): value for name, value in headers.items()}
        if len(texts) == len(headers):
            if cookies:
                texts["cookie"] = _join_cookies(cookies)
            return [[name.encode(), value.encode()] for name, value in texts.items()], texts
    except (AttributeError, TypeError, UnicodeEncodeError):
        pass
    collected = _collect(headers, {})
    if cookies:
        collected["cookie"] = [_join_cookies(cookies)]
    return _encode_collected(collected, split=False)


def encode_multi_value_headers(
    headers: Mapping[str, Any] | None, multi_value_headers: Mapping[str, Any] | None, split: bool
) -> tuple[Pairs, Texts]:
    """Headers that may have several values: `{"accept": ["a", "b"]}`; `headers` adds the names that
    the other map lacks.

    `split` gives one pair for each value, otherwise the values of a name are joined; cookies are
    always joined. Returns as `encode_headers`, the text always joined.
    """
    headers = {} if headers is None else headers
    multi_value_headers = {} if multi_value_headers is None else multi_value_headers
    try:
        values = {name.lower(): listed for name, listed in multi_value_headers.items()}
        texts = {name.lower(): value for name, value in headers.items()}
        if len(values) == len(multi_value_headers) and len(texts) == len(headers):
            several = False
            for name, listed in values.items():
                if type(listed) is not list or not listed:
                    raise TypeError
                if len(listed) == 1:
                    texts[name] = listed[0]
                else:
                    several = True
                    texts[name] = _join_values(name, listed)
            if several and split:
                return _split_pairs(texts, values), texts
            return [[name.encode(), value.encode()] for name, value in texts.items()], texts
    except (AttributeError, TypeError, UnicodeEncodeError):
        pass
    return _encode_collected(_collect(headers, multi_value_headers), split)


def encode_edge_headers(headers: Mapping[str, Any] | None) -> tuple[Pairs, Texts]:
    """CloudFront's headers, `{"host": [{"key": "Host", "value": "example.org"}]}`, one pair for
    each value."""
    if type(headers) is dict:
        try:
            names = (*headers,)
            keys, _ = _known[names]
            only = [entry["value"] for [entry] in headers.values()]
            if {*map(type, only)} == {str}:
                texts = dict(zip([key.decode() for key in keys], only))
                return [[key, value.encode()] for key, value in zip(keys, only)], texts
        except _UNUSUAL:
            pass
    collected: dict[str, list[str]] = {}
    for name, entries in ({} if headers is None else headers).items():
        for entry in () if entries is None else entries:
            values = _texts(entry.get("value"))
            if values:
                collected.setdefault(name.lower(), []).extend(values)
    return _encode_collected(collected, split=True)


def _collect(
    headers: Mapping[str, Any], multi_value_headers: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Every value of every name, in the order in which `headers` and then the other map names
    them."""
    collected: dict[str, list[str]] = {name.lower(): [] for name in headers}
    for name, listed in multi_value_headers.items():
        collected.setdefault(name.lower(), []).extend(_texts(listed))
    told = {name for name, values in collected.items() if values}
    for name, value in headers.items():
        if name.lower() not in told:
            collected[name.lower()].extend(_texts(value))
    return {name: values for name, values in collected.items() if values}


def _encode_collected(collected: dict[str, list[str]], split: bool) -> tuple[Pairs, Texts]:
    texts = {name: _join_values(name, values) for name, values in collected.items()}
    if split:
        return _split_pairs(texts, collected), texts
    return [[_utf8(name), _utf8(value)] for name, value in texts.items()], texts


def _split_pairs(texts: Texts, values: dict[str, list[str]]) -> Pairs:
    pairs = []
    for name, text in texts.items():
        key = _utf8(name)
        each = (text,) if name == "cookie" else values.get(name, (text,))
        pairs += [[key, _utf8(value)] for value in each]
    return pairs


def _join_values(name: str, values: list[str]) -> str:
    return "; ".join(values) if name == "cookie" else ", ".join(values)


def _join_cookies(cookies: Any) -> str:
    if type(cookies) is not list:
        raise TypeError("cookies are a list")
    return "; ".join(cookies)


def _texts(value: Any) -> list[str] | tuple[str, ...]:
    """The texts of a value: none for null, one for a text or number, all of a list of them."""
    if isinstance(value, str):
        return (value,)
    if value is None:
        return ()
    if isinstance(value, (int, float)):
        return (str(value),)
    if isinstance(value, (list, tuple)) and not any(
        isinstance(item, (list, tuple)) for item in value
    ):
        return [text for item in value for text in _texts(item)]
    raise TypeError("neither a text, a number nor a list of them")


def _utf8(text: str) -> bytes:
    return text.encode() if text.isascii() else text.encode("utf-8", "replace")


def split_host(host: str) -> tuple[str, int | None]:
    """Split a `Host` header: `"[::1]:8080"` → `("::1", 8080)`. A port that is none is dropped."""
    if ":" not in host:
        return host, None
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else ""
    elif host.count(":") > 1:
        return host, None
    else:
        name, _, port = host.partition(":")
    if port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535:
        return name, int(port)
    return name, None


def decode_body(body: str | bytes | None, is_base64: bool) -> bytes:
    """The request's body. Raises `ValueError` for base64 that has no meaning; like Python's own
    decoder it reads over characters outside the alphabet."""
    if not body:
        return b""
    if is_base64:
        if len(body) >= MIN_SIMD_BASE64_BYTES:
            try:
                from pybase64 import b64decode

                return b64decode(body, validate=True)
            except (ImportError, Base64Error):
                pass
        return a2b_base64(body)
    return body if isinstance(body, bytes) else _utf8(body)


# Request side: what headers and paths say


def first(value: str) -> str:
    """The first entry of a comma-separated header."""
    return value.partition(",")[0].strip() if "," in value else value.strip()


def last(value: str | None) -> str | None:
    """The last entry of a comma-separated header, `None` if there is none."""
    return value.rpartition(",")[2].strip() or None if value else None


def scheme_of(value: str | None) -> str:
    """The scheme that a header names first; `https` if that is none."""
    if value == "https" or not value:
        return "https"
    scheme = first(value).lower()
    return scheme if scheme in ("http", "https") else "https"


def strip_prefix(path: str, prefix: str) -> str | None:
    """The path behind a prefix of whole segments, `""` for the prefix itself; `None` if it does not
    begin so."""
    if path == prefix:
        return ""
    return path[len(prefix) :] if path.startswith(prefix + "/") else None


def clean_prefix(prefix: str | None) -> str:
    """`"api/"`, `"/api"` → `"/api"`; `None`, `"/"` → `""`."""
    prefix = (prefix or "").strip("/")
    return f"/{prefix}" if prefix else ""


def server_of(texts: Texts, default_port: int) -> tuple[str, int]:
    """Name and port, from `host`, then `x-forwarded-port`; what is no port counts as none."""
    host, forwarded_port = texts.get("host"), texts.get("x-forwarded-port")
    if host and ":" not in host and (forwarded_port is None or forwarded_port == "443"):
        return host, default_port if forwarded_port is None else 443
    name, port = split_host(host or "mangum")
    if port is None and forwarded_port is not None:
        port = split_host(f"host:{first(forwarded_port)}")[1]
    return name or "mangum", default_port if port is None else port


# Response side: headers and bodies


def copy_headers(headers: Iterable[Iterable[Any]] | None) -> Any:
    """What an application sent as headers, so that what it does to its own lists afterwards changes
    nothing; tuples of bytes stay as they are. Raises `TypeError` if they are no pairs of bytes,
    `ValueError` for a line break or a zero byte."""
    copy = _copy_bytes(headers) if type(headers) is list else None
    try:
        if copy is None:
            copy = [
                header
                if type(header) is tuple and _is_pair(header)
                else [_bytes(it) for it in header]
                for header in headers or ()
            ]
        joined = b"".join([name + value for name, value in copy])
    except (TypeError, ValueError):
        raise TypeError("headers are pairs of bytes") from None
    # numbers, as bytes are tried as a number first, at the cost of an exception
    if 10 in joined or 13 in joined or 0 in joined:
        raise ValueError("a line break or a zero byte in a header")
    return copy


def _copy_bytes(headers: list[Any]) -> list[Any] | None:
    """The copy of a list of nothing but pairs of bytes; `None` if it takes a closer look."""
    copy = []
    for header in headers:
        kind = type(header)
        if (kind is not tuple and kind is not list) or len(header) != 2:
            return None
        name, value = header
        if type(name) is not bytes or type(value) is not bytes:
            return None
        copy.append(header if kind is tuple else [name, value])
    return copy


def _is_pair(header: tuple[Any, ...]) -> bool:
    return len(header) == 2 and type(header[0]) is bytes and type(header[1]) is bytes


def _bytes(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(memoryview(value))


_LOWER: dict[bytes, str] = {}
_MAX_LOWER = 1024


def lower_name(name: bytes) -> str:
    """A response header's name as lower-case text. They are few too, and kept."""
    text = _LOWER.get(name)
    if text is None:
        text = name.decode("latin-1").lower()
        if type(name) is bytes and len(name) <= _MAX_NAME and len(_LOWER) < _MAX_LOWER:
            _LOWER[name] = text
    return text


def decode_headers(
    headers: Iterable[Iterable[bytes]], exclude: Iterable[str]
) -> tuple[list[tuple[str, str]], str, str]:
    """Lower-case text of a response's headers, less the excluded ones; and its content type and
    content encoding.

    The latter two are the first of their name, `""` if there is none, and are found even where they
    are excluded.
    """
    texts = []
    content_type = content_encoding = None
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        if name == "content-type":
            if content_type is None:
                content_type = value
        elif name == "content-encoding" and content_encoding is None:
            content_encoding = value
        if name not in exclude:
            texts.append((name, value))
    return texts, content_type or "", content_encoding or ""


def split_headers(texts: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Names that occur once, and the values of those that occur more often."""
    single: dict[str, str] = {}
    multiple: dict[str, list[str]] = {}
    for name, value in texts:
        if name in multiple:
            multiple[name].append(value)
        elif name in single:
            multiple[name] = [single.pop(name), value]
        else:
            single[name] = value
    return single, multiple


def fold_headers(texts: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """One value for each name, repeated ones joined with a comma; `set-cookie`, which can't be
    joined, apart."""
    folded: dict[str, str] = {}
    cookies = []
    for name, value in texts:
        if name == "set-cookie":
            cookies.append(value)
        elif name in folded:
            folded[name] += f",{value}"
        else:
            folded[name] = value
    return folded, cookies


def group_headers(texts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Every value of each name: `{"vary": ["accept", "origin"]}`."""
    groups: dict[str, list[str]] = {}
    for name, value in texts:
        if name in groups:
            groups[name].append(value)
        else:
            groups[name] = [value]
    return groups


def encode_body(
    body: bytes, content_type: str, content_encoding: str, text_mime_types: Iterable[str]
) -> tuple[str, bool]:
    """The body as text, and whether that is base64.

    It is not where the body has no content encoding, its media type is a text type, and it is
    UTF-8. An entry of `text_mime_types` matches as a prefix; one that begins with a plus sign as a
    suffix (`+json`), and one without a slash anywhere (`json`).
    """
    if not body:
        return "", False
    if (not content_encoding or content_encoding.strip().lower() in ("", "identity")) and _is_text(
        content_type, text_mime_types
    ):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    if len(body) >= MIN_SIMD_BASE64_BYTES:
        try:
            from pybase64 import b64encode_as_string

            return b64encode_as_string(body), True
        except ImportError:
            pass
    return b2a_base64(body, newline=False).decode("ascii"), True


class _TextTypes:
    """Text types as `str.startswith` and `str.endswith` take them, kept while they stay the
    same."""

    __slots__ = ("entries", "prefixes", "suffixes", "words")

    def __init__(self, entries: list[str]) -> None:
        self.entries = entries
        lower = [it.lower() for it in entries]
        self.suffixes = tuple([it for it in lower if it.startswith("+")])
        self.prefixes = tuple([it for it in lower if "/" in it and not it.startswith("+")])
        self.words = [it for it in lower if "/" not in it and not it.startswith("+")]


_text_types = _TextTypes([])


def _is_text(content_type: str, text_mime_types: Iterable[str]) -> bool:
    global _text_types
    types = _text_types
    if types.entries != text_mime_types:
        types = _TextTypes([*text_mime_types])
        _text_types = types
    content_type = content_type.strip().lower()
    return (
        content_type.startswith(types.prefixes)
        or content_type.partition(";")[0].rstrip().endswith(types.suffixes)
        or any(word in content_type for word in types.words)
    )
