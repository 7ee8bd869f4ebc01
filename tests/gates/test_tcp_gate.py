"""A connection, or none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.model.address import Address
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample


def target(address: Address) -> Target:
    return Target("web", "1.0", "r1", "web-1", {"http": address})


def test_a_port_that_accepts_passes(serve: Callable[..., Any]) -> None:
    server = serve(b"")
    sample = TcpGate().sample(server.target)
    assert sample.result is Result.PASSED
    assert sample.reason == f"{server.address} accepts connections"
    assert TcpGate().judge([sample]).result is Result.PASSED


def test_a_port_that_refuses_fails(closed_address: Address) -> None:
    assert TcpGate().sample(target(closed_address)) == Sample(Result.FAILED, f"{closed_address}: connection refused")


def test_a_host_that_does_not_answer_fails_within_the_time(full_address: Address) -> None:
    begun = time.monotonic()
    sample = TcpGate(timeout_s=0.3).sample(target(full_address))
    assert sample == Sample(Result.FAILED, f"{full_address}: no answer within 0.3 s")
    assert time.monotonic() - begun < 10


def test_an_address_that_is_not_known_yet_is_inconclusive() -> None:
    assert TcpGate("db").sample(target(Address("127.0.0.1", 1))).result is Result.INCONCLUSIVE


def test_it_says_what_it_does() -> None:
    assert str(TcpGate("admin")) == "a connection to port admin"
    assert TcpGate("admin").ports() == {"admin"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"port": "a b"}, "port name 'a b'"),
        ({"timeout_s": -1}, "timeout_s of gate a connection to port http is -1"),
        ({"interval_s": 0}, "interval_s"),
    ],
)
def test_a_bad_value_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TcpGate(**values)
