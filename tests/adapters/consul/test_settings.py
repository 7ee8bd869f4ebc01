from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import field, frozen, validators

from zdd.adapters.consul.settings import convert
from zdd.errors import ConfigurationError


@frozen
class Pool:
    size: int
    timeout_s: float = 1.5


@frozen
class Settings:
    database: str
    pool: Pool
    hosts: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(factory=dict)
    debug: bool = False
    proxy: str | None = None
    ratio: float = field(default=0.5, validator=validators.lt(1))


GOOD: dict[str, Any] = {"database": "postgres://db", "pool": {"size": 5}}


def test_every_kind_of_field() -> None:
    values = {**GOOD, "hosts": ["a", "b"], "limits": {"x": 1}, "debug": True, "proxy": "p", "ratio": 0, "later": 1}
    expected = Settings("postgres://db", Pool(5), ("a", "b"), {"x": 1}, True, "p", 0.0)
    assert convert(values, Settings, "it") == expected
    assert convert({**GOOD, "proxy": None}, Settings, "it") == Settings("postgres://db", Pool(5))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"database": 5}, "key 'database' is 5 (int), str is wanted"),
        ({"debug": 1}, "key 'debug' is 1 (int), bool is wanted"),
        ({"pool": {"size": True}}, "key 'pool.size' is True (bool), int is wanted"),
        ({"pool": {}}, "key 'pool.size' is missing, int is wanted"),
        ({"pool": 5}, "key 'pool' is 5 (int), Pool is wanted"),
        ({"hosts": ["a", 2]}, "key 'hosts[1]' is 2 (int), str is wanted"),
        ({"limits": {"x": "1"}}, "key 'limits.x' is '1' (str), int is wanted"),
        ({"proxy": 1.5}, "key 'proxy' is 1.5 (float), str | None is wanted"),
        ({"ratio": 2}, "Settings: "),
    ],
)
def test_what_does_not_fit_names_key_and_type(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        convert({**GOOD, **changed}, Settings, "configuration ab of web")
    assert str(refused.value).startswith(f"configuration ab of web does not fit Settings: {message}")


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"'database' is missing.*'pool' is missing"):
        convert({}, Settings, "it")


def test_a_class_that_attrs_has_not_made_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="use a class that attrs has made"):
        convert({}, dict, "it")
