"""Where something is reached: how it is written, and what is no address."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.model.address import Address, check_address, entrances_of


@pytest.mark.parametrize(
    ("host", "written"),
    [("10.0.0.1", "10.0.0.1:80"), ("web.internal", "web.internal:80"), ("::1", "[::1]:80")],
)
def test_it_is_written_as_in_a_url(host: str, written: str) -> None:
    assert str(Address(host, 80)) == written


def test_addresses_are_sorted_by_the_number_of_the_port() -> None:
    assert sorted([Address("b", 1), Address("a", 80), Address("a", 9)]) == [
        Address("a", 9),
        Address("a", 80),
        Address("b", 1),
    ]


@pytest.mark.parametrize("value", ["10.0.0.1:80", ("10.0.0.1", 80), Address("10.0.0.1", "80"), Address(1, 80), None])  # type: ignore[arg-type]
def test_what_would_be_like_no_address_that_is_ever_seen_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"the edge is .*: use an address such as Address\('10.0.0.1', 80\)"):
        check_address("the edge", value)


def test_entrances_are_addresses_by_the_name_of_the_port() -> None:
    assert entrances_of({"http": Address("10.0.0.1", 80)}) == {"http": Address("10.0.0.1", 80)}
    with pytest.raises(ConfigurationError, match=r"entrance 'http' is '10\.0\.0\.1:80'"):
        entrances_of({"http": "10.0.0.1:80"})  # type: ignore[dict-item]
    with pytest.raises(ConfigurationError, match="entrances"):
        entrances_of([Address("10.0.0.1", 80)])  # type: ignore[arg-type]
