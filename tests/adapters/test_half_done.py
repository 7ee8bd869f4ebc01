"""What fails after a part of a request was done is told as that; what says enough by itself stays as it is."""

from __future__ import annotations

import pytest

from zdd.adapters.half_done import half_done
from zdd.errors import AdapterError, ConfigurationError, LeaseLost, OutcomeUnknown, PermanentError, TemporaryError


class Busy(TemporaryError):
    """A kind of its own, as adapters have them."""


@pytest.mark.parametrize("kind", [TemporaryError, PermanentError, Busy])
def test_nothing_says_that_nothing_was_changed(kind: type[AdapterError]) -> None:
    with (
        pytest.raises(OutcomeUnknown, match=r"^the old ones were stopped, but then: no room$") as told,
        half_done(lambda: "the old ones were stopped, but then"),
    ):
        raise kind("no room")
    assert told.value.settles_within_s == 0.0
    assert isinstance(told.value.__cause__, kind)


@pytest.mark.parametrize(
    "error", [LeaseLost("x"), OutcomeUnknown("x", settles_within_s=3.0), ConfigurationError("x"), KeyboardInterrupt()]
)
def test_what_says_enough_by_itself_stays_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as told, half_done(lambda: "something"):
        raise error
    assert told.value is error


@pytest.mark.parametrize("kind", [TemporaryError, PermanentError])
def test_where_nothing_was_done_it_is_told_as_it_came(kind: type[AdapterError]) -> None:
    with pytest.raises(kind, match=r"^no room$"), half_done(lambda: ""):
        raise kind("no room")


def test_what_succeeds_is_told_nothing_of() -> None:
    with half_done(lambda: "something"):
        pass
