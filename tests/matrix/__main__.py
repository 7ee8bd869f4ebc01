"""Kills a deployer before, during and after all that it writes or changes, and has another one finish or undo it.

``python tests/matrix`` does so with real processes behind a real proxy, under load from strict clients. A table says at
which point it was killed how often, what was lost and what was left over; the last line is the verdict as JSON.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field, frozen

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "lab"))

from deploy import STRATEGIES, service  # noqa: E402
from remains import shape, wrong  # noqa: E402
from strict_clients import Load, Request  # noqa: E402

from zdd.adapters.embedded import Embedded  # noqa: E402
from zdd.adapters.traefik.room import LINGER_S  # noqa: E402
from zdd.model.address import Address  # noqa: E402

WHENS = ("before", "after", "during", "paused")
"""Only what takes a while can be killed in the middle. Paused is to be stopped before it until another deployer has
taken over, and then to go on."""

LEASE_S = 5.0
TIDY_WITHIN_S = 5.0 + LINGER_S
"""Within how many seconds after `recover` returned nothing may be left over: a room that held requests lingers."""

SCRIPT_S = 300.0
TIMED_OUT = 124
CLIENTS = {Request("/"): 1, Request("/", "POST", b"order"): 1, Request("/?seconds=0.7"): 2}


@frozen
class Point:
    """A moment at which a deployer dies: the first, second, … call of this name; before, during or after it."""

    call: str
    number: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.call} {self.number}"


@define
class Row:
    """What came of the points of one call: how many there are, at how many it died, what was lost and left over."""

    points: int = 0
    reached: int = 0
    lost: int = 0
    orphans: int = 0
    slowest_s: float = 0.0

    def plus(self, other: Row) -> Row:
        """Return both together."""
        slowest_s = max(self.slowest_s, other.slowest_s)
        counts = (self.points + other.points, self.reached + other.reached, self.lost + other.lost)
        return Row(*counts, self.orphans + other.orphans, slowest_s)

    def __str__(self) -> str:
        return f"{self.points:>5} {self.reached:>5} {self.lost:>5} {self.orphans:>5} {self.slowest_s:>7.2f} s"


@define
class Found:
    """What came of many points.

    Attributes:
        points: How many there are.
        chosen: How many of them were to be tried.
        rows: Call → what came of its points.
        requests: How many were answered.
        problems: What was wrong, one line each.
    """

    points: int = 0
    chosen: int = 0
    rows: dict[str, Row] = field(factory=dict)
    requests: int = 0
    problems: list[str] = field(factory=list)

    @property
    def total(self) -> Row:
        """Return all rows together."""
        return functools.reduce(Row.plus, self.rows.values(), Row())

    def add(self, other: Found) -> None:
        """Count what came of others."""
        self.points, self.chosen = self.points + other.points, self.chosen + other.chosen
        self.requests, self.problems = self.requests + other.requests, self.problems + other.problems
        for call, row in other.rows.items():
            self.rows[call] = self.rows.get(call, Row()).plus(row)


@define(eq=False)
class Machine:
    """A state directory, a port, a strategy, and the clients that go on all the time."""

    state: Path
    port: int
    strategy: str
    version: int = 0
    parts: Embedded = field(init=False)
    load: Load = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.parts = Embedded(self.state, port=self.port)
        self.load = Load(Address("127.0.0.1", self.port), CLIENTS)

    def words(self, version: str, point: Point | None = None) -> list[str]:
        """Return the command that deploys this version, or that recovers."""
        words = [sys.executable, str(HERE / "deploy.py"), str(self.state), str(self.port), str(LEASE_S), version]
        words.append(self.strategy)
        return words if point is None else [*words, point.call, str(point.number), point.when]

    def run(self, version: str, point: Point | None = None) -> subprocess.CompletedProcess[str]:
        """Run a deployer to its end, whatever that is."""
        words = self.words(version, point)
        try:
            return subprocess.run(words, capture_output=True, text=True, timeout=SCRIPT_S, check=False)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, TIMED_OUT, "", f"it took longer than {SCRIPT_S:g} s")

    def deploy(self, point: Point | None = None) -> subprocess.CompletedProcess[str]:
        """Deploy the next version."""
        self.version += 1
        return self.run(f"{self.version}.0", point)

    def seen(self) -> tuple[object, object]:
        """Return what runs, and what is registered."""
        one = service(self.strategy)
        return self.parts.orchestrator.observe(one), self.parts.discovery.registrations(one)

    def await_no_lease(self) -> None:
        """Wait until the lease of one that died has ended."""
        end_s = time.monotonic() + LEASE_S + 5.0
        while self.parts.lease.holder("web") is not None:
            if time.monotonic() > end_s:
                raise TimeoutError("the lease of a deployer that died does not end")
            time.sleep(0.05)

    def await_tidy(self, before: Counter[str]) -> tuple[list[str], float]:
        """Return what is left over in the end, and after how many seconds nothing was."""
        began_s = time.monotonic()
        while True:
            found = wrong(self.parts, service(self.strategy), before)
            spent_s = time.monotonic() - began_s
            if not found or spent_s > TIDY_WITHIN_S:
                return found, spent_s
            time.sleep(0.05)


def points_of(calls: Sequence[str]) -> Iterator[Point]:
    """Return every point of a deployment that made these calls."""
    for call, number in Counter(calls).items():
        for one in range(1, number + 1):
            whens = WHENS[:2] if call.startswith(("journal", "lease")) else WHENS[:3] if "claim" in call else WHENS
            yield from (Point(call, one, when) for when in whens)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(strategy: str) -> Iterator[tuple[Machine, list[str], Counter[str]]]:
    """Give a machine on which the service runs, what a deployment calls there, and what there is afterwards."""
    with tempfile.TemporaryDirectory(prefix="zdd-matrix-") as directory:
        machine = Machine(Path(directory) / "state", free_port(), strategy)
        try:
            for _ in range(2):
                done = machine.deploy()
                if done.returncode:
                    sys.exit(f"{strategy} failed, and nobody was killed: {done.stderr}")
            _await_no_room(machine.state)
            yield machine, [line for line in done.stdout.splitlines() if line], shape(machine.state)
        finally:
            machine.parts.stop_everything(1.0)


def _await_no_room(state: Path) -> None:
    """Wait until nothing of a room is left in which requests waited: it lingers for a while."""
    end_s = time.monotonic() + 20.0
    while any("holding_room" in name for name in shape(state)) and time.monotonic() < end_s:
        time.sleep(0.1)


def play(task: tuple[str, tuple[Point, ...], float]) -> Found:
    """Kill at each of these points until that time; return what came of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what runs on the machine is stopped before this ends
    strategy, points, end_s = task
    found = Found()
    with running(strategy) as (machine, _, before):
        with machine.load.running():
            for point in itertools.takewhile(lambda _: time.monotonic() < end_s, points):
                found.problems += kill_at(machine, point, before, found.rows.setdefault(point.call, Row()))
        lost = len(machine.load.lost) - found.total.lost
        if lost:
            found.problems.append(f"{strategy}: {lost} lost while nobody was killed: {machine.load.lost[-1].what}")
        found.requests = sum(machine.load.answers.values())
        return found


