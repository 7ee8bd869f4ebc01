"""Who has once seen a greater token lets nobody with a smaller one do anything any more."""

from __future__ import annotations

import pytest

from zdd.adapters.memory.fences import MemoryFences
from zdd.errors import LeaseLost
from zdd.interfaces import Fence


def test_the_same_and_a_greater_token_are_let_in() -> None:
    fences = MemoryFences()
    for token in (1, 1, 2, 7, 7):
        fences.accept("web", Fence(token, "ann"))


def test_a_smaller_one_is_refused_and_told_who_has_taken_over() -> None:
    fences = MemoryFences()
    fences.accept("web", Fence(2, "bob"))
    with pytest.raises(
        LeaseLost, match=r"ann \(token 1\) no longer has the lease of web: bob \(token 2\) has taken over"
    ):
        fences.accept("web", Fence(1, "ann"))
    with pytest.raises(LeaseLost):  # being refused has changed nothing
        fences.accept("web", Fence(1, "ann"))
    fences.accept("web", Fence(2, "bob"))


def test_a_token_of_one_service_says_nothing_of_another() -> None:
    fences = MemoryFences()
    fences.accept("web", Fence(9, "bob"))
    fences.accept("shop", Fence(1, "ann"))
