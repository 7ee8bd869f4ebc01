"""The parts that a deployer is given have to go together."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory import MemoryDiscovery, MemoryJournal, MemoryLease, MemoryOrchestrator, MemoryWorld
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError
from zdd.sampler import InlineSampler

WORLD = MemoryWorld()
PARTS: dict[str, Any] = {
    "orchestrator": MemoryOrchestrator(WORLD),
    "discovery": MemoryDiscovery(WORLD),
    "journal": MemoryJournal(),
    "lease": MemoryLease(WORLD.clock),
}


def without(*names: str) -> dict[str, Any]:
    return {name: part for name, part in PARTS.items() if name not in names}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (without("orchestrator"), "brings parts of its own: give the orchestrator too, or no part"),
        ({"edges": [object()]}, "brings parts of its own"),
        ({"clock": WORLD.clock}, "brings parts of its own"),
        (without("discovery"), "needs discovery, journal and lease too"),
        (without("journal"), "needs discovery, journal and lease too"),
        (without("lease"), "needs discovery, journal and lease too"),
        ({**PARTS, "clock": WORLD.clock}, "needs make_sampler too: zdd.sampler.InlineSampler in virtual time"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Deployer(**parts)


def test_those_that_do_are_taken() -> None:
    assert Deployer(**PARTS, clock=WORLD.clock, make_sampler=InlineSampler).services() == ()
