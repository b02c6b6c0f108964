"""Records in a table of DynamoDB.

`dynamodb://table?region=eu-west-1&endpoint_url=http://127.0.0.1:8000`. The table's key is
`connectionId`, a text; a table that is missing is made, with on-demand billing, and `expires` as
the attribute by which DynamoDB removes items. For a table made otherwise, switch that on.

The permissions needed: `dynamodb:GetItem`, `PutItem`, `UpdateItem` and `DeleteItem`, for groups
`BatchGetItem`, and to make the table `CreateTable`, `DescribeTable` and `UpdateTimeToLive`.
"""

from __future__ import annotations

import json
import logging
import time
from asyncio import gather, sleep
from binascii import crc32

from mangum.aws.service import Service
from mangum.backends._names import check_group, unknown
from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.backends.dsn import DIGITS, DSN, LETTERS, consists_of
from mangum.exceptions import AWSError, WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

logger = logging.getLogger("mangum.backends.dynamodb")

PARAMETERS = ("region", "endpoint_url", "table_name", "table")
VERSION = "DynamoDB_20120810"
SHARDS = 16
"""The items that the members of a group are spread over: one holds 400 KB, some 20,000 of them."""

CREATION_S = 60.0
POLL_S = 0.25
READS = 10  # of what a batch has left over

KEY = "connectionId"
SCOPE = "initial_scope"
NAMES = {"#scope": SCOPE, "#sequence": "sequence", "#expires": "expires"}
LIVE = "attribute_exists(#scope) AND (attribute_not_exists(#expires) OR #expires > :now)"

ADVANCE = {
    "UpdateExpression": "ADD #sequence :one",
    "ConditionExpression": LIVE,
    "ExpressionAttributeNames": NAMES,
    "ReturnValues": "ALL_NEW",
}
GROUP_NAMES = {"#members": "members", "#expires": "expires"}


