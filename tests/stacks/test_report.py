"""A stack's report: one verdict, and what became of each service, in words and as data."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from zdd.events import Outcome
from zdd.stacks.report import ServiceResult, StackReport

REPORT = StackReport(
    "shop",
    "shop-7",
    Outcome.ROLLED_BACK,
    (
        ServiceResult("shop-db", Outcome.SUCCEEDED),
        ServiceResult("shop-api", Outcome.ROLLED_BACK, "gate said no"),
        ServiceResult("shop-web", None),
    ),
    "shop-api: gate said no",
    removed=("shop-old",),
    gone=("shop-left",),
    notes=("web is\nleft out",),
)


def test_it_says_what_became_of_each_service() -> None:
    first, *services, note = str(REPORT).splitlines()
    assert first == "shop: rolled back: shop-api: gate said no"
    assert services == [
        "  shop-db  succeeded",
        "  shop-api  rolled back: gate said no",
        "  shop-web  not begun",
        "  shop-old  removed",
        "  shop-left  is not in the stack any more, and was left as it is",
    ]
    assert note.startswith("  web is")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_it_succeeded_if_what_was_wanted_serves(outcome: Outcome) -> None:
    assert evolve(REPORT, outcome=outcome).succeeded == (outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED))


def test_what_was_deployed_is_what_changed() -> None:
    assert REPORT.changed == ("shop-db",)


def test_the_data_can_be_written_as_strict_json() -> None:
    data = REPORT.to_data()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["outcome"], data["removed"], data["gone"]) == ("rolled back", ["shop-old"], ["shop-left"])
    assert data["services"][2] == {
        "service": "shop-web",
        "outcome": None,
        "reason": "",
        "report": None,
        "back": None,
    }
