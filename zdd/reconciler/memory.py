"""What was derived for a decision, for the next one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from zdd.model.address import Address
from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.reconciler.cell_pictures import CellPictures
from zdd.reconciler.discovered import Discovered
from zdd.reconciler.progress import Observed, Progress


@frozen
class Memory:
    """What was derived for a decision. The next one is the same without it, and takes longer.

    Attributes:
        plan: What was wanted.
        discovered: What discovery knew.
        progress: The evidence.
        sent_to: What each edge that answered said.
        cells: The pictures of the cells.
    """

    plan: Plan
    discovered: Discovered
    progress: Progress
    sent_to: tuple[Mapping[Address, int], ...]
    cells: CellPictures

    def look(self, progress: Progress, observation: Observation) -> Observed:
        """Return a look, with the cells of which it says nothing that is not in the evidence."""
        same = observation.registrations is self.discovered.registrations
        discovered = self.discovered if same else Discovered(observation.registrations, self.discovered.ports)
        if progress.instances is not self.progress.instances:
            return Observed(observation, frozenset(), discovered.by_instance)
        found, pictures = [], self.cells.by_name
        for cell in observation.cells:
            known = pictures.get(cell.name)
            if known is None or known.facts.cell is not cell or not known.settled:
                continue
            if same or known.facts.registrations == discovered.of(cell):
                found.append(cell.name)
        return Observed(observation, frozenset(found), discovered.by_instance)
