"""What discovery knows, looked up by instance, by cell and by address."""

from __future__ import annotations

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.traffic import Registration
from zdd.reconciler.discovered import Discovered

A, A_ADMIN, B, GONE = (Address("10.0.0.1", port) for port in (80, 90, 81, 82))


def known(instance: str, weight: int, **addresses: Address) -> Registration:
    return Registration(instance, "web", "r1", "1", addresses, weight)


IN = known("web.a", 60, http=A, admin=A_ADMIN)
OUT = known("web.b", 0, http=B)
LEFT = known("web.gone", 40, http=GONE)
DISCOVERED = Discovered((IN, OUT, LEFT), ("http",))


def test_it_says_of_each_instance_of_a_cell_what_it_knows_in_their_order() -> None:
    members = tuple(Instance(name, "r1", InstanceState.READY) for name in ("web.b", "web.new", "web.a"))
    assert DISCOVERED.of(Cell("web", "r1", 3, members)) == (OUT, None, IN)
    assert DISCOVERED.of(Cell("empty", "r1", 0)) == ()


def test_what_nobody_lists_any_more_is_still_known() -> None:
    assert DISCOVERED.by_instance == {"web.a": IN, "web.b": OUT, "web.gone": LEFT}
    assert DISCOVERED.weights == {"web.a": 60, "web.b": 0, "web.gone": 40}


def test_only_ports_that_edges_reach_of_instances_that_are_in_are_to_have_traffic() -> None:
    assert DISCOVERED.told == {A: 60, GONE: 40}
    assert Discovered((IN, OUT, LEFT), ("http", "admin")).told == {A: 60, A_ADMIN: 60, GONE: 40}
    assert Discovered((IN, OUT, LEFT), ()).told == {}
