"""One deployer at a time; and when it has died, the next one at once."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.sqlite import SqliteLease
from zdd.errors import ConfigurationError, DeploymentInProgress, JournalError, LeaseLost
from zdd.interfaces import Lease
from zdd.testing import check_lease

Sql = Callable[..., list[Any]]


def test_it_keeps_the_rules_of_a_lease(tmp_path: Path) -> None:
    numbers = [0]

    def again(_lease: Lease | None = None) -> SqliteLease:
        return SqliteLease(tmp_path / f"{numbers[0]}.db")

    def make() -> SqliteLease:
        numbers[0] += 1
        return again()

    tried = check_lease(make, ttl_s=0.3, again=again)
    assert len(tried) == 13


# -- several processes -----------------------------------------------------------------------------------------------

CONTEND = """
import os, sys
from zdd.adapters.sqlite import SqliteLease
from zdd.errors import DeploymentInProgress
lease = SqliteLease(sys.argv[1])
name = f"deployer@host:{os.getpid()}"
print("ready", flush=True)
for service in map(str.strip, sys.stdin):
    try:
        print("won", lease.acquire(service, name, 600.0).token, flush=True)
    except DeploymentInProgress as error:
        print("lost", error.holder, flush=True)
"""


def test_of_processes_that_contend_exactly_one_wins_and_the_others_are_told_who(path: Path, spawn: Any) -> None:
    processes = [spawn(CONTEND, path) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    winners = set()
    for number in range(40):
        for process in processes:
            process.stdin.write(f"web-{number}\n")
            process.stdin.flush()
        answers = [process.stdout.readline().split() for process in processes]
        won = [n for n, answer in enumerate(answers) if answer[0] == "won"]
        assert len(won) == 1, answers
        winner = f"deployer@host:{processes[won[0]].pid}"
        assert [answer[1] for answer in answers if answer[0] == "lost"] == [winner] * 3
        winners.add(winner)
    holder = SqliteLease(path).holder("web-0")
    assert holder is not None
    assert holder.name in winners


@pytest.mark.parametrize("reaped", [False, True])
def test_the_lease_of_a_process_that_was_killed_can_be_taken_at_once(path: Path, spawn: Any, reaped: bool) -> None:
    process = spawn(CONTEND, path)
    process.stdin.write("web\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    assert process.stdout.readline() == "won 1\n"
    lease = SqliteLease(path)
    with pytest.raises(DeploymentInProgress) as caught:
        lease.acquire("web", "bob@host:2", 600.0)
    assert f"if process {process.pid} of this machine ends, the lease is free at once" in str(caught.value).lower()

    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its parent took no note yet
    if reaped:
        process.wait()

    assert lease.holder("web") is None
    fence = lease.acquire("web", "bob@host:2", 600.0)
    assert fence.token == 2
    assert lease.holder("web") is not None


def test_a_process_number_that_was_given_to_another_process_is_not_the_holder(path: Path, sql: Sql) -> None:
    lease = SqliteLease(path)
    lease.acquire("web", "ann@host:1", 600.0)
    assert sql(path, "SELECT started FROM lease") != [("1",)]
    sql(path, "UPDATE lease SET started = '1'")  # the holder was another process with our number
    assert lease.acquire("web", "bob@host:2", 600.0).token == 2


@pytest.mark.parametrize("machine", ["another machine", ""])
def test_a_holder_elsewhere_is_waited_for_until_its_time_is_over(path: Path, sql: Sql, machine: str) -> None:
    now = [1_000_000.0]
    lease = SqliteLease(path, now=lambda: now[0])
    lease.acquire("web", "ann@elsewhere:1", 30.0)
    sql(path, "UPDATE lease SET machine = ?, pid = 999999999", machine)
    now[0] += 29
    with pytest.raises(DeploymentInProgress) as caught:
        lease.acquire("web", "bob@host:2", 30.0)
    assert str(caught.value) == (
        "web is being deployed by ann@elsewhere:1 since 1970-01-12 13:46:40 UTC: wait until it is done. "
        "Its lease ends at 1970-01-12 13:47:10 UTC unless it is renewed"
    )
    assert (caught.value.holder, caught.value.since_s) == ("ann@elsewhere:1", 1_000_000.0)
    now[0] += 1
    assert lease.holder("web") is None
    assert lease.acquire("web", "bob@host:2", 30.0).token == 2


# -- losing it -------------------------------------------------------------------------------------------------------


def test_a_lost_lease_can_not_be_renewed(path: Path) -> None:
    now = [1000.0]
    lease = SqliteLease(path, now=lambda: now[0])
    old = lease.acquire("web", "ann@host:1", 10.0)
    now[0] += 10
    new = lease.acquire("web", "bob@host:2", 10.0)
    with pytest.raises(LeaseLost, match=r"with token 1 is lost: bob@host:2 has taken it \(token 2\)"):
        lease.renew("web", old, 10.0)
    lease.release("web", new)
    with pytest.raises(LeaseLost, match="with token 2 is lost: it was released"):
        lease.renew("web", new, 10.0)


def test_the_same_deployer_is_not_let_in_twice(path: Path) -> None:
    lease = SqliteLease(path)
    lease.acquire("web", "ann@host:1", 10.0)
    with pytest.raises(DeploymentInProgress, match=re.escape("ann@host:1 since 20")):
        lease.acquire("web", "ann@host:1", 10.0)


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf"), "10", None])
def test_a_time_that_makes_no_sense_is_refused(path: Path, ttl_s: Any) -> None:
    lease = SqliteLease(path)
    with pytest.raises(ConfigurationError, match="ttl_s of the lease of web is "):
        lease.acquire("web", "ann@host:1", ttl_s)
    assert lease.holder("web") is None


@pytest.mark.parametrize("column", ["token", "since_s", "expires_s", "pid"])
def test_a_damaged_lease_is_not_guessed(path: Path, sql: Sql, column: str) -> None:
    lease = SqliteLease(path)
    lease.acquire("web", "ann@host:1", 10.0)
    sql(path, f"UPDATE lease SET {column} = 'x'")  # noqa: S608 - one of the names above
    with pytest.raises(JournalError, match="is damaged: the lease of web is not what was written"):
        lease.acquire("web", "bob@host:2", 10.0)
