"""A cell on disk: what it is meant to be, and a directory for each of its instances."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from zdd.adapters.local.supervised import Phase, Supervised, SupervisedState
from zdd.atomic_file import remove_half_written, write_atomically
from zdd.errors import PermanentError
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState

HOST = "127.0.0.1"
LOGS_KEPT = 20
_FORMAT = 1
_RECORD = "cell.json"
_PLACE = re.compile(r"[a-z0-9-]+\.(\d+)")
_STATES = {
    Phase.STARTING: InstanceState.STARTING,
    Phase.READY: InstanceState.READY,
    Phase.FAILED: InstanceState.FAILED,
    Phase.STOPPING: InstanceState.STOPPING,
}


@frozen
class CellRecord:
    """What a cell is meant to be.

    Attributes:
        revision: The id of the revision it is meant to run.
        version: The version of that revision, for people.
        replicas: How many instances it is meant to have.
        retired: It is to be forgotten when its last instance has gone.
    """

    revision: str
    version: str
    replicas: int
    retired: bool = False


@frozen
class Place:
    """A directory in which one instance is supervised, through all its restarts.

    Attributes:
        name: Unique within the service, for ever: the cell's name and a number.
        number: Greater than those of all places made before.
        program: What runs there.
        state: What was seen of it.
    """

    name: str
    number: int
    program: Supervised
    state: SupervisedState

    @property
    def revision(self) -> str:
        """The id of the revision that runs there."""
        return self.state.labels.get("revision", "")

    def instance(self) -> Instance:
        """Return it as the orchestrator tells it."""
        state = self.state
        return Instance(
            id=f"{self.name}.{max(state.incarnation, 1)}",
            revision=self.revision,
            state=_STATES[state.phase],
            addresses={name: Address(HOST, port) for name, port in state.ports.items()},
            since_s=state.since_s,
            restarts=max(state.incarnation - 1, 0),
            note=state.note,
        )


class CellDirectory:
    """Reads and writes one cell. Writes are serialised by the caller."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def record(self) -> CellRecord | None:
        """Return what the cell is meant to be; None if there is no such cell.

        Raises:
            PermanentError: The record is damaged, or was written by a newer version.
        """
        path = self.path / _RECORD
        try:
            return _read(path, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise PermanentError(f"{path}, a cell's record, can't be read: {error.strerror}") from error

    def is_leaving(self) -> bool:
        """Tell whether it is to be forgotten when its last instance has gone, or was not forgotten wholly.

        Raises:
            PermanentError: The record is damaged, or was written by a newer version.
        """
        record = self.record()
        return record is None or record.retired

    def write(self, record: CellRecord) -> None:
        """Keep what the cell is meant to be.

        Raises:
            OSError: It can't be written; the old record is untouched then.
            PermanentError: The old record is damaged, or was written by a newer version.
        """
        if record == self.record():
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "format": _FORMAT,
            "revision": record.revision,
            "version": record.version,
            "replicas": record.replicas,
            "retired": record.retired,
        }
        remove_half_written(self.path / _RECORD)
        write_atomically(self.path / _RECORD, [json.dumps(content).encode()])

    def places(self) -> list[Place]:
        """Return the directories of its instances, oldest first, those that have ended among them."""
        places = []
        try:
            names = [path.name for path in self.path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        for name in names:
            match = _PLACE.fullmatch(name)
            if match:
                program = Supervised(self.path / name)
                places.append(Place(name, int(match[1]), program, program.state()))
        return sorted(places, key=lambda place: place.number)

    def observe(self) -> Cell | None:
        """Return the cell as it is; None if there is none."""
        record = self.record()
        if record is None:
            return None
        instances = tuple(place.instance() for place in self.places() if place.state.phase is not Phase.ENDED)
        if record.retired and not instances:
            return None
        # An instance that was never started, or whose supervisor was killed, is nobody's to start again: the cell is as
        # small as it is, so that whoever wants more asks for it.
        live = sum(1 for i in instances if i.revision == record.revision and i.state is not InstanceState.STOPPING)
        replicas = min(record.replicas, live)
        return Cell(self.name, record.revision, replicas, tuple(sorted(instances, key=lambda each: each.id)))

    def clear_ended(self, logs: Path) -> list[Place]:
        """Remove what has ended, and keep the logs; return the places that are left, oldest first."""
        left = []
        for place in self.places():
            if place.state.phase is Phase.ENDED:
                keep_log(place, logs)
                place.program.discard()
            else:
                left.append(place)
        return left

    def remove(self) -> None:
        """Forget the cell; its instances must have gone. Raises OSError."""
        (self.path / _RECORD).unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # somebody else has just done it
            shutil.rmtree(self.path)


def keep_log(place: Place, logs: Path) -> None:
    """Move the log of an ended instance to where a person can still read it; the oldest ones go."""
    log = place.program.directory / "log.txt"
    logs.mkdir(mode=0o700, exist_ok=True)
    if not log.exists():
        return
    log.replace(logs / f"{place.name}.txt")
    kept = sorted(logs.glob("*.txt"), key=lambda path: (path.stat().st_ctime_ns, path.name))
    for old in kept[:-LOGS_KEPT]:  # by when they were put here: one may have been silent for long before its end
        old.unlink(missing_ok=True)


def _read(path: Path, data: bytes) -> CellRecord:
    try:
        content = json.loads(data)
    except ValueError:
        content = None
    match content:
        case {"format": int(version)} if version != _FORMAT:
            raise PermanentError(f"{path} has format {version}, this version knows {_FORMAT}: use a newer zdd")
        case {
            "format": int(),
            "revision": str(revision),
            "version": str(named),
            "replicas": int(replicas),
            "retired": bool(retired),
        } if replicas >= 0 and not isinstance(replicas, bool):
            return CellRecord(revision, named, replicas, retired)
    raise PermanentError(f"{path} is damaged: it should tell the cell's revision, version, replicas and retired")
