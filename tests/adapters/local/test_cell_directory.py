"""A cell on disk: its record is read whole or refused, and what is in the way of nothing is left alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from attrs import evolve

from zdd.adapters.local import cell_directory
from zdd.adapters.local.cell_directory import CellDirectory, CellRecord, keep_log
from zdd.adapters.local.supervised import Phase
from zdd.errors import PermanentError
from zdd.model.cell import InstanceState

RECORD = CellRecord("r1", "1.4.2", 3)
STORED = {"format": 1, "revision": "r1", "version": "1.4.2", "replicas": 3, "retired": False}


@pytest.fixture
def cell(tmp_path: Path) -> CellDirectory:
    return CellDirectory(tmp_path / "cells" / "web")


@pytest.fixture
def run(cell: CellDirectory, start):
    """Start an instance of the cell."""

    def run_one(number: int, revision: str = "r1", source: str = "sleep"):
        return start(source, cell.path / f"web.{number:04d}", labels={"revision": revision})

    return run_one


class TestRecord:
    def test_what_was_written_is_read_by_whoever_comes_later(self, cell):
        assert cell.record() is None
        cell.write(RECORD)
        assert CellDirectory(cell.path).record() == RECORD
        cell.write(evolve(RECORD, replicas=0, retired=True))
        assert cell.record() == CellRecord("r1", "1.4.2", 0, retired=True)

    def test_writing_the_same_again_writes_nothing(self, cell):
        cell.write(RECORD)
        before = (cell.path / "cell.json").stat().st_ino
        cell.write(RECORD)
        assert (cell.path / "cell.json").stat().st_ino == before

    def test_a_file_in_the_place_of_a_cell_is_no_cell(self, cell):
        cell.path.parent.mkdir()
        cell.path.touch()
        assert cell.record() is None
        assert cell.places() == []
        assert cell.observe() is None

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("", "is damaged"),
            ("[]", "is damaged"),
            ("null", "is damaged"),
            (json.dumps({**STORED, "format": 2}), "has format 2, this version knows 1: use a newer zdd"),
            *(
                (json.dumps({name: value for name, value in STORED.items() if name != left_out}), "is damaged")
                for left_out in STORED
            ),
            (json.dumps({**STORED, "revision": 1}), "is damaged"),
            (json.dumps({**STORED, "version": None}), "is damaged"),
            (json.dumps({**STORED, "replicas": "3"}), "is damaged"),
            (json.dumps({**STORED, "replicas": 2.5}), "is damaged"),
            (json.dumps({**STORED, "replicas": -1}), "is damaged"),
            (json.dumps({**STORED, "replicas": True}), "is damaged"),
            (json.dumps({**STORED, "retired": 0}), "is damaged"),
        ],
    )
    def test_a_damaged_or_newer_one_is_refused_by_everything_and_left_as_it_is(self, cell, content, complaint):
        cell.write(RECORD)
        path = cell.path / "cell.json"
        path.write_text(content)
        for use in (cell.record, cell.is_leaving, cell.observe, lambda: cell.write(RECORD)):
            with pytest.raises(PermanentError) as caught:
                use()
            assert str(caught.value).startswith(f"{path} {complaint}")
        assert path.read_text() == content

    def test_one_that_can_t_be_read_is_refused_too(self, cell):
        (cell.path / "cell.json").mkdir(parents=True)
        with pytest.raises(PermanentError, match=r"cell\.json, a cell.s record, can.t be read: Is a directory"):
            cell.record()


@pytest.mark.parametrize(
    ("record", "leaving"), [(None, True), (RECORD, False), (evolve(RECORD, replicas=0, retired=True), True)]
)
def test_it_is_leaving_when_it_is_retired_or_only_its_directory_is_left(cell, record, leaving):
    cell.path.mkdir(parents=True)
    if record is not None:
        cell.write(record)
    assert cell.is_leaving() is leaving


class TestInstances:
    def test_they_are_told_in_the_order_of_their_numbers_with_what_zdd_needs_to_know(self, cell, run, wait_until):
        cell.write(evolve(RECORD, replicas=2))
        for number in (10000, 9999):
            run(number)
        (cell.path / "notes").mkdir()
        (cell.path / "web.0003.bak").touch()
        assert [place.number for place in cell.places()] == [9999, 10000]
        wait_until(lambda: all(one.state is InstanceState.READY for one in cell.observe().instances))
        assert {one.id for one in cell.observe().instances} == {"web.9999.1", "web.10000.1"}
        assert {one.revision for one in cell.observe().instances} == {"r1"}

    def test_the_cell_is_as_large_as_what_can_be_counted_on(self, cell, run, wait_until):
        """Not what was asked for and never started, is stopping, or runs another revision."""
        cell.write(RECORD)
        stopping, _, _ = run(1, source="stubborn"), run(2, revision="r0"), run(3)
        wait_until(lambda: "deaf" in (stopping.directory / "log.txt").read_text())
        assert cell.observe().replicas == 2
        stopping.stop(30.0)
        assert cell.observe().instances[0].state is InstanceState.STOPPING
        assert (cell.observe().replicas, len(cell.observe().instances)) == (1, 3)
        cell.write(evolve(RECORD, replicas=0))
        assert cell.observe().replicas == 0

    def test_a_retired_cell_is_there_for_as_long_as_an_instance_is(self, cell, run, wait_until):
        cell.write(evolve(RECORD, replicas=0, retired=True))
        assert cell.observe() is None
        one = run(1)
        wait_until(lambda: one.state().phase is Phase.READY)
        assert cell.observe() is not None
        one.stop(0)
        wait_until(lambda: cell.observe() is None)

    def test_what_has_ended_is_cleared_away_with_its_log_kept_and_the_rest_is_left(self, cell, run, wait_until):
        logs = cell.path.parent / "logs"
        gone, stays = run(1, source="print('goodbye', flush=True); time.sleep(600)"), run(2)
        wait_until(lambda: "goodbye" in (gone.directory / "log.txt").read_text())
        gone.stop(0)
        wait_until(lambda: gone.state().phase is Phase.ENDED)
        assert [place.number for place in cell.clear_ended(logs)] == [2]
        assert not gone.directory.exists()
        assert stays.directory.exists()
        assert "goodbye" in (logs / "web.0001.txt").read_text()


def test_removing_it_twice_or_when_somebody_else_has_is_no_error(cell):
    cell.write(RECORD)
    cell.remove()
    cell.remove()
    assert not cell.path.exists()


def test_the_log_of_who_ended_last_is_kept_though_it_was_silent_for_longest(cell, run, wait_until, monkeypatch):
    """Its supervisor was killed, and so could not write down its end."""
    monkeypatch.setattr(cell_directory, "LOGS_KEPT", 2)
    logs = cell.path.parent / "logs"
    silent = run(1)
    wait_until(lambda: silent.state().phase is Phase.READY)
    os.utime(silent.directory / "log.txt", (0, 0))
    os.kill(silent.state().supervisor_pid, signal.SIGKILL)
    for number in (2, 3):
        other = run(number)
        other.stop(0)
        wait_until(lambda other=other: other.state().phase is Phase.ENDED)
    for place in reversed(cell.places()):
        keep_log(place, logs)
    assert sorted(path.name for path in logs.iterdir()) == ["web.0001.txt", "web.0002.txt"]
