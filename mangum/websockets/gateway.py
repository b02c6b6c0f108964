"""Speaks to the clients of a WebSocket API, by the `@connections` calls of API Gateway.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

from mangum.aws.endpoints import configured_url, domain_of, find_region, parse_url
from mangum.aws.service import Service
from mangum.aws.signing import quote
from mangum.exceptions import (
    AWSError,
    ConnectionGone,
    MalformedEvent,
    MessageRefused,
    WebSocketError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mangum.aws.service import Reply
    from mangum.types import LambdaEvent

__all__ = ["MAX_MESSAGE_BYTES", "ConnectionGateway", "endpoint_of"]

MAX_MESSAGE_BYTES = 128 * 1024
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""

SUFFIX = "/@connections"
HOST = ".execute-api."

AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "vpce.amazonaws.com", "api.aws")


class ConnectionGateway:
    """The API at an endpoint, as `endpoint_of` tells it. Kept as long as the environment.

    A message is sent once: again only where the first try can't have reached API Gateway, or was
    turned away by its throttling.
    """

    def __init__(self, endpoint_url: str, region: str | None = None) -> None:
        url = _without_suffix(endpoint_url)
        host = parse_url(url).host
        self._service = Service("execute-api", region or region_of(host), url)
        self.endpoint_url = url
        self.region = self._service.region

    async def post(self, connection_id: str, data: bytes) -> None:
        """Send a message to the client.

        Raises `ConnectionGone` if it has left, `MessageRefused` if the message is too large, and
        another `WebSocketError` if nobody knows whether it was sent.
        """
        if len(data) > MAX_MESSAGE_BYTES:
            raise MessageRefused(
                f"A message of {len(data)} bytes: API Gateway takes {MAX_MESSAGE_BYTES} at most"
            )
        reply = await self._call("POST", connection_id, data)
        if not 200 <= reply.status < 300:
            raise _refusal(reply, "send a message to", len(data))

    async def delete(self, connection_id: str) -> None:
        """Disconnect the client, if it is still there."""
        reply = await self._call("DELETE", connection_id)
        if reply.status != 410 and not 200 <= reply.status < 300:
            raise _refusal(reply, "disconnect")

    async def close(self) -> None:
        """Close the sockets that are kept."""
        await self._service.close()

    async def _call(self, method: str, connection_id: str, body: bytes = b"") -> Reply:
        if connection_id in ("", ".", ".."):
            raise WebSocketError(f"{connection_id!r} is not the id of a connection")
        try:
            path = f"{SUFFIX}/{quote(connection_id)}"
            return await self._service.request(
                method, path, body=body, repeatable=method == "DELETE"
            )
        except AWSError as exc:
            raise WebSocketError(str(exc)) from exc
        except UnicodeEncodeError:
            raise WebSocketError(f"{connection_id!r} is not the id of a connection") from None


def endpoint_of(
    event: LambdaEvent, endpoint_url: str | None = None, region: str | None = None
) -> str:
    """The URL of the API that the event comes from, without `/@connections`.

    It is the one given, or the environment's, or the host that the client has connected to. For a
    custom domain, which serves no such calls, it is the API's own host in the region given, or in
    the environment's. Raises `ConfigurationError` and `MalformedEvent`.
    """
    configured = endpoint_url or configured_url("execute-api")
    if configured:
        url = _without_suffix(configured)
        parse_url(url)
        return url
    try:
        context = event["requestContext"]
        domain, stage = context["domainName"], quote(context["stage"])
        if region_of(domain) is not None:
            return f"https://{domain}/{stage}"
        api_id = context["apiId"]
        if not (api_id.isascii() and api_id.isalnum()):
            raise ValueError
    except (LookupError, TypeError, AttributeError, ValueError):
        raise MalformedEvent(
            "The event's requestContext has no domainName, stage and apiId that make the URL of a"
            " WebSocket API; set api_gateway_endpoint_url"
        ) from None
    region = find_region(region)
    return f"https://{api_id}{HOST}{region}.{domain_of(region)}/{stage}"


def region_of(host: str) -> str | None:
    """The region in the name of one of AWS's own hosts: `….execute-api.REGION.amazonaws.com`."""
    name, found, rest = host.partition(HOST)
    region, _, domain = rest.partition(".")
    if not found or not name.replace(".", "").replace("-", "").isalnum():
        return None
    if not region.replace("-", "").isalnum() or not host.isascii():
        return None
    return region if domain in (domain_of(region), *AWS_DOMAINS) else None


def _without_suffix(url: str) -> str:
    return url.rstrip("/").removesuffix(SUFFIX).rstrip("/")


def _refusal(reply: Reply, what: str, size: int = 0) -> WebSocketError:
    """The error for an answer. Its body stays hidden: it may quote the request, with the token."""
    kind = reply.headers.get("x-amzn-errortype", "").partition(":")[0]
    shown = f"{reply.status} {kind}" if kind.isascii() and kind.isalnum() else str(reply.status)
    if reply.status == 410:
        return ConnectionGone("The client of the connection is gone")
    if reply.status == 413:
        return MessageRefused(f"API Gateway refuses a message of {size} bytes ({shown})")
    hint = ""
    if reply.status == 403:
        hint = "; does the function's role allow execute-api:ManageConnections on this API?"
    return WebSocketError(f"API Gateway refuses to {what} the client ({shown}){hint}")
