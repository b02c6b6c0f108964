"""Where a service is: the region and the URL, of an option, of the environment, of AWS."""

from __future__ import annotations

import os
from operator import itemgetter

from mangum.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Endpoint(NamedTuple):
        """An endpoint's URL, taken apart."""

        tls: bool
        host: str  # an IPv6 address without its brackets
        port: int
        authority: str  # as the Host header says it
        path: str  # without a slash at its end

else:  # to make a namedtuple takes longer than all that is done with it

    class Endpoint(tuple):
        __slots__ = ()

        def __new__(cls, tls, host, port, authority, path):
            return tuple.__new__(cls, (tls, host, port, authority, path))

        tls = property(itemgetter(0))
        host = property(itemgetter(1))
        port = property(itemgetter(2))
        authority = property(itemgetter(3))
        path = property(itemgetter(4))


__all__ = ["Endpoint", "configured_url", "domain_of", "find_region", "find_url", "parse_url"]

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

# The part of a variable's name that stands for the service: its id in AWS's models.
VARIABLES = {
    "dynamodb": "DYNAMODB",
    "execute-api": "APIGATEWAYMANAGEMENTAPI",
    "s3": "S3",
}

# The first row that fits. Source: the partitions in AWS's models.
DOMAINS = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isof-", "csp.hci.ic.gov"),
    ("", "amazonaws.com"),
)

PORTS = {"http": 80, "https": 443}


def find_region(region: str | None = None) -> str:
    """The region given, or that of the environment. Raises `ConfigurationError`."""
    for found in (region, *map(os.environ.get, REGION_VARIABLES)):
        if found:
            if not _is_label(found):
                raise ConfigurationError(f"{found!r} is not the name of an AWS region")
            return found
    raise ConfigurationError("There is no AWS region: set AWS_REGION, or name one in the options")


def find_url(service: str, region: str, endpoint_url: str | None = None) -> str:
    """The URL given, or that of the environment, or AWS's own."""
    return (
        endpoint_url or configured_url(service) or f"https://{service}.{region}.{domain_of(region)}"
    )


def configured_url(service: str) -> str | None:
    """The endpoint that the environment names for the service, or for all of them.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = os.environ.get(f"AWS_ENDPOINT_URL_{VARIABLES[service]}")
    return own or os.environ.get("AWS_ENDPOINT_URL") or None


def domain_of(region: str) -> str:
    """The domain that AWS's services in the region are under."""
    return next(domain for prefix, domain in DOMAINS if region.startswith(prefix))


def parse_url(url: str) -> Endpoint:
    """Take an endpoint's URL apart. Raises `ConfigurationError`, which shows nothing of a URL with
    a password."""
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    authority, _, path = rest.partition("/")
    if "@" in authority:
        raise ConfigurationError("An AWS endpoint's URL can't hold a user and a password")
    host, port = _split(authority)
    if (
        not separator
        or scheme not in PORTS
        or host[:1] in ("", ".")
        or not (port == "" or _is_port(port))
        or not url.isascii()
        or not url.isprintable()
        or any(it in url for it in ' "<>\\^`{|}?#')
    ):
        raise ConfigurationError(
            f"{url!r} is not the URL of an AWS endpoint: http(s)://host[:port][/path], encoded"
        )
    host = host.lower()
    named = f"[{host}]" if ":" in host else host
    number = int(port) if port else PORTS[scheme]
    if number != PORTS[scheme]:
        named = f"{named}:{number}"
    path = path.rstrip("/")
    return Endpoint(scheme == "https", host, number, named, f"/{path}" if path else "")


def _split(authority: str) -> tuple[str, str]:
    """Host and port; the host is empty if the authority is none."""
    if not authority.startswith("["):
        host, _, port = authority.partition(":")
        return host, port
    host, closed, rest = authority[1:].partition("]")
    if not closed or rest[:1] not in ("", ":") or ":" not in host:
        return "", ""
    return host, rest[1:]


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536


def _is_label(text: str) -> bool:
    """Whether it can stand between two dots of a host's name."""
    return text.isascii() and text.replace("-", "").isalnum() and text[0] != "-" != text[-1]
