"""What a user's function must be."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.model.function import function_name, function_of_one


class Called:
    async def __call__(self, target: object) -> bool:
        return True


def test_a_function_of_one_argument_is_taken_as_it_is() -> None:
    assert function_of_one(len, "a gate", "the target") is len
    assert function_name(len) == "len"


@pytest.mark.parametrize(("value", "said"), [(5, "is 5"), (Called(), "is async"), (lambda: 1, "can't be called with")])
def test_anything_else_is_refused(value: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        function_of_one(value, "a gate", "the target")
