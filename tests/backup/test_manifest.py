"""What a manifest says is read back as it was written, or refused with the reason."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from zdd.backup import Manifest, Part
from zdd.backup.manifest import manifest_file, read_manifest
from zdd.errors import BackupError

PARTS = (
    Part("orders", "web/b1.0", 1_500_000, "aa", 9, "bb", "0/16B3748"),
    Part("pictures", "web/b1.1", 234, "cc", 8, "dd"),
)
MADE = Manifest("b1", "web", "1.0", ("web-3", "web-4"), 1_700_000_000.5, True, PARTS)


def written(**changes: Any) -> bytes:
    """Return the manifest with other values and the checksum that belongs to them."""
    body = json.dumps({**json.loads(json.loads(MADE.to_bytes())["backup"]), **changes})
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "backup": body}).encode()


def test_it_comes_back_as_it_was() -> None:
    assert MADE.file == manifest_file("web", "b1") == "web/b1.json"
    assert read_manifest(MADE.to_bytes(), MADE.file) == MADE


def test_it_reads_as_one_line() -> None:
    line = "b1  orders, pictures of web 1.0, 1,500,234 bytes, 2023-11-14 22:13:20 UTC"
    assert str(MADE) == line


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff", b'{"backup": 1, "sha256": ""}', written()[:-9]])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BackupError, match=r"web/b1\.json is no manifest of a backup"):
        read_manifest(data, MADE.file)


def test_a_value_that_was_altered_is_told_by_the_checksum() -> None:
    with pytest.raises(BackupError, match="is damaged: its checksum is another one"):
        read_manifest(MADE.to_bytes().replace(b"1.0", b"1.1"), MADE.file)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": 2}, "has format 2, this zdd knows only 1: use a newer one"),
        ({"unknown": 1}, "is no manifest of a backup: TypeError"),
        ({"id": "b2"}, r"says that it is web/b2\.json: it was moved or altered"),
        ({"service": "shop"}, r"says that it is shop/b1\.json: it was moved or altered"),
    ],
)
def test_what_this_version_can_not_trust_is_refused(changes: dict[str, Any], text: str) -> None:
    assert read_manifest(written(), MADE.file) == MADE
    with pytest.raises(BackupError, match=text):
        read_manifest(written(**changes), MADE.file)