class Refused(WebSocketError):
    """DynamoDB answered a call with an error of this type."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class DynamoDBBackend(WebSocketBackend):
    """A call whose answer got lost is made again: it may then have run twice, which `save`,
    `delete` and the groups don't notice; a sequence number raised twice only makes the session be
    replayed, and a record that was taken already isn't found again.
    """

    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._dsn = DSN(dsn)
        self._dsn.allow(PARAMETERS)
        given = self._dsn.parameters
        self.table = given.get("table_name") or given.get("table") or self._dsn.host
        if not (2 < len(self.table) < 256 and consists_of(self.table, f"{LETTERS}{DIGITS}_.-")):
            raise self._dsn.error("a table's name has 3 to 255 letters, digits, dots, - and _")
        self._service: Service | None = None

    async def open(self) -> None:
        """Nothing is sent before it is needed."""
        self._opened()

    async def close(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            await service.close()

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        item = {
            KEY: {"S": connection_id},
            SCOPE: {"S": json_scope},
            "sequence": {"N": "0"},
            "expires": self._expires(),
        }
        await self._call("PutItem", {"Item": item})

    async def retrieve(self, connection_id: str) -> str:
        key = {"Key": {KEY: {"S": connection_id}}, "ConsistentRead": True}
        record = self._record((await self._call("GetItem", key)).get("Item"))
        if record is None:
            raise unknown()
        return record.json_scope

    async def delete(self, connection_id: str) -> None:
        await self._call("DeleteItem", {"Key": {KEY: {"S": connection_id}}})

    async def advance(self, connection_id: str) -> Record:
        values = {":one": {"N": "1"}, ":now": {"N": str(int(self.clock()))}}
        update = {
            "Key": {KEY: {"S": connection_id}},
            **ADVANCE,
            "ExpressionAttributeValues": values,
        }
        record = self._record(await self._conditional("UpdateItem", update))
        if record is None:
            raise unknown()
        return record

    async def take(self, connection_id: str) -> Record | None:
        deletion = {"Key": {KEY: {"S": connection_id}}, "ReturnValues": "ALL_OLD"}
        return self._record((await self._call("DeleteItem", deletion)).get("Attributes"))

    async def group_add(self, group: str, connection_id: str) -> None:
        check_group(group)
        update = {
            "Key": {KEY: {"S": _shard_key(group, _shard_of(connection_id))}},
            "UpdateExpression": "ADD #members :members SET #expires = :expires",
            "ExpressionAttributeNames": GROUP_NAMES,
            "ExpressionAttributeValues": {
                ":members": {"SS": [connection_id]},
                ":expires": self._expires(),
            },
        }
        await self._call("UpdateItem", update)

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        check_group(group)
        shards: dict[int, set[str]] = {}
        for connection_id in connection_ids:
            shards.setdefault(_shard_of(connection_id), set()).add(connection_id)
        await gather(*(self._discard(group, shard, gone) for shard, gone in shards.items()))

    async def group_members(self, group: str) -> list[str]:
        check_group(group)
        keys = [{KEY: {"S": _shard_key(group, shard)}} for shard in range(SHARDS)]
        wanted: Any = {self.table: {"Keys": keys, "ConsistentRead": True}}
        items: list[Any] = []
        for attempt in range(READS):
            reply = await self._call("BatchGetItem", {"RequestItems": wanted}, of_table=False)
            items += reply.get("Responses", {}).get(self.table, [])
            wanted = reply.get("UnprocessedKeys")
            if not wanted:
                break
            await sleep(min(0.05 * 2**attempt, 1.0))
        else:
            raise WebSocketError(f"{self._dsn.shown}: DynamoDB is too busy to read the group.")
        live = [item for item in items if not self._has_expired(item)]
        return [member for item in live for member in item.get("members", {}).get("SS", ())]

    async def _discard(self, group: str, shard: int, gone: Iterable[str]) -> None:
        update = {
            "Key": {KEY: {"S": _shard_key(group, shard)}},
            "UpdateExpression": "DELETE #members :members",
            "ConditionExpression": "attribute_exists(#members)",  # else it would make the item
            "ExpressionAttributeNames": {"#members": "members"},
            "ExpressionAttributeValues": {":members": {"SS": sorted(gone)}},
        }
        await self._conditional("UpdateItem", update)

    def _expires(self) -> dict[str, str]:
        return {"N": str(int(self.clock()) + LIFETIME_S)}

    def _has_expired(self, item: Any) -> bool:
        """DynamoDB removes an item up to days after it has expired."""
        expires = item.get("expires")
        return expires is not None and float(expires["N"]) <= self.clock()

    def _record(self, item: Any) -> Record | None:
        if not item or SCOPE not in item or self._has_expired(item):
            return None
        return Record(item[SCOPE]["S"], int(item.get("sequence", {"N": "0"})["N"]))

    # --- calls ------------------------------------------------------------------------------------

    def _opened(self) -> Service:
        if self._service is None:
            given = self._dsn.parameters
            self._service = Service("dynamodb", given.get("region"), given.get("endpoint_url"))
        return self._service

    async def _conditional(self, operation: str, payload: Mapping[str, Any]) -> Any:
        """The item's attributes, or nothing where the condition does not hold."""
        try:
            return (await self._call(operation, payload)).get("Attributes", {})
        except Refused as refused:
            if refused.error_type == "ConditionalCheckFailedException":
                return None
            raise

    async def _call(
        self, operation: str, payload: Mapping[str, Any], *, of_table: bool = True
    ) -> dict[str, Any]:
        """What DynamoDB answers; a table that is missing is made first."""
        if of_table:
            payload = {"TableName": self.table, **payload}
        try:
            return await self._send(operation, payload)
        except Refused as refused:
            if refused.error_type != "ResourceNotFoundException":
                raise
        await self._create_table()
        return await self._send(operation, payload)

    async def _send(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{VERSION}.{operation}",
        }
        try:
            body = json.dumps(payload, ensure_ascii=False).encode()
            reply = await self._opened().request("POST", "/", headers=headers, body=body)
        except (AWSError, ValueError) as error:
            raise WebSocketError(f"{self._dsn.shown}: {operation}: {error}") from None
        try:
            answer: dict[str, Any] = json.loads(reply.body or b"{}")
        except ValueError:
            answer = {}
        if reply.status == 200:
            return answer
        error_type = str(answer.get("__type", "")).rpartition("#")[2]
        reason = answer.get("message") or answer.get("Message") or ""
        raise Refused(
            error_type,
            f"{self._dsn.shown}: {operation} was refused with status {reply.status}:"
            f" {error_type} {reason}".rstrip(),
        )

    async def _create_table(self) -> None:
        """Make the table and wait for it; another environment may be making it."""
        table = {
            "TableName": self.table,
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        try:
            await self._send("CreateTable", table)
            is_ours = True
        except Refused as refused:
            if refused.error_type != "ResourceInUseException":
                raise
            is_ours = False
        await self._wait_until_active()
        if is_ours:
            expiry = {"AttributeName": "expires", "Enabled": True}
            try:
                await self._send(
                    "UpdateTimeToLive",
                    {"TableName": self.table, "TimeToLiveSpecification": expiry},
                )
            except Refused as refused:  # the table is there, and that was the task
                logger.warning("Expired records will stay in the table: %s", refused)

    async def _wait_until_active(self) -> None:
        ends_s = time.monotonic() + CREATION_S
        while time.monotonic() < ends_s:
            try:
                reply = await self._send("DescribeTable", {"TableName": self.table})
            except Refused as refused:  # it isn't known everywhere yet
                if refused.error_type != "ResourceNotFoundException":
                    raise
            else:
                if reply["Table"]["TableStatus"] in ("ACTIVE", "UPDATING"):
                    return
            await sleep(POLL_S)
        raise WebSocketError(f"{self._dsn.shown}: the table was not ready in {CREATION_S:.0f} s.")


def _shard_of(connection_id: str) -> int:
    return crc32(connection_id.encode(errors="surrogatepass")) % SHARDS


def _shard_key(group: str, shard: int) -> str:
    return f"mangum:group:{shard}:{group}"
