"""What fails after a part of a request was done must not be told as if nothing had been changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zdd.errors import OutcomeUnknown, PermanentError, TemporaryError


@contextmanager
def half_done(done: Callable[[], str]) -> Iterator[None]:
    """Do the rest of a request.

    Args:
        done: Returns what was done of it by then, in words; empty: nothing.

    Raises:
        OutcomeUnknown: Instead of what says that nothing was changed.
    """
    try:
        yield
    except (TemporaryError, PermanentError) as error:
        words = done()
        if not words:
            raise
        raise OutcomeUnknown(f"{words}: {error}", settles_within_s=0.0) from error
