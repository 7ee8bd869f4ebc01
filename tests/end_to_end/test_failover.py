"""A standby takes over from real processes that were killed, that hang, or that only seem to have died."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import zdd

sys.path.append(str(Path(__file__).parents[1] / "lab"))
from suspended import suspend

HERE = Path(__file__).parent


def programs(machine: Any, *names: str) -> list[int]:
    """Return process ids of the primary's programs, their supervisors, or both."""
    states = [json.loads(path.read_text()) for path in machine.state.glob("services/web/cells/*/*/state.json")]
    return [state[name] for state in states for name in names if state[name]]


def kill_primary(machine: Any) -> float:
    """Kill the primary as a power failure does, supervisors first, and return when."""
    victims = [*programs(machine, "supervisor_pid"), *programs(machine, "pid")]
    assert len(victims) >= 2
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    return time.monotonic()


def start_watch(machine: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "watch.py"), str(machine.state), str(machine.port)]
    script = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    await_line(script, "watching")
    return script


def await_line(script: subprocess.Popen[str], wanted: str) -> None:
    assert script.stdout is not None
    assert script.stderr is not None
    assert wanted in (line.strip() for line in script.stdout), script.stderr.read()


class Strict:
    """Strict clients, no retry: when each request was sent and answered, and by whom or why not."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.port = port
        self.seen: list[tuple[float, float, str]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Strict:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop.wait(0.02):
            sent_s = time.monotonic()
            try:
                connection.request("POST", "/", body=b"order")
                answer = connection.getresponse()
                text = answer.read().decode()
                text = text if answer.status == 201 else f"lost: {answer.status}"
            except (OSError, http.client.HTTPException) as error:
                text = f"lost: {type(error).__name__}"
                connection.close()
            self.seen.append((sent_s, time.monotonic(), text))
        connection.close()

    def answers(self, text: str) -> list[tuple[float, float, str]]:
        return [one for one in self.seen if one[2].startswith(text)]


@pytest.fixture
def primary(machine: Any) -> Any:
    """A machine on which the primary serves."""
    machine.deployer().deploy(machine.service(replicas=1, stop_grace_s=4), machine.release("primary"))
    return machine


def test_a_primary_that_is_killed_under_load_has_its_standby_answer(primary: Any, record_property: Any) -> None:
    script = start_watch(primary)
    with Strict(primary.port) as clients:
        while not clients.answers("primary"):
            time.sleep(0.02)
        died_s = kill_primary(primary)
        out, err = script.communicate(timeout=90)
        assert script.returncode == 0, err
        while not clients.answers("standby"):
            time.sleep(0.02)
    first_s = min(answered_s for _, answered_s, _ in clients.answers("standby"))
    lost = clients.answers("lost")
    figures = {
        "from death to the first answer, s": round(first_s - died_s, 2),
        "requests lost": len(lost),
        "lost after the first answer": len([one for one in lost if one[0] > first_s]),
        "last loss, s": round(max((one[0] for one in lost), default=died_s) - died_s, 2),
        "held longest, s": round(max(end - sent for sent, end, _ in clients.answers("standby")), 2),
    }
    print(figures, out)
    record_property("figures", figures)
    assert figures["lost after the first answer"] == 0
    assert not [one for one in clients.answers("primary") if one[0] > died_s]
    assert first_s - died_s < 15
    assert len(primary.processes()) == 1
    with pytest.raises(zdd.ConfigurationError, match="serves already"):
        primary.deployer().watch("web", zdd.Failover(standby(primary)), for_s=1)


def standby(machine: Any) -> zdd.Release:
    return machine.release("standby")  # type: ignore[no-any-return]


def test_a_primary_that_flaps_is_left_alone_and_is_switched_by_hand_without_loss(primary: Any) -> None:
    looks = itertools.count()
    gate = zdd.FunctionGate(lambda _: next(looks) % 3 == 2)  # two fail, one passes
    failover = zdd.Failover(standby(primary), gate=gate, failures=3, interval_s=0.05)
    with Strict(primary.port) as clients:
        assert primary.deployer().watch("web", failover, for_s=1) is None
        assert next(looks) > 9
        assert clients.answers("standby") == []
        assert primary.deployer().fail_over("web", failover).to_version == "standby"
    assert clients.answers("lost") == []
    assert clients.answers("standby") != []


def test_a_watch_that_is_killed_in_the_middle_of_the_switch_is_finished(primary: Any) -> None:
    script = start_watch(primary)
    kill_primary(primary)
    await_line(script, "CommandIntended")
    script.send_signal(signal.SIGKILL)
    script.communicate()
    report = primary.deployer().resume("web")
    assert report.to_version == "standby"
    assert len(primary.processes()) == 1
    with Strict(primary.port, 1) as clients:
        while not clients.seen:
            time.sleep(0.02)
    assert clients.answers("lost") == []


def test_a_primary_that_hangs_is_not_taken_for_gone_until_a_person_says_so(primary: Any) -> None:
    (hung,) = primary.processes()
    suspend(hung)
    failover = zdd.Failover(standby(primary), deadline_s=2)
    with pytest.raises(zdd.PrimaryNotConfirmed, match=r"may still write: web\.0001\.1") as asked:
        primary.deployer().fail_over("web", failover)
    assert len(asked.value.unconfirmed) == 1
    assert primary.processes() == [hung]
    with Strict(primary.port, 1) as clients:
        report = primary.deployer().fail_over("web", zdd.Failover(standby(primary)), cut_off_confirmed=True)
    assert report.outcome is zdd.Outcome.SUCCEEDED
    assert clients.answers("standby") != []
    assert hung not in primary.processes()


def test_after_the_stated_healthy_time_the_watch_goes_back_by_itself_without_loss(primary: Any) -> None:
    well = threading.Event()
    healthy = zdd.FunctionGate(lambda _: well.is_set())
    failover = zdd.Failover(standby(primary), failures=3, interval_s=0.1, return_after_s=1.0, healthy=healthy)
    with ThreadPoolExecutor(1) as pool, Strict(primary.port, 2) as clients:
        watch = pool.submit(primary.deployer().watch, "web", failover, for_s=15)
        await_answer(clients, "primary", 0.0)
        died_s = kill_primary(primary)
        await_answer(clients, "standby", died_s)
        well_s = time.monotonic()
        well.set()
        await_answer(clients, "primary", well_s)
        report = watch.result(60)
    assert report is not None
    assert report.to_version == "primary"
    back_s = next(answered_s for _, answered_s, _ in clients.answers("primary") if answered_s > well_s)
    assert back_s - well_s >= 1.0
    assert [one for one in clients.answers("lost") if one[0] > well_s] == []
    assert [one.to_version for one in primary.deployer().history("web")] == ["primary", "standby", "primary"]


def await_answer(clients: Strict, text: str, after_s: float) -> None:
    deadline_s = time.monotonic() + 30
    while not any(answered_s > after_s for _, answered_s, _ in clients.answers(text)):
        assert time.monotonic() < deadline_s, f"{text} never answered"
        time.sleep(0.02)
