"""What a deployment was asked for, after everything that can be known beforehand was looked at."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from zdd.codec import MissingGate
from zdd.errors import ConfigurationError, TemporaryError
from zdd.events import Outcome
from zdd.gates import TcpGate
from zdd.history import History
from zdd.model.action import check_actions
from zdd.model.address import Address
from zdd.model.cell import InstanceState
from zdd.model.gate import Gate, gate_tuple
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan
from zdd.model.release import Release, Revision
from zdd.model.service import Overlap, Service, check_ports
from zdd.planner import make_plan, observed_goals
from zdd.preflight import demand_of, findings, reached_otherwise, warnings_of
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Strategy, divide, is_strategy
from zdd.surroundings import Surroundings


@frozen
class Request:
    """What a deployment was asked for.

    Attributes:
        service: How the service wants to be treated.
        revision: What is to run.
        strategy: What should happen.
        stated: The service as its user stated it, where the strategy treats it in another way; None: as it is.
    """

    service: Service
    revision: Revision
    strategy: Strategy
    stated: Service | None = None

    def named(self, fresh: str, history: History | None, observation: Observation) -> Request:
        """Return it with the id of its revision: of the one that runs or was under way if that is the same.

        Args:
            fresh: The id for a revision that is new.
            history: What is known of the service; None: the revision is to count as new.
            observation: What runs now.
        """
        new = evolve(self, revision=evolve(self.revision, id=fresh))
        if history is None:
            return new
        names = [history.unfinished.plan.target] if history.unfinished is not None else []
        names += sorted({cell.revision for cell in observation.cells})
        known = [history.revisions[name] for name in names if name in history.revisions]
        same = [one for one in known if one.digest == self.revision.digest]
        return evolve(self, revision=evolve(self.revision, id=same[0].id)) if same else new

    def plan(self, observation: Observation, history: History, around: Surroundings) -> Plan:
        """Return the plan from what is observed now.

        Raises:
            ConfigurationError: The strategy can't do it, its plan can't be carried out, or a look beforehand found an
                error.
        """
        service = self.service
        entrances: dict[str, Address] = {}
        for edge in around.edges if service.exposures else ():
            entrances = {**edge.addresses(service), **entrances}
        each = service.replicas if around.orchestrator.abilities.cell_per_instance else 1
        plan = make_plan(
            service,
            self.revision,
            observation,
            self.strategy,
            revisions=known_revisions(history, observation),
            retreat=self._retreat(history),
            entrances=entrances,
            cells=min(service.cells or each, service.replicas),
            holds=bool(service.exposures and around.edges) and all(edge.abilities.holds for edge in around.edges),
        )
        check_actions(action for stage in plan.stages for action in stage.actions)
        refuse_uneven_shares(plan, around)
        refuse_in_place(plan, around)
        own = [one.id for one in history.revisions.values() if one.workload]  # nobody knows what others run
        found = (
            *reached_otherwise(service, observation, own),
            *findings(around, service, self.revision.workload, demand_of(plan)),
        )
        plan = evolve(plan, stated=self.stated, warnings=warnings_of(found))
        last = history.last
        return plan if last is None else evolve(plan, exposures_before=last.plan.service.exposures)

    def _retreat(self, history: History) -> tuple[Goal, ...] | None:
        """Return where going back leads if a deployment was left half done: to where that one came from.

        Not if it was a removal, or had only to clear away; and not to nothing, unless it is this one that is gone on
        with. Then it is what is observed.
        """
        unfinished = history.unfinished
        if unfinished is None or not unfinished.to_version or unfinished.passed:
            return None
        same = unfinished.plan.target == self.revision.id
        return unfinished.plan.retreat if unfinished.plan.retreat or same else None


def make_request(
    service: Service,
    release: Release,
    strategy: Strategy | None,
    around: Surroundings,
    default_gates: Callable[[Service], tuple[Gate, ...]],
) -> Request:
    """Look at everything that can be known before anything is touched.

    Raises:
        ConfigurationError: It can't work; the message names the thing and the fix.
    """
    for kind, value in ((Service, service), (Release, release)):
        if not isinstance(value, kind):
            given = value.__name__ if isinstance(value, type) else f"a {type(value).__name__}"
            raise ConfigurationError(
                f"deploy and plan take service, release and strategy, in this order: use a zdd.{kind.__name__}(…) "
                f"instead of {given}"
            )
    if strategy is not None and not is_strategy(strategy):
        raise ConfigurationError(f"strategy {strategy!r}: use an object such as zdd.RollingUpdate()")
    gates = release.gates if release.gates is not None else service.gates
    gates = gates or gate_tuple(default_gates(service))
    check_ports(service, gates)
    around.orchestrator.check(service, release.workload)
    if service.exposures:
        around.discovery.check(service)
    if strategy is None:
        strategy = Recreate() if service.overlap is Overlap.FORBIDDEN else RollingUpdate()
    ports = tuple(exposure.port for exposure in service.exposures)
    revision = Revision("planned", release.version, release.workload, gates, ports, release.changes_data)
    refuse_no_floor(service, strategy)
    if getattr(strategy, "stops_everything", False):
        together = evolve(service, overlap=Overlap.FORBIDDEN, floor=None)
        return Request(together, revision, strategy, stated=service)
    if getattr(strategy, "overlaps", False):
        return Request(evolve(service, overlap=Overlap.ALLOWED, floor=0), revision, strategy, stated=service)
    return Request(service, revision, strategy)


def refuse_no_floor(service: Service, strategy: Strategy) -> None:
    """Raise `ConfigurationError` if a floor was stated and the strategy lets nothing serve in the middle."""
    parts = getattr(strategy, "parts", (strategy,))
    if service.floor and service.overlap is Overlap.ALLOWED and any(isinstance(one, Recreate) for one in parts):
        raise ConfigurationError(
            f"{service.name} states a floor of {service.floor}, and with {strategy} nothing serves while the new "
            "instances start: use RollingUpdate(), or leave the floor out"
        )


def accepts_connections(service: Service) -> tuple[Gate, ...]:
    """Return the gate of a service that states none: its first port accepts a connection. None for a worker."""
    return (TcpGate(service.exposures[0].port),) if service.exposures else ()


def known_revisions(history: History, observation: Observation) -> dict[str, Revision]:
    """Return every revision by id; of one that somebody else made, only the id is known."""
    unknown = {cell.revision: Revision(cell.revision, "unknown", {}) for cell in observation.cells}
    return {**unknown, **history.revisions}


def release_of(revision: Revision) -> Release:
    """Return what a revision of the history runs, to be deployed again.

    Raises:
        ConfigurationError: One of its gates can't be brought back, so that it would get traffic unproven.
    """
    missing = _missing(revision.gates)
    if missing:
        raise ConfigurationError(
            f"{revision.version} ({revision.id}) can't be proven here: {missing[0].problem}; "
            "or call deploy with this release and the gates that it needs"
        )
    return Release(revision.version, revision.workload, revision.gates, changes_data=revision.changes_data)


def judgeable(history: History, service: Service, observation: Observation) -> tuple[History, tuple[str, ...]]:
    """Return the history with gates that can be asked here, and one line for each revision that runs and lost one.

    A gate that can't be brought back says nothing for ever; instances that already serve are then judged by the
    default gates instead, so that they can be replaced. Nothing new is admitted on those (`release_of`).
    """
    revisions = dict(history.revisions)
    running = {cell.revision for cell in observation.cells}
    notes = []
    for name, revision in history.revisions.items():
        missing = _missing(revision.gates)
        if missing:
            revisions[name] = evolve(revision, gates=accepts_connections(service))
            if name in running:
                notes.append(f"{revision.version} ({name}) was judged without its own gate: {missing[0].problem}")
    return evolve(history, revisions=revisions), tuple(notes)


def _missing(value: object) -> list[MissingGate]:
    """Return the gates in there that can't be brought back, those inside other gates among them."""
    if isinstance(value, MissingGate):
        return [value]
    if isinstance(value, tuple):
        return [found for one in value for found in _missing(one)]
    attributes = getattr(type(value), "__attrs_attrs__", ())
    return [found for one in attributes for found in _missing(getattr(value, one.name))]


