"""What a cell is told because of the other cells, and that Swarm can then do no harm, whichever nodes it takes."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from zdd.adapters.swarm.placement import Placing, as_stated, chosen, have_room, needed, placed, stated_most
from zdd.adapters.swarm.specification import digest

ZONES = {"A": "one", "B": "one", "C": "two", "D": "two"}
BY_ZONE = {"Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}]}


def node(name: str) -> dict[str, Any]:
    return {"ID": name, "Spec": {"Labels": {"zone": ZONES.get(name, "")}}, "Status": {"State": "ready"}}


def template(most: int = 0, **placement: Any) -> dict[str, Any]:
    return {"ContainerSpec": {"Image": "web"}, "Placement": {**placement, **({"MaxReplicas": most} if most else {})}}


@pytest.mark.parametrize(
    ("most", "sizes", "there", "nodes", "fit"),
    [
        (1, [1, 1, 1], "", "ABC", True),
        (1, [1, 1, 1], "", "AB", False),
        (1, [3], "ABC", "ABCDE", False),
        (1, [3], "ABC", "ABCDEF", True),
        (2, [4], "ABCD", "ABCD", True),
        (2, [2, 2], "", "ABC", True),
        (2, [3], "AABBC", "ABCD", False),  # one on C and two on D: no maximum says so
        (2, [1], "AABB", "AB", False),
        (0, [9, 9], "AABB", "AB", True),
    ],
)
def test_whether_cells_fit_beside_others(most: int, sizes: list[int], there: str, nodes: str, *, fit: bool) -> None:
    assert have_room(template(most), sizes, places(there), [node(name) for name in nodes]) is fit


def places(text: str) -> dict[str, int]:
    return Counter(text)


@pytest.mark.parametrize(
    ("most", "replicas", "others", "nodes", "expected"),
    [
        (0, 2, "", "ABC", Placing()),
        (0, 1, "AB", "ABC", Placing(("A", "B"))),
        (0, 3, "ABC", "ABC", Placing()),
        (0, 2, "A", "ABC", Placing(("A",))),
        (0, 3, "A", "ABC", Placing()),
        (1, 2, "AB", "ABCD", Placing(("A", "B"), 1)),
        (1, 3, "AB", "ABCD", None),
        (2, 4, "ABCD", "ABCD", Placing((), 1)),
        (2, 1, "AABBC", "ABC", Placing(("A", "B"), 1)),
        (2, 4, "AABB", "ABCD", Placing(("A", "B"), 2)),
        (2, 3, "AABB", "ABC", None),
    ],
)
def test_where_a_cell_starts(most: int, replicas: int, others: str, nodes: str, expected: Placing | None) -> None:
    assert chosen(template(most), replicas, {}, places(others), [node(name) for name in nodes]) == expected


@pytest.mark.parametrize(
    ("replicas", "others", "away"),
    [(1, "A", ("A", "B")), (1, "C", ("C", "D")), (1, "ACB", ("A", "B", "C")), (2, "AC", ("A", "C"))],
)
def test_preferences_count_for_all_cells_together(replicas: int, others: str, away: tuple[str, ...]) -> None:
    found = chosen(template(**BY_ZONE), replicas, {}, places(others), [node(name) for name in "ABCD"])
    assert found == Placing(away)


def test_what_was_stated_can_be_told_from_it() -> None:
    stated = template(2, Constraints=["node.id != B", "node.role==worker"])
    made = placed({"TaskTemplate": stated}, Placing(("C",), 1))
    told = made["TaskTemplate"]["Placement"]
    assert told["MaxReplicas"] == 1
    assert told["Constraints"][:2] == ["node.id != B", "node.role==worker"]
    assert (stated_most(made["TaskTemplate"]), as_stated(made["TaskTemplate"])) == (2, stated)
    assert placed(made, Placing())["TaskTemplate"] == stated
    assert digest(made["TaskTemplate"]) == digest(stated)
    bare = {"ContainerSpec": {"Image": "web"}}
    assert digest(placed({"TaskTemplate": bare}, Placing(("C",)))["TaskTemplate"]) == digest(bare)
    assert digest(template(1)) != digest(template(2))


def put(made: dict[str, Any], count: int, own: Counter[str], names: str, chance: random.Random) -> None:
    """Place tasks as badly as Swarm may: by chance, where the constraints and the maximum of this cell allow it."""
    placement = made["Placement"]
    for _ in range(count):
        barred = {line.partition("!=")[2] for line in placement.get("Constraints") or []}
        free = [name for name in names if name not in barred and own[name] < placement["MaxReplicas"]]
        if free:
            own[chance.choice(free)] += 1


def test_no_node_ever_has_more_than_was_stated() -> None:
    for seed in range(300):
        live(seed)


def live(seed: int) -> None:
    """Start some cells, then let nodes go down or tasks end, with Swarm placing them as badly as it may."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = "ABCDEFGH"[: chance.randint(2, 8)]
    most, cells = chance.randint(1, 3), chance.randint(2, 4)
    running: list[Counter[str]] = []
    specs: list[dict[str, Any]] = []
    wanted: list[int] = []

    def others(number: int) -> Counter[str]:
        return sum((one for index, one in enumerate(running) if index != number), Counter())

    def loosened() -> None:
        for number, own in enumerate(running):
            need = needed(specs[number], wanted[number], own, others(number))
            specs[number] = placed({"TaskTemplate": specs[number]}, need)["TaskTemplate"]

    for number in range(cells):
        replicas = chance.randint(1, 3)
        place = chosen(template(most), replicas, {}, others(number), [node(name) for name in names])
        if place is None:
            continue
        specs.append(placed({"TaskTemplate": template(most)}, place)["TaskTemplate"])
        running.append(Counter())
        wanted.append(replicas)
        put(specs[-1], replicas, running[-1], names, chance)
        assert sum(running[-1].values()) == replicas or len(running) == 1, f"seed {seed}: no room"
        loosened()
    for _ in range(6):  # a node goes down, or a task ends; Swarm starts it elsewhere, and somebody sees it
        number = chance.randrange(len(running))
        lost = chance.choice(names)
        gone = running[number].pop(lost, 0)
        put(specs[number], gone, running[number], names.replace(lost, "") or names, chance)
        loosened()
        assert max(others(-1).values(), default=0) <= most, f"seed {seed}"
