"""The demo from outside. Its full run is ``make demo``; here it is stopped on its way."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ending import processes_of
from story import BAD_VERSIONS, OPENING, UNDER_LOAD, release, service

from zdd import Outcome

DEMO = Path(__file__).parents[3] / "examples" / "demo"
DEADLINE_S = 60.0


@pytest.fixture
def demo(tmp_path):
    """Start the demo, its temporary directory within the test's own."""
    started = []

    def begin():
        (tmp_path / "tmp").mkdir()
        process = subprocess.Popen(
            [sys.executable, str(DEMO)],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
        for left in processes_of(tmp_path):
            os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["1.0: the first deployment", "2.0: a rolling update"])
def test_nothing_is_left_of_a_demo_that_is_interrupted(demo, tmp_path, moment, number):
    process = demo()
    for line in process.stdout:
        if line.startswith(moment):
            break
    assert process.poll() is None
    process.send_signal(number)
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert output.splitlines()[-1] == "Interrupted; everything that was started has been stopped."
    assert processes_of(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_story_has_every_kind_of_deployment_and_its_expected_end():
    told = [(chapter.version, type(chapter.strategy).__name__, chapter.expected) for chapter in (OPENING, *UNDER_LOAD)]
    assert told == [
        ("1.0", "RollingUpdate", Outcome.SUCCEEDED),
        ("2.0", "RollingUpdate", Outcome.SUCCEEDED),
        ("3.0", "BlueGreen", Outcome.SUCCEEDED),
        ("3.1", "Canary", Outcome.SUCCEEDED),
        ("4.0", "RollingUpdate", Outcome.ROLLED_BACK),
        ("5.0", "Canary", Outcome.ROLLED_BACK),
        ("2.0", "RollingUpdate", Outcome.SUCCEEDED),
    ]


def test_only_the_bad_release_may_answer_errors():
    assert BAD_VERSIONS == ("5.0",)


def test_the_service_never_has_less_than_its_four_replicas():
    assert (service().replicas, service().agreed_floor) == (4, 4)


def test_a_release_runs_the_application_with_its_behaviour(tmp_path):
    workload = release(UNDER_LOAD[4], tmp_path / "orders.log").workload
    assert workload["environment"] == {"BEHAVIOUR": "bad_release", "ORDERS_LOG": str(tmp_path / "orders.log")}
    assert re.fullmatch(r".*/examples/demo/application\.py", workload["command"][1])
