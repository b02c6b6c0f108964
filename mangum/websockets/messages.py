"""What a message of the application is on the wire. Knows no connection."""

from __future__ import annotations

from mangum.exceptions import MessageRefused
from mangum.websockets.gateway import MAX_MESSAGE_BYTES

__all__ = ["encode_message"]


def encode_message(text: str | None, bytes: bytes | None = None, binary: str = "error") -> bytes:
    """The bytes to post for a `websocket.send`, which has either a text or bytes.

    API Gateway delivers text only: bytes that are UTF-8 arrive as that text; others are refused
    with `binary="error"` and sent as base64 with `"base64"`. Raises `MessageRefused`, also for what
    is over `MAX_MESSAGE_BYTES`.
    """
    if text is None:
        data = _encode_binary(bytes, binary)
    elif bytes is None:
        data = _encode_text(text)
    else:
        raise MessageRefused("A WebSocket message is either `text` or `bytes`, not both.")
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageRefused(
            f"The WebSocket message is too large for API Gateway: {len(data)} bytes, "
            f"{MAX_MESSAGE_BYTES} are allowed."
        )
    return data


def _encode_text(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise MessageRefused("The text of the WebSocket message can't be UTF-8: it has a surrogate.")


def _encode_binary(data: bytes | None, binary: str) -> bytes:
    if data is None:
        raise MessageRefused("A WebSocket message needs `text` or `bytes`; both are None.")
    try:
        return str(data, "utf-8").encode()  # a bytearray and a memoryview, too
    except UnicodeDecodeError:
        pass
    if binary == "base64":
        from binascii import b2a_base64

        return b2a_base64(data, newline=False)
    raise MessageRefused(
        "The bytes of the WebSocket message are not UTF-8, and API Gateway delivers text only. "
        'Send text, or set `websocket_binary="base64"` and decode it in the client.'
    )