def refuse_uneven_shares(plan: Plan, around: Surroundings) -> None:
    """Raise `ConfigurationError` if a stage divides traffic unevenly and an edge does not know weights."""
    blind = [edge.name for edge in around.edges if not edge.abilities.weighs]
    for number, stage in enumerate(plan.stages if blind else ()):
        shares = {goal.share / goal.replicas for goal in plan.goals_at(number).values() if goal.share}
        if shares and max(shares) > min(shares) * 1.1:
            raise ConfigurationError(
                f"stage {stage.title!r} of {plan.strategy} divides traffic by weight, and {blind[0]} knows no weights: "
                "use BlueGreen() or RollingUpdate()"
            )


def refuse_in_place(plan: Plan, around: Surroundings) -> None:
    """Raise `ConfigurationError` if a stage replaces instances that serve and the orchestrator can't."""
    if around.orchestrator.abilities.in_place:
        return
    for stage in plan.stages:
        if any(goal.in_place is not None for goal in stage.goals):
            raise ConfigurationError(
                f"stage {stage.title!r} of {plan.strategy} replaces instances of {plan.service.name} while the others "
                f"of their cell serve, which {type(around.orchestrator).__name__} can't: use RollingUpdate()"
            )


def refuse_moved_ports(service: Service, history: History, observation: Observation) -> None:
    """Raise `ConfigurationError` if requests that are served now would go to a port that no running instance has."""
    if history.last is None:
        return
    served = {(one.host, one.path): one.port for one in history.last.plan.service.exposures}
    running = [history.revisions[cell.revision] for cell in observation.cells if cell.revision in history.revisions]
    for exposure in service.exposures:
        port = served.get((exposure.host, exposure.path))
        if port in (None, exposure.port):
            continue
        for revision in running:
            if exposure.port not in revision.ports:
                raise ConfigurationError(
                    f"path {exposure.path!r} of {service.name} would move from port {port!r} to {exposure.port!r}, "
                    f"which {revision.version} does not have: deploy with {exposure.port!r} at another path first"
                )


