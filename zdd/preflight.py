"""What can be known before anything is touched: every part that can look at its own surroundings is asked to."""

from __future__ import annotations

from collections.abc import Iterable

from zdd.driver import Surroundings
from zdd.errors import AdapterError, ConfigurationError
from zdd.interfaces import Inspected
from zdd.model.finding import Finding, Severity
from zdd.model.release import Specification
from zdd.model.service import Service


def findings(around: Surroundings, service: Service, workload: Specification, peak: int) -> tuple[Finding, ...]:
    """Return what the parts that this service needs found, in order: orchestrator, discovery, edges. Change nothing.

    A part that can't look now is a finding too.

    Args:
        around: The parts. Those that are not `Inspected` are not asked.
        service: How the service wants to be treated.
        workload: What is to run.
        peak: How many instances may exist at once.
    """
    parts: list[object] = [around.orchestrator]
    if service.exposures:
        parts += [around.discovery, *around.edges]
    found: dict[Finding, None] = {}
    for part in parts:
        if isinstance(part, Inspected):
            found.update(dict.fromkeys(_look(part, service, workload, peak)))
    return tuple(found)


def _look(part: Inspected, service: Service, workload: Specification, peak: int) -> tuple[Finding, ...]:
    try:
        return part.inspect(service, workload, peak)
    except AdapterError as error:
        name = str(getattr(part, "name", type(part).__name__))
        return (Finding(name, f"could not be inspected: {error}", "what it would have warned of is not known"),)


def warnings_of(found: Iterable[Finding]) -> tuple[str, ...]:
    """Return the warnings, one line each.

    Raises:
        ConfigurationError: One is more than a warning; the message has all of those.
    """
    found = tuple(found)
    errors = [str(one) for one in found if one.severity is Severity.ERROR]
    if errors:
        raise ConfigurationError("\n".join(errors))
    return tuple(str(one) for one in found)
