import json
import os
import subprocess
import sys
import time
from pathlib import Path

from attrs import evolve
from ending import Ending, Orders, first_failures, processes_of
from tally import Tally


def result_of(**changes):
    tally = Tally(started_s=time.time() - 10)
    for _ in range(100):
        tally.answered("2.0", 0.005)
    return evolve(tally.result(), **changes)


GOOD = Ending(reports=(), load=result_of(), orders=Orders(3, 0, 0), surprises=())


def test_orders_that_were_written_down_once_are_in_order(tmp_path):
    log = tmp_path / "orders.log"
    log.write_text("a-1 web-1\na-2 web-2\na-3 web-1\n")
    assert Orders.check(["a-1", "a-2"], log) == Orders(acknowledged=2, missing=0, repeated=0)


def test_an_acknowledged_order_that_nobody_wrote_down_is_missing(tmp_path):
    log = tmp_path / "orders.log"
    log.write_text("a-1 web-1\n")
    assert Orders.check(["a-1", "a-2"], log) == Orders(acknowledged=2, missing=1, repeated=0)
    assert Orders.check(["a-1"], tmp_path / "nowhere").missing == 1


def test_an_order_that_was_written_down_twice_is_repeated_even_if_it_was_never_acknowledged(tmp_path):
    log = tmp_path / "orders.log"
    log.write_text("a-1 web-1\na-2 web-1\na-2 web-2\n")
    assert Orders.check(["a-1"], log) == Orders(acknowledged=1, missing=0, repeated=1)


def test_without_faults_there_is_nothing_to_tell():
    assert GOOD.faults == []
    assert list(first_failures(GOOD.load)) == []


def test_every_kind_of_loss_is_a_fault():
    tally = Tally()
    tally.failed("reset", "GET / by reader 3: ConnectionResetError")
    lossy = tally.result()
    assert evolve(GOOD, load=lossy).faults == [
        "1 request failed: 1 x reset; the first: GET / by reader 3: ConnectionResetError"
    ]
    assert list(first_failures(lossy)) == ["  +0.00 s  reset: GET / by reader 3: ConnectionResetError"]
    assert evolve(GOOD, load=result_of(dropped_websockets=2)).faults == ["2 websockets dropped: "]
    assert evolve(GOOD, orders=Orders(3, 1, 0)).faults == ["1 order acknowledged and not written down"]
    assert evolve(GOOD, orders=Orders(3, 0, 2)).faults == ["2 orders written down more than once"]
    assert evolve(GOOD, surprises=["blue/green ended as stuck"]).faults == ["blue/green ended as stuck"]
    assert evolve(GOOD, left_running=[12, 13]).faults == ["still running: 12, 13"]


def test_the_verdict_is_one_line_of_json():
    line = GOOD.line(Path("demo-report/report.html"))
    assert "\n" not in line
    verdict = json.loads(line)
    assert verdict["requests"] == 100
    assert (verdict["failed"], verdict["dropped_websockets"], verdict["bad_release_responses"]) == (0, 0, 0)
    assert verdict["deployments"] == []
    assert verdict["report"] == "demo-report/report.html"


def test_the_table_says_what_the_clients_saw():
    assert "100 requests in 10 s, 10 a second" in GOOD.table()
    assert "p50 5 ms" in GOOD.table()


def test_the_page_is_written_where_it_is_asked_for(tmp_path):
    page = tmp_path / "new" / "report.html"
    GOOD.write_page(page)
    assert "zdd demo" in page.read_text()


def test_processes_are_found_by_the_directory_in_their_environment_or_arguments(tmp_path):
    wait = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    by_environment = {"PATH": os.environ["PATH"], "WHERE": f"{tmp_path}/state"}
    with (
        subprocess.Popen(wait, env=by_environment, **pipes) as one,
        subprocess.Popen([*wait, str(tmp_path / "x")], **pipes) as other,
        subprocess.Popen(wait, **pipes) as stranger,
    ):
        for process in (one, other, stranger):
            process.stdout.readline()
        assert sorted(processes_of(tmp_path)) == sorted([one.pid, other.pid])
        for process in (one, other, stranger):
            process.stdin.close()
    assert processes_of(tmp_path) == []
