"""A process is gone only if that is certain."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from attrs import evolve

from zdd.adapters.sqlite.process import ProcessMark


def mark_of(pid: int) -> ProcessMark:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return evolve(ProcessMark.own(), pid=pid, started=stat.read().rpartition(")")[2].split()[19])


def test_this_process_and_the_first_one_are_there() -> None:
    assert ProcessMark.own().is_local
    assert not ProcessMark.own().is_gone
    assert ProcessMark.own().pid == os.getpid()
    assert not mark_of(1).is_gone


def test_a_process_of_another_user_is_there(unprivileged: Any) -> None:
    mark = mark_of(1)
    with unprivileged():
        assert not mark.is_gone


def test_a_process_is_gone_when_it_has_ended_also_before_its_parent_took_note() -> None:
    process = subprocess.Popen(["sleep", "60"])  # noqa: S607
    mark = mark_of(process.pid)
    assert not mark.is_gone
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert mark.is_gone
    process.wait()
    assert mark.is_gone


def test_a_later_process_of_the_same_number_is_another() -> None:
    assert evolve(ProcessMark.own(), started="1").is_gone


def test_what_can_not_be_known_from_here_is_not_gone() -> None:
    nobody = evolve(ProcessMark.own(), pid=2**22 + 1)
    assert nobody.is_gone
    assert not evolve(nobody, machine="another").is_gone
    assert not evolve(nobody, machine="").is_gone
    assert not evolve(nobody, started="").is_gone
