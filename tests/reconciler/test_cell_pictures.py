"""The picture of a cell is derived anew when something of that cell has changed, and only then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from attrs import evolve

from zdd.gates import TcpGate
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Exposure, Service
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result, Verdict
from zdd.reconciler.cell_pictures import cell_pictures
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import GateRecord, InstanceRecord, Progress, admission_key

NOW_S = 1_000.0
PORTS = ("http", "admin")
SERVICE = Service("web", replicas=2, exposures=[Exposure("http"), Exposure("admin", path="/admin")])
REVISION = Revision("r1", "1", {}, (TcpGate("http"),), PORTS)
PLAN = Plan(
    SERVICE,
    "r1",
    {"r1": REVISION},
    (),
    (Stage("one", (Goal("web", "r1", 1, 50), Goal("web-2", "r1", 1, 50))), Stage("two", (Goal("web", "r1", 1, 40),))),
    0,
    3,
)


def places(cell: str) -> dict[str, Address]:
    return {port: Address("10.0.0.1", number + 10 * len(cell)) for number, port in enumerate(PORTS)}


def cell(name: str) -> Cell:
    return Cell(name, "r1", 1, (Instance(f"{name}.a", "r1", InstanceState.READY, places(name)),))


def larger() -> Cell:
    return evolve(cell("web"), instances=(*cell("web").instances, Instance("web.b", "r1", InstanceState.STARTING)))


def told(name: str, weight: int = 50) -> Registration:
    return Registration(f"{name}.a", name, "r1", "1", places(name), weight)


def gate_at(name: str, result: Result = Result.PASSED) -> dict[tuple[str, str], GateRecord]:
    (instance,) = cell(name).instances
    return {(admission_key("r1", 0), instance.key): GateRecord(NOW_S - 1, NOW_S, NOW_S, (), Verdict(result))}


EVERYWHERE = {address: 25 for name in ("web", "web-2") for address in places(name).values()}
LOOK = Observation(
    NOW_S,
    (cell("web"), cell("web-2")),
    registrations=(told("web"), told("web-2")),
    edges=(EdgeView("one", NOW_S, weights=EVERYWHERE), EdgeView("other", NOW_S, weights=EVERYWHERE)),
)
PROGRESS = Progress(
    instances={f"{name}.a": InstanceRecord(name, "r1") for name in ("web", "web-2")},
    gates={**gate_at("web"), **gate_at("web-2")},
)


def picture_of(look: Observation = LOOK, progress: Progress = PROGRESS, now_s: float = NOW_S) -> Picture:
    return Picture(look, PLAN, progress, now_s)


def with_edge(weights: Mapping[Address, int] = EVERYWHERE, *, reachable: bool = True) -> Observation:
    """The other edge says so."""
    return evolve(LOOK, edges=(LOOK.edges[0], EdgeView("other", NOW_S, reachable, weights=weights)))


def without(*names: str) -> dict[Address, int]:
    gone = [address for name in names for address in places(name).values()]
    return {address: weight for address, weight in EVERYWHERE.items() if address not in gone}


BOTH = {"web", "web-2"}
NEXT: dict[str, tuple[Callable[[], Picture], set[str]]] = {
    "the very same": (picture_of, set()),
    "the same, said again": (lambda: picture_of(evolve(LOOK, registrations=(told("web"), told("web-2")))), set()),
    "the same cell, listed again": (lambda: picture_of(evolve(LOOK, cells=(cell("web"), LOOK.cells[1]))), set()),
    "some time later": (lambda: picture_of(now_s=NOW_S + 29), set()),
    "a clock that went back": (lambda: picture_of(now_s=NOW_S - 1), BOTH),
    "so late that nobody is proven any more": (lambda: picture_of(now_s=NOW_S + 31), BOTH),
    "another weight": (lambda: picture_of(evolve(LOOK, registrations=(told("web", 40), told("web-2")))), {"web"}),
    "forgotten by discovery": (lambda: picture_of(evolve(LOOK, registrations=(told("web"),))), {"web-2"}),
    "another size": (lambda: picture_of(evolve(LOOK, cells=(evolve(cell("web"), replicas=2), LOOK.cells[1]))), {"web"}),
    "one more instance": (lambda: picture_of(evolve(LOOK, cells=(larger(), LOOK.cells[1]))), {"web"}),
    "something seen of one": (
        lambda: picture_of(
            progress=evolve(
                PROGRESS, instances={**PROGRESS.instances, "web-2.a": InstanceRecord("web-2", "r1", seen_s=1)}
            )
        ),
        {"web-2"},
    ),
    "another verdict": (
        lambda: picture_of(progress=evolve(PROGRESS, gates={**PROGRESS.gates, **gate_at("web", Result.FAILED)})),
        {"web"},
    ),
    "an edge lets go of one": (lambda: picture_of(with_edge(without("web-2"))), {"web-2"}),
    "an edge divides otherwise": (lambda: picture_of(with_edge(dict.fromkeys(EVERYWHERE, 1))), set()),
    "an edge that had shown none falls silent": (lambda: picture_of(with_edge({}, reachable=False)), BOTH),
    "doubted": (lambda: picture_of(progress=evolve(PROGRESS, doubted={"web.a": NOW_S})), {"web"}),
    "the next stage": (lambda: picture_of(progress=evolve(PROGRESS, stage=1)), {"web"}),
}


@pytest.mark.parametrize("name", NEXT)
def test_only_what_has_changed_is_derived_anew(name: str) -> None:
    before = picture_of()
    make, changed = NEXT[name]
    after, anew = cell_pictures(evolve(make(), memory=before.to_remember())), cell_pictures(make())
    assert {cell for cell, picture in after.by_name.items() if picture is not before.of_cells[cell]} == changed
    assert {cell: picture.facts for cell, picture in after.by_name.items()} == {
        cell: picture.facts for cell, picture in anew.by_name.items()
    }
    assert (after is before.all_cells) == (not changed)
    for together in ("proven", "condemned", "serving", "useful", "measured", "overweight", "unlike_wanted"):
        assert getattr(after, together) == getattr(anew, together)


def test_without_a_memory_everything_is() -> None:
    before = picture_of()
    assert not any(picture is before.of_cells[name] for name, picture in cell_pictures(picture_of()).by_name.items())


def test_a_cell_that_has_gone_is_forgotten_and_a_new_one_is_derived() -> None:
    before = picture_of()
    look = evolve(LOOK, cells=(cell("web"), cell("web-3")))
    after = cell_pictures(evolve(picture_of(look), memory=before.to_remember())).by_name
    assert list(after) == ["web", "web-3"]
    assert after["web"] is before.of_cells["web"]


SEEN = InstanceRecord("web", "r1", seen_at=("other",))


@pytest.mark.parametrize(
    ("look", "record", "shown"),
    [
        (LOOK, None, True),
        (with_edge(without("web")), None, False),
        (with_edge({a: 1 for a in EVERYWHERE if a != places("web")["admin"]}), None, False),  # one port only
        (evolve(LOOK, edges=(EdgeView("one", NOW_S, weights=without("web")), LOOK.edges[1])), None, False),
        (with_edge(reachable=False), None, False),
        (with_edge(reachable=False), InstanceRecord("web", "r1", seen_at=("one",)), False),
        (with_edge(reachable=False), SEEN, True),  # it is believed what it said last
        (
            evolve(with_edge(reachable=False), edges=(EdgeView("one", NOW_S), *with_edge(reachable=False).edges[1:])),
            SEEN,
            False,
        ),
        (evolve(LOOK, edges=()), None, True),
    ],
)
def test_shown_is_what_every_edge_shows_at_every_port(
    look: Observation, record: InstanceRecord | None, shown: bool
) -> None:
    progress = evolve(PROGRESS, instances={} if record is None else {"web.a": record})
    assert cell_pictures(picture_of(look, progress)).by_name["web"].facts.shown == (shown,)


def test_nobody_is_shown_whose_address_is_not_known_yet() -> None:
    (instance,) = cell("web").instances
    partly = evolve(instance, addresses={"http": places("web")["http"]})
    look = evolve(LOOK, cells=(evolve(cell("web"), instances=(partly,)),), edges=())
    assert cell_pictures(picture_of(look)).by_name["web"].facts.shown == (False,)
