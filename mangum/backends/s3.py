"""Records as objects in a bucket of S3.

`s3://bucket/prefix?region=eu-west-1&endpoint_url=http://127.0.0.1:9000`. The bucket's name is part
of the host's, or with `addressing=path`, with an endpoint of one's own, and for a name with dots,
of the path. A bucket that is missing is made.

S3 has no operation that reads and writes: raising a sequence number is a read and a conditional
write, which is repeated where another environment came between. DynamoDB is quicker and cheaper.

Expired objects are passed over, but removed only by a lifecycle rule of the bucket, which it should
have:

    {"ID": "mangum", "Status": "Enabled",
     "Filter": {"Prefix": "/prefix/"}, "Expiration": {"Days": 1}}

The prefix is that of the keys, which as in older versions begin with a slash, if there is one.

The permissions needed: `s3:GetObject`, `PutObject` and `DeleteObject` on the objects, and
`s3:ListBucket` on the bucket, without which S3 answers 403 for an object that is not there; to make
the bucket, `s3:CreateBucket`.
"""

from __future__ import annotations

import re
import time
from asyncio import sleep

from mangum.aws.service import Service
from mangum.aws.signing import quote
from mangum.backends._names import check_group, unknown
from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.backends.dsn import DIGITS, DSN, LETTERS, consists_of, unquote
from mangum.exceptions import AWSError, WebSocketError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mangum.aws.service import Reply

PARAMETERS = ("region", "endpoint_url", "addressing")
WRITES = 20
"""How often a conditional write is tried before the connection counts as too busy."""

QUOTED_GROUP = 200  # characters; the name of a group that takes more is hashed
MADE_MEANWHILE = ("BucketAlreadyOwnedByYou", "OperationAborted")
DELETIONS = 1000  # in one request
MARK = "mangum 1 "
"""How the first line of an object begins, if it isn't an older version's; the sequence number and
the time at which it expires follow, and the scope on the next line."""


