"""What happens is written down first and told then, once."""

from __future__ import annotations

import logging

import pytest

from zdd.adapters.memory import MemoryJournal
from zdd.errors import JournalError, LeaseLost, TemporaryError
from zdd.events import ActionEnded, CapacityChanged, GateJudged, InstanceMoved, Moment, StagePassed, Waited
from zdd.gates import FunctionGate
from zdd.interfaces import Fence
from zdd.model.gate import Target
from zdd.model.observation import Observation
from zdd.model.plan import Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.model.verdict import Result, Sample, Verdict
from zdd.reconciler.decision import Decision
from zdd.reconciler.guard import Refusal
from zdd.reconciler.progress import GateRecord, InstanceRecord, Performed, Progress, Sampled
from zdd.recorder import JOURNAL_ATTEMPTS, Recorder

FENCE = Fence(3, "ann@there:7")
NOW_S = 100.0
NEW = Revision("r2", "2.0", Release("2.0", Process(["server"])).workload)


class Named:
    name, deadline_s = "backup", 60.0

    def run(self, context):
        return ""


PLAN = Plan(Service("web"), "r2", {"r2": NEW}, (), (Stage("one", actions=[Named()]),), 2, 4)


class BusyJournal(MemoryJournal):
    """Is busy so many times before it writes."""

    def __init__(self, times):
        super().__init__()
        self.times = times
        self.asked = 0

    def append(self, service, event, fence):
        self.asked += 1
        if self.asked <= self.times:
            raise TemporaryError("the file is locked")
        super().append(service, event, fence)


@pytest.fixture
def journal():
    return MemoryJournal()


@pytest.fixture
def told():
    return []


@pytest.fixture
def recorder(journal, told):
    return Recorder("web", "web-3", journal, FENCE, [told.append], lambda: NOW_S)


def emit(recorder):
    return recorder.emit(StagePassed, stage=0, title="one")


# -- written, then told ------------------------------------------------------------------------------------------------


def test_an_event_says_when_to_which_service_and_in_which_deployment(recorder, journal, told):
    event = emit(recorder)
    assert event == StagePassed(at_s=NOW_S, service="web", deployment="web-3", stage=0, title="one")
    assert list(journal.read("web")) == told == recorder.events == [event]


def test_an_event_is_written_down_before_anybody_is_told(journal):
    written = []

    def listen(event):
        written.append((event, journal.read("web")))

    event = emit(Recorder("web", "d", journal, FENCE, [listen], lambda: NOW_S))
    assert written == [(event, (event,))]


def test_a_listener_that_raises_is_logged_and_told_again_and_the_others_too(journal, told, caplog):
    calls = []

    def broken(event):
        calls.append(event)
        raise RuntimeError("the pipe is closed")

    recorder = Recorder("web", "d", journal, FENCE, [broken, told.append], lambda: NOW_S)
    with caplog.at_level(logging.ERROR, logger="zdd"):
        emit(recorder)
        emit(recorder)
    assert len(calls) == len(told) == len(journal.read("web")) == 2
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["zdd.listener_failed"] * 2
    assert "raised on StagePassed" in caplog.records[0].getMessage()
    assert "the pipe is closed" in caplog.text


