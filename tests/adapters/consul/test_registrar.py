"""Single writes to a real agent, in a row: only what is different, each after a look at the fence, and told truly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.listing import IN, OUT, Listed, Wanted, parse_listing
from zdd.adapters.consul.registrar import Registrar
from zdd.errors import LeaseLost, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.traffic import Registration

Make = Callable[..., Registration]
ANN = Fence(7, "ann@host:1")


@pytest.fixture
def registrar(connection: ConsulConnection) -> Registrar:
    return Registrar(connection, lambda _: connection, ANN, lambda: None)


@pytest.fixture
def wanted(agent: Any, prefix: str, make_registration: Make) -> Iterator[Callable[..., Wanted]]:
    """One port of an instance of a service of the test's own."""

    def make(number: int = 1, weight: int = 100, name: str = prefix) -> Wanted:
        return Wanted(prefix, name, "http", make_registration(number, weight), 256)

    yield make
    for service in agent.ask("GET", "/v1/agent/services"):
        if service.startswith(f"zdd:{prefix}:"):
            agent.ask("PUT", f"/v1/agent/service/deregister/{service}")


def listed(agent: Any, name: str) -> list[Listed]:
    return [parse_listing(item) for item in agent.ask("GET", f"/v1/health/service/{name}")]


def test_what_is_not_there_is_registered_with_its_state(registrar: Registrar, agent: Any, wanted: Any) -> None:
    registrar.put(wanted(1), None)
    registrar.put(wanted(2, weight=0), None)
    one, two = listed(agent, wanted().name)
    assert (one.status, one.effect, one.told) == (IN, 256, 100)
    assert (two.status, two.effect, two.told) == (OUT, 0, 0)
    assert all(each.is_as(wanted(number)) for number, each in ((1, one), (2, evolve(two, meta=wanted(2).meta()))))


def test_only_the_state_is_written_where_only_that_is_different(registrar: Registrar, agent: Any, wanted: Any) -> None:
    registrar.put(wanted(), None)
    (before,) = listed(agent, wanted().name)
    written = registrar.done
    registrar.put(wanted(weight=0), before)
    assert registrar.done == written + 1
    (after,) = listed(agent, wanted().name)
    assert after == evolve(before, status=OUT)


def test_what_is_listed_though_its_agent_has_forgotten_it_is_registered(
    registrar: Registrar, agent: Any, wanted: Any
) -> None:
    registrar.put(wanted(), None)
    (before,) = listed(agent, wanted().name)
    registrar.remove(before)
    registrar.put(wanted(), before)
    assert listed(agent, wanted().name) == [before]


def test_removing_what_has_gone_already_is_no_error(registrar: Registrar, agent: Any, wanted: Any) -> None:
    registrar.put(wanted(), None)
    (before,) = listed(agent, wanted().name)
    for _ in range(2):
        registrar.remove(before)
        registrar.strike_out(before)
    assert listed(agent, wanted().name) == []


def test_an_agent_that_died_with_its_node_needs_not_be_told(
    connection: ConsulConnection, registrar: Registrar, agent: Any, wanted: Any
) -> None:
    registrar.put(wanted(), None)
    (before,) = listed(agent, wanted().name)
    gone = ConsulConnection(address="http://127.0.0.1:9")
    to_gone = Registrar(connection, lambda _: gone, ANN, lambda: None)
    to_gone.remove(evolve(before, node_alive=False))
    with pytest.raises(TemporaryError, match="can't be reached"):
        to_gone.remove(before)


def test_the_fence_is_looked_at_before_every_single_write(registrar: Registrar, agent: Any, wanted: Any) -> None:
    looks = iter([None, LeaseLost("bob has taken over")])

    def check_fence() -> None:
        problem = next(looks)
        if problem is not None:
            raise problem

    registrar.check_fence = check_fence
    registrar.put(wanted(1), None)
    with pytest.raises(LeaseLost):
        registrar.put(wanted(2), None)
    assert [one.instance for one in listed(agent, wanted().name)] == ["web.1"]


class TestHalfDone:
    """What fails after something was written was not simply refused."""

    def test_a_time_that_is_over(self, registrar: Registrar, agent: Any, wanted: Any) -> None:
        end_s, registrar.end_s = registrar.end_s, time.monotonic() - 1
        with pytest.raises(TemporaryError, match="it took longer than 8 s"):
            registrar.put(wanted(1), None)
        registrar.end_s = end_s
        registrar.put(wanted(1), None)
        registrar.end_s = time.monotonic() - 1
        with pytest.raises(OutcomeUnknown, match=r"after 2 changes, could not register zdd:.*web\.2: it took longer"):
            registrar.put(wanted(2), None)
        assert len(listed(agent, wanted().name)) == 1

    def test_a_refusal(self, connect: Any, guarded_agent: Any, wanted: Any, prefix: str) -> None:
        connection = connect(f'service "{prefix}" {{ policy = "write" }} node_prefix "" {{ policy = "read" }}')
        registrar = Registrar(connection, lambda _: connection, ANN, lambda: None)
        forbidden = wanted(2, name=f"{prefix}-admin")
        with pytest.raises(PermanentError, match=f'The token needs: service "{forbidden.name}"'):
            registrar.put(forbidden, None)
        registrar.put(wanted(1), None)
        with pytest.raises(
            OutcomeUnknown, match=rf"after 2 changes, could not register {forbidden.id}: .* not permitted"
        ):
            registrar.put(forbidden, None)
        (one,) = listed(guarded_agent, prefix)
        Registrar(connection, lambda _: connection, ANN, lambda: None).remove(one)

    @pytest.mark.parametrize("kind", [TemporaryError, PermanentError])
    def test_whatever_else_belongs_to_it(self, registrar: Registrar, wanted: Any, kind: type[Exception]) -> None:
        with pytest.raises(kind, match=r"^no list$"), registrar.as_one():
            raise kind("no list")
        registrar.put(wanted(), None)
        with pytest.raises(OutcomeUnknown, match="after 2 changes: no list"), registrar.as_one():
            raise kind("no list")
