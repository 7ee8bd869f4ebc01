"""What was sealed comes back as it was, or not at all."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zdd.backup.sealing import FRAME_BYTES, KEY_BYTES, ChunkReader, compressed, decompressed, read_key, sealed, unsealed
from zdd.errors import BackupError, ConfigurationError

KEY = bytes(range(KEY_BYTES))
SALT = b"saltsalt"


def joined(data: Iterable[bytes]) -> bytes:
    return b"".join(data)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_it_comes_back_as_it_was(chunks: list[bytes]) -> None:
    plain = b"".join(chunks)
    assert joined(decompressed(compressed(chunks), "it")) == plain
    assert joined(unsealed(sealed(chunks, KEY, SALT), KEY, "it")) == plain


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])
def test_sizes_around_a_frame(size: int) -> None:
    plain = os.urandom(size)
    assert joined(unsealed(sealed([plain], KEY, SALT), KEY, "it")) == plain


def test_every_single_bit_counts() -> None:
    kept = joined(sealed([os.urandom(300)], KEY, SALT))
    chance = random.Random(7)  # noqa: S311 - which bits are tried needs no secrecy
    for place in chance.sample(range(len(kept)), 200):
        altered = bytearray(kept)
        altered[place] ^= 1 << chance.randrange(8)
        with pytest.raises(BackupError):
            joined(unsealed([bytes(altered)], KEY, "it"))


def test_frames_can_be_neither_left_out_nor_exchanged() -> None:
    kept = joined(sealed([os.urandom(3 * FRAME_BYTES)], KEY, SALT))
    head, size = kept[:12], (len(kept) - 12) // 3
    frames = [kept[12 + size * number : 12 + size * (number + 1)] for number in range(3)]
    for order in ([0, 2], [1, 0, 2], [0, 1], [2], [0, 1, 2, 2]):
        with pytest.raises(BackupError):
            joined(unsealed([head, *(frames[number] for number in order)], KEY, "it"))


def test_another_key_is_told() -> None:
    with pytest.raises(BackupError, match="encrypted with another key"):
        joined(unsealed(sealed([b"x"], KEY, SALT), KEY[::-1], "it"))


@pytest.mark.parametrize("cut", [0, 1, 17, 60])
def test_what_is_cut_short_or_goes_on_is_refused(cut: int) -> None:
    kept = joined(compressed([os.urandom(100)]))
    with pytest.raises(BackupError):
        joined(decompressed([kept[:cut]], "it"))
    with pytest.raises(BackupError):
        joined(decompressed([kept, b"more"], "it"))
    sealed_text = joined(sealed([os.urandom(100)], KEY, SALT))
    with pytest.raises(BackupError):
        joined(unsealed([sealed_text[:cut]], KEY, "it"))


def test_little_that_becomes_much_comes_in_pieces() -> None:
    pieces = list(decompressed(compressed([bytes(5_000_000)]), "it"))
    assert sum(map(len, pieces)) == 5_000_000
    assert max(map(len, pieces)) <= FRAME_BYTES


@pytest.mark.parametrize("text", [KEY, KEY.hex().encode() + b"\n", base64.b64encode(KEY) + b"\n"])
def test_a_key_is_read_in_each_of_its_forms(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").write_bytes(text)
    assert read_key(str(tmp_path / "key")) == KEY


@pytest.mark.parametrize("text", [b"", b"password", KEY[:-1], KEY.hex().encode()[:-2]])
def test_what_is_no_key_is_refused_with_the_way_to_make_one(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").write_bytes(text)
    with pytest.raises(ConfigurationError, match="openssl rand -hex 32"):
        read_key(str(tmp_path / "key"))
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_key(str(tmp_path / "nowhere"))


def test_a_reader_gives_as_much_as_is_asked_for() -> None:
    reader = ChunkReader([b"ab", b"", b"cdef", b"g"])
    assert [reader.read(3), reader.read(1), reader.read(0), reader.read(), reader.read(5)] == [
        b"abc", b"d", b"", b"efg", b"",
    ]  # fmt: skip
