from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd import FunctionGate, HttpGate, Process, Release, Result, Sample, Target
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.intent import ConsulIntents
from zdd.adapters.consul.lease import ConsulLease
from zdd.errors import JournalError, LeaseLost
from zdd.interfaces import Fence
from zdd.model.intent import Intent
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service


def is_fine(target: Target) -> Sample:
    return Sample(Result.PASSED)


def intent(service: Service) -> Intent:
    workload = Release("1.0", Process(["server"])).workload
    revision = Revision("r1", "1.0", workload, (HttpGate("/health"), FunctionGate(is_fine)))
    goals = (Goal("web", "r1", 3, 1_000_000),)
    return Intent(Plan(service, "r1", {"r1": revision}, goals, (Stage("keep"),), 3, 4), True, "web-1")


@pytest.fixture
def intents(connection: ConsulConnection, prefix: str) -> ConsulIntents:
    return ConsulIntents(connection, prefix=prefix)


def test_what_was_written_is_read_whole(intents: ConsulIntents, service: Service) -> None:
    assert intents.read(service.name) is None
    first, second = intent(service), evolve(intent(service), settled=False, deployment="web-2")
    intents.write(service.name, first, Fence(1, "ann"))
    assert intents.read(service.name) == first
    intents.write(service.name, second, Fence(2, "bob"))
    assert intents.read(service.name) == second


def test_who_was_shut_out_writes_nothing(
    intents: ConsulIntents, service: Service, connection: ConsulConnection, prefix: str
) -> None:
    lease = ConsulLease(connection, prefix=prefix)
    old = lease.acquire(service.name, "mirror ann@host:1", 60.0)
    new = lease.acquire(service.name, "bob@host:2", 60.0)
    intents.write(service.name, intent(service), new)
    with pytest.raises(LeaseLost, match="bob@host:2"):
        intents.write(service.name, evolve(intent(service), settled=False), old)
    assert intents.read(service.name) == intent(service)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"what is this", "does not hold what zdd wrote"),
        (b'{"format": 1, "deployment": 1, "settled": true, "plan": ""}', "does not hold what zdd wrote"),
        (b'{"format": 1, "written": 999, "deployment": "d", "settled": true, "plan": ""}', "install a newer zdd"),
        (b'{"format": 1, "written": 1, "deployment": "d", "settled": true, "plan": "[]"}', "no plan"),
        (b'{"format": 1, "written": 1, "deployment": "d", "settled": true, "plan": "{"}', "Deploy again"),
        (b'{"format": 7}', "written by another zdd"),
    ],
)
def test_what_others_wrote_is_refused(
    intents: ConsulIntents, service: Service, agent: Any, prefix: str, value: bytes, message: str
) -> None:
    agent.ask("PUT", f"/v1/kv/{prefix}/heads/{service.name}/intent", value)
    with pytest.raises(JournalError, match=message):
        intents.read(service.name)


def test_one_that_is_too_large_is_refused(intents: ConsulIntents, service: Service) -> None:
    large = evolve(intent(service), deployment="d" * 400_000)
    with pytest.raises(JournalError, match="Consul takes"):
        intents.write(service.name, large, Fence(1, "ann"))
