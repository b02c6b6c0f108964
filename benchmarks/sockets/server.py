"""A server in place of DynamoDB and API Gateway: it knows what one message needs, and is quick.

Its arguments are a certificate and a key, if any. It prints its port, and ends with its standard
input. What it was asked so far it tells at `GET /counts`. It checks no signature.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from collections import Counter
from typing import Any

ADD = re.compile(r"\bADD\s+(#?\w+)\s+(:\w+)")


class Service:
    """Items by table and key, and the number of requests of each kind."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.posted = b""

    def answer(self, method: bytes, path: bytes, target: bytes, body: bytes) -> bytes:
        if b"/@connections/" in path:
            self.counts[method.decode()] += 1
            self.posted = body
            return b""
        if target:
            operation = target.rpartition(b".")[2].decode()
            self.counts[operation] += 1
            return json.dumps(self._table(operation, json.loads(body))).encode()
        return json.dumps({"counts": self.counts, "posted": self.posted.decode()}).encode()

    def _table(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        item = request.get("Item")
        key = item or request["Key"]
        name = f"{request['TableName']} {key['connectionId']['S']}"
        if item:
            self.items[name] = item
        elif operation == "UpdateItem":
            self._add(self.items[name], request)
            return {"Attributes": self.items[name]}
        elif operation == "GetItem":
            return {"Item": self.items[name]}
        return {}

    def _add(self, item: dict[str, Any], request: dict[str, Any]) -> None:
        for attribute, value in ADD.findall(request["UpdateExpression"]):
            field = request.get("ExpressionAttributeNames", {}).get(attribute, attribute)
            by = int(request["ExpressionAttributeValues"][value]["N"])
            item[field] = {"N": str(int(item.get(field, {"N": "0"})["N"]) + by)}


class Connection(asyncio.Protocol):
    def __init__(self, service: Service) -> None:
        self.service = service
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end]
            length = int(_header(head, b"content-length") or 0)
            if len(self.received) < end + 4 + length:
                return
            body = self.received[end + 4 : end + 4 + length]
            self.received = self.received[end + 4 + length :]
            method, path, _ = head.split(b" ", 2)
            answer = self.service.answer(method, path, _header(head, b"x-amz-target"), body)
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
                b"x-amzn-RequestId: c6af9ac6-7b61-11e6-9a41-93e8deadbeef\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
            )


def _header(head: bytes, name: bytes) -> bytes:
    start = head.lower().find(b"\r\n" + name + b":")
    return head[start + 2 :].split(b"\r\n", 1)[0].partition(b":")[2].strip() if start >= 0 else b""


async def main(certificate: list[str]) -> None:
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    service, loop = Service(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(service), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
