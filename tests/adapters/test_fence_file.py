"""Of two deployers the later one writes, and only one at a time."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time

import pytest

from zdd.adapters.fence_file import FenceFile
from zdd.errors import LeaseLost, PermanentError, TemporaryError
from zdd.interfaces import Fence


@pytest.fixture
def fence(tmp_path) -> FenceFile:
    return FenceFile(tmp_path / "fence")


def accepts(fence: FenceFile, token: int) -> bool:
    try:
        with fence.guard("web", Fence(token, "somebody")):
            return True
    except LeaseLost:
        return False


def test_a_token_is_accepted_unless_a_greater_one_was(fence):
    assert [accepts(fence, token) for token in (0, 5, 5, 4, 6, 5, 10**20, 6)] == [
        True, True, True, False, True, False, True, False,
    ]  # fmt: skip


def test_who_is_refused_is_told_why_and_writes_nothing(fence):
    accepts(fence, 7)
    entered = False
    with (
        pytest.raises(LeaseLost, match=r"a newer deployer has taken over web \(token 7, ours is 6\)"),
        fence.guard("web", Fence(6, "late")),
    ):
        entered = True
    assert not entered


def test_another_process_knows_what_this_one_accepted(fence, tmp_path):
    accepts(fence, 7)
    assert not accepts(FenceFile(tmp_path / "fence"), 6)


def test_a_failure_of_the_block_is_the_block_s_own_and_the_lock_is_free_again(fence):
    with pytest.raises(FileNotFoundError), fence.guard("web", Fence(1, "somebody")):
        raise FileNotFoundError("something of the block")
    assert accepts(fence, 1)


def test_only_one_writes_at_a_time(tmp_path):
    script = (
        "import pathlib, sys; from zdd.adapters.fence_file import FenceFile; from zdd.interfaces import Fence\n"
        "counter = pathlib.Path(sys.argv[1], 'counter')\n"
        "for _ in range(100):\n"
        "    with FenceFile(pathlib.Path(sys.argv[1], 'fence')).guard('web', Fence(1, 'somebody')):\n"
        "        counter.write_text(str(int(counter.read_text()) + 1))\n"
    )
    (tmp_path / "counter").write_text("0")
    writers = [subprocess.Popen([sys.executable, "-c", script, tmp_path]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert (tmp_path / "counter").read_text() == "300"


def test_a_lock_that_is_never_let_go_is_not_waited_for_for_ever(fence, tmp_path):
    accepts(fence, 1)
    with (tmp_path / "fence").open("rb") as suspended:
        fcntl.flock(suspended, fcntl.LOCK_EX)
        with (
            pytest.raises(TemporaryError, match="fence is locked by somebody else's write"),
            fence.guard("web", Fence(1, "somebody"), patience_s=0.1),
        ):
            pass
        began = time.monotonic()
        with pytest.raises(TemporaryError), fence.hold(patience_s=0):
            pass
        assert time.monotonic() - began < 5
    assert accepts(fence, 1)


def test_tidying_up_needs_no_token_but_the_lock(fence):
    accepts(fence, 7)
    with fence.hold(), pytest.raises(TemporaryError), fence.hold(patience_s=0):
        pass
    assert not accepts(fence, 6)


@pytest.mark.parametrize("content", ["7", "seven" * 8, "0" * 31 + "x", "1" * 33])
def test_a_damaged_file_is_refused_and_not_guessed(fence, tmp_path, content):
    (tmp_path / "fence").write_text(content)
    with pytest.raises(PermanentError, match=r"fence is damaged: .* 32 digits.*while nobody deploys web, delete it"):
        accepts(fence, 1)
    assert (tmp_path / "fence").read_text() == content


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PermanentError, match="gone/fence: No such file or directory"):
        accepts(FenceFile(tmp_path / "gone" / "fence"), 1)
