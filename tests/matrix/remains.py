"""What there is on a machine, in a form in which two moments can be compared: what is left over shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zdd.adapters.embedded import Embedded
from zdd.model.service import Service

PASSING = re.compile(r"^(services/web/logs/.*|zdd\.sqlite3-(wal|shm))$")
"""Logs are kept on purpose, and SQLite's own files belong to whoever has the database open."""


def shape(state: Path) -> Counter[str]:
    """Return every file and every process of this state directory, without the numbers in their names."""
    found = Counter(f"file {name}" for name in _files(state) if not PASSING.match(name))
    found.update(f"process {name}" for name in _processes(state))
    return found


def _files(state: Path) -> Iterator[str]:
    for path in state.rglob("*"):
        name = str(path.relative_to(state))
        name = re.sub(r"/cells/web(-\d+)?(?=/|$)", "/cells/CELL", name)
        yield re.sub(r"web(-\d+)?\.\d+(\.\d+)?", "INSTANCE", name)


def _processes(state: Path) -> Iterator[str]:
    mark = str(state).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            own = mark in (entry / "environ").read_bytes() or any(mark in word for word in words)
        except OSError:
            continue  # it has ended
        if own and words[0]:
            scripts = [Path(word.decode()).name for word in words[1:] if word.endswith(b".py")]
            yield scripts[0] if scripts else Path(words[0].decode()).name


def wrong(parts: Embedded, service: Service, before: Counter[str]) -> list[str]:
    """Return what is not as it should be while nobody deploys, one line each: an empty list if nothing is left over."""
    cells = parts.orchestrator.observe(service)
    registrations, held = parts.discovery.registrations(service)
    instances = {one.id for cell in cells for one in cell.instances}
    known = {one.instance for one in registrations}
    found = [f"{name} is registered and does not exist" for name in sorted(known - instances)]
    found += [f"{name} is not registered" for name in sorted(instances - known)]
    found += [f"{one.instance} is drained" for one in registrations if not one.weight]
    found += [f"{cell.name} is empty" for cell in cells if not cell.instances]
    if len(instances) != service.replicas:
        found.append(f"there are {len(instances)} instances of {service.replicas}")
    revisions = {one.revision for cell in cells for one in cell.instances}
    if len(revisions) != 1:
        found.append(f"there are {len(revisions)} revisions")
    if held:
        found.append("requests are held")
    holder = parts.lease.holder(service.name)
    if holder is not None:
        found.append(f"{holder.name} holds the lease")
    now = shape(parts.state_directory)
    found += [f"{count} more: {what}" for what, count in sorted((now - before).items())]
    found += [f"{count} fewer: {what}" for what, count in sorted((before - now).items())]
    return found
