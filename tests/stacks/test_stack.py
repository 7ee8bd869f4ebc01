"""A stack is in the order of what depends on what, or is refused."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.model.release import Process, Release
from zdd.model.service import Service
from zdd.stacks.stack import NAME_LENGTH_MAX, Stack, StackObject, StackService, in_order


def one(name: str, *depends_on: str) -> StackService:
    return StackService(Service(name), Release("1", Process(["true"])), depends_on=depends_on)


def names(*services: StackService) -> list[str]:
    return [each.service.name for each in in_order(services)]


def test_each_comes_after_those_that_it_depends_on_else_by_name() -> None:
    assert names(one("c"), one("a", "b"), one("b"), one("d", "a")) == ["b", "c", "a", "d"]
    assert [each.service.name for each in Stack("shop", [one("a", "b"), one("b")]).services] == ["b", "a"]


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ([one("a"), one("a")], "two services of a stack are called a: give one another name"),
        ([one("a", "x")], "a depends on x, which is not in the stack"),
        ([one("a", "a")], "a → a depend on each other: take one depends_on away"),
        ([one("x", "a"), one("a", "b"), one("b", "c"), one("c", "a")], "a → b → c → a depend on each other"),
    ],
)
def test_what_has_no_order_is_refused(services: list[StackService], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Stack("shop", services)


@pytest.mark.parametrize("name", ["Shop", "a b", "", "-a", "a-", "x" * (NAME_LENGTH_MAX + 1), None])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="stack name"):
        Stack(name, ())


def test_what_a_secret_holds_is_not_shown() -> None:
    assert "hunter2" not in repr(Stack("shop", (), [StackObject("secret", "shop_token", content=b"hunter2")]))