class S3Backend(WebSocketBackend):
    """A call whose answer got lost is made again: it may then have run twice, which `save`,
    `delete` and the groups don't notice; a sequence number raised twice only makes the session be
    replayed, and a record that was taken already isn't found again.
    """

    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._dsn = DSN(dsn)
        self._dsn.allow(PARAMETERS)
        self.bucket = self._dsn.host.lower()
        if not (2 < len(self.bucket) < 256 and consists_of(self.bucket, f"{LETTERS}{DIGITS}._-")):
            raise self._dsn.error("a bucket's name has 3 to 63 small letters, digits, dots and -")
        if self._dsn.parameters.get("addressing", "path") not in ("path", "virtual"):
            raise self._dsn.error("its addressing is neither path nor virtual")
        # Percent-encoded or not, the path is part of the key as it was written: as in 0.12.
        path = self._dsn.path
        self.prefix = "" if path in ("", "/") else path if path.endswith("/") else f"{path}/"
        self._service: Service | None = None
        self._base = ""

    async def open(self) -> None:
        """Nothing is sent before it is needed."""
        self._opened()

    async def close(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            await service.close()

    async def save(self, connection_id: str, *, json_scope: str) -> None:
        body = _encode(json_scope, 0, int(self.clock()) + LIFETIME_S)
        await self._call("PUT", self.prefix + connection_id, body=body)

    async def retrieve(self, connection_id: str) -> str:
        record, _, _ = await self._read(connection_id)
        if record is None:
            raise unknown()
        return record.json_scope

    async def delete(self, connection_id: str) -> None:
        await self._call("DELETE", self.prefix + connection_id)

    async def advance(self, connection_id: str) -> Record:
        """Two round trips, and two more for each time that another environment was quicker."""
        former = await self._replace(
            connection_id,
            lambda record, expires: _encode(record.json_scope, record.sequence + 1, expires),
        )
        if former is None:
            raise unknown()
        return Record(former.json_scope, former.sequence + 1)

    async def take(self, connection_id: str) -> Record | None:
        """Three round trips: between reading and deleting it is marked as gone, which only one of
        several environments can do."""
        record = await self._replace(connection_id, lambda record, expires: _encode("", 0, 0))
        if record is not None:
            await self.delete(connection_id)
        return record

    async def group_add(self, group: str, connection_id: str) -> None:
        await self._call("PUT", self._group(group) + connection_id)

    async def group_discard(self, group: str, connection_ids: Iterable[str]) -> None:
        folder = self._group(group)
        keys = [folder + connection_id for connection_id in connection_ids]
        if len(keys) == 1:
            await self._call("DELETE", keys[0])
            return
        for start in range(0, len(keys), DELETIONS):
            await self._delete_all(keys[start : start + DELETIONS])

    async def group_members(self, group: str) -> list[str]:
        folder = self._group(group)
        oldest = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.clock() - LIFETIME_S))
        members: list[str] = []
        token = ""
        while True:
            query = f"encoding-type=url&list-type=2&prefix={quote(folder)}"
            if token:
                query = f"continuation-token={quote(token)}&{query}"
            page = (await self._call("GET", "", query=query)).body.decode()
            is_encoded = _elements(page, "EncodingType") == ["url"]
            for entry in _elements(page, "Contents"):
                (key,) = _elements(entry, "Key")
                (modified,) = _elements(entry, "LastModified")
                key = unquote(key.replace("+", " ")) if is_encoded else _unescape(key)
                if modified > oldest:
                    members.append(key[len(folder) :])
            tokens = _elements(page, "NextContinuationToken")
            if not tokens:
                return members
            token = _unescape(tokens[0])

    def _group(self, group: str) -> str:
        """What the keys of the group's members begin with."""
        quoted = quote(check_group(group))
        if len(quoted) > QUOTED_GROUP:  # a key has 1024 bytes at most
            from hashlib import sha256

            quoted = f"%sha256-{sha256(group.encode()).hexdigest()}"
        if not quoted.strip("."):  # a name of a parent folder to some
            quoted = quoted.replace(".", "%2E")
        return f"{self.prefix}mangum-groups/{quoted}/"

    async def _read(self, connection_id: str) -> tuple[Record | None, int, str]:
        """The record, when it expires, and the tag of this version of it."""
        reply = await self._call("GET", self.prefix + connection_id, accepted=(404,))
        if reply.status == 404:
            return None, 0, ""
        text = reply.body.decode()
        sequence = 0
        if text.startswith(MARK):
            line, _, text = text.partition("\n")
            sequence, expires = map(int, line[len(MARK) :].split())
        else:
            expires = _seconds(reply.headers["last-modified"]) + LIFETIME_S
        if expires <= self.clock():
            return None, 0, ""
        return Record(text, sequence), expires, reply.headers.get("etag", "")

    async def _replace(
        self, connection_id: str, change: Callable[[Record, int], bytes]
    ) -> Record | None:
        """Write what is made of the record and of the time that it expires, which no other
        environment has changed since; the record as it was, or `None` if there is none."""
        for attempt in range(WRITES):
            record, expires, etag = await self._read(connection_id)
            if record is None:
                return None
            reply = await self._call(
                "PUT",
                self.prefix + connection_id,
                headers={"if-match": etag},
                body=change(record, expires),
                accepted=(404, 409, 412),
            )
            if reply.status == 404:  # it was deleted since
                return None
            if reply.status < 300:
                return record
            await sleep(_pause_s(attempt))
        raise WebSocketError(f"{self._dsn.shown}: too many environments write one record.")

    async def _delete_all(self, keys: list[str]) -> None:
        from base64 import b64encode
        from hashlib import md5

        listed = "".join(f"<Object><Key>{_escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{listed}</Delete>".encode(errors="surrogatepass")
        digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        headers = {"content-md5": digest, "content-type": "application/xml"}
        reply = await self._call("POST", "", query="delete=", headers=headers, body=body)
        for code in _elements(reply.body.decode(), "Code"):
            raise WebSocketError(f"{self._dsn.shown}: deleting failed with {code}")

    # --- calls ------------------------------------------------------------------------------------

    def _opened(self) -> Service:
        if self._service is None:
            given = self._dsn.parameters
            region, addressing = given.get("region"), given.get("addressing")
            service = Service("s3", region, given.get("endpoint_url"))
            scheme, _, host = service.endpoint_url.partition("://")
            is_aws = host.startswith(f"s3.{service.region}.amazonaws.")
            if addressing is None:
                addressing = "virtual" if is_aws and "." not in self.bucket else "path"
            if addressing == "virtual":
                service = Service("s3", region, f"{scheme}://{self.bucket}.{host}")
            self._base = "" if addressing == "virtual" else f"/{quote(self.bucket)}"
            self._service = service
        return self._service

    async def _call(
        self,
        method: str,
        key: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        accepted: tuple[int, ...] = (),
    ) -> Reply:
        """What S3 answers, with a status below 300 or an accepted one; a bucket that is missing is
        made first."""
        for is_made in (False, True):
            reply = await self._send(method, key, query, headers, body)
            if reply.status == 404 and b"<Code>NoSuchBucket</Code>" in reply.body and not is_made:
                await self._create_bucket()
            else:
                break
        if reply.status >= 300 and reply.status not in accepted:
            raise self._refused(method, reply)
        return reply

    async def _send(
        self,
        method: str,
        key: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        service = self._opened()
        try:
            path = "/".join([self._base, *map(quote, key.split("/"))]) if key else self._base or "/"
            return await service.request(method, path, query=query, headers=headers, body=body)
        except (AWSError, ValueError) as error:  # no URL can hold a lone surrogate
            raise WebSocketError(f"{self._dsn.shown}: {error}") from None

    async def _create_bucket(self) -> None:
        """Make the bucket; another environment may be making it."""
        region = self._opened().region
        body = f"<LocationConstraint>{region}</LocationConstraint>"
        body = f"<CreateBucketConfiguration>{body}</CreateBucketConfiguration>"
        reply = await self._send("PUT", "", body=b"" if region == "us-east-1" else body.encode())
        if reply.status >= 300 and _code(reply) not in MADE_MEANWHILE:
            raise self._refused("making the bucket", reply)

    def _refused(self, what: str, reply: Reply) -> WebSocketError:
        hint = ""
        region = reply.headers.get("x-amz-bucket-region")
        if region and region != self._opened().region:
            hint = f"; the bucket is in {region}: add region={region} to the DSN"
        elif reply.status == 403 and what == "GET":
            hint = "; without s3:ListBucket this may be an object that is not there"
        answer = f"{reply.status} {_code(reply)}".rstrip()
        return WebSocketError(f"{self._dsn.shown}: {what} was refused with {answer}{hint}")


def _encode(json_scope: str, sequence: int, expires: int) -> bytes:
    """The number is in the body, because the tag that a conditional write compares is of that."""
    return f"{MARK}{sequence} {expires}\n{json_scope}".encode()


def _seconds(date: str) -> int:
    """Of `Wed, 21 Oct 2015 07:28:00 GMT`, which only the objects of older versions need."""
    from calendar import timegm
    from email.utils import parsedate

    parsed = parsedate(date)
    return timegm(parsed) if parsed else 0


def _pause_s(attempt: int) -> float:
    from random import random

    return random() * min(0.01 * float(1 << attempt), 0.5)


def _code(reply: Reply) -> str:
    return next(iter(_elements(reply.body.decode(errors="replace"), "Code")), "")


def _elements(text: str, name: str) -> list[str]:
    """The contents of the elements of this name, which S3 writes without attributes."""
    return re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)


def _escape(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        text = text.replace(character, entity)
    return text


def _unescape(text: str) -> str:
    for character, entity in (("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("&", "&amp;")):
        text = text.replace(entity, character)
    return text
