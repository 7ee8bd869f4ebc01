"""What a mirror may do between deployments, and what it leaves to a deployer."""

from __future__ import annotations

import pytest

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.intent import Intent
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.reconciler.guards import GUARDS
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import Progress
from zdd.reconciler.proposals import Hold, Proposal, Release, Shift, Tally, Traffic
from zdd.reconciler.upkeep import ABANDONED, QUIET, UPKEEP, out_of_reach, plan_of_upkeep, strangers

HERE, THERE = {"http": Address("10.0.0.1", 80)}, {"http": Address("10.0.0.2", 80)}
PLAN = Plan(
    Service("web", replicas=2),
    "r1",
    {"r1": Revision("r1", "1", {})},
    (Goal("web", "r1", 2, 100),),
    (Stage("keep"),),
    0,
    2,
)
INTENT = Intent(PLAN, True, "d1")
OWN = {guard.name: guard for guard in ABANDONED}


def instance(name: str, state: InstanceState = InstanceState.READY) -> Instance:
    return Instance(name, "r1", state, HERE if name == "web.a" else THERE)


def seen(*instances: Instance, weight: int = 50) -> Picture:
    registered = tuple(
        Registration(i, "web", "r1", "1", HERE if i == "web.a" else THERE, weight) for i in ("web.a", "web.b")
    )
    return Picture(Observation(1.0, (Cell("web", "r1", 2, instances),), registered), PLAN, Progress(), 1.0)


def refused(rule: str, picture: Picture, proposal: Proposal, tally: Tally | None = None) -> bool:
    return OWN[rule].check(picture, proposal, tally or Tally()) is not None


@pytest.mark.parametrize(
    ("proposal", "allowed"),
    [
        (Launch("web-2", "r1", 1), False),
        (Change("web", "r1", 2), False),
        (Scale("web", 3), False),
        (Retire("web"), False),
        (Hold(), False),
        (Release(), False),
        (Traffic(Shift.ADMIT, "web.a", "web"), True),
        (Traffic(Shift.FORGET, "web.a", "web"), True),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, bool) else str(value),
)
def test_it_changes_registrations_and_nothing_else(proposal: Proposal, allowed: bool) -> None:
    assert refused("only-traffic", seen(instance("web.a")), proposal) is not allowed


def test_what_is_ready_stays() -> None:
    out = Traffic(Shift.OUT, "web.a", "web")
    assert refused("ready-ones-stay", seen(instance("web.a")), out)
    assert not refused("ready-ones-stay", seen(instance("web.a", InstanceState.FAILED)), out)
    assert not refused("ready-ones-stay", seen(), out)


def test_the_last_ones_go_only_when_another_one_that_is_ready_is_registered() -> None:
    """A list that shows nothing takes nothing out."""
    gone = Traffic(Shift.FORGET, "web.a", "web")
    assert refused("someone-left", seen(), gone)
    assert refused("someone-left", seen(instance("web.b", InstanceState.FAILED)), gone)
    assert refused("someone-left", seen(instance("web.b"), weight=0), gone)
    assert not refused("someone-left", seen(instance("web.b")), gone)
    assert refused("someone-left", seen(instance("web.b")), gone, Tally(removed={"web.b"}))


def test_of_a_deployment_that_was_left_half_done_only_the_dead_are_forgotten() -> None:
    allowed = [shift for shift in Shift if not refused("only-the-dead", seen(), Traffic(shift, "web.a", "web"))]
    assert allowed == [Shift.FORGET]


def test_every_rule_of_a_deployment_holds_but_for_those_that_are_left_out_with_a_reason() -> None:
    kept, known = [guard.name for guard in UPKEEP], [guard.name for guard in GUARDS]
    assert set(known) - set(kept) == {"complete", "edges-heard", "rise-before-fall", "someone-serves"}
    assert [name for name in kept if name in known] == [name for name in known if name in kept]
    assert ABANDONED[1:] == UPKEEP
    assert set(QUIET) <= set(OWN)


@pytest.mark.parametrize(
    ("cell", "replicas"),
    [
        (Cell("web", "r1", 5), 5),
        (Cell("web", "r1", 0), 2),
        (Cell("web", "r9", 5), 2),
        (Cell("web-2", "r1", 5), 2),
    ],
    ids=["scaled by a person", "about to stop", "of another revision", "another cell"],
)
def test_a_service_is_kept_in_as_many_instances_as_somebody_has_given_a_cell_since(cell: Cell, replicas: int) -> None:
    assert plan_of_upkeep(INTENT, Observation(1.0, (cell,))).origin == (Goal("web", "r1", replicas, 100),)


def test_what_the_last_deployment_did_not_put_there_is_named() -> None:
    cells = (
        Cell("web", "r9", 1, (Instance("web.a", "r9", InstanceState.READY),)),
        Cell("web-2", "", 1, (Instance("web-2.a", "", InstanceState.READY),)),
        Cell("web-3", "r9", 1),
    )
    assert strangers(INTENT, Observation(1.0, cells)) == (
        "web runs r9 that was not deployed there: deploy again",
        "web-2 runs something that was not deployed there: deploy again",
    )
    assert strangers(INTENT, Observation(1.0, (Cell("web", "r1", 1, (instance("web.a"),)),))) == ()


def test_what_can_never_have_traffic_is_named_with_what_to_do() -> None:
    lost = Instance("web.b", "r1", InstanceState.READY, note="no network", address_lost=True)
    looked = Observation(1.0, (Cell("web", "r1", 2, (instance("web.a"), lost)),))
    assert out_of_reach(looked) == ("web.b can't be reached, no network: deploy again with restart",)
