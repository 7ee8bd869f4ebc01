"""The form on disk: what is written, what an older or newer zdd wrote, what nobody wrote."""

from __future__ import annotations

import pytest

from zdd import codec, events
from zdd.errors import JournalError
from zdd.model.command import Retire
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.service import Service


def test_every_field_is_written_so_that_a_changed_default_does_not_change_the_past() -> None:
    assert codec.encode(Retire("web-2")) == {"$": "retire", "cell": "web-2", "cut": []}


def test_a_field_that_an_older_zdd_did_not_write_takes_its_default() -> None:
    assert codec.decode({"$": "retire", "cell": "web-2"}) == Retire("web-2", ())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"$": "retire"}, "field 'cell' of zdd.model.command:Retire is missing, and has no default"),
        ({"$": "retire", "cell": "a", "speed": 1}, "zdd.model.command:Retire has no field 'speed'"),
        ({"$": "teleport", "cell": "a"}, "is a 'teleport', which this version of zdd does not know"),
        ({"$hologram": 1}, r"is marked '\$hologram', which this version of zdd does not know"),
        ({"$": "direction", "name": "SIDEWAYS"}, "has no member"),
        ({"$": "direction", "name": "BACK", "x": 1}, "has no member"),
        ({"$": ["retire"]}, "is not what '\\$' means"),
        ({"$gate": "telepathy gate", "text": "", "fields": {}}, "is a 'telepathy gate', which this version"),
        ({"$gate": "http gate", "text": "", "fields": {"colour": 1}}, "has no field 'colour'"),
        ({"$gate": "http gate", "fields": {}}, "beside it has"),
        ({"$gate": "os;system:x", "text": "", "fields": {}}, "is no name of the form package.module:Name"),
        ({"$float": "1; import os"}, "is not what '\\$float' means"),
        ({"$list": 5}, "is not what '\\$list' means"),
        ({"$bytes": "%"}, "is not what '\\$bytes' means"),
        ({"$list": [], "more": 1}, "beside it has \\['more'\\]"),
        ([{"$": "service", "name": "Not Legal"}], r"value\[0\]: zdd.model.service:Service refuses its values"),
        ({"a": object()}, "no JSON data"),
    ],
)
def test_data_that_was_not_written_by_this_format_is_refused_by_name(data: object, message: str) -> None:
    with pytest.raises(JournalError, match=message):
        codec.decode(data)


def test_a_value_that_can_not_be_written_is_named_with_its_place() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "<odd>"

    with pytest.raises(JournalError, match=r"value\.stages\[0\]\.goals\[0\]\.cell is <odd>"):
        codec.encode(
            Plan(Service("web"), "r", {}, (), (Stage("s", (Goal(Odd(), "r", 1, 1),)),), 0, 1)  # type: ignore[arg-type]
        )


def test_the_kind_of_an_event_is_its_name_and_nothing_else_has_one() -> None:
    event = events.StagePassed(at_s=1, service="web", deployment="d", stage=0, title="")
    assert codec.kind_of(event) == "stage passed"
    with pytest.raises(JournalError, match="is not an event that zdd knows"):
        codec.kind_of("x")  # type: ignore[arg-type]