def kill_at(machine: Machine, point: Point, before: Counter[str], row: Row) -> list[str]:
    """Kill or pause a deployer at this point and let another one recover; return what was wrong, one line each."""
    lost = len(machine.load.lost)
    row.points += 1
    if point.when == "paused":
        problems, left, spent_s = _pause_at(machine, point, before, row)
    else:
        died = machine.deploy(point)
        row.reached += died.returncode == -signal.SIGKILL
        problems = [] if died.returncode in (0, -signal.SIGKILL) else [died.stderr.strip()[-300:]]
        problems += _recover(machine)
        left, spent_s = machine.await_tidy(before)
    losses = machine.load.lost[lost:]
    row.lost, row.orphans, row.slowest_s = row.lost + len(losses), row.orphans + len(left), max(row.slowest_s, spent_s)
    problems = [f"{machine.strategy} {point}: {what}" for what in (*problems, *left)]
    problems += [f"{machine.strategy} {point}: lost {one.what}" for one in losses[:3]]
    for problem in problems:
        print(f"  {problem}", flush=True)
    return problems


def _recover(machine: Machine) -> list[str]:
    machine.await_no_lease()
    recovered = machine.run("recover")
    return [f"recover: {recovered.stderr.strip()[-300:]}"] if recovered.returncode else []


