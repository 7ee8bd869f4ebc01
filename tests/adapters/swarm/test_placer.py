"""The placement that a cell starts with, by what a swarm says of the other cells' tasks."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field

from zdd import Service
from zdd.adapters.swarm.placement import Placing, as_stated, placed
from zdd.adapters.swarm.placer import LOOKS, Placer
from zdd.errors import TemporaryError

WEB = Service("web", replicas=2)
FULL = "no suitable node (1 node not available for new tasks)"


def node(name: str) -> dict[str, Any]:
    return {"ID": name, "Spec": {}, "Status": {"State": "ready"}}


def task(cell: str, node: str = "", said: str = "", desired: str = "running") -> dict[str, Any]:
    return {"ServiceID": f"id-{cell}", "NodeID": node, "DesiredState": desired, "Status": {"Err": said}}


def spec(replicas: int = 1, **mode: Any) -> dict[str, Any]:
    template = {"ContainerSpec": {"Image": "web"}, "Placement": {"MaxReplicas": 2}}
    return {"Name": "web-2", "TaskTemplate": template, "Mode": mode or {"Replicated": {"Replicas": replicas}}}


@define
class Manager:
    """A swarm of nodes A, B and C, as its manager tells of it with each question."""

    answers: list[list[dict[str, Any]]]
    asked: list[list[str]] = field(factory=list)

    def nodes(self) -> list[dict[str, Any]]:
        return [node(name) for name in "ABC"]

    def tasks(self, services: list[str]) -> list[dict[str, Any]]:
        self.asked.append(sorted(services))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def cells(*names: str) -> dict[str, Any]:
    return {name: {"ID": f"id-{name}"} for name in names}


def away(made: dict[str, Any]) -> list[str]:
    return list((made["TaskTemplate"].get("Placement") or {}).get("Constraints") or [])


def test_a_new_cell_keeps_away_from_where_the_others_are() -> None:
    manager = Manager([[task("web", "A"), task("web-3", "B")]])
    made = Placer(manager).placed(WEB, cells("web", "web-3"), "web-2", spec(), stays=False)
    assert away(made) == ["node.ID!=A", "node.ID!=B"]
    assert manager.asked == [["id-web", "id-web-3"]]


def test_one_whose_tasks_stay_keeps_away_from_no_node_where_they_are() -> None:
    manager = Manager([[task("web-2", "A"), task("web", "A"), task("web", "B")]])
    grown = Placer(manager).placed(WEB, cells("web", "web-2"), "web-2", spec(2), stays=True)
    assert away(grown) == ["node.ID!=B", "node.ID!=zdd-max-replicas-2"]
    assert grown["TaskTemplate"]["Placement"]["MaxReplicas"] == 1
    anew = Placer(manager).placed(WEB, cells("web", "web-2"), "web-2", spec(), stays=False)
    assert away(anew) == ["node.ID!=A", "node.ID!=B"]


@pytest.mark.parametrize(("wanted", "found"), [
    (spec(), cells()), (spec(), cells("web-2")), (spec(0), cells("web")), (spec(Global={}), cells("web")),
])  # fmt: skip
def test_where_there_is_nothing_to_look_at_nobody_is_asked_and_what_was_added_goes(wanted: Any, found: Any) -> None:
    manager = Manager([])
    made = Placer(manager).placed(WEB, found, "web-2", placed(wanted, Placing(("A",), 1)), stays=True)
    assert as_stated(made["TaskTemplate"]) == made["TaskTemplate"] == wanted["TaskTemplate"]
    assert manager.asked == []


def test_it_waits_until_swarm_has_looked_for_a_node_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zdd.adapters.swarm.placer.PAUSE_S", 0.0)
    placed_later = Manager([[task("web")], [task("web")], [task("web", "C")]])
    assert away(Placer(placed_later).placed(WEB, cells("web"), "web-2", spec(), stays=False)) == ["node.ID!=C"]
    assert len(placed_later.asked) == 3
    waits = Manager([[task("web", said=FULL), task("web", "A")]])
    assert away(Placer(waits).placed(WEB, cells("web"), "web-2", spec(), stays=False)) == ["node.ID!=A"]
    never = Manager([[task("web")]])
    with pytest.raises(TemporaryError, match="has not looked for a node for every task of web yet"):
        Placer(never).placed(WEB, cells("web"), "web-2", spec(), stays=False)
    assert len(never.asked) == LOOKS


def test_a_task_that_is_told_to_stop_is_in_nobodys_way() -> None:
    manager = Manager([[task("web", "A", desired="shutdown"), task("web", "B")]])
    made = Placer(manager).placed(WEB, cells("web"), "web-2", spec(), stays=False)
    assert away(made) == ["node.ID!=B"]


def test_where_there_is_no_room_under_the_maximum_only_that_is_kept_and_swarm_says_so() -> None:
    manager = Manager([[task("web", name) for name in "AABBCC"]])
    made = Placer(manager).placed(WEB, cells("web"), "web-2", spec(), stays=False)
    assert away(made) == ["node.ID!=A", "node.ID!=B", "node.ID!=C", "node.ID!=zdd-max-replicas-2"]
