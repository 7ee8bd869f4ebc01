"""What happened to an instance between two states of the progress."""

from __future__ import annotations

import pytest
from attrs import evolve, fields

from zdd.events import Moment
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.reconciler.moments import moments
from zdd.reconciler.progress import InstanceRecord, Progress, Told

IN_ORDER = {
    "launched_s": Moment.LAUNCHED,
    "ready_s": Moment.READY,
    "proven_s": Moment.PROVEN,
    "admitted_s": Moment.ADMITTED,
    "seen_s": Moment.SEEN,
    "out_s": Moment.OUT,
    "gone_s": Moment.SEEN_GONE,
    "idle_s": Moment.IDLE,
    "cut_s": Moment.CUT,
}
RECORD = InstanceRecord("web", "r1")


def between(before, after, told=None):
    """Return what happened to the instance web.1, which a cell was told."""
    orders = {} if told is None else {"web": Told(told, 1.0)}
    first = Progress() if before is None else Progress(instances={"web.1": before})
    return [
        (one.moment, one.at_s, one.note) for one in moments(first, Progress(instances={"web.1": after}, told=orders))
    ]


def test_every_moment_but_to_be_lost_has_a_time_in_the_record():
    names = {field.name for field in fields(InstanceRecord)}
    assert set(IN_ORDER) <= names
    assert {*IN_ORDER.values(), Moment.STOPPED, Moment.LOST} == set(Moment)


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_time_that_is_new_is_a_moment(name):
    [(moment, at_s, _)] = between(RECORD, evolve(RECORD, **{name: 7.0}))
    assert (moment, at_s) == (IN_ORDER[name], 7.0)


def test_what_is_seen_at_once_is_told_in_the_safe_order():
    times = dict.fromkeys(reversed(list(IN_ORDER)), 7.0)
    assert [moment for moment, _, _ in between(None, evolve(RECORD, **times))] == list(IN_ORDER.values())


def test_a_time_that_was_known_or_is_forgotten_is_no_moment():
    known = evolve(RECORD, ready_s=7.0, seen_s=8.0)
    assert between(known, evolve(known, note="busy")) == []
    assert between(known, evolve(known, seen_s=None)) == []


def test_to_be_put_back_into_traffic_is_a_moment_again():
    out = evolve(RECORD, admitted_s=7.0, out_s=8.0)
    assert between(out, evolve(out, admitted_s=9.0, out_s=None)) == [(Moment.ADMITTED, 9.0, "")]


def test_to_be_cut_says_why():
    assert between(RECORD, evolve(RECORD, cut_s=7.0)) == [(Moment.CUT, 7.0, "the drain deadline passed")]


STOPPED = evolve(RECORD, stopped_s=7.0)


@pytest.mark.parametrize("told", [Retire("web"), Scale("web", 0), Change("web", "r2", 1)], ids=lambda one: str(one))
def test_what_was_told_to_stop_has_stopped(told):
    assert between(RECORD, STOPPED, told) == [(Moment.STOPPED, 7.0, "")]


@pytest.mark.parametrize("told", [None, Launch("web", "r1", 1), Change("web", "r1", 1)], ids=lambda one: str(one))
def test_what_stopped_by_itself_was_lost(told):
    assert between(RECORD, STOPPED, told) == [(Moment.LOST, 7.0, "")]


def test_what_was_lost_says_why_in_the_orchestrators_words():
    assert between(RECORD, evolve(STOPPED, note="exit code 137")) == [(Moment.LOST, 7.0, "exit code 137")]


def test_another_cells_orders_do_not_count():
    after = Progress(instances={"web.1": STOPPED}, told={"web-2": Told(Retire("web-2"), 1.0)})
    assert [one.moment for one in moments(Progress(instances={"web.1": RECORD}), after)] == [Moment.LOST]


def test_nothing_happened_where_nothing_was_learned():
    progress = Progress(instances={"web.1": STOPPED})
    assert list(moments(progress, evolve(progress, failure="no"))) == []
