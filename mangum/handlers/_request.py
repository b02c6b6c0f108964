"""The request side that all sources share: from pieces of an event to the ASGI scope."""

from __future__ import annotations

from mangum._speedups import encode_path, split_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mangum.types import Headers, LambdaConfig, LambdaContext, LambdaEvent, Scope

HTTP_VERSIONS = {
    "HTTP/1.0": "1.0",
    "HTTP/1.1": "1.1",
    "HTTP/2": "2",
    "HTTP/2.0": "2",
    "HTTP/3": "3",
    "HTTP/3.0": "3",
}


def build_scope(
    event: LambdaEvent,
    context: LambdaContext,
    config: LambdaConfig,
    *,
    method: Any,
    headers: Headers,
    texts: dict[str, str],
    path: str,
    query_string: bytes,
    client_ip: Any,
    raw_path: str | None = None,
    stage: str = "",
    scheme: str | None = None,
    protocol: Any = None,
    client_certificate: Any = None,
    tls_headers: bool = False,
) -> Scope:
    """The scope of one request.

    `headers` and `texts` are the two results of an `encode_…headers` function; `path` is decoded
    and `raw_path` is it as it arrived, if that was encoded; `stage` is the prefix that the client
    sees and `path` lacks, if any; `tls_headers` says that the source itself writes the
    `x-amzn-tls-…` headers.
    """
    if type(method) is not str or (client_ip is not None and type(client_ip) is not str):
        raise TypeError
    modern = config.get("edition", "classic") != "classic"
    if config.get("forwarded_host"):
        host = first(texts.get(str(config["forwarded_host"]).lower(), ""))
        if host:
            headers = _with_host(headers, texts, host)
    if scheme is None:
        scheme = scheme_of(texts.get("x-forwarded-proto"))
    root_path, full_path = _locate(path, stage, config, modern)
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "http_version": HTTP_VERSIONS.get(protocol, "1.1")
        if modern and type(protocol) is str
        else "1.1",
        "headers": headers,
        "path": full_path,
        "raw_path": _raw_path(full_path, path, raw_path) if modern else None,
        "root_path": root_path,
        "scheme": scheme,
        "query_string": query_string,
        "server": server_of(texts, (443 if scheme == "https" else 80) if modern else 80),
        "client": (client_ip or None, 0) if client_ip or not modern else None,
        "asgi": {"version": "3.0", "spec_version": "2.5" if modern else "2.0"},
        "aws.event": event,
        "aws.context": context,
    }
    if modern and scheme == "https" and (client_certificate or tls_headers):
        from mangum.handlers._tls import tls_extension

        extension = tls_extension(client_certificate, texts if tls_headers else {})
        if extension:
            scope["extensions"] = {"tls": extension}
    return scope


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


def _locate(path: str, stage: str, config: LambdaConfig, modern: bool) -> tuple[str, str]:
    """`root_path` and `path`. The classic edition strips the base path; the other leaves the whole
    prefix in `path` and names it. An explicit `root_path` is in `path` in both."""
    if path and not path.startswith("/"):
        path = f"/{path}"
    prefix, path = _split_base(path, stage, config["api_gateway_base_path"])
    root_path = config.get("root_path")
    if root_path is not None:
        prefix = clean_prefix(root_path)
        rest = strip_prefix(path, prefix)
        path = path if rest is None else rest
    elif not modern:
        prefix = ""
    return prefix, prefix + path or "/"


def _split_base(path: str, stage: str, base: str) -> tuple[str, str]:
    """The stage and the base path, which may begin with the stage, and the path behind them."""
    base = "" if base == "/" else clean_prefix(base)
    if base:
        rest = strip_prefix(stage + path, base)
        if rest is not None:
            return base, rest
        rest = strip_prefix(path, base)
        if rest is not None:
            return stage + base, rest
    return stage, path


def _raw_path(full_path: str, path: str, raw_path: str | None) -> bytes:
    if raw_path and raw_path.isascii():
        if full_path == path:
            return raw_path.encode()
        if path and full_path.endswith(path):
            return encode_path(full_path[: -len(path)]) + raw_path.encode()
    return encode_path(full_path)


def server_of(texts: dict[str, str], default_port: int) -> tuple[str, int]:
    """Name and port, from `host`, then `x-forwarded-port`; what is no port counts as none."""
    name, port = split_host(texts.get("host") or "mangum")
    if port is None and "x-forwarded-port" in texts:
        port = split_host(f"host:{first(texts['x-forwarded-port'])}")[1]
    return name or "mangum", default_port if port is None else port


def _with_host(headers: Headers, texts: dict[str, str], host: str) -> Headers:
    texts["host"] = host
    pair = [b"host", host.encode("utf-8", "replace")]
    if any(name == b"host" for name, _ in headers):
        return [pair if name == b"host" else [name, value] for name, value in headers]
    return [pair, *headers]
