"""What every cell should be at each stage of a plan, and which plans could not be carried out."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.model.in_place import InPlace
from zdd.model.plan import Direction, Goal, Plan, Stage, check_plan, peak, traffic_intent
from zdd.model.release import Revision
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.traffic import CellShare

WEB = Service("web", replicas=3, exposures=[Exposure("http"), Exposure("admin", "/admin")])
ONE_AT_A_TIME = Service("web", overlap=Overlap.FORBIDDEN)
REVISIONS = {name: Revision(name, name, {}) for name in ("r1", "r2")}
ORIGIN = (Goal("web", "r1", 3, 90),)


def plan(*stages: Stage, service: Service = WEB, floor: int = 3, ceiling: int = 6, **more: Any) -> Plan:
    return Plan(service, "r2", REVISIONS, ORIGIN, stages, floor, ceiling, **more)


SWITCH = (
    Stage("start", (Goal("web-2", "r2", 3, 0),)),
    Stage("switch", (Goal("web", "r1", 3, 0), Goal("web-2", "r2", 3, 90))),
    Stage("retire", (Goal("web", "r1", 0, 0),)),
)


class TestGoals:
    def test_a_stage_says_only_what_changes(self) -> None:
        made = plan(*SWITCH)
        assert made.goals_at(-1) == {"web": ORIGIN[0]}
        assert made.goals_at(0) == {"web": ORIGIN[0], "web-2": Goal("web-2", "r2", 3, 0)}
        assert made.goals_at(1) == {"web": Goal("web", "r1", 3, 0), "web-2": Goal("web-2", "r2", 3, 90)}
        assert made.final() == (Goal("web", "r1", 0, 0), Goal("web-2", "r2", 3, 90))

    @pytest.mark.parametrize("order", [(2, 1, 0, -1), (0, 2, 0, 2), (-1, 1, 2, 0)])
    def test_in_whatever_order_they_are_asked_for(self, order: tuple[int, ...]) -> None:
        made = plan(*SWITCH)
        for number in order:
            assert made.goals_at(number) == plan(*SWITCH).goals_at(number)

    def test_of_a_long_plan_too_of_which_not_all_are_remembered(self) -> None:
        stages = tuple(Stage(f"{number}", (Goal("web", "r2", 3, number),)) for number in range(20))
        made = plan(*stages)
        for number in (*range(20), *reversed(range(20)), 7, 0, 19):
            assert made.goals_at(number)["web"].share == number

    @pytest.mark.parametrize(("asked", "same_as"), [(-5, -1), (3, 2), (99, 2)])
    def test_before_the_first_is_the_origin_and_after_the_last_is_the_end(self, asked: int, same_as: int) -> None:
        assert plan(*SWITCH).goals_at(asked) == plan(*SWITCH).goals_at(same_as)

    def test_in_the_end_it_is_of_no_matter_how_it_came_to_be_so(self) -> None:
        made = plan(Stage("all", (Goal("web", "r2", 3, 90, InPlace(3)),)))
        assert made.final() == (Goal("web", "r2", 3, 90),)


def test_one_that_leads_from_the_old_to_the_new_can_be_carried_out() -> None:
    made = plan(*SWITCH)
    assert check_plan(made) is made


END = Stage("end", (Goal("web", "r2", 3, 90),))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (plan(Stage("a", (Goal("web", "r3", 3, 90),))), "wants unknown revision 'r3' in cell web"),
        (plan(Stage("a", (Goal("web", "r2", -1, 90),))), r"replicas of web in stage 1 .* is -1: use a whole number"),
        (plan(Stage("a", (Goal("web", "r2", 3, -1),))), r"share of web in stage 1 .* is -1"),
        (plan(Stage("a", (Goal("web", "r2", 3, 0.5),))), r"share of web in stage 1 .* is 0\.5: use a whole number"),
        (plan(Stage("a", (Goal("web-2", "r2", 0, 9),))), "sends traffic to web-2, which has no replicas then"),
        (
            plan(Stage("a", (Goal("web", "r2", 1, 90), Goal("web", "r2", 3, 90)))),
            r"stage 1 \('a'\) of the plan for web states web twice",
        ),
        (plan(Stage("a", (Goal("web", "r2", 2, 90),))), "leaves 2 instances with traffic, below the floor of 3"),
        (plan(Stage("a", (Goal("web", "r2", 7, 90),))), "needs 7 instances at once, above the ceiling of 6"),
        (
            plan(SWITCH[0], Stage("grow", (Goal("web-3", "r2", 1, 0),)), END),
            r"stage 2 \('grow'\) of the plan for web needs 7 instances at once",
        ),
        (plan(Stage("a", END.goals, stopped=True)), "stops everything first: that needs overlap='forbidden'"),
        (plan(*SWITCH[:2]), "does not end with its target alone: web keeps 3 of r1 at share 0"),
        (
            plan(Stage("a", (*END.goals, Goal("web-2", "r2", 1, 0)))),
            "does not end with its target alone: web-2 keeps 1 of r2 at share 0",
        ),
        (plan(), "does not end with its target alone: web keeps 3 of r1 at share 90"),
        (
            plan(Stage("a", (Goal("web", "r2", 3, 90, InPlace(3)),)), floor=0, service=ONE_AT_A_TIME),
            "has two revisions of web side by side, but overlap is forbidden",
        ),
        (plan(Stage("a", (Goal("web", "r2", 3, 90, InPlace(4)),))), "changes 4 instances of web, which has fewer"),
        (
            plan(Stage("a", (Goal("web", "r2", 4, 90, InPlace(4)),))),
            "which does not have 4 instances before: change the number in a stage of its own",
        ),
        (
            plan(Stage("a", (Goal("web", "r2", 3, 90, InPlace(3)),))),
            "leaves 2 instances with traffic, below the floor of 3",
        ),
        (
            plan(Stage("a", (Goal("web", "r2", 3, 90, InPlace(2)),)), floor=2),
            "does not end with its target alone: web keeps 3 of r2 at share 90",
        ),
    ],
)
def test_what_could_not_be_carried_out_is_refused(made: Plan, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_plan(made)


@pytest.mark.parametrize(
    "made",
    [
        plan(*SWITCH[:1], Stage("back", (Goal("web-2", "r2", 0, 0),)), direction=Direction.BACK),
        plan(SWITCH[0], beside=True),
        plan(Stage("a", END.goals, stopped=True), service=ONE_AT_A_TIME, floor=0, ceiling=1),
        plan(Stage("a", (Goal("web", "r2", 3, 90, InPlace(3)),)), floor=2),
    ],
    ids=["going back", "a standby", "a singleton has no ceiling", "in place"],
)
def test_what_need_not_end_with_the_target_alone_or_has_no_ceiling(made: Plan) -> None:
    assert check_plan(made) is made


@pytest.mark.parametrize(
    ("before", "after", "most"),
    [
        ({}, {}, 0),
        ({"a": 3}, {"a": 5}, 5),
        ({"a": 5}, {"a": 3}, 5),
        ({"a": 3}, {"b": 2}, 5),
        ({"a": 3, "b": 1}, {"a": 0, "b": 4}, 7),
    ],
)
def test_between_two_stages_each_cell_is_the_larger_of_both(
    before: dict[str, int], after: dict[str, int], most: int
) -> None:
    def goals(sizes: dict[str, int]) -> dict[str, Goal]:
        return {name: Goal(name, "r1", size, 0) for name, size in sizes.items()}

    assert peak(goals(before), goals(after)) == most


def test_traffic_is_meant_to_go_where_the_goals_say() -> None:
    intent = traffic_intent(WEB, (Goal("web", "r1", 3, 30), Goal("web-2", "r2", 1, 60, InPlace(1))))
    assert (intent.service, intent.ports, intent.held) == ("web", ("http", "admin"), False)
    assert intent.cells == {"web": CellShare("r1", 3, 30), "web-2": CellShare("r2", 1, 60, True)}


def test_on_one_line_and_in_a_notebook_nothing_of_it_is_taken_for_markup() -> None:
    made = plan(Stage("<b>all</b>", END.goals), strategy="RollingUpdate()")
    assert repr(made).startswith("<Plan web: ")
    assert "1 stage; print it to read it" in repr(made)
    assert "&lt;b&gt;all" in made._repr_html_()
