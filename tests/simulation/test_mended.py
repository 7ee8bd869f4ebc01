"""Seeds in which a rule was once broken, with what was wrong."""

from __future__ import annotations

import pytest

from zdd.simulation import DRAWN_APART, draw, simulate

MENDED = {
    45: "an edge that lags admitted what had been taken back, and it was stopped meanwhile",
    89: "the same, and what was told to stop crashed",
    259: "an instance that one list lacked was not drained",
    323: "one short list was enough to start beside what stops",
    672: "the drain deadline ran before the last edge had let go",
    766: "a canary's surge was too small for what a person had scaled",
    867: "taking back could end while requests were held",
    1100: "an instance gave up some of its traffic, and none of its cell could take that over",
    1474: "no canary could be resumed while the old cells were being retired",
    1591: "held requests went on while an edge's silence kept the new one out",
    1641: "a resumed canary got more before those that had too much gave it up",
    1842: "the same, because an edge could not be asked",
    2074: "the same, while the cell was not proven yet",
    2444: "an instance that had just become well again was held against the deployer",
    3054: "what rounding left of a canary's share went to a cell that was being retired",
    10570: "a person who wrote what a slow discovery showed undid what it had been told, which was held against zdd",
    3961: "what a person took out of traffic was held against the plan that began in that moment",
}

MENDED_WITH_ORDERS = {
    118: "an edge that lags showed what was put back only because it had not let go of it yet",
    147: "an abort came before discovery showed that all was taken out: held requests went on to nobody",
    1578: "a request without an answer that took effect in the last moment was shown when its instances had gone",
    772: "a deployment that follows an aborted one at once did not know what discovery had been told",
}


@pytest.mark.parametrize("seed", MENDED)
def test_it_breaks_no_rule_any_more(seed: int) -> None:
    assert simulate(draw(seed).without(DRAWN_APART)).violations == (), MENDED[seed]


@pytest.mark.parametrize("seed", MENDED_WITH_ORDERS)
def test_with_orders_it_breaks_no_rule_any_more(seed: int) -> None:
    assert simulate(draw(seed).without(DRAWN_APART).with_orders()).violations == (), MENDED_WITH_ORDERS[seed]
