"""Cells of local processes: what the orchestrator's contract promises, with real ones."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.local import cell_directory
from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.errors import ConfigurationError, LeaseLost, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.cell import Cell, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.release import Process, Revision
from zdd.model.service import Exposure, Service

WEB = Service("web", replicas=2, stop_grace_s=5.0)
WORKER = Service("worker", exposures=(), stop_grace_s=5.0)
FENCE = Fence(1, "somebody")


@pytest.fixture
def revision(program):
    """A revision that runs one of the small programs."""

    def make(name: str = "r1", source: str = "serve", **options) -> Revision:
        return Revision(name, f"version of {name}", Process(program(source), **options).specification())

    return make


def the_cell(orchestrator: LocalOrchestrator, service: Service = WEB, name: str = "web") -> Cell | None:
    return next((cell for cell in orchestrator.observe(service) if cell.name == name), None)


def states(cell: Cell | None) -> list[tuple[str, str]]:
    return [(instance.revision, instance.state.value) for instance in cell.instances] if cell else []


def pid_of(orchestrator: LocalOrchestrator, instance: str, which: str = "pid") -> int:
    for path in orchestrator._state_directory.glob(f"services/*/cells/*/{instance.rpartition('.')[0]}/state.json"):
        return int(re.search(rf'"{which}": (\d+)', path.read_text())[1])
    raise AssertionError(f"no instance {instance}")


class TestLaunching:
    def test_the_instances_are_listed_at_once_and_get_ready_at_addresses_that_answer(
        self, orchestrator, revision, wait_until
    ):
        orchestrator.claim(WEB, FENCE)
        orchestrator.launch(WEB, revision(), Launch("web", "r1", 2), FENCE)
        cell = the_cell(orchestrator)
        assert (cell.name, cell.revision, cell.replicas, len(cell.instances)) == ("web", "r1", 2, 2)
        cell = wait_until(lambda: states(cell := the_cell(orchestrator)) == [("r1", "ready")] * 2 and cell)
        assert [instance.id for instance in cell.instances] == ["web.0001.1", "web.0002.1"]
        assert len({instance.addresses["http"] for instance in cell.instances}) == 2
        for instance in cell.instances:
            socket.create_connection((instance.addresses["http"].host, instance.addresses["http"].port), 5).close()
            assert abs(time.time() - instance.since_s) < 60

    def test_an_instance_is_told_what_it_is(self, orchestrator, revision, wait_until, tmp_path):
        service = Service("shop", exposures=(Exposure("http"), Exposure("admin-api", path="/admin")))
        orchestrator.launch(service, revision("r7", "environment"), Launch("shop-2", "r7", 1), FENCE)
        log = tmp_path / "state/services/shop/cells/shop-2/shop-2.0001/log.txt"
        wait_until(lambda: log.exists() and "ZDD_VERSION" in log.read_text())
        addresses = the_cell(orchestrator, service, "shop-2").instances[0].addresses
        for name, value in {
            "ZDD_SERVICE": "shop",
            "ZDD_CELL": "shop-2",
            "ZDD_INSTANCE": "shop-2.0001.1",
            "ZDD_VERSION": "version of r7",
            "ZDD_REVISION": "r7",
            "PORT": str(addresses["http"].port),
            "PORT_HTTP": str(addresses["http"].port),
            "PORT_ADMIN_API": str(addresses["admin-api"].port),
        }.items():
            assert repr((name, value)) in log.read_text()

    def test_it_may_be_repeated(self, orchestrator, revision, wait_until):
        for _ in range(3):
            orchestrator.launch(WEB, revision(), Launch("web", "r1", 2), FENCE)
        assert len(the_cell(orchestrator).instances) == 2

    def test_a_cell_of_another_revision_is_in_the_way(self, orchestrator, revision):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("web", "r1", 1), FENCE)
        with pytest.raises(PermanentError, match="cell web of worker exists with revision r1, not r2"):
            orchestrator.launch(WORKER, revision("r2", "sleep"), Launch("web", "r2", 1), FENCE)
        assert [cell.revision for cell in orchestrator.observe(WORKER)] == ["r1"]

    def test_a_second_deployer_finds_what_the_first_one_left(self, orchestrator, revision, wait_until, tmp_path):
        orchestrator.launch(WEB, revision(), Launch("web", "r1", 1), FENCE)
        other = LocalOrchestrator(str(tmp_path / "state"))
        wait_until(lambda: states(the_cell(other)) == [("r1", "ready")])
        assert other.observe(WEB) == orchestrator.observe(WEB)

    def test_services_see_only_their_own(self, orchestrator, revision):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        assert orchestrator.observe(WEB) == ()
        assert orchestrator.services() == ("worker",)


class TestScaling:
    def test_the_newest_go_first_and_the_others_are_not_restarted(self, orchestrator, revision, wait_until):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        orchestrator.scale(WORKER, revision("r1", "sleep"), Scale("worker", 3), FENCE)
        cell = wait_until(lambda: len(states(cell := the_cell(orchestrator, WORKER, "worker"))) == 3 and cell)
        orchestrator.scale(WORKER, revision("r1", "sleep"), Scale("worker", 1), FENCE)
        left = wait_until(lambda: len((now := the_cell(orchestrator, WORKER, "worker")).instances) == 1 and now)
        assert left.instances[0].id == cell.instances[0].id
        assert left.replicas == 1

    def test_ids_are_never_used_twice(self, orchestrator, revision, wait_until):
        seen = []
        for replicas in (2, 0, 2, 0):
            orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", replicas), FENCE)
            seen += [one.id for one in the_cell(orchestrator, WORKER, "worker").instances] if replicas else []
            wait_until(lambda n=replicas: len(the_cell(orchestrator, WORKER, "worker").instances) == n)
        assert len(set(seen)) == len(seen) == 4

    def test_what_is_not_there_can_t_be_scaled_or_changed(self, orchestrator, revision):
        with pytest.raises(PermanentError, match="worker has no cell worker: launch it first"):
            orchestrator.scale(WORKER, revision(), Scale("worker", 2), FENCE)
        with pytest.raises(PermanentError, match="worker has no cell worker: launch it first"):
            orchestrator.change(WORKER, revision(), Change("worker", "r1", 2), FENCE)

    def test_scaling_is_not_changing(self, orchestrator, revision):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        with pytest.raises(PermanentError, match="runs another revision than r2: change it instead"):
            orchestrator.scale(WORKER, revision("r2", "sleep"), Scale("worker", 2), FENCE)


class TestChanging:
    def test_old_instances_stop_and_new_ones_start_at_once(self, orchestrator, revision, wait_until):
        service = Service("worker", exposures=(), stop_grace_s=1.0)
        orchestrator.launch(service, revision("r1", "stubborn"), Launch("worker", "r1", 2), FENCE)
        log = orchestrator._state_directory / "services/worker/cells/worker/worker.0002/log.txt"
        wait_until(lambda: "deaf" in log.read_text())
        wait_until(lambda: "deaf" in (log.parent.parent / "worker.0001/log.txt").read_text())
        orchestrator.change(service, revision("r2", "sleep"), Change("worker", "r2", 2), FENCE)
        wait_until(
            lambda: (
                states(the_cell(orchestrator, service, "worker"))
                == [("r1", "stopping"), ("r1", "stopping"), ("r2", "ready"), ("r2", "ready")]
            )
        )
        orchestrator.change(service, revision("r2", "sleep"), Change("worker", "r2", 2), FENCE)
        wait_until(lambda: states(the_cell(orchestrator, service, "worker")) == [("r2", "ready")] * 2)
        assert the_cell(orchestrator, service, "worker").revision == "r2"


class TestRetiring:
    def test_the_cell_is_there_until_its_last_instance_has_gone_and_then_nothing_of_it_is(
        self, orchestrator, revision, wait_until
    ):
        service = Service("worker", exposures=(), stop_grace_s=3.0)
        orchestrator.launch(service, revision("r1", "stubborn"), Launch("worker", "r1", 1), FENCE)
        directory = orchestrator._state_directory / "services/worker/cells/worker"
        wait_until(lambda: "deaf" in (directory / "worker.0001/log.txt").read_text())
        began = time.monotonic()
        orchestrator.retire(service, Retire("worker"), FENCE)  # which does not wait for it
        cell = the_cell(orchestrator, service, "worker")
        assert (cell.replicas, states(cell)) == (0, [("r1", "stopping")])
        orchestrator.retire(service, Retire("worker"), FENCE)
        assert not orchestrator.tidy(service, FENCE)
        wait_until(lambda: orchestrator.observe(service) == ())
        assert time.monotonic() - began >= 3.0
        assert directory.exists()  # looking removes nothing
        assert orchestrator.tidy(service, FENCE)
        assert not directory.exists()
        orchestrator.retire(service, Retire("worker"), FENCE)

    def test_the_last_logs_are_kept(self, orchestrator, revision, wait_until, monkeypatch):
        monkeypatch.setattr("zdd.adapters.local.cell_directory.LOGS_KEPT", 3)
        for number in range(5):
            orchestrator.launch(WORKER, revision("r1", "print('hi', flush=True)"), Launch("job", "r1", 1), FENCE)
            log = orchestrator._state_directory / f"services/worker/cells/job/job.{number + 1:04d}/log.txt"
            wait_until(lambda log=log: "hi" in log.read_text())
            orchestrator.retire(WORKER, Retire("job"), FENCE)
            wait_until(lambda: orchestrator.tidy(WORKER, FENCE))
        logs = orchestrator._state_directory / "services/worker/logs"
        assert sorted(path.name for path in logs.iterdir()) == ["job.0003.txt", "job.0004.txt", "job.0005.txt"]
        assert "hi" in (logs / "job.0005.txt").read_text()

    def test_the_name_may_be_used_again_even_while_the_old_ones_are_leaving(self, orchestrator, revision, wait_until):
        orchestrator.launch(WORKER, revision("r1", "stubborn"), Launch("worker", "r1", 1), FENCE)
        log = orchestrator._state_directory / "services/worker/cells/worker/worker.0001/log.txt"
        wait_until(lambda: "deaf" in log.read_text())
        orchestrator.retire(Service("worker", stop_grace_s=1.0), Retire("worker"), FENCE)
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        wait_until(lambda: states(the_cell(orchestrator, WORKER, "worker")) == [("r1", "stopping"), ("r1", "ready")])
        wait_until(lambda: states(the_cell(orchestrator, WORKER, "worker")) == [("r1", "ready")])
        assert the_cell(orchestrator, WORKER, "worker").instances[0].id == "worker.0002.1"

    def test_what_is_left_of_an_interrupted_removal_goes_too(self, orchestrator):
        remains = orchestrator._state_directory / "services/worker/cells/worker/worker.0001"
        remains.mkdir(parents=True)
        assert orchestrator.observe(WORKER) == ()
        assert orchestrator.tidy(WORKER, FENCE)
        assert not remains.parent.exists()


class TestFailing:
    def test_a_crash_loop_says_why_and_counts(self, orchestrator, revision, wait_until):
        orchestrator.launch(WORKER, revision("r1", "crash"), Launch("worker", "r1", 1), FENCE)

        def failed():
            one = next(iter(the_cell(orchestrator, WORKER, "worker").instances), None)
            return one if one and one.state is InstanceState.FAILED and one.restarts >= 2 else None

        one = wait_until(failed)
        assert one.note == "exited with code 3: no database"
        assert one.id == f"worker.0001.{one.restarts + 1}"

    def test_a_restarted_instance_is_another_one_at_the_same_address(self, orchestrator, revision, wait_until):
        orchestrator.launch(WEB, revision(), Launch("web", "r1", 1), FENCE)
        before = wait_until(lambda: states(cell := the_cell(orchestrator)) == [("r1", "ready")] and cell.instances[0])
        os.kill(pid_of(orchestrator, before.id), signal.SIGKILL)
        after = wait_until(
            lambda: (
                states(cell := the_cell(orchestrator)) == [("r1", "ready")]
                and cell.instances[0].restarts == 1
                and cell.instances[0]
            )
        )
        assert (before.id, after.id) == ("web.0001.1", "web.0001.2")
        assert after.addresses == before.addresses
        assert after.note == "started again after: killed by SIGKILL"

    def test_an_instance_whose_supervisor_was_killed_is_gone_and_is_replaced_by_the_next_write(
        self, orchestrator, revision, wait_until, is_running
    ):
        orchestrator.launch(WORKER, revision("r1", "daemon"), Launch("worker", "r1", 1), FENCE)
        log = orchestrator._state_directory / "services/worker/cells/worker/worker.0001/log.txt"
        found = wait_until(lambda: re.search(r"daemon (\d+)", log.read_text()))
        os.kill(pid_of(orchestrator, "worker.0001.1", "supervisor_pid"), signal.SIGKILL)
        wait_until(lambda: the_cell(orchestrator, WORKER, "worker").instances == ())
        assert is_running(int(found[1]))
        orchestrator.scale(WORKER, revision("r1", "sleep"), Scale("worker", 1), FENCE)
        wait_until(lambda: states(the_cell(orchestrator, WORKER, "worker")) == [("r1", "ready")])
        assert not is_running(int(found[1]))
        assert the_cell(orchestrator, WORKER, "worker").instances[0].id == "worker.0002.1"

    def test_a_retired_cell_whose_supervisor_was_killed_leaves_nothing(
        self, orchestrator, revision, wait_until, is_running
    ):
        orchestrator.launch(
            WORKER, revision("r1", "daemon", environment={"STUBBORN": "1"}), Launch("w", "r1", 1), FENCE
        )
        log = orchestrator._state_directory / "services/worker/cells/w/w.0001/log.txt"
        found = wait_until(lambda: re.search(r"daemon (\d+)", log.read_text()))
        orchestrator.retire(WORKER, Retire("w"), FENCE)
        os.kill(pid_of(orchestrator, "w.0001.1", "supervisor_pid"), signal.SIGKILL)
        wait_until(lambda: orchestrator.tidy(WORKER, FENCE))
        wait_until(lambda: not is_running(int(found[1])))
        assert not log.parent.parent.exists()

    def test_what_an_older_deployer_left_is_for_the_later_one(self, orchestrator, revision, wait_until):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        orchestrator.retire(WORKER, Retire("worker"), FENCE)
        wait_until(lambda: orchestrator.observe(WORKER) == ())
        orchestrator.claim(WORKER, Fence(2, "later"))
        with pytest.raises(LeaseLost):
            orchestrator.tidy(WORKER, FENCE)
        directory = orchestrator._state_directory / "services/worker/cells/worker"
        assert directory.exists()
        assert orchestrator.tidy(WORKER, Fence(2, "later"))
        assert not directory.exists()


class TestFencing:
    def test_every_write_of_an_older_deployer_is_refused(self, orchestrator, revision):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        orchestrator.claim(WORKER, Fence(2, "later"))
        before = [cell.instances[0].id for cell in orchestrator.observe(WORKER)]
        r1, r2 = revision("r1", "sleep"), revision("r2", "sleep")
        for write in (
            lambda: orchestrator.claim(WORKER, FENCE),
            lambda: orchestrator.launch(WORKER, r1, Launch("other", "r1", 1), FENCE),
            lambda: orchestrator.scale(WORKER, r1, Scale("worker", 2), FENCE),
            lambda: orchestrator.change(WORKER, r2, Change("worker", "r2", 1), FENCE),
            lambda: orchestrator.retire(WORKER, Retire("worker"), FENCE),
        ):
            with pytest.raises(LeaseLost, match=r"a newer deployer has taken over worker \(token 2, ours is 1\)"):
                write()
        assert [cell.instances[0].id for cell in orchestrator.observe(WORKER)] == before


class TestChecking:
    def test_a_good_one_passes_and_touches_nothing(self, orchestrator, revision):
        orchestrator.check(WEB, revision().workload)
        assert not orchestrator._state_directory.exists()

    @pytest.mark.parametrize(
        ("workload", "state_directory", "complaint"),
        [
            ({"kind": "container", "image": "web:1"}, "state", "workload of kind 'container'"),
            (Process(["no-such-program"]).specification(), "state", "no such program in PATH"),
            (Process(["true"]).specification(), "file/state", "file is not a directory"),
        ],
    )
    def test_what_could_not_run_here_is_refused_before_anything_is_touched(
        self, tmp_path, workload, state_directory, complaint
    ):
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match=complaint):
            LocalOrchestrator(tmp_path / state_directory).check(WEB, workload)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "socket.bind", "subprocess.Popen", "fcntl.flock"}


def killed_at(number: int, write: Callable[[], object]) -> bool:
    """Do it in a copy of this process that kills itself just before its n-th change of the world.

    Return whether it came so far.
    """
    copy = os.fork()
    if copy:
        status = os.waitpid(copy, 0)[1]
        assert status in (0, signal.SIGKILL), f"the write failed by itself: {status}"
        return status == signal.SIGKILL
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        write()
        os._exit(0)
    finally:
        os._exit(1)


class TestDamage:
    def test_a_number_that_is_none_is_named_and_nothing_is_started(self, orchestrator, revision):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        counter = orchestrator._state_directory / "services" / "worker" / "next-instance"
        counter.write_text("")
        with pytest.raises(OutcomeUnknown, match="next-instance is damaged: it should hold a number"):
            orchestrator.scale(WORKER, revision("r1", "sleep"), Scale("worker", 2), FENCE)
        assert len(the_cell(orchestrator, WORKER, "worker").instances) == 1


class TestInterruptions:
    """A write that was killed at any point is repaired by repeating it; nothing is left twice, or without an owner."""

    @pytest.mark.parametrize(
        ("operation", "replicas", "changes"), [("launch", 2, 30), ("change", 1, 20), ("retire", 2, 8)]
    )
    def test_whatever_a_killed_deployer_left_repeating_it_repairs(
        self, tmp_path, revision, wait_until, operation, replicas, changes
    ):
        r1, r2 = revision("r1"), revision("r2")
        running = {"launch": "r1", "change": "r2", "retire": None}[operation]
        wanted = [(running, "ready")] * replicas if running else []
        killed, number = True, 0
        while killed and number < 200:
            number += 1
            orchestrator = LocalOrchestrator(tmp_path / f"state-{number}")
            write = {
                "launch": lambda it=orchestrator: it.launch(WEB, r1, Launch("web", "r1", replicas), FENCE),
                "change": lambda it=orchestrator: it.change(WEB, r2, Change("web", "r2", replicas), FENCE),
                "retire": lambda it=orchestrator: it.retire(WEB, Retire("web"), FENCE),
            }[operation]
            try:
                if operation != "launch":
                    orchestrator.launch(WEB, r1, Launch("web", "r1", replicas), FENCE)
                killed = killed_at(number, write)
                orchestrator.observe(WEB)
                write()
                wait_until(lambda it=orchestrator: states(the_cell(it)) == wanted)
            finally:
                orchestrator.stop_everything(grace_s=0)
        assert not killed
        assert number > changes


class TestWatching:
    def test_it_wakes_when_an_instance_gets_ready_or_ends_and_no_more_once_the_watch_has_ended(
        self, orchestrator, revision, wait_until
    ):
        seen: list[tuple[str, int]] = []

        def look() -> None:
            cell = the_cell(orchestrator, WORKER, "worker")
            seen.extend((one.state.value, one.restarts) for one in cell.instances)

        end = orchestrator.watch(WORKER, look)
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        wait_until(lambda: ("ready", 0) in seen)
        os.kill(pid_of(orchestrator, "worker.0001.1"), signal.SIGKILL)
        wait_until(lambda: ("ready", 1) in seen)
        end()
        wait_until(lambda: not [one for one in threading.enumerate() if one.name == "zdd-watch-worker"])
        seen.clear()
        orchestrator.retire(WORKER, Retire("worker"), FENCE)
        assert not seen

    def test_a_file_that_somebody_put_beside_the_cells_is_left_alone_and_does_not_end_it(self, orchestrator, revision):
        cells = orchestrator._state_directory / "services" / "worker" / "cells"
        cells.mkdir(parents=True)
        (cells / "notes.txt").write_text("do not touch")
        woken = threading.Event()
        end = orchestrator.watch(WORKER, woken.set)
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)
        assert woken.wait(60)
        assert [cell.name for cell in orchestrator.observe(WORKER)] == ["worker"]
        assert orchestrator.tidy(WORKER, FENCE)
        assert (cells / "notes.txt").exists()
        end()


class TestObserving:
    def test_it_never_fails_while_somebody_else_changes_everything(self, orchestrator, revision):
        done = threading.Event()
        troubles: list[Exception] = []
        looks = 0

        def look() -> None:
            nonlocal looks
            while not done.is_set():
                try:
                    orchestrator.observe(WORKER)
                    looks += 1
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                    troubles.append(error)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            for number in range(5):
                one, other = f"a-{number}", f"b-{number}"
                orchestrator.launch(WORKER, revision("r1", "sleep"), Launch(one, "r1", 2), FENCE)
                orchestrator.launch(WORKER, revision("r1", "crash"), Launch(other, "r1", 1), FENCE)
                orchestrator.change(WORKER, revision("r2", "sleep"), Change(one, "r2", 1), FENCE)
                orchestrator.retire(WORKER, Retire(one), FENCE)
                orchestrator.retire(WORKER, Retire(other), FENCE)
        finally:
            done.set()
            looking.join()
        assert not troubles
        assert looks > 5


class TestStoppingEverything:
    def test_every_service_ends_and_the_ids_are_told(self, orchestrator, revision):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 2), FENCE)
        orchestrator.launch(WEB, revision(), Launch("web", "r1", 1), FENCE)
        assert orchestrator.stop_everything() == ("web.0001.1", "worker.0001.1", "worker.0002.1")
        assert orchestrator.observe(WORKER) == orchestrator.observe(WEB) == ()
        assert orchestrator.stop_everything() == ()

    def test_what_can_not_be_told_to_stop_is_told(self, orchestrator, revision, monkeypatch):
        orchestrator.launch(WORKER, revision("r1", "sleep"), Launch("worker", "r1", 1), FENCE)

        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(cell_directory, "write_atomically", full)
            with pytest.raises(TemporaryError, match=r"worker: No space left on device: mend that, then stop again"):
                orchestrator.stop_everything()
        assert orchestrator.stop_everything() == ("worker.0001.1",)
