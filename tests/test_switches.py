"""Whether there is a switch to go back from: a table of what was deployed before, oldest first."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.events import Outcome
from zdd.history import Deployment, History
from zdd.model.plan import Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.switch_over import SwitchOver
from zdd.switches import refuse_no_switch

OUTCOMES = {"": Outcome.SUCCEEDED, "back": Outcome.ROLLED_BACK, "frozen": Outcome.FROZEN}


def history(told: str) -> History:
    """Return a history from words such as ``1 >2 3:back``: with > it was a switch, with an outcome another one."""
    return History(tuple(_deployment(number, word) for number, word in enumerate(told.split())))


def _deployment(number: int, word: str) -> Deployment:
    version, _, outcome = word.removeprefix(">").partition(":")
    target = Revision(f"r{number}", version, Release(version, Process(["server", version])).workload)
    plan = Plan(Service("web"), target.id, {target.id: target}, (), (Stage("one"),), 0, 2, strategy="")
    strategy = SwitchOver() if word.startswith(">") else RollingUpdate()
    return Deployment(
        f"d{number}", plan, "", version, "ann@there:7", float(number), outcome=OUTCOMES[outcome], strategy=strategy
    )


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("1 >2", id="a switch"),
        pytest.param("1 >2:frozen", id="one that is half done"),
        pytest.param("1 >2 >1 >2", id="one more after it was gone back from"),
        pytest.param("1 >2 3:back", id="what was taken back since changes nothing"),
        pytest.param("1 >2 2", id="nor does the same once more"),
    ],
)
def test_a_switch_can_be_gone_back_from(told: str) -> None:
    refuse_no_switch("web", history(told), None)


@pytest.mark.parametrize(
    ("told", "why", "named"),
    [
        ("", "web was never deployed, so there is nothing to go back to", False),
        ("1 2", "web was never switched to a standby, so there is nothing to go back from", False),
        ("1 >2:back", "web was never switched to a standby", False),
        ("1 >2 >1", "web went back from its standby already, and 1 serves; name the version", True),
        ("1 >2 3", "3 of web was deployed after the last switch, so there is nothing to go back from", True),
    ],
)
def test_where_there_is_none_it_is_said_why_and_whether_a_version_may_be_named(
    told: str, why: str, named: bool
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{why}"):
        refuse_no_switch("web", history(told), None)
    if named:
        refuse_no_switch("web", history(told), "1")
    else:
        with pytest.raises(ConfigurationError, match=f"^{why}"):
            refuse_no_switch("web", history(told), "1")
