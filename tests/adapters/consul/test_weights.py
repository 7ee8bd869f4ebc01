"""From zdd's weights to Consul's, and to what HAProxy makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdd.adapters.consul.weights import consul_weight


def haproxy_weight(consul: int) -> int:
    """What HAProxy makes of the weight of an SRV record."""
    return (consul + 255) // 256


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1_000_000], [65_280]),
        ([250_000] * 4, [65_280] * 4),
        ([950_000, 50_000], [65_280, 13 * 256]),
        ([999_999, 1], [65_280, 256]),
        ([500, 0], [65_280, 256]),
        ([0], [256]),
    ],
)
def test_the_greatest_has_255_steps_and_nobody_less_than_one(weights: list[int], expected: list[int]) -> None:
    assert [consul_weight(weight, weights) for weight in weights] == expected


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=40))
def test_haproxy_divides_as_zdd_wants(weights: list[int]) -> None:
    consul = [consul_weight(weight, weights) for weight in weights]
    assert all(1 <= weight <= 65_535 for weight in consul)
    for weight, told in zip(weights, consul, strict=True):
        assert haproxy_weight(told) * 256 == told
        exact = 255 * weight / max(weights)
        assert abs(haproxy_weight(told) - exact) <= (0.5 if exact >= 0.5 else 1.0)
