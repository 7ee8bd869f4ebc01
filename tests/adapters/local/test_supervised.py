"""One program kept running: real processes, real signals, real ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from zdd.adapters.local.program import Program, Restarts
from zdd.adapters.local.supervised import Phase, Supervised
from zdd.errors import ConfigurationError, PermanentError

QUICK = Restarts(first_s=0.02, most_s=0.02, reset_s=60.0)


def log_of(one: Supervised) -> str:
    return (one.directory / "log.txt").read_text()


def daemon_of(one: Supervised) -> int | None:
    lines = [line.split() for line in log_of(one).splitlines() if line.startswith("daemon ")]
    pids = [int(words[1]) for words in lines if words[1].isdigit()]
    return pids[-1] if pids else None


class TestStarting:
    def test_a_program_without_ports_is_ready_when_it_runs(self, start, wait_until, is_running):
        one = start("sleep")
        wait_until(lambda: one.state().phase is Phase.READY)
        assert is_running(one.state().pid)

    def test_a_program_with_ports_is_ready_when_it_listens_on_all_of_them(self, start, wait_until):
        slow = """
        first = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
        print("one of two", flush=True)
        while not os.path.exists("go"): time.sleep(0.01)
        second = socket.create_server(("", int(os.environ["PORT_ADMIN_API"])))
        time.sleep(600)
        """
        one = start(slow, port_names=["http", "admin-api"])
        wait_until(lambda: "one of two" in log_of(one))
        admin = one.state().ports["admin-api"]
        wait_until(lambda: f"nothing listens on 127.0.0.1:{admin}, its port 'admin-api'" in one.state().note)
        assert one.state().phase is Phase.STARTING
        (one.directory / "work" / "go").touch()
        wait_until(lambda: one.state().phase is Phase.READY)
        assert one.state().note == ""

    def test_a_program_that_stops_listening_is_no_longer_ready(self, start, wait_until):
        closes = """
        listening = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
        while not os.path.exists("close"): time.sleep(0.01)
        listening.close()
        time.sleep(600)
        """
        one = start(closes, port_names=["http"])
        wait_until(lambda: one.state().phase is Phase.READY)
        (one.directory / "work" / "close").touch()
        wait_until(lambda: one.state().phase is Phase.STARTING)

    def test_somebody_else_who_listens_on_its_port_does_not_make_it_ready(self, start, wait_until):
        one = start("sleep", port_names=["http"])
        port = one.state().ports["http"]
        with socket.create_server(("127.0.0.1", port)):
            wait_until(lambda: f"another program listens on 127.0.0.1:{port}" in one.state().note)
            assert one.state().phase is Phase.STARTING

    def test_it_is_told_its_ports_and_its_name_and_gets_none_of_the_starter_s_secrets(
        self, start, wait_until, monkeypatch
    ):
        monkeypatch.setenv("DATABASE_PASSWORD", "secret")
        monkeypatch.setenv("LANG", "C.UTF-8")
        one = start("environment", name="web.7", port_names=["http", "admin-api"], environment={"COLOUR": "blue"})
        wait_until(lambda: "COLOUR" in log_of(one))
        ports = one.state().ports
        for name, value in {
            "COLOUR": "blue",
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "PORT": str(ports["http"]),
            "PORT_HTTP": str(ports["http"]),
            "PORT_ADMIN_API": str(ports["admin-api"]),
            "ZDD_INSTANCE": "web.7.1",
        }.items():
            assert repr((name, value)) in log_of(one)
        assert "secret" not in log_of(one)

    def test_it_runs_in_the_directory_asked_for_or_in_one_of_its_own(self, start, wait_until, tmp_path):
        here, own = start("environment", working_directory=tmp_path), start("environment")
        wait_until(lambda: log_of(here).rstrip().endswith(f"] {tmp_path}"))
        wait_until(lambda: log_of(own).rstrip().endswith(f"] {own.directory / 'work'}"))

    def test_its_files_are_for_its_owner_only(self, start, wait_until):
        one = start("sleep", environment={"PASSWORD": "secret"})
        wait_until(lambda: one.state().phase is Phase.READY)
        assert one.directory.stat().st_mode & 0o077 == 0
        assert (one.directory / "specification.json").stat().st_mode & 0o077 == 0

    def test_a_second_start_in_the_same_directory_is_refused(self, start, wait_until):
        one = start("sleep")
        wait_until(lambda: one.state().phase is Phase.READY)
        with pytest.raises(PermanentError, match=f"still supervised in {one.directory}: stop it first"):
            Supervised.start(one.directory, Program(name="again", command=["true"]))
        assert one.state().phase is Phase.READY

    def test_it_may_be_started_again_in_the_same_directory_after_it_has_ended(self, start, wait_until):
        one = start("sleep")
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)
        start("serve", directory=one.directory, port_names=["http"])
        wait_until(lambda: one.state().phase is Phase.READY)
        assert one.state().incarnation == 1

    def test_it_outlives_its_starter(self, tmp_path, program, start, wait_until):
        script = (
            "import sys, pathlib; from zdd.adapters.local.program import Program\n"
            "from zdd.adapters.local.supervised import Supervised\n"
            "program = Program(name='web', command=sys.argv[2:], port_names=['http'])\n"
            "Supervised.start(pathlib.Path(sys.argv[1]), program)"
        )
        where = tmp_path / "outlives"
        try:
            subprocess.run([sys.executable, "-c", script, where, *program("serve")], check=True, timeout=30)
            one = Supervised(where)
            wait_until(lambda: one.state().phase is Phase.READY)
            socket.create_connection(("127.0.0.1", one.state().ports["http"]), 5).close()
        finally:
            Supervised(where).stop(0)
            wait_until(lambda: Supervised(where).state().phase is Phase.ENDED)

    def test_a_directory_that_can_t_be_made_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(PermanentError, match=r"file.*: Not a directory"):
            Supervised.start(tmp_path / "file" / "one", Program(name="one", command=["true"]))

    def test_a_start_that_was_interrupted_before_its_supervisor_ran_has_ended(self, tmp_path):
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "specification.json").write_text('{"ports": {"http": 20000}}')
        assert Supervised(tmp_path / "one").state().phase is Phase.ENDED
        Supervised(tmp_path / "one").stop()
        Supervised(tmp_path / "one").discard()
        assert not (tmp_path / "one").exists()


class TestRestarting:
    def test_a_crash_is_told_in_words_with_the_last_line_it_wrote(self, start, wait_until):
        one = start("crash", restarts=Restarts(first_s=60))
        wait_until(lambda: one.state().phase is Phase.FAILED and one.state().note == "exited with code 3: no database")
        assert one.state().pid == 0

    def test_so_is_a_signal(self, start, wait_until):
        one = start("os.kill(os.getpid(), signal.SIGSEGV)", restarts=Restarts(first_s=60))
        wait_until(lambda: one.state().note.startswith("killed by SIGSEGV"))

    def test_so_are_a_program_and_a_directory_that_are_not_there(self, start, wait_until, tmp_path):
        program = start("sleep", command=["no-such-program"], restarts=Restarts(first_s=60))
        wait_until(lambda: program.state().note == "can't be started: no-such-program: No such file or directory")
        directory = start("sleep", working_directory=tmp_path / "gone", restarts=Restarts(first_s=60))
        wait_until(lambda: directory.state().note == f"can't be started: {tmp_path}/gone: No such file or directory")
        assert directory.state().phase is Phase.FAILED

    def test_the_delays_grow(self, start, wait_until):
        one = start("print(time.monotonic(), flush=True)", restarts=Restarts(first_s=0.1, most_s=60))
        times = wait_until(lambda: len(found := started_at(one)) >= 5 and found)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert [gap >= least for gap, least in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=False)] == [True] * 4

    def test_the_delays_grow_up_to_the_limit_only(self, start, wait_until):
        one = start("print(time.monotonic(), flush=True)", restarts=Restarts(first_s=0.1, most_s=0.1))
        times = wait_until(lambda: len(found := started_at(one)) >= 8 and found)
        assert times[-1] - times[0] < 6.0  # 12.7 s without a limit

    def test_after_it_has_run_well_the_delay_is_the_first_again(self, start, wait_until):
        source = "print(time.monotonic(), flush=True); time.sleep(0.3)"
        one = start(source, restarts=Restarts(first_s=0.1, most_s=60, reset_s=0.2))
        times = wait_until(lambda: len(found := started_at(one)) >= 7 and found)
        assert times[-1] - times[-2] < 2.5  # 3.5 s without the reset

    def test_it_keeps_its_port_and_counts_its_incarnations(self, start, wait_until):
        one = start("serve", port_names=["http"], restarts=QUICK)
        before = wait_until(lambda: (state := one.state()).phase is Phase.READY and state)
        os.kill(before.pid, signal.SIGKILL)
        after = wait_until(lambda: (state := one.state()).phase is Phase.READY and state.incarnation == 2 and state)
        assert after.ports == before.ports
        assert after.pid != before.pid
        assert after.last_exit == "killed by SIGKILL"
        assert after.note == "started again after: killed by SIGKILL"

    def test_what_a_crashed_program_left_behind_is_ended_before_it_starts_again(self, start, wait_until, is_running):
        one = start("daemon", environment={"CRASH": "1"}, restarts=Restarts(first_s=0.5))
        pid = wait_until(lambda: daemon_of(one))
        wait_until(lambda: one.state().incarnation >= 2)
        assert not is_running(pid)
        assert "daemon says goodbye" in log_of(one)


class TestStopping:
    def test_it_is_asked_politely(self, start, wait_until):
        polite = """
        signal.signal(signal.SIGTERM, lambda *_: (print("goodbye", flush=True), sys.exit(0)))
        print("hello", flush=True)
        time.sleep(600)
        """
        one = start(polite)
        wait_until(lambda: "hello" in log_of(one))
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)
        assert "goodbye" in log_of(one)

    def test_it_is_stopping_from_the_moment_it_was_asked(self, start, wait_until):
        one = start("stubborn")
        wait_until(lambda: "deaf" in log_of(one))
        one.stop()
        assert one.state().phase is Phase.STOPPING
        one.stop(0)

    def test_one_that_does_not_listen_is_killed_after_the_grace(self, start, wait_until, is_running):
        one = start("stubborn", stop_grace_s=90.0)
        wait_until(lambda: "deaf" in log_of(one))
        pid, began = one.state().pid, time.monotonic()
        one.stop(0.5)
        wait_until(lambda: one.state().phase is Phase.ENDED)
        assert 0.5 <= time.monotonic() - began < 60.0  # and not after the grace it was started with
        assert not is_running(pid)

    def test_asked_again_with_less_grace_it_ends_sooner_and_with_more_nothing_changes(self, start, wait_until):
        one = start("stubborn")
        wait_until(lambda: "deaf" in log_of(one))
        one.stop(60)
        one.stop(0.2)
        one.stop(60)
        wait_until(lambda: one.state().phase is Phase.ENDED)

    def test_a_daemon_that_left_its_process_group_is_ended_politely(self, start, wait_until, is_running):
        one = start("daemon")
        pid = wait_until(lambda: daemon_of(one))
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)
        assert not is_running(pid)
        assert "daemon says goodbye" in log_of(one)

    def test_a_stubborn_daemon_is_ended_by_force(self, start, wait_until, is_running):
        one = start("daemon", environment={"STUBBORN": "1"})
        pid = wait_until(lambda: daemon_of(one))
        one.stop(0.3)
        wait_until(lambda: one.state().phase is Phase.ENDED)
        assert not is_running(pid)

    def test_one_that_waits_to_be_started_again_ends_at_once(self, start, wait_until):
        one = start("crash", restarts=Restarts(first_s=60))
        wait_until(lambda: one.state().phase is Phase.FAILED)
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)

    def test_one_that_was_started_just_now_never_serves(self, start, wait_until):
        one = start("print('ran', flush=True); time.sleep(600)")
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)

    def test_terminating_the_supervisor_ends_everything_too(self, start, wait_until, is_running):
        one = start("daemon")
        pid = wait_until(lambda: daemon_of(one))
        os.kill(one.state().supervisor_pid, signal.SIGTERM)
        wait_until(lambda: one.state().phase is Phase.ENDED)
        assert not is_running(pid)

    def test_stopping_what_has_ended_or_never_was_does_nothing(self, start, wait_until, tmp_path):
        one = start("sleep")
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)
        one.stop()
        Supervised(tmp_path / "never").stop()
        assert not (tmp_path / "never").exists()

    def test_discarding_removes_the_directory_but_not_of_one_that_runs(self, start, wait_until):
        one = start("sleep")
        with pytest.raises(PermanentError, match="stop it first"):
            one.discard()
        one.stop()
        wait_until(lambda: one.state().phase is Phase.ENDED)
        one.discard()
        one.discard()
        assert not one.directory.exists()


class TestAKilledSupervisor:
    def test_the_program_dies_with_it_and_the_end_is_seen_at_once(self, start, wait_until, is_running):
        one = start("serve", port_names=["http"])
        state = wait_until(lambda: (state := one.state()).phase is Phase.READY and state)
        os.kill(state.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: one.state().phase is Phase.ENDED)
        wait_until(lambda: not is_running(state.pid))

    def test_another_process_with_its_process_id_is_not_taken_for_it(self, start, wait_until, is_running):
        one = start("sleep")
        state = wait_until(lambda: (state := one.state()).phase is Phase.READY and state)
        os.kill(state.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: one.state().phase is Phase.ENDED)
        with subprocess.Popen(["/bin/sleep", "600"]) as innocent:
            said = json.loads((one.directory / "state.json").read_text())
            (one.directory / "state.json").write_text(json.dumps({**said, "supervisor_pid": innocent.pid}))
            assert one.state().phase is Phase.ENDED
            one.stop(0)
            assert is_running(innocent.pid)
            innocent.kill()

    @pytest.mark.parametrize("ended_by", ["discarding", "starting again"])
    def test_what_it_left_behind_is_ended_later(self, start, wait_until, is_running, ended_by, strays):
        one = start("daemon", environment={"STUBBORN": "1"})
        pid = wait_until(lambda: daemon_of(one))
        os.kill(one.state().supervisor_pid, signal.SIGKILL)
        wait_until(lambda: one.state().phase is Phase.ENDED)
        wait_until(lambda: strays(one.directory) == [pid])
        if ended_by == "discarding":
            one.discard()
        else:
            start("sleep", directory=one.directory)
        wait_until(lambda: not is_running(pid))


class TestPorts:
    def test_concurrent_starts_from_several_processes_get_distinct_ports(self, tmp_path, program, wait_until):
        script = (
            "import sys, pathlib; from zdd.adapters.local.program import Program\n"
            "from zdd.adapters.local.supervised import Supervised\n"
            "program = Program(name='web', command=sys.argv[3:], port_names=['http', 'admin'])\n"
            "for i in range(4): Supervised.start(pathlib.Path(sys.argv[1]) / f'{sys.argv[2]}-{i}', program, "
            "port_cursor=pathlib.Path(sys.argv[1]) / sys.argv[2])"
        )
        # A cursor each, all at the same place: as if they were several state directories that know nothing of another.
        starters = []
        for number in range(3):
            (tmp_path / f"cursor-{number}").write_text("25000")
            arguments = [sys.executable, "-c", script, tmp_path, f"cursor-{number}", *program("serve")]
            starters.append(subprocess.Popen(arguments))
        places = [Supervised(tmp_path / f"cursor-{number}-{i}") for number in range(3) for i in range(4)]
        try:
            assert [starter.wait(60) for starter in starters] == [0, 0, 0]
            for place in places:
                wait_until(lambda place=place: place.state().phase is Phase.READY)
            ports = [port for place in places for port in place.state().ports.values()]
            assert len(set(ports)) == 24
        finally:
            for place in places:
                place.stop(0)
            for place in places:
                wait_until(lambda place=place: place.state().phase is Phase.ENDED)

    def test_a_fixed_port_is_used_and_a_taken_one_is_refused_with_its_number(self, start, wait_until, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigurationError, match=rf"port {port} \(web\) is taken: stop what listens there"):
                Supervised.start(tmp_path / "one", Program(name="one", command=["true"]), fixed_ports={"web": port})
        one = start("serve", fixed_ports={"web": port})
        wait_until(lambda: one.state().phase is Phase.READY)
        assert one.state().ports == {"web": port}
        with pytest.raises(ConfigurationError, match=f"port {port} .* belongs to another supervised program"):
            Supervised.start(tmp_path / "two", Program(name="two", command=["true"]), fixed_ports={"web": port})


class TestLog:
    def test_it_is_marked_at_each_start_and_goes_on_over_restarts(self, start, wait_until):
        one = start("crash", name="web.3", restarts=QUICK)
        wait_until(lambda: "start 3 of web.3" in log_of(one))
        assert log_of(one).index("start 1 of web.3") < log_of(one).index("start 2 of web.3")
        assert log_of(one).count("no database") >= 2

    def test_it_stays_bounded_while_the_program_runs(self, start, wait_until):
        one = start("while True: print('x' * 99, flush=True); time.sleep(0.0002)", log_limit_bytes=100_000)
        older = one.directory / "log.1.txt"
        wait_until(older.exists)
        first = older.stat().st_mtime_ns
        wait_until(lambda: older.stat().st_mtime_ns != first)
        assert older.stat().st_size < 100_000 + 2_000_000
        wait_until(lambda: "what came before is in log.1.txt" in log_of(one))


def started_at(one: Supervised) -> list[float]:
    return [float(line) for line in log_of(one).splitlines() if line and not line.startswith("---")]
