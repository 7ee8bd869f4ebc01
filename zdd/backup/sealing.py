"""Streams of bytes: counted, compressed, and encrypted when a key is given; and back again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

from zdd.errors import BackupError, ConfigurationError

KEY_BYTES = 32
FRAME_BYTES = 1 << 18
_MAGIC = b"zdd1"
_HEAD = struct.Struct(">IB")  # length of the sealed frame, and whether it is the last


@define
class Meter:
    """Counts what flows through, and tells now and then how much it was.

    Attributes:
        tell: Called with the number of bytes so far.
        count: How many bytes have flowed through.
    """

    tell: Callable[[int], None] = lambda _: None
    count: int = 0
    _digest: Any = field(factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """The checksum of what has flowed through."""
        return str(self._digest.hexdigest())

    def over(self, data: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the data."""
        for chunk in data:
            self._digest.update(chunk)
            self.count += len(chunk)
            self.tell(self.count)
            yield chunk


def compressed(data: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data as one gzip stream."""
    press = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for chunk in data:
        if piece := press.compress(chunk):
            yield piece
    yield press.flush()


def decompressed(data: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Yield what was compressed.

    Raises:
        BackupError: It is damaged, cut short, or something follows its end.
    """
    loosen = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for chunk in data:
            if loosen.eof:
                raise BackupError(f"{what} is damaged: something follows its end")
            rest = chunk
            while rest:  # in pieces: what is small when compressed may be large
                if piece := loosen.decompress(rest, FRAME_BYTES):
                    yield piece
                rest = loosen.unconsumed_tail
    except zlib.error as error:
        raise BackupError(f"{what} is damaged: {error}") from None
    if not loosen.eof or loosen.unused_data:
        raise BackupError(f"{what} is damaged: it ends too early or too late")


def read_key(path: str) -> bytes:
    """Return the key in a file: 32 bytes as they are, in hexadecimal, or in base64.

    Raises:
        ConfigurationError: There is no such key.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"key file {path} can't be read: {error.strerror}") from None
    if len(raw) == KEY_BYTES:
        return raw
    text = raw.strip()
    for decode in (binascii.unhexlify, lambda value: base64.b64decode(value, validate=True)):
        try:
            key = decode(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return bytes(key)
    raise ConfigurationError(
        f"key file {path} has no key of {KEY_BYTES} bytes: make one with `openssl rand -hex {KEY_BYTES}`, "
        "and keep a copy elsewhere"
    )


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise ConfigurationError(
            "an encrypted backup needs the package cryptography: pip install 'zdd-deploy[encryption]'"
        ) from None
    return AESGCM(key)


def check_cipher(key: bytes) -> None:
    """Raise `ConfigurationError` if nothing can be encrypted here."""
    _cipher(key)


def sealed(data: Iterable[bytes], key: bytes, salt: bytes) -> Iterator[bytes]:
    """Yield the data in frames, each encrypted and authenticated (AES-256-GCM), with its number and whether it is last.

    Args:
        data: What is to be kept from others.
        key: 32 bytes.
        salt: Eight bytes that this key was never used with: they begin each frame's nonce.
    """
    cipher = _cipher(key)
    yield _MAGIC + salt
    number, frame = 0, bytearray()

    def seal(plain: bytes, *, last: bool) -> bytes:
        about = _about(number, last=last)
        text: bytes = cipher.encrypt(salt + struct.pack(">I", number), plain, about)
        return _HEAD.pack(len(text), last) + text

    for chunk in data:
        frame += chunk
        while len(frame) > FRAME_BYTES:
            yield seal(bytes(frame[:FRAME_BYTES]), last=False)
            del frame[:FRAME_BYTES]
            number += 1
    yield seal(bytes(frame), last=True)


def unsealed(data: Iterable[bytes], key: bytes, what: str) -> Iterator[bytes]:
    """Yield what was sealed.

    Raises:
        BackupError: It was sealed with another key, altered, reordered or cut short.
    """
    from cryptography.exceptions import InvalidTag

    cipher = _cipher(key)
    reader = ChunkReader(data)
    head = reader.read(len(_MAGIC) + 8)
    if len(head) != len(_MAGIC) + 8 or not head.startswith(_MAGIC):
        raise BackupError(f"{what} is not encrypted, or damaged at its beginning")
    salt, number, last = head[len(_MAGIC) :], 0, False
    while not last:
        header = reader.read(_HEAD.size)
        if len(header) < _HEAD.size:
            raise BackupError(f"{what} is cut short")
        length, ending = _HEAD.unpack(header)
        last = ending == 1
        if length > FRAME_BYTES + 64 or ending not in (0, 1):
            raise BackupError(f"{what} is damaged or altered")
        try:
            yield cipher.decrypt(salt + struct.pack(">I", number), reader.read(length), _about(number, last=last))
        except InvalidTag:
            raise BackupError(f"{what} was encrypted with another key, or was altered") from None
        number += 1
    if reader.read(1):
        raise BackupError(f"{what} is damaged: something follows its end")


def _about(number: int, *, last: bool) -> bytes:
    return _MAGIC + struct.pack(">I?", number, last)


class ChunkReader:
    """Pieces of any size, read by number of bytes."""

    def __init__(self, data: Iterable[bytes]) -> None:
        self._data = iter(data)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end; all that are left if the size is negative."""
        found = [self._rest]
        length = len(self._rest)
        while size < 0 or length < size:
            chunk = next(self._data, None)
            if chunk is None:
                break
            found.append(chunk)
            length += len(chunk)
        whole = b"".join(found)
        if size < 0:
            self._rest = b""
            return whole
        self._rest = whole[size:]
        return whole[:size]