def refuse_deaf_edges(observation: Observation) -> None:
    """Raise `TemporaryError` if an edge can't be reached: nothing could be admitted, so nothing is begun."""
    for view in observation.edges:
        if not view.reachable:
            raise TemporaryError(f"{view.edge} can't be reached, so nothing was begun: {view.note}")


def refuse_left_out_edges(service: str, history: History, around: Surroundings) -> None:
    """Refuse to change a service without an edge behind which it was deployed last: nobody would ask that one.

    Raises:
        ConfigurationError: One is neither among those here nor said to be gone for good.
    """
    last = history.last
    if around.edges_gone is None or last is None or (last.outcome is Outcome.SUCCEEDED and not last.to_version):
        return
    known = {*around.edges_gone, *(edge.name for edge in around.edges)}
    for name in last.edges:
        if name not in known:
            raise ConfigurationError(
                f"{service} was deployed behind {name}, which is not named now, so nobody would see when it sends no "
                f"more requests: name it too; if it is gone for good, give Deployer(…, edges_gone=…) its name, '{name}'"
            )


def runs_already(plan: Plan, observation: Observation, history: History) -> bool:
    """Tell whether what the plan leads to is what runs, and nothing was left half done."""
    if history.unfinished is not None or history.last is None:
        return False
    last = history.last.plan
    stated = [str(gate) for gate in plan.revisions[plan.target].gates]
    known = [str(gate) for gate in history.revisions[plan.target].gates] if plan.target in history.revisions else []
    if last.service.exposures != plan.service.exposures or stated != known:
        return False
    wanted = {goal for goal in plan.final() if goal.replicas}
    # What stands by does so beside others.
    cells = [cell for cell in observation.cells if not plan.beside or cell.revision == plan.target]
    instances = [instance for cell in cells for instance in cell.instances]
    sizes = sorted((cell.replicas for cell in cells), reverse=True)
    return (
        set(observed_goals(plan.service, observation)) == wanted
        and all(cell.revision == plan.target for cell in cells)
        and all(instance.state is InstanceState.READY for instance in instances)
        and len(instances) == plan.service.replicas
        and tuple(sizes) == divide(plan.service.replicas, len(sizes))
    )


def serving_version(plan: Plan, observation: Observation) -> str:
    """Return the version that has most of the traffic now, or had it if all of it has died; empty if none has any."""
    shares: dict[str, int] = {}
    for goal in observed_goals(plan.service, observation):
        shares[goal.revision] = shares.get(goal.revision, 0) + goal.share
    if not any(shares.values()):
        told = sorted(observation.registrations, key=lambda one: one.weight)
        return told[-1].version if told and told[-1].weight else ""
    revision = max(sorted(shares), key=lambda name: shares[name])
    return plan.revisions[revision].version
