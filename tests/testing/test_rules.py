from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from zdd.adapters.memory import MemoryClock
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.service import Service
from zdd.testing import BrokenRule, Conditions, ConformanceError, Rule, accepts_connections
from zdd.testing.rules import opened, try_rules

SUBJECT: Rule[str] = Rule("it is fine", len)


@contextmanager
def nothing() -> Iterator[str]:
    yield "nothing"


def test_it_needs_no_test_runner() -> None:
    code = "import sys, zdd.testing; sys.exit('pytest' in sys.modules or '_pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_error_names_every_broken_rule_and_what_was_seen() -> None:
    def breaks(trial: str) -> None:
        raise BrokenRule("it was blue")

    def raises(trial: str) -> None:
        raise KeyError("colour")

    rules = (
        SUBJECT,
        Rule("it is red", breaks),
        Rule("it has a colour", raises),
        Rule("never", breaks, lambda _: False),
    )
    with pytest.raises(ConformanceError) as caught:
        try_rules("the thing", rules, nothing)
    assert str(caught.value).splitlines() == [
        "the thing breaks 2 of 3 rules:",
        "  it is red: it was blue",
        "  it has a colour: it raised KeyError: 'colour'",
    ]
    assert caught.value.broken == ("it is red", "it has a colour")
    assert isinstance(caught.value.__cause__, BrokenRule)


def test_an_adapter_that_can_not_be_made_breaks_the_rules() -> None:
    @contextmanager
    def fails() -> Iterator[str]:
        raise OSError("no room")
        yield ""

    with pytest.raises(ConformanceError, match="breaks 1 of 1 rules:\n  it is fine: it raised OSError: no room"):
        try_rules("the thing", (SUBJECT,), fails)


def test_a_rule_that_is_not_tried_is_counted_where_it_cannot_be_cleaned_up_after() -> None:
    @contextmanager
    def stays() -> Iterator[str]:
        yield ""
        raise OSError("still there")

    rules = (SUBJECT, Rule("never", lambda _: None, lambda _: False))
    with pytest.raises(ConformanceError, match="breaks 2 of 2 rules:"):
        try_rules("the thing", rules, stays)


def test_what_is_awaited_may_be_out_of_reach_for_a_while() -> None:
    clock = MemoryClock()
    conditions = Conditions(service=Service("kit"), clock=clock, deadline_s=5.0)
    start_s = clock.now()

    def look() -> str:
        if clock.now() < start_s + 3.0:
            raise TemporaryError("not now")
        return "there"

    assert conditions.until("it was there", look) == "there"
    with pytest.raises(BrokenRule, match=r"within 5 s it did not happen that it was gone \(last: never\)"):
        conditions.until("it was gone", lambda: (_ for _ in ()).throw(TemporaryError("never")))


def test_what_must_last_is_looked_at_for_its_time() -> None:
    clock = MemoryClock()
    conditions = Conditions(service=Service("kit"), clock=clock, steady_s=2.0)
    start_s = clock.now()
    conditions.steadily("it was early", lambda: clock.now() < start_s + 3.0)
    assert clock.now() == start_s + 2.0
    with pytest.raises(BrokenRule, match="it did not last that it was early"):
        conditions.steadily("it was early", lambda: clock.now() < start_s + 3.0)


def test_what_is_made_may_be_a_context_manager_or_not() -> None:
    with opened("plain") as plain, opened(nothing()) as managed:
        assert (plain, managed) == ("plain", "nothing")


def test_accepts_connections_asks_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        assert accepts_connections(address)
    assert not accepts_connections(address)
