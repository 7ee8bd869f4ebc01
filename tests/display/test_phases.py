"""From moments to phases."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.display.phases import Life, Mark, Phase, Segment, lives
from zdd.events import Event, Moment
from zdd.report import InstanceTimes, Report


@pytest.fixture
def report(stories: dict[str, tuple[Event, ...]]) -> Report:
    return evolve(Report.of(stories["stuck"]), instances=(), started_s=0.0, ended_s=100.0)


def drawn(report: Report, *moments: tuple[Moment, float], earlier: tuple[Report, ...] = ()) -> Life:
    (life,) = lives(evolve(report, instances=(InstanceTimes("i", "c", "2", moments),)), earlier)
    return life


def test_a_whole_life_has_each_phase_once(report: Report) -> None:
    order = [moment for moment in Moment if moment not in (Moment.CUT, Moment.LOST)]
    life = drawn(report, *((moment, float(10 + place)) for place, moment in enumerate(order)))
    assert life.segments == (
        Segment(Phase.STARTING, 10, 12),
        Segment(Phase.PROVEN, 12, 13),
        Segment(Phase.TRAFFIC, 13, 15),
        Segment(Phase.DRAINING, 15, 18),
    )
    assert life.marks == (Mark(Moment.STOPPED, 18),)


def test_what_is_not_over_lasts_to_the_end(report: Report) -> None:
    assert drawn(report, (Moment.LAUNCHED, 5.0)).segments == (Segment(Phase.STARTING, 5, 100),)


def test_what_leaves_traffic_first_had_it_before(report: Report) -> None:
    life = drawn(report, (Moment.OUT, 5.0), (Moment.STOPPED, 9.0))
    assert life.segments == (Segment(Phase.TRAFFIC, 0, 5), Segment(Phase.DRAINING, 5, 9))


def test_what_is_found_is_in_traffic_from_the_start_and_stays_so_when_it_proves_itself(report: Report) -> None:
    told = [Moment.LAUNCHED, Moment.READY, Moment.ADMITTED, Moment.SEEN, Moment.PROVEN]
    one = InstanceTimes("i", "c", "1", tuple((moment, 2.0) for moment in told), found=True)
    (life,) = lives(evolve(report, instances=(one,)))
    assert life.segments == (Segment(Phase.TRAFFIC, 0, 100),)


def test_a_drain_that_is_taken_back_is_traffic_again(report: Report) -> None:
    life = drawn(report, (Moment.SEEN, 1.0), (Moment.OUT, 5.0), (Moment.ADMITTED, 7.0))
    assert [(s.phase, s.from_s, s.to_s) for s in life.segments] == [
        (Phase.TRAFFIC, 0, 5),
        (Phase.DRAINING, 5, 7),
        (Phase.TRAFFIC, 7, 100),
    ]


def test_what_was_cut_or_lost_is_marked(report: Report) -> None:
    cut = drawn(report, (Moment.OUT, 5.0), (Moment.CUT, 8.0), (Moment.STOPPED, 9.0))
    assert cut.marks == (Mark(Moment.CUT, 8.0), Mark(Moment.STOPPED, 9.0))
    assert drawn(report, (Moment.SEEN, 1.0), (Moment.LOST, 3.0)).marks == (Mark(Moment.LOST, 3.0),)


def test_what_an_earlier_deployment_left_running_is_there_from_the_start(report: Report) -> None:
    def one(name: str, moment: Moment) -> InstanceTimes:
        return InstanceTimes(name, "c", "1", ((Moment.LAUNCHED, -9.0), (moment, -5.0)))

    earlier = evolve(report, instances=(one("i", Moment.SEEN), one("j", Moment.SEEN), one("k", Moment.STOPPED)))
    now = evolve(report, instances=(InstanceTimes("i", "c", "1", ((Moment.OUT, 5.0),)),))
    found = {life.id: life.segments for life in lives(now, [earlier])}
    assert found == {
        "i": (Segment(Phase.TRAFFIC, 0, 5), Segment(Phase.DRAINING, 5, 100)),
        "j": (Segment(Phase.TRAFFIC, 0, 100),),
    }
    other = evolve(earlier, service="another")
    assert [life.id for life in lives(now, [other])] == ["i"]
