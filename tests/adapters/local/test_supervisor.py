"""The parts of the supervisor that can be looked at alone; `test_supervised.py` runs the whole of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from zdd.adapters.local import supervisor


def test_it_loads_nothing_that_would_make_it_slow_to_start():
    script = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "print(sorted({'pathlib', 'subprocess', 'socket', 'threading', 'attr', 'attrs', 'zdd'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-I", "-S", "-c", script, supervisor.__file__]
    assert subprocess.run(arguments, check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with code 0"),
        (3 << 8, "exited with code 3"),
        (signal.SIGSEGV, "killed by SIGSEGV"),
        (signal.SIGABRT | 0x80, "killed by SIGABRT"),
        (40, "killed by signal 40"),
    ],
)
def test_an_end_is_told_in_words(status, words):
    assert supervisor.in_words(status) == words


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1"])
def test_what_listens_where_the_loopback_address_reaches_it_is_found(host):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        if ":" in host:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind((host, 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert supervisor.listeners()[port] == {str(os.fstat(listening.fileno()).st_ino)}
    assert port not in supervisor.listeners()


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_what_listens_elsewhere_is_not(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        assert listening.getsockname()[1] not in supervisor.listeners()


def test_a_bound_or_connected_port_is_not_a_listening_one():
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as connected,
        socket.socket() as bound,
    ):
        bound.bind(("127.0.0.1", 0))
        assert connected.getsockname()[1] not in supervisor.listeners()
        assert bound.getsockname()[1] not in supervisor.listeners()


def test_children_and_grandchildren_are_found_and_their_sockets(wait_until):
    script = (
        "import os, socket, time\n"
        "if os.fork() == 0:\n"
        "    s = socket.create_server(('127.0.0.1', 0)); print(os.fstat(s.fileno()).st_ino, flush=True)\n"
        "time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-S", "-c", script], stdout=subprocess.PIPE, text=True)
    family = [child.pid]
    before = supervisor.descendants(os.getpid())  # what other tests of this run have started is not its family
    others = [pid for pid in before if pid != child.pid and pid not in supervisor.descendants(child.pid)]

    def found() -> list[int]:
        return [pid for pid in supervisor.descendants(os.getpid()) if pid not in others]

    try:
        inode = child.stdout.readline().strip()
        family = wait_until(lambda: len(found()) == 2 and found())
        assert family[0] == child.pid
        assert supervisor.sockets_of(family) == {inode}
    finally:
        for pid in reversed(family):
            os.kill(pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()


def test_the_sockets_of_a_process_that_has_ended_are_none():
    assert supervisor.sockets_of([2**22 + 1]) == set()


class TestLog:
    def test_the_last_line_is_that_of_this_start_and_shortened(self, tmp_path):
        log = supervisor.Log(str(tmp_path), 1000)
        log.mark("start 1")
        assert log.last_line() == ""
        os.write(log.descriptor, b"one\ntwo\n\n")
        assert log.last_line() == "two"
        log.mark("start 2")
        assert log.last_line() == ""
        os.write(log.descriptor, b"x" * 500)
        assert log.last_line() == "x" * 200
        os.close(log.descriptor)

    def test_it_moves_what_is_too_long_and_says_so(self, tmp_path):
        log = supervisor.Log(str(tmp_path), 10)
        os.write(log.descriptor, b"1234567890")
        log.limit()
        assert not (tmp_path / "log.1.txt").exists()
        os.write(log.descriptor, b"abcde")
        log.limit()
        assert (tmp_path / "log.1.txt").read_text() == "67890abcde"
        assert "what came before is in log.1.txt" in (tmp_path / "log.txt").read_text()
        os.close(log.descriptor)
