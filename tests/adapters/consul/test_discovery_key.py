"""What zdd keeps of a service's discovery in one key: whether requests are held, and every name it may be listed by."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery_key import DiscoveryKey, add_names, set_names
from zdd.adapters.consul.store import Store
from zdd.errors import LeaseLost, OutcomeUnknown, PermanentError
from zdd.interfaces import Fence

ANN, BOB = Fence(1, "ann@host:1"), Fence(2, "bob@host:2")


class Crowded(Store):
    """Keys to which somebody else writes just before each of the first few commits."""

    def __init__(self, connection: ConsulConnection, prefix: str, others: list[Callable[[], object]]) -> None:
        super().__init__(connection, prefix)
        self.others = others

    def commit(self, operations: Any) -> bool:
        if self.others:
            self.others.pop()()
        return super().commit(operations)


@pytest.fixture
def store(connection: ConsulConnection, prefix: str) -> Store:
    return Store(connection, prefix)


def state(store: Store) -> tuple[bool, tuple[str, ...], Fence]:
    key = DiscoveryKey.read(store, "web")
    return key.held, key.names, key.fence.greatest


def test_where_nothing_was_written_nothing_is_held_and_no_name_known(store: Store) -> None:
    assert state(store) == (False, (), Fence(0, ""))


def test_names_are_added_before_and_those_that_are_no_more_forgotten_afterwards(store: Store) -> None:
    assert add_names(store, "web", ANN, ["web", "web-admin"], hold=False) == ("web", "web-admin")
    assert add_names(store, "web", ANN, ["shop"], hold=False) == ("shop", "web", "web-admin")
    assert set_names(store, "web", ANN, ["shop"]) == ("shop",)
    assert state(store) == (False, ("shop",), ANN)


@pytest.mark.parametrize("before", [True, False])
def test_adding_names_may_begin_a_hold_and_never_ends_one(store: Store, before: bool) -> None:
    set_names(store, "web", ANN, ["web"], held=before)
    add_names(store, "web", ANN, ["web"], hold=False)
    assert state(store)[0] is before
    add_names(store, "web", ANN, ["web"], hold=True)
    assert state(store)[0]
    set_names(store, "web", ANN, ["web"])
    assert state(store)[0]
    set_names(store, "web", ANN, ["web"], held=False)
    assert not state(store)[0]


def test_the_same_again_writes_nothing_and_of_a_later_deployer_only_the_claim(store: Store) -> None:
    set_names(store, "web", ANN, ["web"], held=True)
    before = DiscoveryKey.read(store, "web")
    set_names(store, "web", ANN, ["web"], held=True)
    assert DiscoveryKey.read(store, "web") == before
    set_names(store, "web", BOB, ["web"], held=True)
    after = DiscoveryKey.read(store, "web")
    assert (after.entry, after.fence.greatest) == (before.entry, BOB)


def test_an_older_deployer_changes_nothing(store: Store) -> None:
    set_names(store, "web", BOB, ["web"])
    before = DiscoveryKey.read(store, "web")
    for write in (
        lambda: add_names(store, "web", ANN, ["shop"], hold=True),
        lambda: set_names(store, "web", ANN, ["web"]),
    ):
        with pytest.raises(LeaseLost, match="a newer deployer has taken over web: bob@host:2"):
            write()
    assert DiscoveryKey.read(store, "web") == before


def test_what_somebody_wrote_in_between_is_kept(connection: ConsulConnection, store: Store, prefix: str) -> None:
    others = [lambda: set_names(store, "web", ANN, ["shop"], held=True)]
    assert add_names(Crowded(connection, prefix, others), "web", ANN, ["web"], hold=False) == ("web", "shop")
    assert state(store) == (True, ("web", "shop"), ANN)


def test_who_was_shut_out_in_between_writes_nothing(connection: ConsulConnection, store: Store, prefix: str) -> None:
    others = [lambda: set_names(store, "web", BOB, ["shop"])]
    with pytest.raises(LeaseLost):
        add_names(Crowded(connection, prefix, others), "web", ANN, ["web"], hold=True)
    assert state(store) == (False, ("shop",), BOB)


def test_it_is_not_tried_for_ever_while_others_go_on_writing(
    connection: ConsulConnection, store: Store, prefix: str
) -> None:
    numbers = iter(range(100))
    others = [lambda: set_names(store, "web", ANN, [f"shop-{next(numbers)}"])] * 100
    with pytest.raises(OutcomeUnknown, match="web is being changed by many deployers at once"):
        set_names(Crowded(connection, prefix, others), "web", ANN, ["web"])


@pytest.mark.parametrize(
    "record", [{}, {"held": True}, {"names": []}, {"held": 0, "names": []}, {"held": False, "names": [1]}]
)
def test_a_damaged_key_is_named(agent: Any, store: Store, prefix: str, record: dict[str, object]) -> None:
    key = f"{prefix}/heads/web/discovery"
    agent.ask("PUT", f"/v1/kv/{key}", json.dumps({"format": 1, **record}).encode())
    for use in (
        lambda: DiscoveryKey.read(store, "web"),
        lambda: set_names(store, "web", ANN, ["web"]),
    ):
        with pytest.raises(PermanentError, match=f"Consul's key {key} does not hold what zdd wrote"):
            use()
