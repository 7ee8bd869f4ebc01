"""The embedded default, end to end: real processes, a real proxy, strict clients, deployers that are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

import zdd

STRATEGIES = ["RollingUpdate", "BlueGreen"]


@pytest.mark.parametrize("strategy", [zdd.RollingUpdate(), zdd.BlueGreen(), zdd.Canary((50, 100), hold_s=0.5)], ids=str)
def test_a_version_is_replaced_without_losing_a_request(machine: Any, strategy: zdd.Strategy) -> None:
    deployer = machine.deployer()
    deployer.deploy(machine.service(), machine.release("1.0"))
    with machine.clients() as clients:
        report = deployer.deploy(machine.service(), machine.release("2.0"), strategy)
    assert clients.failures == []
    assert clients.answers["1.0"] > 0
    assert clients.answers["2.0"] > 0
    assert report.capacity_floor == 2
    assert report.cut == ()
    assert len(machine.processes()) == 2


def test_a_second_script_deploys_over_what_the_first_one_left(machine: Any) -> None:
    first = machine.script("1.0")
    first.communicate(timeout=90)
    assert first.returncode == 0
    with machine.clients() as clients:
        second = machine.script("2.0", "BlueGreen")
        output, errors = second.communicate(timeout=90)
    assert second.returncode == 0, errors
    assert "1.0 → 2.0 succeeded" in output
    assert clients.failures == []
    assert len(machine.processes()) == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("commands", range(1, 8, 2))  # make matrix has all
def test_a_deployer_that_is_killed_leaves_what_the_next_one_finishes(
    machine: Any, strategy: str, commands: int
) -> None:
    """Kill it the moment it has written down that it is about to send its first, second, … command."""
    machine.deployer().deploy(machine.service(), machine.release("1.0"))
    with machine.clients() as clients:
        script = machine.script("2.0", strategy)
        seen = 0
        for line in script.stdout:
            seen += line.strip() == "CommandIntended"
            if seen == commands:
                break
        script.send_signal(signal.SIGKILL)
        script.communicate()
        if seen == commands:
            report = machine.deployer().resume("web")
            assert report.outcome is zdd.Outcome.SUCCEEDED
            assert report.to_version == "2.0"
    assert clients.failures == []
    assert len(machine.processes()) == 2
    assert len(set(machine.instances())) == 1
    again = machine.deployer().deploy(machine.service(), machine.release("2.0"))
    assert again.outcome is zdd.Outcome.UNCHANGED


def test_a_deployer_that_is_told_to_stop_says_what_runs_and_what_goes_on(machine: Any) -> None:
    machine.deployer().deploy(machine.service(), machine.release("1.0"))
    script = machine.script("2.0", "RollingUpdate", "no")  # never healthy, so that it is still at work
    for line in script.stdout:
        if line.strip() == "CommandAnswered":
            break
    script.send_signal(signal.SIGINT)
    _, errors = script.communicate(timeout=90)
    assert "DeploymentInterrupted: web: 1.0 → 2.0 interrupted" in errors
    assert "traffic is safe (floor 2)" in errors
    assert "deployer.resume('web') goes on" in errors
    assert "Traceback" not in errors


def test_a_second_deployer_is_told_who_deploys_and_since_when(machine: Any) -> None:
    machine.deployer().deploy(machine.service(), machine.release("1.0"))
    script = machine.script("2.0", "RollingUpdate", "no")
    try:
        for line in script.stdout:
            if line.strip() == "CommandAnswered":
                break
        before = machine.instances()
        with pytest.raises(zdd.DeploymentInProgress) as refused:
            machine.deployer().deploy(machine.service(), machine.release("3.0"))
        assert f":{script.pid}" in refused.value.holder
        assert f":{script.pid}" in str(refused.value)
        assert refused.value.since_s > 0
        assert "r1" in before
    finally:
        script.kill()
        script.communicate()


def test_a_release_that_never_gets_healthy_is_taken_back(machine: Any) -> None:
    deployer = machine.deployer()
    service = machine.service(start_deadline_s=2)
    deployer.deploy(service, machine.release("1.0"))
    with machine.clients() as clients, pytest.raises(zdd.DeploymentFailed) as failed:
        deployer.deploy(service, machine.release("2.0", HEALTHY="no"))
    assert failed.value.report.outcome is zdd.Outcome.ROLLED_BACK
    assert "answered 503" in str(failed.value)
    assert clients.failures == []
    assert set(clients.answers) == {"1.0"}
    assert len(machine.processes()) == 2


def test_a_singleton_is_replaced_with_a_gap_in_which_requests_wait(machine: Any, tmp_path: Any) -> None:
    deployer = machine.deployer()
    service = machine.service(replicas=1, overlap="forbidden")
    lock = str(tmp_path / "singleton")
    deployer.deploy(service, machine.release("1.0", SINGLETON=lock))
    with machine.clients() as clients:
        report = deployer.deploy(service, machine.release("2.0", SINGLETON=lock))
    assert clients.failures == []
    assert clients.answers["2.0"] > 0
    assert report.strategy == "Recreate()"
    assert len(machine.processes()) == 1


def test_an_instance_that_crashes_comes_back_and_is_deployed_over(
    machine: Any, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    deployer = machine.deployer()
    deployer.deploy(machine.service(), machine.release("1.0"))
    victim = machine.processes()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in machine.processes() and len(machine.processes()) == 2, "another process")
    report = deployer.deploy(machine.service(), machine.release("2.0"))
    assert report.outcome is zdd.Outcome.SUCCEEDED
    assert len(machine.processes()) == 2


def test_a_worker_that_nobody_sends_requests_to_is_replaced_too(machine: Any) -> None:
    deployer = machine.deployer()
    worker = machine.service(exposures=(), gates=())

    def release(version: str) -> zdd.Release:
        return zdd.Release(version, zdd.Process(["sleep", "3600"]))

    deployer.deploy(worker, release("1.0"))
    report = deployer.deploy(worker, release("2.0"))
    assert report.capacity_floor == 2
    assert deployer.deploy(worker, release("2.0")).outcome is zdd.Outcome.UNCHANGED
    deployer.remove("web")
    assert machine.instances() == []


def test_going_back_by_hand_and_taking_the_service_out(machine: Any) -> None:
    deployer = machine.deployer()
    for version in ("1.0", "2.0", "3.0"):
        deployer.deploy(machine.service(), machine.release(version), zdd.BlueGreen())
    with machine.clients() as clients:
        report = deployer.rollback("web", "1.0")
    assert clients.failures == []
    assert (report.from_version, report.to_version) == ("3.0", "1.0")
    assert [one.to_version for one in deployer.history("web")] == ["1.0", "2.0", "3.0", "1.0"]
    deployer.remove("web")
    assert machine.processes() == []


def test_a_gate_that_only_its_script_knows_does_not_keep_its_release_from_being_replaced(machine: Any) -> None:
    deployer = machine.deployer()
    private = zdd.FunctionGate(lambda _: True, "known to this script only")
    deployer.deploy(machine.service(gates=[private]), machine.release("1.0"))
    with machine.clients() as clients:
        report = deployer.deploy(machine.service(), machine.release("2.0"))
    assert clients.failures == []
    assert any("1.0 (r1) was judged without its own gate" in line for line in report.unproven)
    with pytest.raises(zdd.ConfigurationError, match=r"1\.0 \(r1\) can't be proven here.*call deploy"):
        deployer.rollback("web", "1.0")


def test_a_service_that_runs_gets_another_port_and_goes_back(machine: Any) -> None:
    """The old instances do not have the new port; they serve at the one that they have until they are replaced."""
    deployer = machine.deployer()
    more = [zdd.Exposure("http"), zdd.Exposure("admin", path="/admin")]
    deployer.deploy(machine.service(), machine.release("1.0"))
    with machine.clients() as clients:
        deployer.deploy(machine.service(exposures=more), machine.release("2.0", ADMIN="yes"))
        deployer.rollback("web", "1.0")
    assert clients.failures == []
    assert clients.answers["2.0"] > 0
    assert len(machine.processes()) == 2
