"""A plan is played in memory before it is carried out: how long, with how many, and how often it would fail."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError
from zdd.events import Outcome
from zdd.gates import HttpGate
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.simulation import Rehearsal, rehearse
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.rolling_update import RollingUpdate

SHOP = Service("shop", replicas=4, cells=4)


def planned(strategy=None, service=SHOP, gates=None):
    deployer = Deployer.in_memory(MemoryWorld())
    deployer.deploy(service, Release("1.0", Behaviour()))
    return deployer.plan(service, Release("2.0", Behaviour(), gates=gates), strategy)


@pytest.fixture(scope="module")
def plan():
    return planned()


def test_instances_that_start_slowly_make_it_longer(plan):
    slow, fast = plan.rehearse(startup=20, seeds=2), plan.rehearse(startup=1, seeds=2)
    assert slow.duration_s() == pytest.approx(fast.duration_s() + 5 * 19, abs=3)  # the spare one, then four
    assert fast.outcomes == {Outcome.SUCCEEDED: 2}


def test_a_startup_between_two_bounds_gives_a_distribution(plan):
    played = plan.rehearse(startup=(1, 9), seeds=6)
    assert played.durations_s[0] < played.duration_s(50) < played.duration_s(100) == played.durations_s[-1]
    assert (played.capacity(100), played.surge(100)) == (4, 1)


def test_the_same_seeds_give_the_same_rehearsal(plan):
    assert plan.rehearse(startup=(1, 9), failure_rate=0.2, seeds=3) == rehearse(
        plan, startup=(1, 9), failure_rate=0.2, seeds=[0, 1, 2]
    )


def test_instances_that_fail_to_start_fail_some_deployments(plan):
    never = plan.rehearse(failure_rate=1, seeds=2)
    assert never.outcomes == {Outcome.ROLLED_BACK: 2}
    assert sum(never.reasons.values()) == 2
    assert "ended by itself" in str(never)


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(keep_s=5), Canary(hold_s=5)], ids=str)
def test_it_can_be_played_with_more_instances_or_fewer(strategy):
    service = Service("shop", replicas=6, cells=3, floor=5)
    for replicas in (4, 13):
        played = planned(strategy, service).rehearse(replicas=replicas, seeds=1)
        assert played.outcomes == {Outcome.SUCCEEDED: 1}
        assert played.plan.service.replicas == replicas
        assert played.capacity(100) >= played.plan.floor == 5 * replicas // 6


def test_gates_and_actions_of_the_plan_do_nothing_real():
    touched = []
    played = planned(gates=[HttpGate("/health")]).rehearse(seeds=1, startup=lambda chance: touched.append(chance) or 1)
    assert played.outcomes == {Outcome.SUCCEEDED: 1}
    assert touched


def test_what_can_not_be_rehearsed_is_refused(plan):
    for wrong in ({"failure_rate": 2}, {"startup": -1}, {"replicas": 0}, {"seeds": 0}):
        with pytest.raises(ConfigurationError):
            plan.rehearse(**wrong)


def test_the_picture_says_it_in_words_and_bars(plan):
    played = plan.rehearse(startup=(1, 9), seeds=6)
    text = str(played)
    assert isinstance(played, Rehearsal)
    assert text.startswith("shop: 1.0 → 2.0 by RollingUpdate()\nPlayed    6 times\nOutcome   6 succeeded\n")
    assert "Surge     1 instance at most (ceiling 5)" in text
    assert sum(int(line.split()[-1]) for line in played.picture()) == 6
    assert played._repr_html_().startswith("<pre>shop")
