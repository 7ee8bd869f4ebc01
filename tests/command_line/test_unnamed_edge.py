"""A call that names no edge changes nothing of a service that has ways in, and anything of one that has none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zdd.adapters.memory import (
    Behaviour,
    HealthyGate,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.command_line.unnamed_edge import NAME_THEM, UnnamedEdge
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError, TemporaryError
from zdd.events import Outcome
from zdd.interfaces import Edge
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.sampler import InlineSampler

WEB, WORKER = Service("web"), Service("worker", exposures=())
OLD, NEW = (Release(version, Behaviour()) for version in ("1", "2"))


class Calls:
    """Calls over one world, each with the edges that it names."""

    def __init__(self) -> None:
        self.world = MemoryWorld()
        self.world.add_edge()
        self.journal, self.lease = MemoryJournal(), MemoryLease(self.world.clock)

    def naming(self, *edges: Edge) -> Deployer:
        return Deployer(
            MemoryOrchestrator(self.world),
            MemoryDiscovery(self.world),
            edges,
            journal=self.journal,
            lease=self.lease,
            clock=self.world.clock,
            make_sampler=InlineSampler,
            default_gates=lambda service: (HealthyGate(self.world),) if service.exposures else (),
        )

    def running(self) -> list[tuple[str, str]]:
        return [(one.id, one.version) for one in self.world.instances()]


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_nothing_is_deployed_for_the_first_time(calls: Calls) -> None:
    with pytest.raises(ConfigurationError, match="web: has ways in, and this call names no edge"):
        calls.naming(UnnamedEdge()).deploy(WEB, OLD)
    assert (calls.running(), calls.journal.services()) == ([], ())


def test_what_serves_is_neither_changed_nor_removed(calls: Calls) -> None:
    calls.naming(*calls.world.edges).deploy(WEB, OLD)
    before = calls.running()
    blind = calls.naming(UnnamedEdge())
    changes: list[Callable[[], object]] = [
        lambda: blind.deploy(WEB, NEW),
        lambda: blind.deploy(WEB, OLD, restart=True),
        lambda: blind.remove("web"),
    ]
    for change in changes:
        with pytest.raises((ConfigurationError, TemporaryError)) as caught:
            change()
        assert NAME_THEM in str(caught.value)
    assert calls.running() == before
    assert calls.naming(*calls.world.edges).deploy(WEB, NEW).outcome is Outcome.SUCCEEDED


def test_a_worker_has_no_edge_to_name(calls: Calls) -> None:
    blind = calls.naming(UnnamedEdge())
    assert blind.deploy(WORKER, OLD).outcome is Outcome.SUCCEEDED
    assert blind.remove("worker").outcome is Outcome.SUCCEEDED


def test_it_knows_of_no_address_at_which_clients_come() -> None:
    assert UnnamedEdge().addresses(WEB) == {}
