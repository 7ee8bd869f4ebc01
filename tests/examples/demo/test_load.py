"""The load as the demo uses it: a process of its own, against real instances of the application."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from load import Load, LoadError, Mix

DEMO = Path(__file__).parents[3] / "examples" / "demo"
DEADLINE_S = 20.0
BRIEF = Mix(slow_s=0.5)


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def ended(process_id):
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_healthy_application_loses_nothing(start, orders_log):
    instance = start(VERSION="1.0")
    instance.await_health()
    with Load() as load:
        load.start(instance.url)
        wait_for(lambda: load.snapshot().requests >= 900, "900 requests")
        result = load.stop()
    assert (result.failed, result.dropped_websockets, result.bad_release_responses) == (0, 0, 0), result.failures
    assert result.requests >= 900
    assert result.requests_per_s >= 200
    assert result.websocket_messages >= 20
    assert sum(period.requests for period in result.periods) == result.requests
    assert {period.version for period in result.periods} == {"1.0"}
    written = Counter(line.split()[0] for line in orders_log.read_text().splitlines())
    assert written == Counter(result.orders)
    assert set(written.values()) == {1}
    assert load.process_id is None


def test_an_application_that_is_killed_under_load_shows_as_failures_and_drops(start):
    instance = start()
    instance.await_health()
    with Load(BRIEF) as load:
        load.start(instance.url)
        wait_for(lambda: load.snapshot().websocket_messages >= 4, "messages")
        instance.process.kill()
        wait_for(lambda: load.snapshot().failed >= 20, "failures")
        result = load.stop()
    assert result.failed >= 20
    assert result.dropped_websockets == 2
    assert "connect" in result.failure_kinds
    assert len(result.failures) <= 50


def test_an_application_that_stops_politely_drops_no_websocket(start):
    instance = start()
    instance.await_health()
    with Load(BRIEF) as load:
        load.start(instance.url)
        wait_for(lambda: load.snapshot().websocket_messages >= 4, "messages")
        instance.terminate()
        assert instance.wait() == 0
        result = load.stop()
    assert (result.goodbyes, result.dropped_websockets) == (2, 0)
    assert result.failure_kinds.keys() <= {"connect", "closed", "reset"}, "no answer that had begun was cut"


def test_errors_of_a_bad_release_are_counted_apart(start):
    instance = start(VERSION="5.0", BEHAVIOUR="bad_release")
    instance.await_health()
    with Load(BRIEF, bad_versions=["5.0"]) as load:
        load.start(instance.url)
        wait_for(lambda: load.snapshot().bad_release_responses >= 30, "bad answers")
        result = load.stop()
    assert result.failed == 0
    assert sum(period.bad for period in result.periods) == result.bad_release_responses


def test_the_same_errors_are_failures_of_a_release_that_was_not_announced_as_bad(start):
    instance = start(VERSION="5.0", BEHAVIOUR="bad_release")
    instance.await_health()
    with Load(BRIEF) as load:
        load.start(instance.url)
        wait_for(lambda: load.snapshot().failed >= 30, "failures")
        assert load.stop().bad_release_responses == 0


def test_slow_requests_are_always_under_way_and_are_finished_at_the_end(start):
    instance = start()
    instance.await_health()
    with Load(Mix(readers=0, buyers=0, websockets=0, waiters=3, slow_s=0.6)) as load:
        load.start(instance.url)
        wait_for(lambda: load.snapshot().requests >= 3, "slow requests")
        result = load.stop()
    assert result.failed == 0
    assert result.latency_ms == {}


def test_the_load_ends_when_its_parent_is_killed(start):
    instance = start()
    instance.await_health()
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from load import Load; load = Load();"
        "load.start(sys.argv[2]); print(load.process_id, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(DEMO), instance.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        clients = int(parent.stdout.readline())
        assert not ended(clients)
        parent.kill()
    wait_for(lambda: ended(clients), "the end of the load")


def test_the_load_ends_by_itself_after_its_longest_time(start):
    instance = start()
    instance.await_health()
    with Load(Mix(seconds_max=0.3)) as load:
        load.start(instance.url)
        clients = load.process_id
        wait_for(lambda: ended(clients), "the end of the load")
        with pytest.raises(LoadError, match="ended"):
            load.stop()


def test_ctrl_c_is_for_the_parent(start):
    instance = start()
    instance.await_health()
    with Load(BRIEF) as load:
        load.start(instance.url)
        assert os.getsid(load.process_id) == load.process_id
        os.kill(load.process_id, signal.SIGINT)
        wait_for(lambda: load.snapshot().requests >= 50, "requests after the signal")


def test_leaving_without_stop_ends_the_clients(start):
    instance = start()
    instance.await_health()
    with Load(BRIEF) as load:
        load.start(instance.url)
        clients = load.process_id
    assert ended(clients)


def test_a_load_that_does_not_run_says_so():
    with pytest.raises(LoadError, match="call start first"):
        Load().snapshot()


def test_a_fault_of_the_load_itself_is_told_and_not_taken_for_a_quiet_run():
    with Load() as load, pytest.raises(LoadError, match="Port could not be cast"):
        load.start("http://127.0.0.1:nowhere")


def test_a_client_that_dies_of_a_fault_of_its_own_is_told_at_the_end():
    with Load() as load:
        load.start("http://not..a.name:80")
        with pytest.raises(LoadError, match=r"Unicode\w*Error"):
            load.stop()


def test_a_load_is_started_once(start):
    instance = start()
    instance.await_health()
    with Load(BRIEF) as load:
        load.start(instance.url)
        with pytest.raises(LoadError, match="runs already"):
            load.start(instance.url)
