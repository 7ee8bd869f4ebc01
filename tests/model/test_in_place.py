"""How far a cell is replaced while it serves: numbers and orders that make sense, or a refusal."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.model.in_place import InPlace, UpdateOrder, to_order


def test_one_at_a_time_and_the_new_one_first_unless_it_says_otherwise() -> None:
    assert InPlace(3) == InPlace(3, 1, UpdateOrder.START_FIRST)


def test_an_order_is_known_by_its_name() -> None:
    assert InPlace(3, order="stop-first").order is UpdateOrder.STOP_FIRST  # type: ignore[arg-type]
    assert to_order(UpdateOrder.START_FIRST) is UpdateOrder.START_FIRST
    with pytest.raises(ConfigurationError, match="start-first"):
        to_order("both")


@pytest.mark.parametrize(
    ("changed", "batch", "text"),
    [
        (-1, 1, "number of instances that are changed in place"),
        (1.5, 1, "number of instances that are changed in place"),
        (1, 0, "batch that is replaced in place"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(changed: int, batch: int, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        InPlace(changed, batch)
