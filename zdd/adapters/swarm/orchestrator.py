"""Replicas are tasks of Docker Swarm, and a cell is a Swarm service.

The first cell is the service's own name, the others are ``<name>-2`` and so on. A service that somebody else made is
a cell too: it is observed as it is, and from the first deployment on it has zdd's labels, which restarts no task.

What zdd keeps in the swarm itself, in configs: the token of the last deployer (``zdd-fence-…``, for good), and every
revision whole (``zdd-revision-…``, until the service is retired). The swarm's managers agree on both.

How a cell is changed: to 0 tasks, which tells all of the old ones to stop, and in the next request to the new template
with all its tasks, which Swarm starts at once. Its own updater has no part in it: the user's update settings stay as
they are, nothing is paused half-way, and no new task waits for an old one to end. So this is for a cell without
traffic, as the reconciler gives it.

Only where the reconciler says in place, Swarm's own updater does it, one batch for each request: see `in_place`. The
user's update settings are put back by `tidy` when the last batch is through.

How two deployers are kept apart: every write looks at the accepted token first, and is sent with the version of the
service that it was decided on, so Swarm refuses it when the service was written in between. A claim writes its token on
every cell, so a write that was decided before the claim is refused after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from zdd.adapters.half_done import half_done
from zdd.adapters.swarm import labels
from zdd.adapters.swarm.addresses import NodePorts, OverlayAddresses, TaskAddresses
from zdd.adapters.swarm.archive import Archive
from zdd.adapters.swarm.cell_names import CellNames, check_free
from zdd.adapters.swarm.container import Container, read_container
from zdd.adapters.swarm.content_store import check_files
from zdd.adapters.swarm.drift import difference
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.adapters.swarm.engine import TIMEOUT_S, Engine, NameTaken, NotThere, OutOfSequence
from zdd.adapters.swarm.fences import SwarmFences, check_token, claimed, token_of
from zdd.adapters.swarm.in_place import check_in_place, handed_back, is_under_way, places, stepped
from zdd.adapters.swarm.inspection import Inspection, findings
from zdd.adapters.swarm.listing import Listing
from zdd.adapters.swarm.networks import as_permitted, check_networks
from zdd.adapters.swarm.nodes import ailing
from zdd.adapters.swarm.observed import cell_of, is_retired, observed_cell, something_left
from zdd.adapters.swarm.placer import Placer
from zdd.adapters.swarm.platforms import check_platforms
from zdd.adapters.swarm.revisions import KEPT, SwarmRevisions
from zdd.adapters.swarm.specification import (
    PinnedImage,
    check_revision,
    check_spec,
    for_cell,
    is_empty,
    is_global,
    pinned,
    replicas_of,
    resolved,
    revision_in,
    with_labels,
    with_replicas,
)
from zdd.adapters.swarm.upkeep import living, of_service, upkeep
from zdd.adapters.swarm.watch import Watch
from zdd.errors import AdapterError, ConfigurationError, PermanentError, TemporaryError
from zdd.interfaces import Fence, OrchestratorAbilities
from zdd.model.cell import Cell
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.finding import Demand, Finding
from zdd.model.names import check_number, pairs_of
from zdd.model.release import Revision, Specification
from zdd.model.service import Service

Json = dict[str, Any]

POLL_S = 1.0
ATTEMPTS = 10


class SwarmOrchestrator:
    """Runs instances as tasks of a swarm.

    Args:
        *docker_hosts: A manager's Engine, as ``DOCKER_HOST`` takes it, or an `Endpoint`; or several managers of one
            swarm, of which the next one is asked when one can't be reached. None: what the docker client would use.
        addresses: Where the edges reach a task.
        names: Service → the name of the existing Swarm service that it is to be, where that is another one: a stack's
            service ``shop_web`` can't be a zdd service's name.
        poll_s: How often the swarm is asked while something is awaited, in seconds.
        timeout_s: Seconds that the Engine gets to answer. It gives its own calls to the swarm 20.
        kept_revisions: How many earlier revisions of a service are kept whole, with their secrets, configs and images.
    """

    def __init__(
        self,
        *docker_hosts: str | Endpoint | None,
        addresses: NodePorts | OverlayAddresses | None = None,
        names: dict[str, str] | None = None,
        poll_s: float = POLL_S,
        timeout_s: float = TIMEOUT_S,
        kept_revisions: int = KEPT,
    ) -> None:
        check_number("kept_revisions", kept_revisions, least=1, whole=True)
        check_number("poll_s", poll_s, least=0.001)
        way = addresses if addresses is not None else NodePorts()
        self._engine = Engine(*docker_hosts, timeout_s=timeout_s)
        self._publish = isinstance(way, NodePorts)
        self._addresses = TaskAddresses(self._engine, way)
        self._names = CellNames(pairs_of("names of Swarm", names or {}, {"web": "shop_web"}))
        self._poll_s = poll_s
        self._fences = SwarmFences(self._engine)
        self._archive = Archive(self._engine, SwarmRevisions(self._engine, kept_revisions), publish=self._publish)
        self._listing = Listing(self._engine)
        self._placer = Placer(self._engine)
        self._seen: dict[str, tuple[int, dict[str, Json], list[Json]]] = {}

    @property
    def abilities(self) -> OrchestratorAbilities:
        """A cell is a Swarm service with a name of its own, so a service has one cell unless it asks for more."""
        return OrchestratorAbilities(cell_per_instance=False, poll_s=self._poll_s, replaces=True, in_place=True)

    @property
    def calls(self) -> dict[str, int]:
        """How many calls of the Engine's API were made so far, by kind. The stream of events is not among them."""
        return dict(self._engine.calls)

    def close(self) -> None:
        """Close the connections to the Engine."""
        self._engine.close()

    # -- looking ------------------------------------------------------------------------------------------------------

    def check(self, service: Service, workload: Specification) -> None:
        """Raise `ConfigurationError` if it could not run here, `TemporaryError` if nobody can say. Asks a registry."""
        container = read_container(workload)
        try:
            found = self._found(service)
            base = self._archive.base(service, found, self._names.first(service))
            nodes = self._engine.nodes()
        except PermanentError as error:
            raise ConfigurationError(f"{service.name} can't be deployed here: {error}") from error
        check_spec(service, container, base)
        check_networks(service.name, container.service_spec, found)
        self._check_name(service, container, found)
        check_files(self._engine, service.name, container.files)
        try:
            image = pinned(container.image, self._engine.distribution(container.image))
        except AdapterError as error:
            raise ConfigurationError(f"image {container.image} can't be had from its registry: {error}") from error
        check_platforms(image, nodes)

    def inspect(self, service: Service, workload: Specification, demand: Demand) -> tuple[Finding, ...]:
        """Look for what could go wrong with this workload, on these nodes. Change nothing.

        Raises:
            AdapterError: The swarm can't be asked.
        """
        container = read_container(workload)
        found = self._found(service)
        base = self._archive.base(service, found, self._names.first(service))
        planned = Revision("planned", "planned", workload)
        spec = resolved(base, container, PinnedImage(container.image), service, planned, publish=self._publish)
        alone = len(found) == 1
        changed = {name: self._archive.changed(service, one, alone=alone) for name, one in found.items()}
        tasks = self._engine.tasks([one["ID"] for one in found.values()])
        return findings(Inspection(service, container, spec, demand, self._engine.nodes(), changed, tasks))

    def examine(self) -> tuple[Finding, ...]:
        """Look for nodes that are down, and managers too few to lose one. Change nothing.

        Raises:
            AdapterError: The swarm can't be asked.
        """
        return tuple(Finding(*words) for words in ailing(self._engine.nodes()))

    def observe(self, service: Service) -> tuple[Cell, ...]:
        """Return the cells that exist, sorted by name, whoever made them.

        The tasks are always asked for. The Swarm services are, too, unless a watch knows that none has changed.
        """
        writes = self._engine.writes
        found, tasks = self._look(service)
        self._seen[service.name] = (writes, found, tasks)
        self._addresses.learn(service, tasks)
        listed = living(found, tasks)
        return tuple(
            evolve(
                observed_cell(service, one, own, self._addresses),
                changed=self._archive.changed(service, one, alone=len(listed) == 1),
            )
            for one, own in listed
        )

    def watch(self, service: Service, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` when the Engine tells of a service or a container that may be this service's."""
        watch = Watch(self._engine, self._names.prefixes(service), wake)
        self._listing.watch(service.name, watch)
        watch.start()
        return watch.end

    # -- writing ------------------------------------------------------------------------------------------------------

    def claim(self, service: Service, fence: Fence) -> None:
        """Refuse smaller tokens from now on: also those of writes that were decided, but not sent, before this.

        Only a cell of which somebody else's update is not through is left as it is: any write would let that go on.
        """
        self._fences.accept(service.name, fence)
        found, tasks = self._look(service)
        self._archive.keep_found(service, found)
        for cell, one in found.items():
            changed = self._archive.changed(service, one, alone=len(found) == 1)
            spec = claimed(service.name, cell, one, of_service(one, tasks), fence, changed)
            if spec is not None:
                self._update(service, one, spec, fence)

    def tidy(self, service: Service, fence: Fence) -> bool:
        """Put right what `upkeep` says, by the last look if nothing was written since.

        Raises:
            TemporaryError: Somebody else has written in between: look again.
        """
        writes, found, tasks = self._seen.pop(service.name, (-1, {}, []))
        if writes != self._engine.writes:
            found, tasks = self._look(service)
        due = upkeep(service, found, tasks)
        if due.changes or due.gone:
            self._fences.accept(service.name, fence)
        for swarm_service, spec in due.changes:
            self._update(service, swarm_service, spec, fence)
        if due.gone and len(due.gone) == len(found):  # first, so that nothing is left if this is the end
            self._archive.forget(service)
        for swarm_service in due.gone:
            self._engine.remove_service(swarm_service["ID"])
        return not due.later

    def launch(self, service: Service, revision: Revision, command: Launch, fence: Fence) -> None:
        """Create the Swarm service. If the cell exists with this revision: like `scale`.

        Raises:
            PermanentError: The cell exists with another revision, or somebody else's service has its name.
            TemporaryError: A cell of this name is just being retired.
        """
        self._fences.accept(service.name, fence)
        found = self._found(service)
        current = found.get(command.cell)
        if current is not None and is_retired(current):
            if something_left(self._engine.tasks([current["ID"]])):
                raise TemporaryError(f"cell {command.cell} of {service.name} is still being retired")
            self._engine.remove_service(current["ID"])
        elif current is not None:
            check_revision(service, command.cell, current, revision)
            self._scale(service, found, current, command.replicas, fence)
            return
        spec = self._wanted(service, found, revision, command, fence)
        try:
            self._engine.create_service(spec)
        except NameTaken as error:
            raise PermanentError(f"cell {command.cell} of {service.name}: {error}") from error

    def change(self, service: Service, revision: Revision, command: Change, fence: Fence) -> None:
        """Stop the cell's tasks and start the new ones, all at once; or let Swarm's updater do one batch."""
        self._fences.accept(service.name, fence)
        found = self._found(service)
        current = self._existing(service, found, command.cell)
        same = revision_in(current) == revision.id
        if command.in_place is not None:
            so_far = places(self._engine.tasks([current["ID"]]), revision.id)
            if same and so_far.changed >= command.in_place.changed:
                return
        elif same and not is_under_way(current["Spec"]):
            self._scale(service, found, current, command.replicas, fence)
            return
        spec = self._wanted(service, found, revision, command, fence)
        if command.in_place is not None:
            check_in_place(service, spec, command.in_place)
            parallelism = so_far.parallelism(command.in_place)
            self._update(service, current, stepped(spec, current["Spec"], command.in_place, parallelism), fence)
            return
        if is_under_way(current["Spec"]):
            spec["UpdateConfig"] = handed_back(current["Spec"]).get("UpdateConfig")
        if not is_empty(current["Spec"]):
            empty = with_labels(with_replicas(current["Spec"], 0), {labels.TOKEN: str(fence.token)})
            self._update(service, current, empty, fence)
            with half_done(lambda: f"the tasks of {command.cell} were told to stop, but then"):
                current = self._existing(service, self._found(service), command.cell)
                self._update(service, current, spec, fence)
            return
        self._update(service, current, spec, fence)

    def scale(self, service: Service, revision: Revision, command: Scale, fence: Fence) -> None:
        """Set the number of tasks. Everything else is written back as it was read, so no task restarts."""
        self._fences.accept(service.name, fence)
        found = self._found(service)
        current = self._existing(service, found, command.cell)
        check_revision(service, command.cell, current, revision)
        self._scale(service, found, current, command.replicas, fence)

    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        """Tell every task to stop, and mark the Swarm service, which `tidy` removes when all have gone."""
        self._fences.accept(service.name, fence)
        found = self._found(service)
        self._archive.keep_found(service, found)
        current = found.get(command.cell)
        if current is not None and not is_retired(current):
            added = {labels.SERVICE: service.name, labels.CELL: command.cell, labels.TOKEN: str(fence.token)}
            empty = with_labels(with_replicas(current["Spec"], 0), {**added, labels.RETIRED: "true"})
            self._update(service, current, empty, fence)

    # -- how ----------------------------------------------------------------------------------------------------------

    def _look(self, service: Service) -> tuple[dict[str, Json], list[Json]]:
        for _ in range(ATTEMPTS):
            found = self._listing.get(service.name)
            if found is None:
                moment = self._listing.moment(service.name)
                found = self._found(service)
                self._listing.put(service.name, moment, found)
            try:
                return found, self._engine.tasks([one["ID"] for one in found.values()])
            except NotThere:  # one of them was removed since
                self._listing.forget(service.name)
        raise TemporaryError(f"services of {service.name} are removed all the time: {ATTEMPTS} looks were in vain")

    def _wanted(
        self, service: Service, found: dict[str, Json], revision: Revision, command: Launch | Change, fence: Fence
    ) -> Json:
        """Return what a cell is to run, where it fits beside the others."""
        first = self._names.original(service, found, revision)
        spec = self._archive.record(service, revision, found, first).spec
        there = found.get(command.cell)
        gone = there is None or is_retired(there)
        name = self._names.of_cell(service, command.cell, first) if gone else found[command.cell]["Spec"]["Name"]
        spec = for_cell(spec, service.name, command.cell, name, revision.id, command.replicas, fence.token, first=first)
        stays = isinstance(command, Change) and command.in_place is not None
        return self._placer.placed(service, found, command.cell, spec, stays=stays)

    def _scale(self, service: Service, found: dict[str, Json], current: Json, replicas: int, fence: Fence) -> None:
        spec = with_labels(with_replicas(current["Spec"], replicas), {labels.TOKEN: str(fence.token)})
        if not is_global(spec) and replicas > replicas_of(current["Spec"]):
            spec = self._placer.placed(service, found, cell_of(current), spec, stays=True)
        if spec != current["Spec"]:
            self._update(service, current, spec, fence)

    def _update(self, service: Service, current: Json, spec: Json, fence: Fence) -> None:
        """Write a specification that was made from `current`, unless somebody has written in between.

        Swarm itself writes to a service, too, and changes its version by that: then the specification is the same and
        the write is sent again.

        Raises:
            LeaseLost: A newer deployer has written.
            TemporaryError: Somebody else has.
        """
        base, version = current["Spec"], current["Version"]["Index"]
        check_token(service.name, token_of(base), fence)
        for _ in range(ATTEMPTS):
            try:
                self._engine.update_service(current["ID"], version, as_permitted(base, spec))
            except OutOfSequence:
                self._fences.accept(service.name, fence)
                fresh = self._engine.service(current["ID"])
                if fresh is None:
                    raise TemporaryError(f"{base['Name']} was removed by somebody else") from None
                check_token(service.name, token_of(fresh["Spec"]), fence)
                if fresh["Spec"] != base:
                    what = f"at {fresh['UpdatedAt']}: {difference(base, fresh['Spec'])}"
                    raise TemporaryError(f"{base['Name']} was changed by somebody else {what}") from None
                version = fresh["Version"]["Index"]
            except NotThere as error:
                raise TemporaryError(f"{base['Name']} was removed by somebody else: {error}") from error
            else:
                return
        raise TemporaryError(f"{base['Name']} is written by Swarm all the time: {ATTEMPTS} attempts were refused")

    def _found(self, service: Service) -> dict[str, Json]:
        """Return cell name → Swarm service, for those that are this service's or that it is to adopt."""
        first = self._names.first(service)
        found = {}
        for one in self._engine.services(self._names.prefixes(service)):
            owner = (one["Spec"].get("Labels") or {}).get(labels.SERVICE)
            if owner == service.name or (owner is None and one["Spec"]["Name"] == first):
                found[cell_of(one)] = one
        return found

    def _existing(self, service: Service, found: dict[str, Json], cell: str) -> Json:
        current = found.get(cell)
        if current is None:
            raise PermanentError(f"{service.name} has no cell {cell}: launch it first")
        if is_retired(current):
            raise TemporaryError(f"cell {cell} of {service.name} is being retired")
        return current

    def _check_name(self, service: Service, container: Container, found: dict[str, Json]) -> None:
        first = self._names.wanted(service, container)
        if not any(one["Spec"]["Name"] == first for one in found.values()):
            check_free(service, first, self._engine.services([first]))