def test_a_person_who_interrupts_in_a_listener_is_heard(journal):
    def interrupts(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emit(Recorder("web", "d", journal, FENCE, [interrupts], lambda: NOW_S))
    assert len(journal.read("web")) == 1


# -- a journal that can't ----------------------------------------------------------------------------------------------


def test_a_journal_that_is_busy_for_a_moment_is_asked_again(told):
    journal = BusyJournal(JOURNAL_ATTEMPTS - 1)
    event = emit(Recorder("web", "d", journal, FENCE, [told.append], lambda: NOW_S))
    assert journal.read("web") == (event,)
    assert told == [event]


def test_a_journal_that_stays_busy_ends_it_and_nobody_is_told_what_was_not_written(told):
    journal = BusyJournal(JOURNAL_ATTEMPTS)
    recorder = Recorder("web", "d", journal, FENCE, [told.append], lambda: NOW_S)
    with pytest.raises(
        JournalError, match=r"to web can't be written down any more: the file is .*resume.'web'. goes on"
    ):
        emit(recorder)
    assert journal.asked == JOURNAL_ATTEMPTS == 3
    assert journal.read("web") == ()
    assert told == recorder.events == []


def test_a_deployer_that_was_overtaken_writes_nothing(recorder, journal, told):
    theirs = StagePassed(at_s=1.0, service="web", deployment="web-4", stage=0, title="one")
    journal.append("web", theirs, Fence(4, "bob@there:8"))
    with pytest.raises(LeaseLost):
        emit(recorder)
    assert journal.read("web") == (theirs,)
    assert told == []


# -- only what changed -------------------------------------------------------------------------------------------------


def observation(**weights):
    registrations = [Registration(name, "web", "r2", name, {}, weight) for name, weight in weights.items()]
    return Observation(0.0, registrations=tuple(registrations))


def test_capacity_is_told_when_it_changed(recorder, told):
    for useful, existing in ((2, 3), (2, 3), (3, 3), (3, 4), (3, 4)):
        recorder.show(PLAN, observation(), Decision(useful=useful, existing=existing))
    assert [(event.useful, event.existing, event.floor) for event in told] == [(2, 3, 2), (3, 3, 2), (3, 4, 2)]


def test_capacity_is_not_told_while_nobody_knows_it(recorder, told):
    recorder.show(PLAN, observation(), Decision(useful=None, existing=3))
    assert told == []


def test_the_shares_of_the_versions_are_per_mille_and_a_change_of_them_is_told(recorder, told):
    old = Registration("web.1", "web", "r1", "1.0", {}, 3)
    out = Registration("web.2", "web", "r1", "0.9", {}, 0)
    new = Registration("web-2.1", "web-2", "r2", "named otherwise", {}, 1)
    recorder.show(PLAN, Observation(0.0, registrations=(old, out)), Decision(useful=2, existing=2))
    recorder.show(PLAN, Observation(0.0, registrations=(old, out, new)), Decision(useful=2, existing=2))
    assert [event.shares for event in told] == [{"1.0": 1000}, {"1.0": 750, "2.0": 250}]
    assert all(isinstance(event, CapacityChanged) for event in told)


def waits(*reasons, until_s=130.0):
    return Decision(waits=tuple(Refusal("start", reason, until_s) for reason in reasons))


def test_what_is_awaited_is_told_when_it_changed_and_is_not_written_down(recorder, journal, told):
    for decision in (waits("a"), waits("a"), waits("a", "b", "a"), waits(), waits("a", "b")):
        recorder.show(PLAN, observation(), decision)
    assert [(type(event), event.reasons, event.until_s) for event in told] == [
        (Waited, ("a",), 130.0),
        (Waited, ("a", "b"), 130.0),
    ]
    assert journal.read("web") == ()


def test_a_deadline_that_moves_is_told_and_one_that_trembles_is_not(recorder, told):
    for until_s in (130.0, 130.9, 129.1, 131.1):
        recorder.show(PLAN, observation(), waits("a", until_s=until_s))
    assert [event.until_s for event in told] == [130.0, 131.1]


# -- what was learned --------------------------------------------------------------------------------------------------


def judged(recorder, *results):
    gate = FunctionGate(len, "errors below 1 %")
    target = Target("web", "2.0", "r2", "web.1")
    for result in results:
        verdict = Verdict(result, "why", {"percent": 4.2})
        progress = Progress(gates={("r2/0", target.key): GateRecord(0.0, 0.0, None, (), verdict)})
        recorder.looked(PLAN, progress, progress, [Sampled("r2/0", gate, target, Sample(result), 0.0)])


def test_a_verdict_is_told_when_it_changed(recorder, told):
    passed, failed, unsure = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE
    judged(recorder, unsure, unsure, passed, passed, failed)
    assert [event.result for event in told] == [unsure, passed, failed]
    assert told[0] == GateJudged(
        at_s=NOW_S,
        service="web",
        deployment="web-3",
        gate="errors below 1 %",
        target="web.1",
        result=unsure,
        reason="why",
        figures={"percent": 4.2},
    )


def test_the_end_of_an_action_is_told_with_its_name(recorder, told):
    recorder.learned(PLAN, Progress(), Progress(done=(0,)), Performed(0, True, "41 MB"))
    [event] = told
    assert (type(event), event.stage, event.action, event.succeeded, event.note) == (
        ActionEnded,
        0,
        "backup",
        True,
        "41 MB",
    )


def test_what_happened_to_an_instance_is_told_with_the_time_at_which_it_was_seen(recorder, told):
    before = Progress(instances={"web.1": InstanceRecord("web", "r2", launched_s=90.0)})
    after = Progress(instances={"web.1": InstanceRecord("web", "r2", launched_s=90.0, ready_s=95.0)})
    recorder.learned(PLAN, before, after, Performed(0, False))
    assert [(e.at_s, e.instance, e.version, e.moment) for e in told if isinstance(e, InstanceMoved)] == [
        (95.0, "web.1", "2.0", Moment.READY)
    ]


def test_an_instance_that_was_cut_is_on_record_as_unproven(recorder):
    after = Progress(instances={"web.1": InstanceRecord("web", "r2", cut_s=95.0)})
    recorder.learned(PLAN, Progress(), after, Performed(0, False))
    assert recorder.unproven == ["web.1 had something in flight at its drain deadline, or that was not known"]
