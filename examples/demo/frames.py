"""WebSocket frames (RFC 6455), as much of them as the demo's application and its clients need.

Whole text messages, ping, pong and close; no fragments, no extensions. Nothing here reads or writes: bytes go in,
frames come out, so that a wait can be cut short between two frames without losing half of one. Standard library
only, because the application has to boot fast.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import deque
from dataclasses import dataclass, field

TEXT = 0x1
CLOSE = 0x8
PING = 0x9
PONG = 0xA

GOING_AWAY = 1001
PROTOCOL_ERROR = 1002

PAYLOAD_MAX_BYTES = 64 * 1024
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class FrameError(Exception):
    """The peer sent something that isn't a frame this module understands."""


@dataclass(frozen=True)
class Frame:
    """One frame: what kind, and what it carries."""

    opcode: int
    payload: bytes = b""

    @property
    def close_code(self) -> int:
        """The code of a close frame; 1005 if it carries none, as RFC 6455 has it."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else 1005

    @property
    def close_reason(self) -> str:
        """The words of a close frame."""
        return self.payload[2:].decode(errors="replace")


@dataclass
class FrameParser:
    """Collects bytes until they are frames."""

    _buffer: bytearray = field(default_factory=bytearray, init=False)
    _frames: deque[Frame] = field(default_factory=deque, init=False)

    def feed(self, data: bytes) -> None:
        """Take what was read.

        Raises:
            FrameError: It can't be a frame, or is one that is not understood here.
        """
        self._buffer += data
        while frame := self._take():
            self._frames.append(frame)

    def next(self) -> Frame | None:
        """Return the next whole frame, or None."""
        return self._frames.popleft() if self._frames else None

    def _take(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if not buffer[0] & 0x80 or buffer[0] & 0x70:
            raise FrameError("a fragment or an extension, and neither was agreed")
        masked, length, start = bool(buffer[1] & 0x80), buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(buffer[2:start], "big")
        if length > PAYLOAD_MAX_BYTES:
            raise FrameError(f"a frame of {length} bytes; at most {PAYLOAD_MAX_BYTES} are understood")
        end = start + 4 * masked + length
        if len(buffer) < end:
            return None
        payload = bytes(buffer[end - length : end])
        if masked:
            payload = _mask(payload, bytes(buffer[start : start + 4]))
        frame = Frame(buffer[0] & 0x0F, payload)
        del buffer[:end]
        return frame


def encode(frame: Frame, *, masked: bool) -> bytes:
    """Return the frame as bytes. A client masks its frames, a server doesn't."""
    length = len(frame.payload)
    if length > PAYLOAD_MAX_BYTES:
        raise FrameError(f"a frame of {length} bytes; at most {PAYLOAD_MAX_BYTES} are understood")
    mark = 0x80 if masked else 0
    head = bytearray([0x80 | frame.opcode])
    if length < 126:
        head.append(mark | length)
    elif length < 1 << 16:
        head += bytes([mark | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([mark | 127]) + length.to_bytes(8, "big")
    if not masked:
        return bytes(head) + frame.payload
    key = os.urandom(4)
    return bytes(head) + key + _mask(frame.payload, key)


def close(code: int, reason: str = "") -> Frame:
    """Return a close frame."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


def accept_key(key: str) -> str:
    """Return what a server answers to a client's ``Sec-WebSocket-Key``."""
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _mask(payload: bytes, key: bytes) -> bytes:
    repeated = key * (len(payload) // 4 + 1)
    return bytes(byte ^ other for byte, other in zip(payload, repeated, strict=False))
