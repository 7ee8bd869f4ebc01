"""Replicas are local processes, each with a supervisor of its own that outlives the deployer.

::

    <state directory>/
        port-cursor
        services/<service>/
            fence                       the greatest token accepted
            next-instance               so that no number is given twice
            logs/<instance>.txt         the last logs of instances that have ended
            cells/<cell>/
                cell.json               what the cell is meant to be
                <cell>.<number>/        an instance: see `zdd.adapters.local.supervised`

Whatever ends the deployer's processes as a group ends the instances too: a deployer that runs as a systemd unit needs
``KillMode=process``, or a scope of its own for the instances.

An instance's id is ``<cell>.<number>.<incarnation>``: one that its supervisor had to start again is another instance,
at the same address.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from zdd.adapters.fence_file import FenceFile
from zdd.adapters.local.cell_directory import CellDirectory, CellRecord, Place
from zdd.adapters.local.program import Program
from zdd.adapters.local.supervised import Phase, Supervised
from zdd.adapters.local.workload import check_interpreter, check_process, check_writable, read_workload
from zdd.adapters.locked_file import file_error
from zdd.atomic_file import remove_half_written, write_atomically
from zdd.errors import OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence, OrchestratorAbilities
from zdd.model.cell import Cell
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.names import path_text
from zdd.model.release import Process, Revision, Specification
from zdd.model.service import Service

_POLL_S = 0.05
_SETTLES_WITHIN_S = 1.0
_FORCED_END_S = 10.0  # how long the kernel may take to end what can't refuse any more


class LocalOrchestrator:
    """Runs instances as processes of this machine.

    Any number of deployers, one after the other or at once, may use one state directory; each makes a value of its
    own. Two services share nothing but the machine's ports.
    """

    def __init__(self, state_directory: str | Path) -> None:
        self._state_directory = Path(path_text("state_directory", state_directory)).absolute()

    @property
    def abilities(self) -> OrchestratorAbilities:
        """A cell costs nothing, so every instance can have its own."""
        return OrchestratorAbilities(cell_per_instance=True, poll_s=_POLL_S)

    def check(self, service: Service, workload: Specification) -> None:
        """Raise `ConfigurationError` if this workload could not run here. Change nothing."""
        check_interpreter()
        check_process(read_workload(workload))
        check_writable(self._service_directory(service.name))

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse every write for this service that carries a smaller token."""
        with self._writing(service, fence):
            pass

    def observe(self, service: Service) -> tuple[Cell, ...]:
        """Return the cells that exist, sorted by name, whoever made them."""
        try:
            found = [directory.observe() for directory in self._cells(service.name)]
        except OSError as error:
            raise file_error(error, self._service_directory(service.name)) from error
        return tuple(cell for cell in found if cell is not None)

    def tidy(self, service: Service, fence: Fence) -> bool:
        """Remove what is left of retired cells and of interrupted removals; the logs are kept."""
        try:
            leaving = [cell for cell in self._cells(service.name) if cell.is_leaving()]
            gone = [cell for cell in leaving if cell.observe() is None]
        except OSError as error:
            raise file_error(error, self._service_directory(service.name)) from error
        if gone:
            with self._writing(service, fence):
                for cell in gone:
                    self._forget(service.name, cell)
        return len(gone) == len(leaving)

    def launch(self, service: Service, revision: Revision, command: Launch, fence: Fence) -> None:
        """Create the cell and begin to start its instances. If the cell exists with this revision: like `scale`."""
        with self._writing(service, fence):
            cell = self._cell(service.name, command.cell)
            record = cell.record()
            if record is not None and record.revision != revision.id and cell.observe() is not None:
                raise PermanentError(
                    f"cell {command.cell} of {service.name} exists with revision {record.revision}, not {revision.id}"
                )
            self._converge(service, revision, cell, CellRecord(revision.id, revision.version, command.replicas))

    def change(self, service: Service, revision: Revision, command: Change, fence: Fence) -> None:
        """Begin to stop the instances of other revisions, and to start `replicas` of this one."""
        with self._writing(service, fence):
            cell = self._existing(service, command.cell)
            self._converge(service, revision, cell, CellRecord(revision.id, revision.version, command.replicas))

    def scale(self, service: Service, revision: Revision, command: Scale, fence: Fence) -> None:
        """Begin to start or stop instances until the cell has `replicas`; the newest go first."""
        with self._writing(service, fence):
            cell = self._existing(service, command.cell)
            record = cell.record()
            if record is None or record.revision != revision.id:
                raise PermanentError(
                    f"cell {command.cell} of {service.name} runs another revision than {revision.id}: change it instead"
                )
            self._converge(service, revision, cell, evolve(record, replicas=command.replicas, retired=False))

    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        """Begin to stop every instance, and forget the cell when all have gone."""
        with self._writing(service, fence):
            cell = self._cell(service.name, command.cell)
            record = cell.record()
            if record is not None:
                self._retire(service.name, cell, record, service.stop_grace_s)

    def watch(self, service: Service, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from a thread of its own, when a file of this service's cells has changed."""
        ended = threading.Event()

        def look() -> None:
            seen: tuple[tuple[str, int], ...] = ()
            while not ended.wait(_POLL_S):
                try:
                    now = self._fingerprint(service.name)
                except OSError:  # a cell is just being removed; or it can't be read, which whoever observes it says
                    continue
                if now != seen:
                    seen = now
                    wake()

        threading.Thread(target=look, name=f"zdd-watch-{service.name}", daemon=True).start()
        return ended.set

    def services(self) -> tuple[str, ...]:
        """Return the names of the services that this state directory knows, sorted."""
        root = self._state_directory / "services"
        return tuple(sorted(path.name for path in root.iterdir() if path.is_dir())) if root.is_dir() else ()

    def stop_everything(self, grace_s: float = 10.0) -> tuple[str, ...]:
        """Stop every instance of every service, whoever deploys it, and wait for their end. Return their ids.

        For the end of a demonstration or a test. No fence is asked: a deployer at work would start them again.

        Raises:
            TemporaryError: Something is still there after `grace_s` seconds and then some, or can't be told to stop.
        """
        stopped: list[str] = []
        for service in self.services():
            with self._fence(service).hold():
                for cell in self._cells(service):
                    record = cell.record()
                    if record is None:
                        continue
                    seen = cell.observe()
                    stopped += [instance.id for instance in seen.instances] if seen else []
                    try:
                        self._retire(service, cell, record, grace_s)
                    except OSError as error:
                        where = error.filename or cell.path
                        raise TemporaryError(f"{where}: {error.strerror}: mend that, then stop again") from error
        deadline = time.monotonic() + grace_s + _FORCED_END_S
        while left := [each for service in self.services() for each in self._left(service)]:
            if time.monotonic() >= deadline:
                raise TemporaryError(f"still there after {grace_s + _FORCED_END_S:g} s: {', '.join(left)}")
            time.sleep(_POLL_S / 5)
        return tuple(stopped)

    def _left(self, service: str) -> list[str]:
        left = []
        for directory in self._cells(service):
            try:
                if directory.observe() is None:
                    with self._fence(service).hold():
                        self._forget(service, directory)
                    continue
            except OSError:
                pass  # its files are still being written: there is another look
            left.append(f"{service}/{directory.name}")
        return left

    def _retire(self, service: str, cell: CellDirectory, record: CellRecord, grace_s: float) -> None:
        cell.write(evolve(record, replicas=0, retired=True))
        left = cell.clear_ended(self._service_directory(service) / "logs")
        for place in left:
            place.program.stop(grace_s)
        if not left:
            cell.remove()

    def _converge(self, service: Service, revision: Revision, cell: CellDirectory, record: CellRecord) -> None:
        """Write down what the cell is to be, then make it so. Repeating it does whatever an interrupted one left."""
        process = read_workload(revision.workload)
        cell.write(record)
        wanted: list[Place] = []
        for place in cell.clear_ended(self._service_directory(service.name) / "logs"):
            if place.state.phase is Phase.STOPPING:
                continue
            if place.revision == record.revision:
                wanted.append(place)
            else:
                place.program.stop(service.stop_grace_s)
        for place in wanted[record.replicas :]:
            place.program.stop(service.stop_grace_s)
        for _ in range(record.replicas - len(wanted)):
            try:
                self._start(service, revision, process, cell)
            except (TemporaryError, PermanentError) as error:  # true of this instance, but not of the whole command
                raise OutcomeUnknown(f"{cell.name}: {error}", settles_within_s=_SETTLES_WITHIN_S) from error

    def _start(self, service: Service, revision: Revision, process: Process, cell: CellDirectory) -> None:
        name = f"{cell.name}.{self._next_number(service.name):04d}"
        program = Program(
            name=name,
            command=process.command,
            environment={
                **process.environment,
                "ZDD_SERVICE": service.name,
                "ZDD_CELL": cell.name,
                "ZDD_VERSION": revision.version,
                "ZDD_REVISION": revision.id,
            },
            working_directory=None if process.directory is None else Path(process.directory),
            port_names=revision.ports or [exposure.port for exposure in service.exposures],
            labels={"revision": revision.id},
            stop_grace_s=service.stop_grace_s,
        )
        Supervised.start(cell.path / name, program, port_cursor=self._state_directory / "port-cursor")

    def _next_number(self, service: str) -> int:
        """Take a number that no instance of this service ever had; taken for good before it is used."""
        path = self._service_directory(service) / "next-instance"
        try:
            number = int(path.read_text(encoding="ascii")) if path.exists() else 1
        except ValueError as error:
            raise PermanentError(f"{path} is damaged: it should hold a number that no instance had yet") from error
        remove_half_written(path)
        write_atomically(path, [str(number + 1).encode()])
        return number

    def _forget(self, service: str, cell: CellDirectory) -> None:
        """Remove what is left of a cell that is leaving, if it still is now that nobody else can write.

        A directory without a record is what an interrupted removal leaves; a launch writes its record in the same
        lock in which it makes the directory.
        """
        if cell.is_leaving() and not cell.clear_ended(self._service_directory(service) / "logs"):
            cell.remove()

    @contextmanager
    def _writing(self, service: Service, fence: Fence) -> Iterator[None]:
        """Hold the service's lock, refuse an old fence, and tell the world's faults in the words of `zdd.errors`."""
        directory = self._service_directory(service.name)
        try:
            (directory / "cells").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            where = error.filename or directory
            raise PermanentError(
                f"{where} can't be made: {error.strerror}. Nothing was changed: mend that first"
            ) from error
        with self._fence(service.name).guard(service.name, fence):
            try:
                yield
            except OSError as error:
                raise OutcomeUnknown(
                    f"{error.filename or directory}: {error.strerror}", settles_within_s=_SETTLES_WITHIN_S
                ) from error

    def _fingerprint(self, service: str) -> tuple[tuple[str, int], ...]:
        """Return something that differs when a record, a state or a request to stop has changed."""
        found = []
        for cell in self._cells(service):
            for path in [cell.path / "cell.json", *cell.path.glob("*/state.json"), *cell.path.glob("*/stop")]:
                try:
                    found.append((str(path), path.stat().st_mtime_ns))
                except FileNotFoundError:
                    continue
        return tuple(sorted(found))

    def _existing(self, service: Service, name: str) -> CellDirectory:
        cell = self._cell(service.name, name)
        if cell.observe() is None:
            raise PermanentError(f"{service.name} has no cell {name}: launch it first")
        return cell

    def _cells(self, service: str) -> list[CellDirectory]:
        root = self._service_directory(service) / "cells"
        try:
            return [CellDirectory(path) for path in sorted(root.iterdir()) if path.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _cell(self, service: str, name: str) -> CellDirectory:
        return CellDirectory(self._service_directory(service) / "cells" / name)

    def _fence(self, service: str) -> FenceFile:
        return FenceFile(self._service_directory(service) / "fence")

    def _service_directory(self, service: str) -> Path:
        return self._state_directory / "services" / service
