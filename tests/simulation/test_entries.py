"""Which rule an entry of the world's log breaks, and what is the world's own doing, or a person's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.memory import Blame, Entry, MemoryInstance, What
from zdd.model.command import Route
from zdd.model.plan import Goal, Stage
from zdd.model.service import Overlap, Service
from zdd.model.traffic import Registration
from zdd.reconciler.learn import EDGE_FOLLOWS_S
from zdd.simulation.commands import check_command
from zdd.simulation.entries import happened
from zdd.simulation.process import Process


def registration(one: MemoryInstance, weight: int) -> Registration:
    return Registration(one.id, one.cell, one.revision, one.revision, one.addresses, weight)


def test_a_life_in_which_everything_is_right_breaks_nothing(life: Any) -> None:
    life.launch("web-2", "r2", 1)
    life.pass_s(10)
    life.watch.passed.update(one.id for one in life.of("r2"))
    life.route({"r1": 100, "r2": 100})
    life.route({"r1": 100})
    life.pass_s(30)
    life.retire("web-2")
    life.pass_s(30)
    assert life.broken() == []


class TestProven:
    def test_nobody_may_be_led_to_what_never_passed(self, life: Any) -> None:
        life.launch("web-2", "r2", 1)
        life.pass_s(10)
        life.route({"r1": 100, "r2": 100})
        assert life.broken() == ["PROVEN"]

    def test_a_person_may(self, life: Any) -> None:
        life.launch("web-2", "r2", 1)
        life.pass_s(10)
        life.watch.by_hand.update(one.id for one in life.of("r2"))
        life.route({"r1": 100, "r2": 100})
        assert life.broken() == []


class TestCapacity:
    def test_a_command_takes_nobody_who_is_needed_for_the_floor(self, life: Any) -> None:
        life.route({"r1": 100}, but=[life.of("r1")[0].id])
        assert life.broken() == ["CAPACITY"]
        assert "which leaves 2, the floor is 3" in life.watch.violations[0].text

    @pytest.mark.parametrize("floor", [0, 2])
    def test_it_may_take_who_is_not(self, life: Any, floor: int) -> None:
        life.process.plan = life.plan(floor=floor)
        life.route({"r1": 100}, but=[life.of("r1")[0].id])
        assert life.broken() == []

    def test_who_died_a_moment_ago_is_not_missed_yet(self, life: Any) -> None:
        life.process.plan = life.plan(floor=2)
        first, second, _ = life.of("r1")
        life.world.kill(first.id)
        life.route({"r1": 100}, but=[second.id])
        assert life.broken() == []

    def test_what_a_person_changed_is_not_held_against_it(self, life: Any) -> None:
        life.process.interfered = True
        life.route({"r1": 100}, but=[life.of("r1")[0].id])
        assert life.broken() == []


@pytest.mark.parametrize(
    ("overlap", "interfered", "broken"),
    [
        (Overlap.ALLOWED, False, []),
        (Overlap.FORBIDDEN, False, ["ONE_REVISION"]),
        (Overlap.FORBIDDEN, True, []),
    ],
)
def test_where_overlap_is_forbidden_two_revisions_never_exist(
    make_life: Any, overlap: Overlap, interfered: bool, broken: list[str]
) -> None:
    life = make_life(Service("web", replicas=1 if overlap is Overlap.FORBIDDEN else 3, overlap=overlap))
    life.process.interfered = interfered
    life.launch("web-2", "r2", 1)
    assert life.broken() == broken


class TestFenced:
    def changed(self, life: Any, later: Process, caller: Process, called_s: float) -> list[str]:
        life.watch.process, life.watch.caller = later, (caller, called_s)
        happened(life.watch, Entry(life.world.clock.now(), What.CELL, "web", cell="web"))
        return list(life.broken())

    def test_an_older_deployer_changes_nothing_once_the_later_one_has_looked(self, life: Any) -> None:
        now_s, older = life.world.clock.now(), Process(1)
        assert self.changed(life, Process(2), older, now_s) == []
        assert self.changed(life, Process(2, looked=True), older, now_s - 1) == []
        assert self.changed(life, Process(1, looked=True), older, now_s) == []
        life.watch.by_hand_s = now_s
        assert self.changed(life, Process(2, looked=True), older, now_s) == []
        life.watch.by_hand_s = 0.0
        assert self.changed(life, Process(2, looked=True), older, now_s) == ["FENCED"]


def lost(life: Any, blame: Blame, **more: Any) -> list[str]:
    values = {"instance": "web.000001", "edge": "edge", "requests": 3, **more}
    happened(life.watch, Entry(life.world.clock.now(), What.LOST, "web", blame=blame, **values))
    return list(life.broken())


class TestLost:
    @pytest.mark.parametrize(
        ("blame", "broken"),
        [(Blame.WORLD, []), (Blame.ROUTED_BY_COMMAND, ["PROVEN"]), (Blame.GAP, ["HELD"])],
    )
    def test_who_is_to_blame_decides(self, life: Any, blame: Blame, broken: list[str]) -> None:
        assert lost(life, blame) == broken
        assert life.watch.world_losses == (0 if broken else 3)

    def test_what_a_person_registered_is_lost_by_the_person(self, life: Any) -> None:
        life.watch.by_hand.add("web.000001")
        assert lost(life, Blame.ROUTED_BY_COMMAND) == []
        assert life.watch.world_losses == 3

    def test_what_is_taken_out_as_a_whole_leaves_a_gap_that_was_meant(self, life: Any) -> None:
        life.process.plan = life.plan(Stage("take out", (Goal("web", "r1", 0, 0),)))
        assert lost(life, Blame.GAP) == []
        assert life.watch.world_losses == 0

    @pytest.mark.parametrize(
        ("cut", "out_for_s", "broken"),
        [
            (False, 20.0, ["DRAINED"]),  # not on record
            (True, None, ["DRAINED"]),  # it still got requests
            (True, 5.0, ["DRAINED"]),  # before the drain deadline
            (True, 10.0, []),
        ],
    )
    def test_at_a_stop_only_what_was_cut_after_the_deadline_may_be_lost(
        self, life: Any, cut: bool, out_for_s: float | None, broken: list[str]
    ) -> None:
        if cut:
            life.watch.cut.add("web.000001")
        assert lost(life, Blame.STOPPED_BY_COMMAND, out_for_s=out_for_s) == broken

    @pytest.mark.parametrize(("for_s", "broken"), [(EDGE_FOLLOWS_S - 1, ["DRAINED"]), (EDGE_FOLLOWS_S, [])])
    def test_an_edge_that_neither_follows_nor_answers_for_too_long_is_the_worlds(
        self, life: Any, for_s: float, broken: list[str]
    ) -> None:
        for note in ("stuck", "cut off"):
            happened(life.watch, Entry(life.world.clock.now(), What.EDGE, edge="edge", note=note))
        life.pass_s(for_s)
        assert lost(life, Blame.STOPPED_BY_COMMAND) == broken
        assert life.watch.world_losses == (0 if broken else 3)


@pytest.mark.parametrize(
    ("notes", "stuck", "deaf"),
    [
        (["stuck"], True, False), (["cut off"], False, True), (["stuck", "no longer stuck"], False, False),
        (["cut off", "reconnected"], False, False), (["no longer stuck", "reconnected"], False, False),
    ],
)  # fmt: skip
def test_the_state_of_an_edge_is_known_from_its_first_entry_to_its_last(
    life: Any, notes: list[str], stuck: bool, deaf: bool
) -> None:
    began_s = life.world.clock.now()
    for note in notes:
        happened(life.watch, Entry(life.world.clock.now(), What.EDGE, edge="edge", note=note))
        happened(life.watch, Entry(life.world.clock.now(), What.EDGE, edge="edge", note=note))
        life.pass_s(1)
    assert (life.watch.stuck, life.watch.deaf) == (
        {"edge": began_s} if stuck else {},
        {"edge": began_s} if deaf else {},
    )


class TestCanary:
    STAGES = (
        Stage("start", (Goal("web-2", "r2", 3, 0),)),
        Stage("10 %", (Goal("web", "r1", 3, 270), Goal("web-2", "r2", 3, 30))),
        Stage("half", (Goal("web", "r1", 3, 150), Goal("web-2", "r2", 3, 150))),
    )

    def shares(
        self, make_life: Any, rising: int, stage: int, prepare: Callable[[Any], object] = lambda _: None
    ) -> list[str]:
        life = make_life(strategy="Canary(steps=(10, 50))")
        life.process.plan, life.process.stage = life.plan(*self.STAGES, ceiling=6), stage
        life.launch("web-2", "r2", 3)
        life.pass_s(10)
        life.watch.passed.update(one.id for one in life.of("r2"))
        prepare(life)
        life.route({"r1": 100 - rising, "r2": rising})
        return list(life.broken())

    @pytest.mark.parametrize(
        ("rising", "stage", "broken"),
        [(10, 1, False), (11, 1, True), (11, 2, False), (50, 2, False), (51, 2, True), (5, 0, True)],
    )
    def test_it_never_has_more_than_any_stage_so_far_gives_it(
        self, make_life: Any, rising: int, stage: int, broken: bool
    ) -> None:
        assert set(self.shares(make_life, rising, stage)) == ({"CANARY"} if broken else set())

    @pytest.mark.parametrize(("by", "broken"), [("itself", True), ("an earlier one", False)])
    def test_what_an_earlier_one_told_a_slow_discovery_is_judged_by_its_own_plan(
        self, make_life: Any, by: str, broken: bool
    ) -> None:
        def prepare(life: Any) -> None:
            told = Route(tuple(registration(one, 70 if one.revision == "r1" else 30) for one in life.world.instances()))
            earlier = life.process if by == "itself" else Process(0, life.process.plan, stage=2)
            check_command(life.watch, earlier, told)

        assert set(self.shares(make_life, 30, 1, prepare)) == ({"CANARY"} if broken else set())

    @pytest.mark.parametrize("excuse", ["old_died", "interfered"])
    def test_what_others_lack_by_the_worlds_doing_is_not_its_fault(self, make_life: Any, excuse: str) -> None:
        assert self.shares(make_life, 30, 1, lambda life: setattr(life.process, excuse, True)) == []
