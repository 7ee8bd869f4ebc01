"""Every revision of a service whole: made when it is first launched, kept, and compared with what is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.container import read_container
from zdd.adapters.swarm.content_store import clean_contents, mount
from zdd.adapters.swarm.drift import carried_over, changes, in_words
from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.placement import without_placing
from zdd.adapters.swarm.revisions import Record, SwarmRevisions
from zdd.adapters.swarm.specification import FOUND, pinned, resolved, revision_in
from zdd.errors import PermanentError
from zdd.model.release import Revision
from zdd.model.service import Service

Json = dict[str, Any]
Records = Mapping[str, Record]


class Archive:
    """Makes the record of a revision, and tells what somebody else has changed since.

    Args:
        engine: Asks registries.
        revisions: Keeps the records.
        publish: Every exposure needs a port of the node.
    """

    def __init__(self, engine: Engine, revisions: SwarmRevisions, *, publish: bool) -> None:
        self._engine = engine
        self._revisions = revisions
        self._publish = publish
        self._records: dict[str, Records] = {}
        self._told: dict[str, tuple[int, str]] = {}

    def record(self, service: Service, revision: Revision, found: Mapping[str, Json], first: str) -> Record:
        """Return the revision whole: as it was kept when it was first launched, or made and kept now.

        Raises:
            PermanentError: What it ran is not known any more.
        """
        records = self._all(service)
        if revision.id in records:
            return records[revision.id]
        if not revision.workload:
            raise PermanentError(f"what revision {revision.id} of {service.name} ran is not known any more")
        container = read_container(revision.workload)
        base = self.base(service, found, first, records)
        image = pinned(container.image, self._engine.distribution(container.image))
        spec = resolved(base, container, image, service, revision, publish=self._publish)
        mount(self._engine, service.name, spec, container.files)
        self.keep_found(service, found, records)
        self._revisions.keep(service.name, Record(revision.id, spec, base))
        dropped = self._revisions.prune(service.name, {revision.id, *(revision_in(one) for one in found.values())})
        kept = self._all(service)
        needed = [one["Spec"] for one in found.values()]
        needed += [each for one in kept.values() for each in (one.spec, one.base) if each]
        clean_contents(self._engine, service.name, needed, [one.spec for one in dropped])
        return kept.get(revision.id) or Record(revision.id, spec, base)

    def base(
        self, service: Service, found: Mapping[str, Json], first: str, records: Records | None = None
    ) -> Json | None:
        """Return what the service was found with, with what somebody else has changed since."""
        if not found:
            return None
        records = self._all(service) if records is None else records
        for _, one in sorted(found.items(), key=lambda item: (item[1]["Spec"]["Name"] != first, item[0])):
            record = records.get(revision_in(one)) or _found_record(one, records)
            if one["Spec"]["Name"] == first and not record.revision.startswith(FOUND) and _drift(record, one):
                return dict(carried_over(record.base, record.spec, without_placing(one["Spec"])))
            if record.base is not None:
                return record.base
        return None

    def keep_found(self, service: Service, found: Mapping[str, Json], records: Records | None = None) -> None:
        """Keep the specification of a service that zdd did not make, so that going back to it is possible."""
        strange = [one for one in found.values() if revision_in(one).startswith(FOUND)]
        if not strange:
            return
        records = self._all(service) if records is None else records
        for one in strange:
            if revision_in(one) not in records:
                self._revisions.keep(service.name, _found_record(one, records))

    def changed(self, service: Service, one: Json, *, alone: bool) -> str:
        """Say what somebody else has changed in a Swarm service since zdd wrote it, on one line; empty: nothing.

        The records are only read again when the service was written and they don't have its revision.

        Args:
            service: The service.
            one: The Swarm service that is its cell.
            alone: It has no other cell.
        """
        version = one["Version"]["Index"]
        if self._told.get(one["ID"], (-1, ""))[0] != version:
            records = self._records.get(service.name, {})
            if revision_in(one) not in records:
                records = self._all(service)
            self._told[one["ID"]] = (version, _changed(one, records, alone))
        return self._told[one["ID"]][1]

    def forget(self, service: Service) -> None:
        """Remove every record of a service."""
        self._records.pop(service.name, None)
        self._revisions.forget(service.name)

    def _all(self, service: Service) -> Records:
        records = self._records[service.name] = self._revisions.all(service.name)
        return records


def _changed(one: Json, records: Records, alone: bool) -> str:
    described = one["Spec"].get("Labels") or {}
    if labels.CHANGED in described:  # it was, before the last claim
        return str(described[labels.CHANGED])
    record = records.get(revision_in(one))
    known = record is not None and record.revision.startswith(FOUND)
    if known and labels.SERVICE not in described:  # a stack or a person has put back what was there before zdd
        record = _written(one, records) if alone else _labelled(one.get("PreviousSpec") or {}, records)
    elif record is None:
        record = _written(one, records)
    return in_words(changes(record.spec, one["Spec"])) if record is not None else ""


def _drift(record: Record, one: Json) -> list[str]:
    return changes(record.spec, one["Spec"])


def _written(one: Json, records: Records) -> Record | None:
    """Return what zdd had written where now something strange is; None if it never had.

    The labels tell, or those of the specification before; else it is the newest.
    """
    made = [record for record in records.values() if not record.revision.startswith(FOUND)]
    told = _labelled(one["Spec"], records) or _labelled(one.get("PreviousSpec") or {}, records)
    return told or (made[-1] if made else None)


def _labelled(spec: Json, records: Records) -> Record | None:
    inside = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return records.get((inside.get("Labels") or {}).get(labels.REVISION, ""))


def _found_record(one: Json, records: Records) -> Record:
    """Return the record of what zdd did not make."""
    spec = without_placing(one["Spec"])
    written = _written(one, records)
    if written is None:
        return Record(revision_in(one), spec, spec)
    base = carried_over(written.base, written.spec, spec)
    return Record(revision_in(one), spec, base)
