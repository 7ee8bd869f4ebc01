"""What the servers have written down, and what a strategy's promise excuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from attrs import evolve

sys.path.append(str(Path(__file__).parent))
from evidence import Removal, excused, lost_posts, read_logs, split_websockets

ONE = Removal("web.1", out_s=100.0, in_flight=2, cut_s=None, drained_s=5.0, idle_s=105.0, noticed_s=109.0)
CUT = evolve(ONE, cut_s=112.0, idle_s=None, noticed_s=116.0)


def test_a_request_is_in_hand_from_its_first_line_to_its_second(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("GET a 1.0\nPOST b 2.0\nGET a 1.0 3.0\nPOST c 4.0\nPOST b 2.0 5.0\n")
    (requests,) = read_logs(tmp_path).values()
    assert {one.id: one.ended_s for one in requests} == {"a": 3.0, "b": 5.0, "c": float("inf")}


def test_a_post_must_be_done_once_and_one_without_an_answer_may_not_be_done(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("POST a 1.0\nPOST a 1.0 2.0\nPOST b 1.0\n")
    (tmp_path / "two").write_text("POST c 1.0\nPOST c 1.0 2.0\nPOST d 1.0\nPOST d 1.0 2.0\n")
    logs = read_logs(tmp_path)
    assert lost_posts({"posts": ["a", "c", "d"]}, logs) == []
    assert lost_posts({"posts": ["a", "b"]}, logs) == ["POST b was acknowledged and is in no log"]
    (tmp_path / "three").write_text("POST c 3.0\nPOST c 3.0 4.0\n")
    assert lost_posts({"posts": ["a"]}, read_logs(tmp_path)) == ["POST c was done 2 times"]


@pytest.mark.parametrize(("at_s", "expected"), [(97.0, False), (99.0, True), (104.9, True), (105.1, False)])
def test_a_loss_is_excused_until_the_instance_had_nothing_in_flight(at_s: float, expected: bool) -> None:
    assert excused(at_s, [ONE]) is expected


@pytest.mark.parametrize(("at_s", "expected"), [(111.0, 0), (112.0, 1), (115.0, 1), (117.0, 0)])
def test_a_websocket_is_cut_by_the_deadline_only_when_it_ends_right_after_it(at_s: float, expected: int) -> None:
    cut, other = split_websockets({"cut": [at_s]}, [ONE, CUT])
    assert cut == expected
    assert [time_s for time_s, _ in other] == ([] if expected else [at_s])