def _pause_at(machine: Machine, point: Point, before: Counter[str], row: Row) -> tuple[list[str], list[str], float]:
    """Let a deployer wake up when another one has finished its work: it must find that out, and change nothing."""
    machine.version += 1
    words = machine.words(f"{machine.version}.0", point)
    paused = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stopped = os.waitid(os.P_PID, paused.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    if stopped is None or stopped.si_code != os.CLD_STOPPED:
        paused.communicate()
        return [], *machine.await_tidy(before)  # it came to its end without such a call
    try:
        row.reached += 1
        problems = _recover(machine)
        left, _ = machine.await_tidy(before + Counter({"process deploy.py": 1}))  # the one that is asleep
        runs, knows = machine.seen()
    finally:
        paused.send_signal(signal.SIGCONT)
        _, told = paused.communicate(timeout=SCRIPT_S)
    if paused.returncode != 1 or not told.startswith("LeaseLost: "):
        problems.append(f"it woke up, and ended with {paused.returncode}: {told.strip()[-300:]}")
    if machine.seen() != (runs, knows):
        problems.append(f"it woke up and changed {runs} into {machine.seen()[0]}, {knows} into {machine.seen()[1]}")
    after, spent_s = machine.await_tidy(before)
    return problems, [*left, *after], spent_s


def part(text: str) -> slice:
    """Return which points belong to a part, such as the second of five: every fifth, from the second on."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text} is no part: write 2/5 for the second of five")
    return slice(int(number) - 1, None, int(of))


def try_points(strategy: str, arguments: argparse.Namespace, end_s: float) -> Found:
    """Try the chosen points of a strategy on several machines, print the table of them, and return what came of it."""
    with running(strategy) as (_, calls, _):
        every = list(points_of(calls))
    chosen = [one for one in every if one.when in arguments.when]
    chosen = [one for one in chosen if not arguments.calls or {one.call, one.call.split()[0]} & {*arguments.calls}]
    points, found = tuple(chosen[arguments.part]), Found(len(every))
    found.chosen = len(points)
    tasks = [(strategy, points[job :: arguments.jobs], end_s) for job in range(arguments.jobs)]
    with multiprocessing.get_context("fork").Pool(arguments.jobs) as pool:
        for one in pool.imap_unordered(play, tasks, chunksize=1):
            found.add(one)
    print(f"{strategy}: killed at, points, died there, lost, left over, slowest to be tidy")
    for call, row in found.rows.items():
        print(f"  {call:<32} {row}")
    print(f"{strategy}: {found.total.points} of {found.points} points were tried", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/matrix", description=__doc__)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=tuple(STRATEGIES))
    parser.add_argument("--when", nargs="+", choices=WHENS, default=WHENS, help="only these points")
    parser.add_argument("--calls", nargs="+", default=(), help="only these, such as discovery")
    parser.add_argument("--part", type=part, default="1/1", help="only a part of the points: 2/5 is the second of five")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for how long: what is left is not tried")
    parser.add_argument("--jobs", type=int, default=2, help="on how many machines at once")
    arguments = parser.parse_args()
    began_s, found = time.monotonic(), Found()
    for strategy in arguments.strategies:
        found.add(try_points(strategy, arguments, began_s + arguments.seconds))
    total = found.total
    verdict = {
        "points": found.points,
        "chosen": found.chosen,
        "tried": total.points,
        "killed": total.reached,
        "requests": found.requests,
        "lost": total.lost,
        "orphans": total.orphans,
        "problems": len(found.problems),
        "tidy_within_s": round(total.slowest_s, 2),
        "seconds": round(time.monotonic() - began_s, 1),
    }
    print(json.dumps(verdict))
    return 1 if found.problems or not total.reached else 0


if __name__ == "__main__":
    sys.exit(main())
