"""The greatest token of a service, in one key: who claims it, who is refused, and what is never guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.store import Store
from zdd.errors import LeaseLost, PermanentError
from zdd.interfaces import Fence

ANN, BOB = Fence(3, "ann@host:1"), Fence(4, "bob@host:2")


@pytest.fixture
def store(connection: ConsulConnection, prefix: str) -> Store:
    return Store(connection, prefix)


def accepted(store: Store, fence: Fence) -> bool:
    return store.commit([FenceKey.read(store, "web").accept(fence)])


def test_the_first_claim_finds_no_key_and_the_next_ones_what_was_accepted(store: Store) -> None:
    assert FenceKey.read(store, "web").greatest == Fence(0, "")
    assert accepted(store, ANN)
    assert accepted(store, BOB)
    assert FenceKey.read(store, "web").greatest == BOB
    assert FenceKey.read(store, "worker").greatest == Fence(0, "")


def test_accepting_the_same_again_writes_nothing(store: Store) -> None:
    accepted(store, ANN)
    before = FenceKey.read(store, "web").entry
    assert accepted(store, ANN)
    assert FenceKey.read(store, "web").entry == before


@pytest.mark.parametrize("mine", [ANN, BOB, Fence(5, "cid@host:3")])
def test_what_was_read_before_another_claim_can_claim_nothing(store: Store, mine: Fence) -> None:
    accepted(store, ANN)
    read_before = FenceKey.read(store, "web")
    accepted(store, BOB)
    assert not store.commit([read_before.accept(mine)])
    assert FenceKey.read(store, "web").greatest == BOB


@pytest.mark.parametrize(("token", "passes"), [(2, False), (3, True), (4, True)])
def test_only_a_smaller_token_is_refused_with_who_has_taken_over(store: Store, token: int, passes: bool) -> None:
    accepted(store, ANN)
    key = FenceKey.read(store, "web")
    if passes:
        key.check("web", Fence(token, "mine"))
        return
    words = rf"a newer deployer has taken over web: ann@host:1 \(token 3, ours is {token}\)"
    with pytest.raises(LeaseLost, match=words):
        key.check("web", Fence(token, "mine"))


@pytest.mark.parametrize(
    "record",
    [{}, {"token": 3}, {"holder": "ann"}, *({"token": token, "holder": "ann"} for token in ("3", True, -1, 2.5, None))],
)
def test_a_damaged_key_is_not_taken_for_one_without_a_claim(
    agent: Any, store: Store, prefix: str, record: dict[str, object]
) -> None:
    key = f"{prefix}/heads/web/fence"
    agent.ask("PUT", f"/v1/kv/{key}", json.dumps({"format": 1, **record}).encode())
    with pytest.raises(PermanentError, match=f"Consul's key {key} does not hold what zdd wrote"):
        FenceKey.read(store, "web")
