"""Reads a DSN by hand: to import a URL library takes longer than a backend's first call."""

from __future__ import annotations

from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

SECRETS = ("password", "passwd", "sslpassword", "ssl_password", "secret", "token")
"""Parameters whose values are never shown."""

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
TABLE_CHARACTERS = 54  # PostgreSQL's names have 63, and suffixes must fit


class DSN:
    """`scheme://user:password@host:port/path?name=value`, with every part decoded but the path.

    The path is as it was written, with its leading `/`. Raises `ConfigurationError` for what is no
    DSN; its message, and `repr()`, show the password as `***`.
    """

    __slots__ = ("_secrets", "host", "parameters", "password", "path", "port", "shown", "user")

    def __init__(self, dsn: str) -> None:
        self.shown = show(dsn)
        rest, _, fragment = dsn.partition("://")[2].partition("#")
        rest, _, query = rest.partition("?")
        authority, slash, path = rest.partition("/")
        if ":" in authority and "@" not in authority:
            is_cut = "@" in path or "@" in fragment or (authority.endswith(":") and "@" in query)
            if is_cut:
                raise self.error("a / ? or # of its password must be percent-encoded")
        login, _, address = authority.rpartition("@")
        user, _, password = login.partition(":")
        self.user, self.password = unquote(user), unquote(password)
        self._secrets = {text for text in (password, self.password) if text}
        self.host, self.port = self._split(address)
        self.path = slash + path
        self.parameters = dict(self._parameter(part) for part in query.split("&") if part)
        for name in self.parameters.keys() & set(SECRETS):
            self._secrets.add(self.parameters[name])

    def __repr__(self) -> str:
        return f"<DSN {self.shown}>"

    def error(self, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self.shown} is no usable DSN: {reason}.")

    def scrub(self, text: str) -> str:
        """Someone else's message, with the passwords of this DSN taken out."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def allow(self, names: Collection[str]) -> None:
        """Raises `ConfigurationError` for a parameter that is none of these."""
        unknown = sorted(self.parameters.keys() - set(names))
        if unknown:
            known = ", ".join(names)
            raise self.error(f"it has no parameter {', '.join(unknown)}; there are {known}")

    def without(self, names: Collection[str], dsn: str) -> str:
        """The DSN as it was written, without these parameters."""
        head, mark, query = dsn.partition("#")[0].partition("?")
        kept = [part for part in query.split("&") if unquote(part.partition("=")[0]) not in names]
        return f"{head}{mark}{'&'.join(kept)}".rstrip("?&")

    def _split(self, address: str) -> tuple[str, int | None]:
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]") or "," in address:  # IPv6, or several hosts
            return unquote(address.strip("[]")), None
        if not port:
            return unquote(host.strip("[]")), None
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise self.error("its port is no number below 65536")
        return unquote(host.strip("[]")), int(port)

    def _parameter(self, part: str) -> tuple[str, str]:
        name, equals, value = part.partition("=")
        if not equals:
            raise self.error("each parameter needs a value, as in ?name=value")
        return unquote(name), unquote(value)


def scheme_of(dsn: str) -> str:
    """Raises `ConfigurationError` where there is none."""
    if not isinstance(dsn, str):
        raise ConfigurationError(f"A DSN is a text and not {type(dsn).__name__}.")
    scheme, mark, rest = dsn.partition("://")
    if not mark or not rest.strip("/?#") or not is_scheme(scheme):
        raise ConfigurationError(
            f"{show(dsn)!r} is no DSN; one looks like dynamodb://table or redis://host:6379/0."
        )
    return scheme.lower()


def is_scheme(text: str) -> bool:
    return text[:1] in LETTERS and consists_of(text, f"{LETTERS}{DIGITS}+.-")


def consists_of(text: str, characters: str) -> bool:
    """Are there only these, and at least one? To compile an expression for it would take longer."""
    return bool(text) and not set(text).difference(characters)


def show(dsn: str) -> str:
    """The DSN without what may be a password, even where it is malformed."""
    head, mark, rest = dsn.partition("://")
    if not mark:  # it may be anything, a password too
        return "***"
    login, at, tail = rest.rpartition("@")
    if at:  # the last one: nobody knows how much before it belongs to an unquoted password
        user, colon, _ = login.partition(":")
        rest = f"{user}:***@{tail}" if colon else f"***@{tail}"
    rest, question, query = rest.partition("?")
    if question:
        query = "&".join(map(_show_parameter, query.split("&")))
    return f"{head}{mark}{rest}{question}{query}"


def _show_parameter(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}{equals}***" if equals and unquote(name).lower() in SECRETS else part


def unquote(text: str) -> str:
    """Percent-encoded UTF-8 as text."""
    if "%" not in text:
        return text
    import re

    return re.sub("(?:%[0-9A-Fa-f]{2})+", lambda found: _decode(found[0]), text)


def _decode(escapes: str) -> str:
    return bytes.fromhex(escapes.replace("%", "")).decode(errors="replace")


def is_table(name: str) -> bool:
    """Is it an identifier of SQL, perhaps after a schema's name, with room for the suffixes of what
    belongs to the table?"""
    return all(
        consists_of(part, f"{LETTERS}{DIGITS}_")
        and len(part) <= TABLE_CHARACTERS
        and part[0] not in DIGITS
        for part in name.split(".", 1)
    )
