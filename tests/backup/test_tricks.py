"""Which members of an archive are refused. That nothing is written for them is tested with the sources."""

from __future__ import annotations

import tarfile

import pytest

from zdd.backup.tricks import leads_out, refuse_tricks
from zdd.errors import BackupError


@pytest.mark.parametrize(
    ("name", "out"),
    [
        (".", False),
        ("a/b", False),
        ("a/../b", False),
        ("..a", False),
        ("a/..", False),
        ("..", True),
        ("../a", True),
        ("a/../../b", True),
        ("/a", True),
        ("//a", True),
    ],
)
def test_a_path_leads_out_or_not(name: str, out: bool) -> None:
    assert leads_out(name) is out


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "fine",
    [
        member("a"),
        member("deep", tarfile.DIRTYPE),
        member("deep/link", tarfile.SYMTYPE, "../a"),
        member("deep/link", tarfile.SYMTYPE, "nowhere"),
    ],
)
def test_files_directories_and_links_that_stay_inside_pass(fine: tarfile.TarInfo) -> None:
    refuse_tricks(fine)


@pytest.mark.parametrize(
    ("trick", "text"),
    [
        (member("../a"), r"names '\.\./a', outside the directory"),
        (member("deep/link", tarfile.SYMTYPE, "../../a"), r"has a link to '\.\./\.\./a', outside the directory"),
        (member("link", tarfile.SYMTYPE, "/etc"), "has a link to '/etc', outside the directory"),
        (member("hard", tarfile.LNKTYPE, "a"), "has 'hard', which is no file, directory or link"),
        (member("device", tarfile.BLKTYPE), "has 'device', which is no file, directory or link"),
        (member("pipe", tarfile.FIFOTYPE), "has 'pipe', which is no file, directory or link"),
    ],
)
def test_a_trick_is_named(trick: tarfile.TarInfo, text: str) -> None:
    with pytest.raises(BackupError, match=f"{text}: nothing was replaced"):
        refuse_tricks(trick)
