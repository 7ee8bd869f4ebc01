"""A look at the whole chain: what would lose requests, or keep the next deployment from being carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zdd.errors import AdapterError, ConfigurationError, JournalError
from zdd.events import Outcome
from zdd.history import History, read_history
from zdd.interfaces import STACK, Examined
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.observation import with_known_addresses
from zdd.model.service import Service
from zdd.preflight import findings
from zdd.surroundings import Surroundings
from zdd.wording import printable


def checkup(around: Surroundings, services: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Return what was found, errors first. Change nothing.

    Asked are the orchestrator, discovery, every edge, journal and lease, each for itself; and for every service:
    whether a deployment was left half done, whether what should run can be seen, and what a look before its next
    deployment would find.

    Args:
        around: The parts.
        services: Which ones; none: all that were ever deployed.
    """
    found = list(_parts(around))
    try:
        names = tuple(services) or tuple(name for name in around.journal.services() if not name.startswith(STACK))
    except (AdapterError, JournalError) as error:
        found.append(_broken("journal", error, "mend it before anything is deployed: nothing can be written down"))
        names = ()
    for name in names:
        found += _service(around, name)
    unique: dict[tuple[str, str], Finding] = {}
    for one in found:
        unique.setdefault((one.subject, one.problem), one)
    return tuple(sorted(unique.values(), key=lambda one: one.severity is not Severity.ERROR))


def _parts(around: Surroundings) -> Iterator[Finding]:
    for part in (around.orchestrator, around.discovery, *around.edges, around.journal, around.lease):
        if not isinstance(part, Examined):
            continue
        try:
            yield from part.examine()
        except (AdapterError, ConfigurationError) as error:
            yield _broken(_name(part), error, "nothing can be deployed until it answers")


def _service(around: Surroundings, name: str) -> Iterator[Finding]:
    try:
        history = read_history(around.journal.read(name))
    except (AdapterError, JournalError) as error:
        yield _broken(name, error, "mend its journal before it is deployed")
        return
    if history.last is None:
        yield Finding(name, "was never deployed by zdd", "nothing to do, if that is meant")
        return
    yield from _half_done(around, name, history)
    if not history.last.to_version:
        return
    service = history.last.plan.agreed
    revision = history.last.plan.revisions[history.last.plan.target]
    yield from _permitted(around, service)
    yield from findings(around, service, revision.workload, Demand(service.replicas + 1, 2))
    yield from _seen(around, history)


def _permitted(around: Surroundings, service: Service) -> Iterator[Finding]:
    try:
        if service.exposures:
            around.discovery.check(service)
    except ConfigurationError as error:
        yield _broken(service.name, error, "its next deployment would be refused until that is so")
    except AdapterError as error:
        yield _broken(service.name, error, "what discovery permits is not known")


def _half_done(around: Surroundings, name: str, history: History) -> Iterator[Finding]:
    last = history.unfinished
    if last is None:
        return
    try:
        holder = around.lease.holder(name)
    except AdapterError as error:
        yield _broken(name, error, "who deploys it is not known")
        return
    if holder is not None:
        return  # somebody is at it
    ended = "was never ended" if last.outcome is None else f"is {last.outcome.value}"
    why = f": {printable(last.reason)}" if last.reason else ""
    frozen = last.outcome is Outcome.FROZEN
    advice = "look, then resume or rollback" if frozen else f"`python -m zdd resume {name}`"
    yield Finding(name, f"deployment {last.id} of {printable(last.to_version)} {ended}{why}", advice)


def _seen(around: Surroundings, history: History) -> Iterator[Finding]:
    if history.last is None:
        return
    service = history.last.plan.agreed
    try:
        cells = around.orchestrator.observe(service)
        running = sum(len(cell.instances) for cell in cells)
        if history.unfinished is None and running < service.replicas:
            problem = f"{running} of {service.replicas} instances exist"
            yield Finding(service.name, problem, "see why the others ended, then deploy again")
        known, _ = around.discovery.registrations(service) if service.exposures else ((), False)
        for lost in (one for cell in with_known_addresses(cells, known) for one in cell.instances if one.address_lost):
            yield Finding(service.name, f"{lost.id} can't be reached: {lost.note}", "deploy again with restart")
        for edge in around.edges if service.exposures else ():
            try:
                edge.view(service, ())
            except AdapterError as error:
                yield _broken(edge.name, error, "nothing can be admitted or removed while it can't be asked")
    except AdapterError as error:
        yield _broken(service.name, error, "what runs can't be seen, so nothing can be deployed")


def _broken(subject: str, error: Exception, fix: str) -> Finding:
    return Finding(subject, printable(str(error)), fix, Severity.ERROR)


def _name(part: object) -> str:
    return str(getattr(part, "name", type(part).__name__))
