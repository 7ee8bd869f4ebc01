"""What a journal holds: each kind of value as the JSON that it is written as, which later versions must read."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from zdd.actions import CommandAction
from zdd.codec.writing import encode, role_of
from zdd.errors import JournalError
from zdd.events import Outcome
from zdd.gates import TcpGate
from zdd.model.address import Address
from zdd.strategies.recreate import Recreate


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        ("web", "web"),
        ((1, "two"), [1, "two"]),
        ([1, 2], {"$list": [1, 2]}),
        ({3, 1, 2}, {"$set": [1, 2, 3]}),
        (frozenset({"b", "a"}), {"$frozenset": ["a", "b"]}),
        (b"\x00\xff", {"$bytes": "AP8="}),
        (Path("/srv/web"), {"$path": "/srv/web"}),
        (dt.timedelta(days=1, seconds=2, microseconds=3), {"$duration": [1, 2, 3]}),
        (math.inf, {"$float": "inf"}),
        (-math.inf, {"$float": "-inf"}),
        (math.nan, {"$float": "nan"}),
        ({"name": "web"}, {"name": "web"}),
        ({1: "one"}, {"$map": [[1, "one"]]}),
        ({"$name": "web"}, {"$map": [["$name", "web"]]}),
        (Outcome.SUCCEEDED, {"$": "outcome", "name": "SUCCEEDED"}),
        (Address("10.0.0.1", 80), {"$": "address", "host": "10.0.0.1", "port": 80}),
        (json.dumps, {"$function": "json:dumps"}),
    ],
)
def test_a_value_is_written_as_it_always_was(value: object, written: object) -> None:
    assert encode(value) == written
    json.dumps(encode(value), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "role"),
    [
        (TcpGate(), "$gate"),
        (CommandAction(["true"]), "$action"),
        (Recreate(), "$strategy"),
        (TcpGate, ""),
        ("text", ""),
        (Address("10.0.0.1", 80), ""),
    ],
    ids=str,
)
def test_a_part_is_known_by_what_it_can_do(value: object, role: str) -> None:
    assert role_of(value) == role


def test_a_part_is_written_with_its_text_for_when_it_can_not_be_imported_any_more() -> None:
    written = encode(TcpGate("db"))
    assert written["$gate"] == "tcp gate"
    assert written["text"] == "a connection to port db"
    assert written["fields"]["port"] == "db"


class Plain:
    """A gate, and no attrs class."""

    interval_s, deadline_s = 1.0, None

    def ports(self) -> frozenset[str]:
        return frozenset()

    def sample(self, target: Any) -> Any: ...

    def judge(self, samples: Any) -> Any: ...

    def __str__(self) -> str:
        raise RuntimeError("no text today")


def test_a_part_that_can_not_be_written_is_written_as_its_text_and_the_reason_and_the_deployment_goes_on() -> None:
    written = encode(Plain())
    assert written["$gate"] == ""
    assert written["text"].endswith("Plain (its text can't be had: RuntimeError)")
    assert written["problem"]


@frozen
class Holder:
    held: object


@pytest.mark.parametrize("value", [object(), (1, object()), {"a": object()}, Holder(object())])
def test_what_can_not_be_written_down_is_named_with_its_place(value: object) -> None:
    with pytest.raises(JournalError, match="can't be written down"):
        encode(value)


def test_the_place_is_the_way_to_it() -> None:
    with pytest.raises(JournalError, match=r"value\[1\]\['a'\] is <object"):
        encode((1, {"a": object()}))
