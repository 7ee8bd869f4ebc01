"""A standby is started beside what serves, and nothing else is done."""

from __future__ import annotations

import pytest

from zdd import codec
from zdd.errors import ConfigurationError
from zdd.model.cell import Cell
from zdd.model.plan import Goal
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import FULL_SHARE
from zdd.strategies.situation import Situation
from zdd.strategies.stand_by import StandBy

STANDBY = Revision("r2", "standby", {})


def situation(*cells: Cell, service: Service | None = None, **shares: int) -> Situation:
    return Situation(service or Service("web"), STANDBY, cells, {"web": FULL_SHARE, **shares}, (1,))


def test_it_gets_a_cell_of_its_own_and_no_traffic_and_what_serves_is_not_named() -> None:
    (stage,) = StandBy().stages(situation(Cell("web", "r1", 1)))
    assert stage.goals == (Goal("web-2", "r2", 1, 0),)
    assert not stage.held
    assert StandBy().surge(situation(Cell("web", "r1", 1))) == 1


def test_one_that_stands_by_already_stays_where_it_is() -> None:
    (stage,) = StandBy().stages(situation(Cell("web", "r1", 1), Cell("web-2", "r2", 1)))
    assert stage.goals == (Goal("web-2", "r2", 1, 0),)
    assert StandBy().surge(situation(Cell("web", "r1", 1), Cell("web-2", "r2", 1))) == 1


def test_what_serves_can_not_stand_by_nor_what_works_without_being_asked() -> None:
    with pytest.raises(ConfigurationError, match=r"standby of web serves already, .* give another release"):
        StandBy().stages(situation(Cell("web", "r2", 1)))
    with pytest.raises(ConfigurationError, match="use a cold one"):
        StandBy().stages(situation(Cell("web", "r1", 1), service=Service("web", exposures=())))


def test_it_comes_back_from_the_journal() -> None:
    assert codec.decode(codec.encode(StandBy())) == StandBy()
    assert str(StandBy()) == "StandBy()"
