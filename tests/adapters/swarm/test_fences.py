"""The greatest token of a service, in the name of a config: what it refuses, and what is left of those before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.fences import SwarmFences, check_token, token_of
from zdd.errors import LeaseLost, PermanentError
from zdd.interfaces import Fence


@pytest.fixture
def engine(swarm: Any) -> Iterator[Engine]:
    with contextlib.closing(Engine(swarm.engine)) as made:
        yield made


def kept(engine: Engine) -> list[str]:
    return sorted(one["Spec"]["Name"] for one in engine.configs())


def test_each_service_keeps_the_greatest_token_alone_and_whoever_comes_later_finds_it(engine: Engine) -> None:
    fences = SwarmFences(engine)
    for token in (1, 2, 9, 10):  # by number, not by text
        fences.accept("web", Fence(token, "ann@host:1"))
    fences.accept("web-2", Fence(4, "bob@host:2"))
    assert kept(engine) == ["zdd-fence-web-10", "zdd-fence-web-2-4"]
    written = engine.writes
    SwarmFences(engine).accept("web", Fence(10, "ann@host:1"))
    assert engine.writes == written
    with pytest.raises(LeaseLost, match=r"a newer deployer has taken over web \(token 10, ours is 9\)"):
        SwarmFences(engine).accept("web", Fence(9, "ann@host:1"))
    assert kept(engine) == ["zdd-fence-web-10", "zdd-fence-web-2-4"]


def test_of_those_who_claim_at_once_the_greatest_is_accepted_and_the_others_never_again(engine: Engine) -> None:
    def claim(token: int) -> None:
        with contextlib.suppress(LeaseLost):
            SwarmFences(engine).accept("web", Fence(token, f"deployer {token}"))

    with ThreadPoolExecutor(6) as deployers:
        list(deployers.map(claim, [3, 6, 1, 5, 2, 4]))
    SwarmFences(engine).accept("web", Fence(6, "deployer 6"))
    for token in range(1, 6):
        with pytest.raises(LeaseLost):
            SwarmFences(engine).accept("web", Fence(token, "late"))


def test_a_config_of_somebody_else_under_that_name_is_not_taken_for_a_token(swarm: Any, engine: Engine) -> None:
    swarm.api.create_config("zdd-fence-web-1", b"mine")
    with pytest.raises(PermanentError, match="config zdd-fence-web-1 is not zdd's: remove it"):
        SwarmFences(engine).accept("web", Fence(1, "ann@host:1"))


@pytest.mark.parametrize(
    ("described", "token"),
    [
        ({"zdd.token": "12"}, 12), ({"zdd.token": "0"}, 0), ({}, -1), (None, -1),
        ({"zdd.token": ""}, -1), ({"zdd.token": "-3"}, -1), ({"zdd.token": "²"}, -1), ({"zdd.token": "x"}, -1),
    ],
)  # fmt: skip
def test_the_token_of_a_swarm_object_is_read_from_its_label(described: Any, token: int) -> None:
    assert token_of({"Labels": described}) == token


@pytest.mark.parametrize(("accepted", "refused"), [(-1, False), (4, False), (5, False), (6, True)])
def test_only_a_greater_one_refuses(accepted: int, refused: bool) -> None:
    with pytest.raises(LeaseLost) if refused else contextlib.nullcontext():
        check_token("web", accepted, Fence(5, "ann@host:1"))
