"""A file is the old one or the new one, never half of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from zdd.atomic_file import HALF_WRITTEN, remove_half_written, write_atomically


def test_it_makes_or_replaces_the_file_for_its_owner_only(tmp_path):
    path = tmp_path / "state"
    for text in ("first", "zweite Fassung: äöü", ""):
        write_atomically(path, [text.encode()])
        assert path.read_text(encoding="utf-8") == text
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_can_be_chosen(tmp_path):
    write_atomically(tmp_path / "public", [b"hello"], mode=0o644)
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_chunks_are_written_one_after_another(tmp_path):
    write_atomically(tmp_path / "state", (letter * 100_000 for letter in (b"a", b"b", b"")))
    assert (tmp_path / "state").read_bytes() == b"a" * 100_000 + b"b" * 100_000


@pytest.mark.parametrize("unfit", ["text is no bytes", None])
def test_when_it_fails_the_old_file_is_untouched_and_nothing_lies_about(tmp_path, unfit):
    path = tmp_path / "state"
    write_atomically(path, [b"old"])
    with pytest.raises(TypeError):
        write_atomically(path, [b"new", unfit])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "gone" / "state", [b"text"])


def test_a_reader_never_sees_half_of_it(tmp_path):
    path, done, seen = tmp_path / "state", threading.Event(), set()
    write_atomically(path, [b"a" * 100_000])

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for letter in (b"b", b"c", b"d", b"e", b"f", b"g", b"h") * 5:
        write_atomically(path, [letter * 100_000])
    done.set()
    reader.join()
    assert {(len(text), len(set(text))) for text in seen} == {(100_000, 1)}


@pytest.mark.parametrize("number", range(1, 7))
def test_whenever_the_writer_is_killed_the_file_is_the_old_or_the_new_one(tmp_path, number):
    script = (
        "import os, pathlib, signal, sys; from zdd.atomic_file import write_atomically\n"
        "left = int(sys.argv[2])\n"
        "def count(event, arguments):\n"
        "    global left\n"
        "    if event in ('open', 'os.rename', 'tempfile.mkstemp'):\n"
        "        left -= 1\n"
        "        if not left: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(count)\n"
        "write_atomically(pathlib.Path(sys.argv[1]), [b'new'])\n"
    )
    path = tmp_path / "state"
    path.write_text("old")
    run = subprocess.run([sys.executable, "-c", script, path, str(number)], env={**os.environ}, check=False, timeout=30)
    assert path.read_text() == ("old" if number <= 4 and run.returncode == -signal.SIGKILL else "new")


def test_what_a_killed_writer_left_is_removed_and_nothing_of_other_files(tmp_path):
    mine, other = tmp_path / f".state.abc{HALF_WRITTEN}", tmp_path / f".states.abc{HALF_WRITTEN}"
    for path in (mine, other, tmp_path / "state"):
        path.touch()
    remove_half_written(tmp_path / "state")
    assert set(tmp_path.iterdir()) == {other, tmp_path / "state"}
