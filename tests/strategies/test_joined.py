"""Strategies one after the other: one plan, one verdict."""

from __future__ import annotations

import pytest

import zdd
from zdd.adapters.memory import Behaviour, HealthyGate, MemoryWorld


def deploy(world: MemoryWorld, version: str, strategy: zdd.Strategy) -> zdd.Report:
    deployer = deployers.setdefault(id(world), zdd.Deployer.in_memory(world))
    return deployer.deploy(zdd.Service("web", replicas=2), zdd.Release(version, Behaviour()), strategy)


deployers: dict[int, zdd.Deployer] = {}


def test_what_is_performed_comes_before_anything_is_touched() -> None:
    world = MemoryWorld()
    deploy(world, "1.0", zdd.RollingUpdate())
    seen: list[list[str]] = []

    def backup(context: zdd.ActionContext) -> str:
        seen.append([instance.version for instance in world.instances("web")])
        return f"before {context.from_version} → {context.to_version}"

    strategy = zdd.Perform([zdd.FunctionAction(backup)]) + zdd.BlueGreen()
    report = deploy(world, "2.0", strategy)
    assert report.outcome is zdd.Outcome.SUCCEEDED
    assert report.strategy == "Perform(backup) + BlueGreen(keep_s=0)"
    assert seen == [["1.0", "1.0"]]
    assert [stage.title for stage in report.stages] == ["backup", "start green", "switch to green", "retire blue"]
    assert world.lost() == ()


def test_an_action_that_fails_leaves_everything_as_it_was() -> None:
    world = MemoryWorld()
    deploy(world, "1.0", zdd.RollingUpdate())
    before = [instance.id for instance in world.instances("web")]

    def backup(_: zdd.ActionContext) -> None:
        raise OSError("the disk is full")

    with pytest.raises(zdd.DeploymentFailed, match="action backup failed: OSError: the disk is full"):
        deploy(world, "2.0", zdd.Perform([zdd.FunctionAction(backup)]) + zdd.RollingUpdate())
    assert [instance.id for instance in world.instances("web")] == before


def test_a_soak_judges_what_serves_and_takes_it_back() -> None:
    world = MemoryWorld()
    deploy(world, "1.0", zdd.RollingUpdate())
    sick = zdd.FunctionGate(lambda target: target.version != "2.0", "is not 2.0")
    with pytest.raises(zdd.DeploymentFailed) as failed:
        deploy(world, "2.0", zdd.RollingUpdate() + zdd.Soak(60, gates=[sick]))
    assert failed.value.report.outcome is zdd.Outcome.ROLLED_BACK
    assert {instance.version for instance in world.serving("web")} == {"1.0"}
    assert world.lost() == ()


def test_a_soak_lasts_as_long_as_it_says() -> None:
    world = MemoryWorld()
    deploy(world, "1.0", zdd.RollingUpdate())
    report = deploy(world, "2.0", zdd.RollingUpdate() + zdd.Soak(120, gates=[HealthyGate(world)]))
    assert report.succeeded
    assert report.seconds >= 120


def test_joining_is_flat_and_none_at_all_is_refused() -> None:
    joined = zdd.Soak(1) + zdd.RollingUpdate() + zdd.Soak(2)
    assert len(joined.parts) == 3
    assert str(joined) == "Soak(1) + RollingUpdate() + Soak(2)"
    with pytest.raises(zdd.ConfigurationError, match="give at least one"):
        zdd.Joined(())
    with pytest.raises(zdd.ConfigurationError, match="join a strategy with another one"):
        zdd.Soak(1) + zdd.RollingUpdate  # type: ignore[operator]
    with pytest.raises(zdd.ConfigurationError, match="part 5 of Joined"):
        zdd.Joined((5,))  # type: ignore[arg-type]


def test_each_part_begins_where_the_one_before_leads() -> None:
    world = MemoryWorld()
    deploy(world, "1.0", zdd.RollingUpdate())
    report = deploy(world, "2.0", zdd.Canary((50, 100), hold_s=1) + zdd.RollingUpdate())
    assert report.succeeded
    assert [stage.title for stage in report.stages][-1] == "nothing changes"


@pytest.mark.parametrize("strategy", [zdd.Recreate(), zdd.Perform([]) + zdd.Recreate()], ids=str)
def test_what_stops_everything_keeps_no_floor_and_says_so(strategy: zdd.Strategy) -> None:
    world = MemoryWorld()
    deploy(world, "1.0", zdd.RollingUpdate())
    deployer, service = deployers[id(world)], zdd.Service("web", replicas=2)
    plan = deployer.plan(service, zdd.Release("2.0", Behaviour()), strategy)
    assert (plan.floor, plan.agreed) == (0, service)
    assert "there is a gap until the new one is ready" in str(plan)
    assert deploy(world, "2.0", strategy).outcome is zdd.Outcome.SUCCEEDED
    assert deploy(world, "3.0", zdd.RollingUpdate()).floor == 2  # the service is as it was stated
    with pytest.raises(
        zdd.ConfigurationError, match=r"web states a floor of 1, and with .*Recreate\(\) nothing serves"
    ):
        deployer.plan(zdd.Service("web", replicas=2, floor=1), zdd.Release("4.0", Behaviour()), strategy)


class Own:
    """A strategy of a user's own."""

    def stages(self, situation: zdd.Situation) -> tuple[zdd.Stage, ...]:
        return zdd.RollingUpdate().stages(situation)

    def surge(self, situation: zdd.Situation) -> int:
        return zdd.RollingUpdate().surge(situation)

    def __str__(self) -> str:
        return "Own()"


def test_one_of_a_users_own_is_joined_from_either_side() -> None:
    assert str(Own() + zdd.Soak(1)) == "Own() + Soak(1)"  # type: ignore[operator]
    assert str(zdd.Soak(1) + Own() + zdd.Soak(2)) == "Soak(1) + Own() + Soak(2)"
    with pytest.raises(zdd.ConfigurationError, match="part 5 of Joined"):
        5 + zdd.Soak(1)  # type: ignore[operator]
