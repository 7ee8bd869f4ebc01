"""What fails after a part of a request was done must not be told as if nothing had been changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zdd.errors import OutcomeUnknown, PermanentError, TemporaryError


@contextmanager
def half_done(done: str) -> Iterator[None]:
    """Do the rest of a request.

    Args:
        done: What was done of it already, in words.

    Raises:
        OutcomeUnknown: Instead of what says that nothing was changed.
    """
    try:
        yield
    except (TemporaryError, PermanentError) as error:
        raise OutcomeUnknown(f"{done}, but then: {error}", settles_within_s=0.0) from error
