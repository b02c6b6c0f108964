"""One connection to a host, and one request after another over it.

Between two requests it belongs to no event loop and is watched by nobody: Lambda freezes the
process there, and another loop may run the next invocation.
"""

from __future__ import annotations

import socket
import sys
from asyncio import TimeoutError, get_running_loop, wait_for
from contextlib import suppress

from mangum.aws.replies import ReplyParser
from mangum.aws.tls import Secure, distrust, find_context
from mangum.exceptions import AWSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any, TypeVar

    from mangum.aws.endpoints import Endpoint
    from mangum.aws.replies import Reply

    Result = TypeVar("Result")

__all__ = ["Connection", "Interrupted", "connect"]

CONNECT_TIMEOUT_S = 3.0  # for a name, an address and the TLS of it, each
READ_BYTES = 64 * 1024

_ACKED = slice(120, 128)  # `tcpi_bytes_acked` in Linux's `struct tcp_info`


class Interrupted(AWSError):
    """There is no answer. `is_untaken` if the service can't have taken the request."""

    def __init__(self, reason: str, *, is_untaken: bool) -> None:
        super().__init__(reason)
        self.is_untaken = is_untaken


async def connect(endpoint: Endpoint) -> Connection:
    """A new connection, over TLS if the endpoint wants it. Raises `Interrupted`."""
    try:
        if not endpoint.tls:
            return await _connect(endpoint, None)
        context, is_partial = find_context(endpoint.host)
        if is_partial:
            from ssl import SSLCertVerificationError

            with suppress(SSLCertVerificationError):
                return await _connect(endpoint, context)
            distrust(context)
            context, _ = find_context(endpoint.host)
        return await _connect(endpoint, context)
    except OSError as exc:
        raise Interrupted(
            f"{endpoint.authority} can't be reached: {_reason(exc)}", is_untaken=True
        ) from exc


async def _connect(endpoint: Endpoint, context: ssl.SSLContext | None) -> Connection:
    loop = get_running_loop()
    failure: OSError | None = None
    for family, address in await _addresses(endpoint.host, endpoint.port, loop):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await _limited(loop.sock_connect(sock, address))
            if context is None:
                return Connection(sock, None)
            connection = Connection(sock, Secure(context, endpoint.host))
            await _limited(connection.shake_hands())
            return connection
        except OSError as exc:
            sock.close()
            if hasattr(exc, "verify_code"):  # a certificate: another address would hide it
                raise
            failure = exc
        except BaseException:
            sock.close()
            raise
    raise failure or OSError("the host has no address")


class Connection:
    """One socket. Whoever takes it closes it, or gives it back idle."""

    def __init__(self, sock: socket.socket, secure: Secure | None) -> None:
        self.is_started = False  # something of the last answer has arrived
        self.used_s = 0.0
        self._sock = sock
        self._secure = secure
        self._sent = 0  # bytes, ever
        self._is_expired = False
        self._is_ended = False  # by the peer, in good order
        self._loop: AbstractEventLoop

    def __del__(self) -> None:
        self._sock.close()  # idle at the process's end, where nobody closes it: no mistake

    def close(self) -> None:
        self._sock.close()

    def is_open(self) -> bool:
        """Whether an idle connection can be used: the peer has neither closed it nor spoken."""
        while True:
            try:
                data = self._sock.recv(READ_BYTES)
            except BlockingIOError:
                return self._secure is None or self._secure.is_silent()
            except OSError:
                return False
            if not data or self._secure is None:
                return False
            self._secure.incoming.write(data)

    async def shake_hands(self) -> None:
        self._loop = get_running_loop()
        assert self._secure is not None
        await self._drive(self._secure.ssl.do_handshake)

    async def exchange(self, request: bytes, method: str, timeout_s: float) -> tuple[Reply, bool]:
        """The answer, and whether the connection can be used again."""
        self._loop = loop = get_running_loop()
        self.is_started = False
        before = self._sent
        parser = ReplyParser(method)
        timer = loop.call_later(timeout_s, self._expire)
        refused: OSError | None = None
        try:
            try:
                await self._send(request)
            except OSError as exc:
                refused = exc  # perhaps with an answer that says why
            while True:
                data = await self._receive()
                if data:
                    self.is_started = True
                    if parser.feed(data):
                        break
                elif parser.end() and not self._is_expired:
                    break
                else:
                    raise ConnectionResetError("the connection was closed")
        except OSError as exc:
            reason = _reason(exc)
            if self._is_expired:
                reason = f"no answer in {timeout_s:g} s"
            elif self.is_started:
                reason = f"the answer is incomplete: {reason}"
            raise Interrupted(reason, is_untaken=self._is_untaken(before)) from exc
        finally:
            timer.cancel()
        return parser.reply, parser.is_reusable and refused is None and not self._is_expired

    def _expire(self) -> None:
        """Let whoever waits for the socket see its end: no task need be cancelled."""
        self._is_expired = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _is_untaken(self, before: int) -> bool:
        """Whether the peer has ended the connection before it took anything of the request: it has
        acknowledged all that was sent until then, and no more."""
        if not self._is_ended or self._is_expired or self.is_started or not before:
            return False
        if sys.platform != "linux":
            return False
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED.stop)
        except OSError:
            return False
        acked = int.from_bytes(info[_ACKED], sys.byteorder)  # counts the SYN, too
        return len(info) == _ACKED.stop and before <= acked <= before + 1

    async def _send(self, data: bytes) -> None:
        if self._secure is None:
            await self._send_raw(data)
        else:
            view = memoryview(data)
            while view:
                view = view[await self._drive(self._secure.ssl.write, view) :]

    async def _receive(self) -> bytes:
        """What has arrived; nothing at the connection's end."""
        if self._secure is None:
            return await self._receive_raw()
        try:
            return await self._drive(self._secure.ssl.read, READ_BYTES)
        except self._secure.closed:
            self._is_ended = True
            return b""

    async def _drive(self, step: Callable[..., Result], *args: Any) -> Result:
        """Take a step of TLS, with as much reading and writing as it needs."""
        secure = self._secure
        assert secure is not None
        while True:
            try:
                result = step(*args)
            except secure.wants_more:
                if secure.outgoing.pending:
                    await self._send_raw(secure.outgoing.read())
                data = await self._receive_raw()
                if data:
                    secure.incoming.write(data)
                else:
                    secure.incoming.write_eof()
            else:
                if secure.outgoing.pending:
                    await self._send_raw(secure.outgoing.read())
                return result

    async def _send_raw(self, data: bytes) -> None:
        self._sent += len(data)
        await self._loop.sock_sendall(self._sock, data)

    async def _receive_raw(self) -> bytes:
        data = await self._loop.sock_recv(self._sock, READ_BYTES)
        if not data:
            self._is_ended = True
        return data


async def _addresses(
    host: str, port: int, loop: AbstractEventLoop
) -> list[tuple[socket.AddressFamily, Any]]:
    """Families and addresses; a thread is asked only for names."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    try:
        found = await _limited(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except UnicodeError:
        raise OSError("the host's name is none") from None
    return [(family, address) for family, _, _, _, address in found]


async def _limited(step: Any) -> Any:
    try:
        return await wait_for(step, CONNECT_TIMEOUT_S)
    except TimeoutError:  # before Python 3.11 not the built-in one, which is an `OSError`
        raise OSError(f"no connection in {CONNECT_TIMEOUT_S:g} s") from None


def _reason(exc: OSError) -> str:
    return exc.strerror or str(exc) or type(exc).__name__
