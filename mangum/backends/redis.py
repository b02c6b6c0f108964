"""Records in Redis or Valkey, by redis-py.

`redis://user:password@host:6379/0`, `rediss://` for TLS, with redis-py's parameters.

A record lies under the connection's id, as versions 0.9 and 0.12 wrote it; its sequence number
beside it, in the same slot of a cluster. A group is a sorted set of connections by the time at
which each expires. Redis removes all of them itself.
"""

from __future__ import annotations

import asyncio
import time

from mangum.backends._loops import abandon
from mangum.backends._names import check_group, unknown
from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.backends.dsn import DSN
from mangum.exceptions import ConfigurationError, WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, TypeVar

    T = TypeVar("T")

CONNECT_S = 5.0
OPERATION_S = 10.0

ADVANCE = """\
local scope = redis.call('GET', KEYS[1])
if not scope then return false end
local sequence = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return {scope, sequence}
"""


class RedisBackend(WebSocketBackend):
    """A command that was running when the connection died is sent again: it may then have run
    twice, which `save`, `delete` and the groups don't notice; a sequence number raised twice only
    makes the session be replayed, and a record that was taken already isn't found again.
    """

    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._dsn = DSN(dsn)
        database = self._dsn.path.strip("/")
        if database and not (database.isascii() and database.isdigit()):
            raise self._dsn.error("its path is no number of a database")
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._digest = ""

    async def open(self) -> None:
        await self._run(lambda client: client.ping())

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if self._loop is asyncio.get_running_loop():
            await client.aclose()
            await client.connection_pool.disconnect()
        else:
            _abandon(client)

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        def send(client: Any) -> Any:
            return (
                client.pipeline(transaction=True)
                .set(connection_id, json_scope, ex=LIFETIME_S)
                .delete(_sequence_key(connection_id))
                .execute()
            )

        await self._run(send)

    async def retrieve(self, connection_id: str) -> str:
        json_scope: str | None = await self._run(lambda client: client.get(connection_id))
        if json_scope is None:
            raise unknown()
        return json_scope

    async def delete(self, connection_id: str) -> None:
        keys = (connection_id, _sequence_key(connection_id))
        await self._run(lambda client: client.delete(*keys))

    async def advance(self, connection_id: str) -> Record:
        keys = (connection_id, _sequence_key(connection_id))
        found = await self._run(lambda client: self._advance(client, keys))
        if not found:
            raise unknown()
        return Record(found[0], int(found[1]))

    async def _advance(self, client: Any, keys: tuple[str, str]) -> Any:
        import hashlib

        from redis.exceptions import NoScriptError

        if not self._digest:
            self._digest = hashlib.sha1(ADVANCE.encode(), usedforsecurity=False).hexdigest()
        try:
            return await client.evalsha(self._digest, len(keys), *keys, LIFETIME_S)
        except NoScriptError:  # the server was restarted, or hasn't seen it yet
            return await client.eval(ADVANCE, len(keys), *keys, LIFETIME_S)

    async def take(self, connection_id: str) -> Record | None:
        sequence_key = _sequence_key(connection_id)

        def send(client: Any) -> Any:
            return (
                client.pipeline(transaction=True)
                .get(connection_id)
                .get(sequence_key)
                .delete(connection_id, sequence_key)
                .execute()
            )

        json_scope, sequence, _ = await self._run(send)
        return None if json_scope is None else Record(json_scope, int(sequence or 0))

    async def group_add(self, group: str, connection_id: str) -> None:
        key, now = _group_key(group), self.clock()

        def send(client: Any) -> Any:
            return (
                client.pipeline(transaction=True)
                .zadd(key, {connection_id: now + LIFETIME_S})
                .zremrangebyscore(key, "-inf", now)
                .expire(key, LIFETIME_S)
                .execute()
            )

        await self._run(send)

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        key, members = _group_key(group), list(connection_ids)
        if members:
            await self._run(lambda client: client.zrem(key, *members))

    async def group_members(self, group: str) -> list[str]:
        key, after = _group_key(group), f"({self.clock()}"
        found = await self._run(lambda client: client.zrangebyscore(key, after, "+inf"))
        return list(found)

    # --- the connection ---------------------------------------------------------------------------

    async def _run(self, operation: Callable[[Any], Awaitable[T]]) -> T:
        """Connects if need be, and again where the connection has died."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            await self.close()
            self._loop = loop
        if self._client is None:
            self._client = self._connect()
        from redis import exceptions

        for is_reopened in (False, True):
            try:
                return await operation(self._client)
            except (exceptions.TimeoutError, asyncio.TimeoutError):
                raise WebSocketError(f"{self._dsn.shown} did not answer in time.") from None
            except (exceptions.ConnectionError, exceptions.ReadOnlyError, OSError) as error:
                # The server has died, or isn't the primary any more: so for the pool's other
                # connections, too.
                if is_reopened or isinstance(error, exceptions.AuthenticationError):
                    raise self._error(error) from None
                await self._client.connection_pool.disconnect()
            except (exceptions.RedisError, ValueError) as error:
                raise self._error(error) from None
        raise AssertionError  # both attempts have returned or raised

    def _connect(self) -> Any:
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ModuleNotFoundError:
            raise WebSocketError(
                'The Redis backend needs redis-py: pip install "mangum[redis]"'
            ) from None
        try:
            client = Redis.from_url(
                self.dsn,
                decode_responses=True,
                socket_connect_timeout=CONNECT_S,
                socket_timeout=OPERATION_S,
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # without a greeting, and without naming the library: fewer round trips
                driver_info=None,
            )
            pool = client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # does it know all the parameters?
        except (ValueError, TypeError) as error:
            reason = self._dsn.scrub(str(error))
            raise ConfigurationError(f"{self._dsn.shown} is no usable DSN: {reason}") from None
        return client

    def _error(self, error: Exception) -> WebSocketError:
        reason = self._dsn.scrub(str(error))
        return WebSocketError(f"{self._dsn.shown}: {type(error).__name__}: {reason}")


def _sequence_key(connection_id: str) -> str:
    return f"mangum:sequence:{{{connection_id}}}"


def _group_key(group: str) -> str:
    return f"mangum:group:{check_group(group)}"


def _abandon(client: Any) -> None:
    """Close the sockets of a client whose event loop is closed."""
    pool = client.connection_pool
    for connection in (*pool._available_connections, *pool._in_use_connections):
        abandon(getattr(getattr(connection, "_writer", None), "transport", None))
        connection._writer = connection._reader = None  # else it warns that it was not closed
