"""What is written down comes back exactly."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zdd import codec, events
from zdd.gates import AllOf, AnyOf, CommandGate, FunctionGate, HttpGate, InARow, Not, TcpGate
from zdd.model.action import ActionContext
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Route, Scale
from zdd.model.gate import Target
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, OnFailure, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result, Sample, Verdict
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

TARGET = Target("web", "1.0", "r1", "web-1", {"http": Address("127.0.0.1", 1)})


def through_json(value: object) -> Any:
    return codec.decode(json.loads(json.dumps(codec.encode(value), allow_nan=False)))


words = st.text(max_size=8)
names = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
counts = st.integers(0, 1000)
times = st.floats(0, 2e9)
figures = st.dictionaries(words, st.floats(allow_nan=False), max_size=3)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
addresses = st.builds(Address, words, st.integers(1, 65535))
by_port = st.dictionaries(names, addresses, max_size=2)
simple_gates = (
    st.builds(HttpGate, path=st.just("/health"), port=names, status=st.none() | st.just(204) | st.just((200, 503)))
    | st.builds(TcpGate, port=names)
    | st.builds(FunctionGate, st.just(json.loads), name=names)
    | st.builds(CommandGate, st.just(("true", "x")), environment=st.dictionaries(names, names, max_size=1))
)
gates = st.recursive(
    simple_gates,
    lambda inner: (
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=2))
        | st.builds(AnyOf, st.lists(inner, min_size=1, max_size=2))
        | st.builds(Not, inner)
        | st.builds(InARow, inner, st.integers(1, 5))
    ),
    max_leaves=3,
)
gate_lists = st.lists(gates, max_size=2).map(tuple)
revisions = st.builds(Revision, words, words, st.dictionaries(words, plain, max_size=3), gate_lists)
goals = st.builds(Goal, words, words, counts, counts)
stages = st.builds(
    Stage,
    words,
    st.lists(goals, max_size=3).map(tuple),
    gates=gate_lists,
    hold_s=times,
    deadline_s=times | st.just(float("inf")),
    on_failure=st.sampled_from(OnFailure),
    held=st.booleans(),
)
exposures = st.builds(Exposure, names, st.just("/a"), st.none() | names)
services = st.builds(
    Service,
    names,
    replicas=st.integers(10, 20),
    floor=st.none() | st.just(0),
    exposures=st.lists(
        st.builds(Exposure, names, st.just("/a"), st.none() | names), max_size=3, unique_by=lambda e: e.port
    ),
    overlap=st.sampled_from(Overlap),
    cells=st.none() | st.integers(1, 10),
    settle_s=st.floats(0, 100),
)
directions = st.sampled_from(Direction)
plans = st.builds(
    Plan,
    services,
    words,
    st.dictionaries(words, revisions, max_size=2),
    st.lists(goals, max_size=2).map(tuple),
    st.lists(stages, max_size=3).map(tuple),
    counts,
    counts,
    entrances=by_port,
    retreat=st.lists(goals, max_size=2).map(tuple),
    strategy=words,
    direction=directions,
)
strategies = (
    st.builds(RollingUpdate, gates=gate_lists, on_failure=st.sampled_from(OnFailure))
    | st.builds(BlueGreen, gates=gate_lists)
    | st.builds(Canary, st.just((10, 100)), gates=gate_lists, hold_s=times)
    | st.builds(Recreate)
)
kept = st.none() | strategies
registrations = st.builds(Registration, words, words, words, words, by_port, counts)
commands = (
    st.builds(Launch, words, words, counts)
    | st.builds(Change, words, words, counts)
    | st.builds(Scale, words, counts)
    | st.builds(Retire, words, st.lists(words, max_size=3).map(tuple))
    | st.builds(Route, st.lists(registrations, max_size=3).map(tuple), st.booleans())
)
head = {"at_s": times, "service": names, "deployment": words}
all_events = (
    st.builds(
        events.DeploymentStarted, **head, plan=plans, from_version=words, to_version=words, actor=words, strategy=kept
    )
    | st.builds(events.StageEntered, **head, stage=counts, stages=counts, title=words, direction=directions)
    | st.builds(events.CommandIntended, **head, number=counts, command=commands)
    | st.builds(events.CommandAnswered, **head, number=counts, error=words, unknown=st.booleans())
    | st.builds(
        events.InstanceMoved,
        **head,
        instance=words,
        cell=words,
        version=words,
        moment=st.sampled_from(events.Moment),
        note=words,
    )
    | st.builds(
        events.GateJudged,
        **head,
        gate=words,
        target=words,
        result=st.sampled_from(Result),
        reason=words,
        figures=figures,
    )
    | st.builds(events.ActionEnded, **head, stage=counts, action=words, succeeded=st.booleans(), note=words)
    | st.builds(
        events.CapacityChanged,
        **head,
        useful=counts,
        existing=counts,
        floor=counts,
        shares=st.dictionaries(words, counts, max_size=3),
    )
    | st.builds(events.Waited, **head, reasons=st.lists(words, max_size=3).map(tuple), until_s=times)
    | st.builds(events.StagePassed, **head, stage=counts, title=words)
    | st.builds(events.StageFailed, **head, stage=counts, title=words, reason=words)
    | st.builds(events.DeploymentEnded, **head, outcome=st.sampled_from(events.Outcome), reason=words)
)


@settings(deadline=None)
@given(plans)
def test_a_plan_comes_back_exactly(plan: Plan) -> None:
    assert through_json(plan) == plan


@settings(deadline=None)
@given(all_events)
def test_an_event_comes_back_exactly_with_its_types(event: events.Event) -> None:
    again = through_json(event)
    assert again == event
    assert repr(again) == repr(event)  # repr tells 1 from 1.0 and from True, and a list from a tuple


@given(plain)
def test_plain_data_comes_back_exactly(value: object) -> None:
    assert repr(through_json(value)) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        Observation(
            1.5,
            (Cell("a", "r", 2, (Instance("i", "r", InstanceState.READY, {"http": Address("::1", 80)}),)),),
            (Registration("i", "a", "r", "1", {"http": Address("h", 1)}, 5),),
            True,
            (EdgeView("edge", 1.0, weights={Address("h", 1): 3}, in_flight={Address("h", 2): 0}),),
        ),
        ActionContext("web", "d", "1", "2"),
        Process(["python3", "-m", "x"], {"A": "b"}),
        Release("1.0", Process(["x"]), gates=[HttpGate()]),
        Sample(Result.FAILED, "no", {"ms": 1.0}, (Sample(Result.PASSED),)),
        Verdict(Result.INCONCLUSIVE, "not yet", {"inf": float("inf"), "less": float("-inf")}),
        TARGET,
        {"$": "a key that looks like a mark"},
        {1: "a", (2, 3): ["b", ("c",)]},
        {"b": 1, "a": 2},
        [frozenset({"a"}), {1}, b"\0\xff", Path("a/b"), dt.timedelta(days=-1, microseconds=5)],
        ((), [], {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_come_back_exactly(value: object) -> None:
    assert repr(through_json(value)) == repr(value)


def test_a_mapping_keeps_its_order() -> None:
    assert list(through_json({"b": 1, "a": 2})) == ["b", "a"]


def test_a_set_is_written_in_the_same_order_whatever_order_it_has() -> None:
    values = [f"{number}" for number in range(50)]
    assert through_json(frozenset(values)) == frozenset(values)
    assert codec.encode(set(values)) == {"$set": sorted(values)}
