"""`cached_property`, which Python before 3.12 guards with a lock that costs more than most of what is derived here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:

    class cached_property:  # noqa: N801 - it has the name of what it stands in for
        """Derive a value once for each object. Two threads may both do so: it is the same value."""

        def __init__(self, derive: Callable[[Any], Any]) -> None:
            self._derive = derive
            self._name = derive.__name__
            self.__doc__ = derive.__doc__

        def __get__(self, owner: Any, kind: Any = None) -> Any:
            if owner is None:
                return self
            value = owner.__dict__[self._name] = self._derive(owner)
            return value
