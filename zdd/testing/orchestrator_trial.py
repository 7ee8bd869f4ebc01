"""What the rules of an orchestrator are tried on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import define, evolve

from zdd.interfaces import Fence, Orchestrator
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.release import Revision, Specification
from zdd.model.service import Service
from zdd.testing.rules import Again, Conditions, Make, opened

LAST_TOKEN = 1_000_000


@define(eq=False)
class OrchestratorTrial:
    """One fresh orchestrator, and short words for what the rules do with it."""

    orchestrator: Orchestrator
    conditions: Conditions
    again: Again[Orchestrator] | None
    token: int = 1

    @property
    def service(self) -> Service:
        """The service that the rules use."""
        return self.conditions.service

    @property
    def other_service(self) -> Service:
        """Another one."""
        return evolve(self.service, name=self.service.name + "-2")

    @property
    def fence(self) -> Fence:
        """The fence that the rules write with."""
        return Fence(self.token, "conformance kit")

    def revision(self, number: int = 1, workload: Specification | None = None) -> Revision:
        """Return a revision; the same number is the same revision."""
        return Revision(f"kit-{number}", f"{number}.0", self.conditions.workload if workload is None else workload)

    def launch(self, replicas: int, cell: str = "kit", revision: Revision | None = None) -> None:
        """Launch a cell."""
        chosen = revision or self.revision()
        self.orchestrator.launch(self.service, chosen, Launch(cell, chosen.id, replicas), self.fence)

    def change(self, number: int, replicas: int) -> None:
        """Change the cell to another revision."""
        revision = self.revision(number)
        self.orchestrator.change(self.service, revision, Change("kit", revision.id, replicas), self.fence)

    def change_in_place(
        self,
        number: int,
        replicas: int,
        changed: int,
        order: UpdateOrder = UpdateOrder.START_FIRST,
        *,
        batch: int = 1,
        workload: Specification | None = None,
    ) -> None:
        """Change so many instances of the cell to another revision, while the others go on."""
        revision, so_far = self.revision(number, workload), InPlace(changed, batch, order)
        command = Change("kit", revision.id, replicas, so_far)
        self.orchestrator.change(self.service, revision, command, self.fence)

    def scale(self, replicas: int) -> None:
        """Scale the cell."""
        self.orchestrator.scale(self.service, self.revision(), Scale("kit", replicas), self.fence)

    def retire(self, cell: str = "kit") -> None:
        """Retire a cell."""
        self.orchestrator.retire(self.service, Retire(cell), self.fence)

    def tidy(self) -> bool:
        """Put right what is left."""
        return self.orchestrator.tidy(self.service, self.fence)

    def cells(self) -> tuple[Cell, ...]:
        """Observe."""
        return self.orchestrator.observe(self.service)

    def cell(self, name: str = "kit") -> Cell | None:
        """Return one cell, if it is listed."""
        return next((cell for cell in self.cells() if cell.name == name), None)

    def instances(self, name: str = "kit") -> tuple[Instance, ...]:
        """Return the listed instances of a cell."""
        cell = self.cell(name)
        return cell.instances if cell else ()

    def ids(self, name: str = "kit") -> set[str]:
        """Return their ids."""
        return {instance.id for instance in self.instances(name)}

    def ready(self, count: int, name: str = "kit", revision: str = "kit-1") -> tuple[Instance, ...]:
        """Wait until exactly so many instances exist, all ready and of this revision, with all their addresses."""
        ports = {exposure.port for exposure in self.service.exposures}

        def look() -> tuple[Instance, ...] | None:
            found = self.instances(name)
            good = [
                one
                for one in found
                if one.state is InstanceState.READY and one.revision == revision and ports <= one.addresses.keys()
            ]
            return found if len(found) == len(good) == count else None

        what = f"cell {name} had exactly {count} instances, all of them ready and of revision {revision}"
        return self.conditions.until(what, look) or ()

    def running(self, count: int) -> tuple[Instance, ...]:
        """Launch the cell and wait until it has so many ready instances."""
        self.launch(count)
        return self.ready(count)

    def gone(self, name: str = "kit") -> None:
        """Wait until a cell is no longer listed."""
        self.conditions.until(f"the retired cell {name} is no longer listed", lambda: self.cell(name) is None)

    def clean_up(self) -> None:
        """Leave nothing running, whatever the rule did and whichever fence it used."""
        fence = Fence(LAST_TOKEN, "conformance kit")
        services = (self.service, self.other_service)
        for service in services:
            for cell in self.orchestrator.observe(service):
                self.orchestrator.retire(service, Retire(cell.name), fence)
        self.conditions.until("everything was gone", lambda: not any(map(self.orchestrator.observe, services)))
        for service in services:
            self.orchestrator.tidy(service, fence)


@contextmanager
def orchestrator_trial(
    make: Make[Orchestrator], conditions: Conditions, again: Again[Orchestrator] | None
) -> Iterator[OrchestratorTrial]:
    """Give a trial on a fresh orchestrator, and leave nothing running afterwards."""
    with opened(make()) as orchestrator:
        trial = OrchestratorTrial(orchestrator, conditions, again)
        try:
            yield trial
        except Exception:
            with suppress(Exception):  # what the rule found says more than what follows from it
                trial.clean_up()
            raise
        trial.clean_up()
